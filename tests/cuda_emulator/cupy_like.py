"""A stand-in for CuPy on the CPU: NumPy's functions on arrays that, like CuPy's, do not mix with NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class CupyLikeArray(np.ndarray):
    """An array of the stand-in; kernels of the emulator take it as it is."""

    __module__ = "cupy"

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **keywords: Any) -> Any:
        given = {name: plain(value) for name, value in keywords.items()}
        if out is not None:
            given["out"] = tuple(map(plain, out))
        result = getattr(ufunc, method)(*map(plain, inputs), **given)
        return out[0] if out is not None else wrapped(result)

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        return wrapped(function(*map(plain, arguments), **{name: plain(value) for name, value in keywords.items()}))

    def get(self) -> np.ndarray:
        """The array as NumPy's."""
        return self.view(np.ndarray).copy()


def plain(value: Any) -> Any:
    """NumPy's view of the stand-in's arrays.

    Raises
    ------
    TypeError
        An array is NumPy's already: CuPy refuses it.
    """
    if isinstance(value, CupyLikeArray):
        return value.view(np.ndarray)
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value


def wrapped(value: Any) -> Any:
    """The stand-in's view of NumPy's arrays; scalars are arrays without axes, as CuPy's are."""
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value).view(CupyLikeArray)
    return tuple(map(wrapped, value)) if isinstance(value, tuple) else value


class CupyLike(ModuleType):
    """NumPy's functions on the stand-in's arrays."""

    def __init__(self, name: str, library: Any = np) -> None:
        super().__init__(name)
        self._library = library

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._library, name)
        if isinstance(value, ModuleType):
            return CupyLike(f"{self.__name__}.{name}", value)
        if isinstance(value, type) or not callable(value):
            return value
        return _function(value)


def _function(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        return wrapped(function(*map(plain, arguments), **{name: plain(value) for name, value in keywords.items()}))

    return call


def _method(name: str) -> Callable[..., Any]:
    def call(self: CupyLikeArray, *arguments: Any, **keywords: Any) -> Any:
        return _function(getattr(plain(self), name))(*arguments, **keywords)

    return call


#: Methods whose NumPy code makes arrays of its own on the way.
for _name in (
    "all",
    "any",
    "argmax",
    "argmin",
    "clip",
    "max",
    "mean",
    "min",
    "nonzero",
    "prod",
    "repeat",
    "std",
    "sum",
):
    setattr(CupyLikeArray, _name, _method(_name))


def cupy_like(free_memory: int = 1 << 33) -> ModuleType:
    """Return a module that can stand in for cupy, with one device."""
    module: Any = CupyLike("cupy")
    module.__version__ = "14.0.0"
    module.ndarray = CupyLikeArray
    module.asarray = lambda values, dtype=None: np.asarray(values, dtype=dtype).view(CupyLikeArray)
    module.asnumpy = lambda values: values.get()
    module.cuda = SimpleNamespace(
        runtime=SimpleNamespace(
            getDevice=lambda: 0,
            getDeviceCount=lambda: 1,
            CUDARuntimeError=RuntimeError,
            memGetInfo=lambda: (free_memory, 2 * free_memory),
        )
    )
    return module  # type: ignore[no-any-return]
