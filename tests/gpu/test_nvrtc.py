"""Every kernel compiles with NVIDIA's own compiler, for GPUs from Turing to Hopper, and spills no registers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nvrtc import compile_for

import netopt

SOURCES = sorted(Path(netopt.__file__).parent.rglob("*.cu"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
@pytest.mark.parametrize("architecture", ["compute_75", "compute_80"])
def test_sources_compile(path: Path, architecture: str) -> None:
    code, _ = compile_for(path, architecture)
    kernels = re.findall(r'extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)', path.read_text())
    assert kernels
    for kernel in kernels:
        assert f".entry {kernel}(".encode() in code


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_registers_are_spilled(path: Path) -> None:
    """Registers that do not suffice go to memory: many times slower, and no test of results would show it."""
    _, log = compile_for(path, "sm_90")
    assert re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    assert set(re.findall(r"(\d+) bytes spill", log)) == {"0"}, log
