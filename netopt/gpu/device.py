"""The device that arrays live on: NumPy's on the CPU, CuPy's on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from netopt.errors import InvalidOptionError

#: What ``--device`` may be.
DEVICES = ("cpu", "cuda")
_OLDEST_CUPY = 13


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU at hand.

    Attributes
    ----------
    name : as its driver calls it.
    capability : compute capability, such as (9, 0).
    multiprocessors : their number.
    memory, free_memory : bytes.
    driver, runtime : CUDA versions, such as 13000 for 13.0.
    cupy : CuPy's version.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    memory: int
    free_memory: int
    driver: int
    runtime: int
    cupy: str


def array_library(device: str) -> Any:
    """Return the library whose arrays live on a device: numpy for ``cpu``, cupy for ``cuda``.

    Raises
    ------
    InvalidOptionError
        The device is unknown, CuPy is missing, broken or too old, or there is no GPU.

    Examples
    --------
    >>> array_library("cpu").__name__
    'numpy'
    """
    if device not in DEVICES:
        raise InvalidOptionError(f"unknown device {device!r}; choose one of {', '.join(DEVICES)}")
    if device == "cpu":
        return np
    cupy = import_cupy()
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise InvalidOptionError(
            f"device 'cuda' was asked for, but CuPy {cupy.__version__} finds no GPU ({error}); use 'cpu'"
        ) from error
    if count == 0:
        raise InvalidOptionError(f"device 'cuda' was asked for, but CuPy {cupy.__version__} finds no GPU; use 'cpu'")
    return cupy


def import_cupy() -> Any:
    """Return cupy.

    Raises
    ------
    InvalidOptionError
        It is missing, too old, or does not load.
    """
    try:
        import cupy
    except ModuleNotFoundError as error:
        raise InvalidOptionError(
            "device 'cuda' was asked for, but CuPy is not installed;"
            " install netopt[cuda12] or netopt[cuda13], as the GPU's driver has it, or use 'cpu'"
        ) from error
    except ImportError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InvalidOptionError(
            f"device 'cuda' was asked for, but CuPy does not load: {reason[:300]};"
            " install the CuPy of the driver's CUDA version, or use 'cpu'"
        ) from error
    if int(cupy.__version__.partition(".")[0]) < _OLDEST_CUPY:
        raise InvalidOptionError(
            f"device 'cuda' needs CuPy {_OLDEST_CUPY} or newer, but {cupy.__version__} is installed; upgrade it"
        )
    return cupy


def describe_gpu() -> Gpu:
    """Return what the GPU at hand is.

    Raises
    ------
    InvalidOptionError
        There is none.
    """
    cupy = array_library("cuda")
    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(runtime.getDevice())
    free, total = runtime.memGetInfo()
    return Gpu(
        name=properties["name"].decode(),
        capability=(properties["major"], properties["minor"]),
        multiprocessors=properties["multiProcessorCount"],
        memory=total,
        free_memory=free,
        driver=runtime.driverGetVersion(),
        runtime=runtime.runtimeGetVersion(),
        cupy=cupy.__version__,
    )
