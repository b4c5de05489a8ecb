"""Batches of vectors as images that are zero outside one window: what a few pixels can reach of the layers behind them.

A vector with entries at the pixels of a window alone has, behind a convolution of k x k pixels and stride s, entries at
about ``1 / s`` of that window and ``k / s`` pixels more; the rest is never computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.network.convolution import Convolution
from netopt.network.identity import Identity
from netopt.network.linear_map import LinearMap

#: (top, bottom, left, right) of a part of an image, the ends excluded; it may stick out.
Window: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Images of one `shape` (C, H, W) that are zero outside a window; `values` are (g, C, height, width)."""

    values: FloatArray
    window: Window
    shape: tuple[int, int, int]

    def seen(self, window: Window) -> FloatArray:
        """Return the pixels in another window, zeros where there are none, (g, C, height, width)."""
        if window == self.window:
            return self.values
        top, bottom, left, right = window
        result = np.zeros((*self.values.shape[:2], bottom - top, right - left), self.values.dtype)
        upper, lower = max(top, self.window[0]), min(bottom, self.window[1])
        first, last = max(left, self.window[2]), min(right, self.window[3])
        if upper < lower and first < last:
            rows, columns = slice(upper - self.window[0], lower - self.window[0]), slice(first - self.window[2], None)
            own = self.values[:, :, rows, columns][..., : last - first]
            result[:, :, upper - top : lower - top, first - left : last - left] = own
        return result


#: Vectors (g, size), or images.
Vectors: TypeAlias = "FloatArray | Patch"


def whole(value: Vectors) -> FloatArray:
    """Return vectors (g, size)."""
    if isinstance(value, np.ndarray):
        return value
    image = value.seen((0, value.shape[1], 0, value.shape[2]))
    return image.reshape(len(image), math.prod(value.shape))


def units(entries: IntArray, weight: FloatArray, size: int, shape: tuple[int, int, int] | None) -> Vectors:
    """Return one vector for each of some entries, that has a weight there and is zero elsewhere.

    Parameters
    ----------
    entries, weight : (g,).
    shape : (C, H, W) where the vectors are images, else None.
    """
    every = np.arange(entries.size)
    if shape is None:
        vectors = np.zeros((entries.size, size))
        vectors[every, entries] = weight
        return vectors
    channel, row, column = np.unravel_index(entries, shape)
    window = (int(row.min()), int(row.max()) + 1, int(column.min()), int(column.max()) + 1)
    values = np.zeros((entries.size, shape[0], window[1] - window[0], window[3] - window[2]))
    values[every, channel, row - window[0], column - window[2]] = weight
    return Patch(values, window, shape)


def empty(value: Vectors) -> Vectors:
    """Return none of the vectors, of which only the window is left."""
    return value[:0] if isinstance(value, np.ndarray) else replace(value, values=value.values[:0])


def covered(value: Vectors) -> float:
    """Return which part of an image the window is; 1 for vectors."""
    if isinstance(value, np.ndarray):
        return 1.0
    top, bottom, left, right = value.window
    return (bottom - top) * (right - left) / (value.shape[1] * value.shape[2])


def carried(linear_map: LinearMap, value: Vectors) -> Vectors:
    """Return ``W v`` for every vector."""
    if isinstance(linear_map, Identity):
        return value
    if not isinstance(linear_map, Convolution):
        return linear_map.apply(whole(value))
    shape = linear_map.in_shape
    if not isinstance(value, Patch) or value.shape != shape:
        value = Patch(_images(value, shape), (0, shape[1], 0, shape[2]), shape)
    axes = [_reached(linear_map, axis, value.window[2 * axis : 2 * axis + 2]) for axis in range(2)]
    (top, bottom, *rows), (left, right, *columns) = axes
    seen = value.seen((rows[0], rows[1], columns[0], columns[1]))
    local = replace(linear_map, in_shape=(shape[0], *seen.shape[2:]), pads=(0, 0, 0, 0))
    out = local.apply(seen.reshape(len(seen), local.in_size)).reshape(len(seen), *local.out_shape)
    return Patch(out, (top, bottom, left, right), linear_map.out_shape)


def _images(value: Vectors, shape: tuple[int, int, int]) -> FloatArray:
    """Return vectors as images (g, C, H, W)."""
    vectors = whole(value)
    return vectors.reshape(len(vectors), *shape)


def _reached(convolution: Convolution, axis: int, span: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return which outputs see some pixels along an axis, from and to, and which pixels those see, from and to.

    Where there are no such outputs, it is one that sees none of the pixels.
    """
    stride, padding = convolution.strides[axis], convolution.pads[axis]
    width = (convolution.weight.shape[2 + axis] - 1) * convolution.dilations[axis]
    count = convolution.out_shape[1 + axis]
    first = min(max(-((width - span[0] - padding) // stride), 0), count - 1)
    last = max(min((span[1] - 1 + padding) // stride, count - 1), first)
    return first, last + 1, first * stride - padding, last * stride - padding + width + 1


def scaled(value: Vectors, factor: FloatArray) -> Vectors:
    """Return vectors multiplied entry by entry with a vector (size,)."""
    if isinstance(value, np.ndarray):
        return value * factor
    top, bottom, left, right = value.window
    return replace(value, values=value.values * factor.reshape(value.shape)[:, top:bottom, left:right])


def added(one: Vectors, other: Vectors) -> Vectors:
    """Return the sums of two batches of vectors."""
    if isinstance(one, Patch) and isinstance(other, Patch) and one.shape == other.shape:
        ends = list(zip(one.window, other.window, strict=True))
        window = (min(ends[0]), max(ends[1]), min(ends[2]), max(ends[3]))
        return Patch(one.seen(window) + other.seen(window), window, one.shape)
    return whole(one) + whole(other)


def add_absolute(total: FloatArray, value: Vectors) -> None:
    """Add up, in `total` (size,), the absolute values of the entries of all vectors."""
    if isinstance(value, np.ndarray):
        total += np.abs(value).sum(axis=0)
        return
    top, bottom, left, right = value.window
    total.reshape(value.shape)[:, top:bottom, left:right] += np.abs(value.values).sum(axis=0)
