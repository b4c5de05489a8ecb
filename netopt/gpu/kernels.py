"""CUDA kernels from ``.cu`` files, compiled when they are first launched and kept.

Products and sums are not contracted to fused ones behind the source's back (``--fmad=false``; where a fused product is
wanted the source says ``fmaf``), denormals are kept and division is exact, so that a kernel rounds as it is written:
on every GPU, and on the CPU where the tests run the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from netopt.gpu.device import import_cupy

#: How every kernel is compiled.
OPTIONS = ("--std=c++17", "--fmad=false")
_INCLUDE = re.compile(r'^#include "(?P<name>[\w.]+)"$', flags=re.MULTILINE)
#: Dynamic shared memory a block gets without asking for more, bytes.
_COMMON_SHARED = 48 * 1024

#: Macros of a source, such as ``(("REAL", "float"),)``.
Definitions: TypeAlias = tuple[tuple[str, str | int], ...]


def source_text(path: Path) -> str:
    """Return the text of a ``.cu`` file, the headers of its own folder or of this one put in where they are included.

    One text a module: CuPy keeps compiled kernels by their text, and would not see that a header has changed.
    """

    def header(match: re.Match[str]) -> str:
        beside = path.parent / match["name"]
        return source_text(beside if beside.exists() else Path(__file__).parent / match["name"])

    return _INCLUDE.sub(header, path.read_text(encoding="utf-8"))


class Kernels:
    """The kernels of one ``.cu`` file.

    Parameters
    ----------
    path : the file.
    definitions : macros it is compiled with.

    Examples
    --------
    A module with kernels holds ``KERNELS = Kernels(Path(__file__).with_suffix(".cu"))`` and calls::

        KERNELS.launch("scale", blocks, threads, (values, np.float32(2.0), np.int64(values.size)))
    """

    def __init__(self, path: Path, **definitions: str | int) -> None:
        self.path = path
        self.definitions: Definitions = tuple(sorted(definitions.items()))

    def launch(
        self,
        name: str,
        grid: int | tuple[int, ...],
        block: int | tuple[int, ...],
        arguments: Sequence[Any],
        shared: int = 0,
    ) -> None:
        """Start a kernel on the current stream.

        Parameters
        ----------
        name : the kernel, declared ``extern "C" __global__``.
        grid, block : how many blocks, how many threads each, along up to three axes.
        arguments : CuPy arrays and NumPy scalars of the types declared (the width of a Python number would be a guess).
        shared : bytes of dynamic shared memory a block.

        Raises
        ------
        InvalidOptionError
            CuPy is missing.
        """
        kernel = function(self.path, self.definitions, name)
        if shared > _COMMON_SHARED:
            kernel.max_dynamic_shared_size_bytes = shared
        kernel(_axes(grid), _axes(block), tuple(arguments), shared_mem=shared)


def function(path: Path, definitions: Definitions, name: str) -> Any:
    """Return a compiled kernel: called with grid, block, arguments and ``shared_mem``."""
    return _module(path, definitions).get_function(name)


@cache
def _module(path: Path, definitions: Definitions) -> Any:
    options = (*OPTIONS, *(f"-D{name}={value}" for name, value in definitions))
    return import_cupy().RawModule(code=source_text(path), options=options, backend="nvrtc")


def _axes(extent: int | tuple[int, ...]) -> tuple[int, ...]:
    return (extent,) if isinstance(extent, int) else extent
