"""CUDA kernels run on the CPU: the same ``.cu`` text, compiled by g++ against a small runtime."""

from cuda_emulator.emulator import EmulationError, compiler, emulated_function

__all__ = ["EmulationError", "compiler", "emulated_function"]
