"""The user's x and y as arrays of scalar entries, one row a copy of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netopt.errors import InputError

ObjectArray = NDArray[np.object_]
#: Turns a vendor's container into nested sequences, arrays or mappings; anything else is returned as it is.
Unpack = Callable[[Any], Any]


def input_entries(values: Any, size: int, unpack: Unpack) -> tuple[ObjectArray, bool]:
    """Return the inputs as (rows, size), and whether they were given as a vector: one row.

    Raises
    ------
    InputError
        The shape is neither (size,) nor (rows, size).
    """
    array = _as_array(values, unpack)
    if array.ndim < 2 and array.size == size:
        return array.reshape(1, size), True
    if array.ndim == 2 and array.shape[1] == size and array.shape[0] > 0:
        return array, False
    raise InputError(f"x has shape {array.shape} and the network takes {size} inputs; pass ({size},) or (rows, {size})")


def output_entries(values: Any, rows: int, size: int, unpack: Unpack) -> ObjectArray:
    """Return the outputs as (rows, size); a vector serves one row, or one output of several rows.

    Raises
    ------
    InputError
        The shape does not fit the inputs' rows and the network's outputs.
    """
    array = _as_array(values, unpack)
    vector = array.ndim < 2 and array.size == rows * size and (rows == 1 or size == 1)
    if vector or array.shape == (rows, size):
        return array.reshape(rows, size)
    wanted = f"({size},)" if rows == 1 else f"({rows}, {size})"
    raise InputError(f"y has shape {array.shape}; {rows} row(s) of x and {size} output(s) of the network need {wanted}")


def _as_array(values: Any, unpack: Unpack) -> ObjectArray:
    """Return nested containers as an object array; vendor expressions are never taken for sequences."""
    nested = _nested(values, unpack)
    shape: list[int] = []
    level = nested
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    array = np.empty(tuple(shape), dtype=object)
    if not shape:
        array[()] = nested
        return array
    if len(shape) == 1:
        rows = [nested]
    elif len(shape) == 2:
        rows = nested
    else:
        raise InputError(f"an array of {len(shape)} axes was given; pass a vector, or a matrix with one row a copy")
    flat = array.reshape(-1)
    for k, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != shape[-1] or any(isinstance(entry, list) for entry in row):
            raise InputError(f"row {k} of the given array does not have {shape[-1]} scalar entries like the first")
        flat[k * shape[-1] : (k + 1) * shape[-1]] = row
    return array


def _nested(values: Any, unpack: Unpack) -> Any:
    values = unpack(values)
    if isinstance(values, Mapping):
        return _nested_mapping(values, unpack)
    if hasattr(values, "to_numpy"):  # a pandas frame or series
        values = values.to_numpy()
    if isinstance(values, np.ndarray):
        return values.tolist()
    if isinstance(values, list | tuple | range):
        return [_nested(value, unpack) for value in values]
    return values


def _nested_mapping(values: Mapping[Any, Any], unpack: Unpack) -> list[Any]:
    """Return a mapping's values in its order; keys that are pairs make a matrix, one row a first element."""
    if not all(isinstance(key, tuple) and len(key) == 2 for key in values):
        return [_nested(value, unpack) for value in values.values()]
    rows: dict[Any, list[Any]] = {}
    for (row, _), value in values.items():
        rows.setdefault(row, []).append(_nested(value, unpack))
    return list(rows.values())
