"""CUDA kernels run on the CPU: the same ``.cu`` text, compiled by g++ against a small runtime."""

from cuda_emulator.cupy_like import cupy_like
from cuda_emulator.emulator import EmulationError, compiler, emulated_function

__all__ = ["EmulationError", "compiler", "cupy_like", "emulated_function"]
