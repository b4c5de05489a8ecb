"""The device that torch computes on: whether it is there, and how it computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from netopt.errors import InvalidOptionError
from netopt.gpu.device import DEVICES


def check_device(device: str) -> None:
    """Check that torch can compute on a device.

    Raises
    ------
    InvalidOptionError
        The device is unknown, torch is not installed, or CUDA was asked for and there is no GPU.
    """
    if device not in DEVICES:
        raise InvalidOptionError(f"unknown device {device!r}; choose one of {', '.join(DEVICES)}")
    torch = import_torch()
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidOptionError(f"device 'cuda' was asked for, but torch {torch.__version__} finds no GPU; use 'cpu'")


def import_torch() -> Any:
    """Return torch.

    Raises
    ------
    InvalidOptionError
        It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise InvalidOptionError("torch is not installed; install netopt[torch]") from error
    return torch


@contextmanager
def computing() -> Iterator[None]:
    """Keep no gradients, and all bits of float32 on a GPU."""
    import torch

    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
