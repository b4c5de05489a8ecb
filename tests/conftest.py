"""Fixtures every test may use, and the hypothesis profile."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from netopt.errors import InvalidOptionError
from netopt.gpu.device import array_library
from netopt.gpu.kernels import Definitions

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "netopt", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("netopt")


@pytest.fixture(scope="session")
def vnncomp() -> Path:
    """Folder of public verification benchmarks with known answers, beside the checkout; never part of it."""
    folder = Path(os.environ.get("NETOPT_VNNCOMP", ROOT.parent / "shared" / "vnncomp"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set NETOPT_VNNCOMP to a folder of VNN-COMP benchmarks")
    return folder


@pytest.fixture(scope="session")
def image_data() -> Path:
    """Folder with mnist.npz and fashion_mnist.npz, beside the checkout; never part of it."""
    folder = Path(os.environ.get("NETOPT_IMAGE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set NETOPT_IMAGE_DATA to a folder with mnist.npz")
    return folder


@pytest.fixture(params=[0, 1, 2], ids=["ascending", "descending", "random"])
def cuda_on_cpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA kernels of netopt run on the CPU, on NumPy arrays; threads take turns in three orders."""
    from cuda_emulator import compiler, emulated_function

    if not compiler():
        pytest.skip("no C++ compiler is installed, so CUDA kernels cannot be run on the CPU; install g++")

    def function(path: Path, definitions: Definitions, name: str) -> Any:
        kernel = emulated_function(path, definitions, name)
        kernel.order = request.param
        return kernel

    monkeypatch.setattr("netopt.gpu.kernels.function", function)


@pytest.fixture
def cupy_on_cpu(cuda_on_cpu: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for CuPy whose arrays do not mix with NumPy's; device 'cuda' is there, and kernels run on the CPU."""
    from cuda_emulator import cupy_like

    module = cupy_like()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.fixture
def gpu() -> Any:
    """Cupy, where there is a GPU for it."""
    try:
        return array_library("cuda")
    except InvalidOptionError as error:
        pytest.skip(str(error))
