"""NVIDIA's run-time compiler through ctypes: it needs no GPU, only the package nvidia-cuda-nvrtc."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from netopt.gpu.kernels import OPTIONS, Definitions, source_text


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return NVRTC as a pip package brings it, or None."""
    spec = find_spec("nvidia")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    found = [
        path
        for folder in folders
        for path in folder.glob("**/libnvrtc.so.*")
        if path.suffix.removeprefix(".").isdigit()
    ]
    return ctypes.CDLL(str(found[0])) if found else None


def compile_for(path: Path, architecture: str, definitions: Definitions = ()) -> tuple[bytes, str]:
    """Return what a ``.cu`` file becomes (PTX for compute_XY, machine code for sm_XY) and the compiler's log.

    Raises
    ------
    AssertionError
        It does not compile; the message is the log.
    """
    nvrtc = library()
    if nvrtc is None:
        pytest.skip(
            "NVRTC is not installed, so CUDA kernels are not compiled for a GPU; install nvidia-cuda-nvrtc-cu12"
        )
    program = ctypes.c_void_p()
    text = source_text(path).encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, path.name.encode(), 0, None, None) == 0
    flags = [
        *OPTIONS,
        f"--gpu-architecture={architecture}",
        *(f"-D{name}={value}" for name, value in definitions),
        *(["--ptxas-options=-v"] if architecture.startswith("sm_") else []),
    ]
    status = nvrtc.nvrtcCompileProgram(
        program, len(flags), (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
    )
    log = _text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).decode()
    assert status == 0, log
    if architecture.startswith("sm_"):
        return _text(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program), log
    return _text(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program), log


def _text(size_of: ctypes._FuncPointer, get: ctypes._FuncPointer, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    assert size_of(program, ctypes.byref(size)) == 0
    buffer = ctypes.create_string_buffer(size.value)
    assert get(program, buffer) == 0
    return buffer.raw
