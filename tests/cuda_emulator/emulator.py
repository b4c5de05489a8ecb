"""Kernels compiled for the CPU and called as CuPy's are: with a grid, a block and arguments that are checked."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from netopt.gpu.kernels import Definitions, source_text

_HERE = Path(__file__).parent
_MESSAGE_BYTES = 512
_FLAGS = ("-std=c++20", "-O1", "-fPIC", "-ffp-contract=off", "-Wno-unknown-pragmas", "-Wall", "-Wno-unused")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", flags=re.DOTALL)
_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)'
)
_DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s*)?(?P<type>[\w\s]+?)\s+(?P<name>\w+)\s*\[\s*\]\s*;")
_LARGEST_BLOCK = 1024
_LARGEST_SHARED = 227 * 1024


class EmulationError(Exception):
    """A kernel did, or was given, what a GPU forbids or leaves undefined."""


class EmulatedFunction:
    """One kernel; called as ``cupy.RawKernel`` is.

    Attributes
    ----------
    order : in which order threads take turns and blocks run: 0 ascending, 1 descending, others a seed.
    """

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self._library, self._name = library, name
        self.order = 0
        self.max_dynamic_shared_size_bytes = 48 * 1024
        signature = getattr(library, f"signature_{name}")
        signature.restype = ctypes.c_char_p
        self._codes = signature().decode().split()

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...], shared_mem: int = 0
    ) -> None:
        geometry = (*grid, 1, 1)[:3] + (*block, 1, 1)[:3]
        self._check_geometry(geometry, shared_mem)
        if len(arguments) != len(self._codes):
            raise EmulationError(f"{self._name} takes {len(self._codes)} arguments, but got {len(arguments)}")
        memory = _Memory(self._library)
        try:
            values = [memory.passed(code, value) for code, value in zip(self._codes, arguments, strict=True)]
            message = ctypes.create_string_buffer(_MESSAGE_BYTES)
            failed = getattr(self._library, f"launch_{self._name}")(
                (ctypes.c_uint * 6)(*geometry), ctypes.c_size_t(shared_mem), ctypes.c_uint(self.order), message, *values
            )
        finally:
            overrun = memory.give_back()
        if failed:
            raise EmulationError(f"{self._name}: {message.value.decode()}")
        if overrun:
            raise EmulationError(f"{self._name} wrote beside argument {overrun[0]}")

    def _check_geometry(self, geometry: tuple[int, ...], shared: int) -> None:
        threads = int(np.prod(geometry[3:]))
        if min(geometry) < 1 or threads > _LARGEST_BLOCK or max(geometry[1:3]) > 65535 or geometry[5] > 64:
            raise EmulationError(f"{self._name}: no GPU launches a grid {geometry[:3]} of blocks {geometry[3:]}")
        if shared > min(self.max_dynamic_shared_size_bytes, _LARGEST_SHARED):
            raise EmulationError(f"{self._name}: {shared} bytes of shared memory were not asked for")


class _Memory:
    """The arrays of a launch, copied to where an access beside them faults."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._arrays: dict[int, tuple[np.ndarray, int, int, bool]] = {}

    def passed(self, code: str, value: Any) -> Any:
        kind = code[-1]
        if "*" not in code:
            if not isinstance(value, np.generic) or value.dtype.char not in (kind, {"q": "l", "Q": "L"}.get(kind)):
                raise EmulationError(f"a number {value!r} of type {type(value).__name__} was given for {code!r}")
            return np.ctypeslib.as_ctypes_type(value.dtype)(value)
        same = {"q": "ql", "Q": "QL", "B": "B?"}.get(kind, kind)
        if not isinstance(value, np.ndarray) or value.dtype.char not in same or not value.flags.c_contiguous:
            found = f"{type(value).__name__} of {getattr(value, 'dtype', None)}"
            raise EmulationError(f"{found} was given for {code!r}; it must be a contiguous array of that type")
        return ctypes.c_void_p(self._guarded(value, constant=code.startswith("const")))

    def _guarded(self, array: np.ndarray, constant: bool) -> int:
        key = array.ctypes.data
        if key in self._arrays:
            known, start, address, was_constant = self._arrays[key]
            self._arrays[key] = (known, start, address, was_constant and constant)
            return address
        if any(np.may_share_memory(array, other) for other, *_ in self._arrays.values()):
            raise EmulationError("two arrays overlap in part")
        address = ctypes.c_void_p()
        start = self._library.guarded_allocate(ctypes.c_size_t(array.nbytes), ctypes.byref(address))
        assert start is not None, "no memory"
        place = address.value
        assert place is not None
        ctypes.memmove(place, key, array.nbytes)
        self._arrays[key] = (array, start, place, constant)
        return place

    def give_back(self) -> list[int]:
        """Copy the results back; return the position of every array beside which something was written."""
        overrun = []
        for position, (array, start, address, constant) in enumerate(self._arrays.values()):
            if not constant:
                ctypes.memmove(array.ctypes.data, address, array.nbytes)
            free = self._library.guarded_free
            if free(ctypes.c_void_p(start), ctypes.c_void_p(address), ctypes.c_size_t(array.nbytes)):
                overrun.append(position)
        return overrun


@cache
def emulated_function(path: Path, definitions: Definitions, name: str) -> EmulatedFunction:
    """Return a kernel of a ``.cu`` file, run on the CPU; stands in for `netopt.gpu.kernels.function`."""
    return EmulatedFunction(_library(path, definitions), name)


@cache
def _library(path: Path, definitions: Definitions) -> ctypes.CDLL:
    text = translated(source_text(path))
    key = sha256(repr((text, definitions)).encode()).hexdigest()[:16]
    folder = Path(_build_folder().name)
    source = folder / f"{path.stem}_{key}.cpp"
    source.write_text(text)
    library = source.with_suffix(".so")
    macros = [f"-D{name}={value}" for name, value in definitions]
    _compile(path.name, "-shared", *macros, str(source), str(_runtime()), "-o", str(library))
    loaded = ctypes.CDLL(str(library))
    loaded.guarded_allocate.restype = ctypes.c_void_p
    return loaded


@lru_cache(maxsize=1)
def _runtime() -> Path:
    compiled = Path(_build_folder().name) / "runtime.o"
    _compile("runtime.cpp", "-c", str(_HERE / "runtime.cpp"), "-o", str(compiled))
    return compiled


def _compile(what: str, *arguments: str) -> None:
    command = [compiler(), *_FLAGS, f"-I{_HERE}", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise EmulationError(f"{what} does not compile:\n{result.stderr}")


def translated(text: str) -> str:
    """Return C++ for a CUDA source: dynamic shared memory as a pointer, and a launcher for every kernel."""
    code = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    code = _DYNAMIC.sub(r"\g<type>* const \g<name> = static_cast<\g<type>*>(emulator::dynamic_shared());", code)
    launchers = "\n".join(_launcher(match["name"], match["parameters"]) for match in _KERNEL.finditer(code))
    return f'#include "cuda.h"\n#include "runtime.h"\n#line 1\n{code}\n{launchers}\n'


def _launcher(name: str, parameters: str) -> str:
    declared = [" ".join(part.split()) for part in parameters.split(",")]
    names = [re.findall(r"\w+", part)[-1] for part in declared]
    types = [
        re.sub(rf"\b{own}$", "", part).replace("__restrict__", "") for own, part in zip(names, declared, strict=True)
    ]
    codes = ' + " " + '.join(f"emulator::code<{kind}>()" for kind in types)
    return f"""
extern "C" const char* signature_{name}() {{ static const std::string text = {codes}; return text.c_str(); }}
extern "C" int launch_{name}(const unsigned* emulated_geometry, std::size_t emulated_shared, unsigned emulated_order,
                             char* emulated_message, {", ".join(declared)}) {{
    return emulator::launch(emulated_geometry, emulated_shared, emulated_order, emulated_message,
                            [=] {{ {name}({", ".join(names)}); }});
}}"""


def compiler() -> str:
    """Return the C++ compiler's path, or an empty text where there is none."""
    return shutil.which("g++") or shutil.which("clang++") or ""


@lru_cache(maxsize=1)
def _build_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cuda_emulator_")
