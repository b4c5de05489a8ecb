"""Devices: what is there, and one sentence where something is missing."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from netopt.arrays import array_namespace
from netopt.errors import InvalidOptionError
from netopt.gpu.device import array_library, describe_gpu


class NoDeviceError(RuntimeError):
    """As CuPy's error where there is no GPU."""


def _cupy(version: str, devices: int | None) -> ModuleType:
    """A module that says of itself what CuPy says; ``None`` devices: the driver is missing."""

    def device_count() -> int:
        if devices is None:
            raise NoDeviceError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
        return devices

    module = ModuleType("cupy")
    runtime = SimpleNamespace(getDeviceCount=device_count, CUDARuntimeError=NoDeviceError)
    module.__version__ = version  # type: ignore[attr-defined]
    module.cuda = SimpleNamespace(runtime=runtime)  # type: ignore[attr-defined]
    return module


def test_the_cpu_is_numpy() -> None:
    assert array_library("cpu") is np


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(InvalidOptionError, match="unknown device 'tpu'; choose one of cpu, cuda"):
        array_library("tpu")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (None, r"CuPy is not installed; install netopt\[cuda12\] or netopt\[cuda13\]"),
        (_cupy("12.3.0", 1), "needs CuPy 13 or newer, but 12.3.0 is installed"),
        (_cupy("14.2.0", None), r"CuPy 14.2.0 finds no GPU \(cudaErrorInsufficientDriver"),
        (_cupy("13.4.1", 0), "CuPy 13.4.1 finds no GPU; use 'cpu'"),
    ],
)
def test_a_missing_gpu_is_said(module: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", module)
    with pytest.raises(InvalidOptionError, match=words):
        array_library("cuda")


def test_a_cupy_that_does_not_load_is_said(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cupy.py").write_text("raise ImportError('libnvrtc.so.12: cannot open\\n shared object file')\n")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidOptionError, match=r"does not load: libnvrtc\.so\.12: cannot open shared object file;"):
        array_library("cuda")


def test_a_gpu_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    module = _cupy("14.2.0", 1)
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert array_library("cuda") is module


def test_arrays_name_their_library() -> None:
    class Array:
        __module__ = "cupy._core.core"

    module = _cupy("14.2.0", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", module)
        assert array_namespace(Array(), Array()) is module
        with pytest.raises(TypeError, match="mixed"):
            array_namespace(Array(), np.zeros(2))
    assert array_namespace(np.zeros(2), np.float32(1.0)) is np


@pytest.mark.gpu
def test_a_real_gpu_describes_itself(gpu: Any) -> None:
    found = describe_gpu()
    assert found.multiprocessors > 0
    assert 0 < found.free_memory <= found.memory
    assert found.name
    assert found.cupy == gpu.__version__
