"""A convolution as the linear part of an Affine node; a one-dimensional one has height 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from netopt.arrays import BoolArray, FloatArray, IntArray, sparse
from netopt.network.linear_map import LinearMap
from netopt.network.sparse import Sparse

#: Entries of the unfolded images kept at a time: larger batches are cut, so that a piece stays in the cache.
_CHUNK = 250_000
#: Entries of the rows of the matrix made at a time.
_ROW_CHUNK = 2_000_000
#: Images of so few pixels are put together for one product, which is several times as fast.
_SMALL = 32


@dataclass(frozen=True, eq=False)
class Convolution(LinearMap):
    """Cross-correlation of (C, H, W) images, zero padded, as ONNX ``Conv`` defines it.

    Attributes
    ----------
    weight : (out channels, C / groups, kernel height, kernel width) float64.
    in_shape : (C, H, W).
    strides, dilations : vertical, horizontal.
    pads : top, left, bottom, right; all >= 0.
    groups : channel groups.
    """

    weight: FloatArray
    in_shape: tuple[int, int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1

    @cached_property
    def out_shape(self) -> tuple[int, int, int]:
        """(out channels, height, width)."""
        _, height, width = self.in_shape
        top, left, bottom, right = self.pads
        spans = [(k - 1) * d + 1 for k, d in zip(self.weight.shape[2:], self.dilations, strict=True)]
        return (
            self.weight.shape[0],
            (height + top + bottom - spans[0]) // self.strides[0] + 1,
            (width + left + right - spans[1]) // self.strides[1] + 1,
        )

    @property
    def in_size(self) -> int:
        return int(np.prod(self.in_shape))

    @property
    def out_size(self) -> int:
        return int(np.prod(self.out_shape))

    @property
    def parameters(self) -> int:
        return self.weight.size

    def digest_arrays(self) -> tuple[NDArray[Any], ...]:
        layout = (*self.weight.shape, *self.in_shape, *self.strides, *self.pads, *self.dilations, self.groups)
        return self.weight, np.array(layout)

    @property
    def geometry(self) -> tuple[object, ...]:
        """All but the weights: two convolutions of equal geometry add by their weights."""
        return (self.weight.shape, self.in_shape, self.strides, self.pads, self.dilations, self.groups)

    @property
    def pointwise(self) -> bool:
        """Whether each pixel is read by itself: a matrix over the channels, the same everywhere."""
        single = self.weight.shape[2:] == (1, 1) and self.groups == 1
        return single and self.strides == (1, 1) and not any(self.pads)

    def with_weight(self, weight: FloatArray) -> Convolution:
        """Return the convolution with another kernel."""
        return replace(self, weight=weight)

    @cached_property
    def signed_rows(self) -> tuple[BoolArray, BoolArray]:
        kernels = self.weight.reshape(self.weight.shape[0], -1)
        pixels = self.out_shape[1] * self.out_shape[2]
        least, most = kernels.min(axis=1, initial=0.0), kernels.max(axis=1, initial=0.0)
        return np.repeat(least >= 0.0, pixels), np.repeat(most <= 0.0, pixels)

    @cached_property
    def _absolute(self) -> Convolution:
        return self.with_weight(np.abs(self.weight))

    def apply(self, x: FloatArray) -> FloatArray:
        channels, height, width = self.out_shape
        kernel = self.weight.reshape(self.groups, channels // self.groups, -1)
        out = np.empty((x.shape[0], self.groups, channels // self.groups, height * width), np.result_type(x, kernel))
        for part in self._chunks(x.shape[0]):
            seen = self.unfold(x[part])
            if self.groups > 1 or len(seen) == 1 or height * width > _SMALL:
                np.matmul(kernel, seen, out=out[part])
            else:
                columns = seen[:, 0].transpose(1, 0, 2).reshape(kernel.shape[2], -1)
                out[part, 0] = (kernel[0] @ columns).reshape(channels, len(seen), -1).transpose(1, 0, 2)
        return out.reshape(x.shape[0], self.out_size)

    @cached_property
    def _flipped(self) -> Convolution | None:
        """The transpose as a convolution, which takes half the time of adding up windows of the same size.

        None where it is none, or where its windows are more than twice those of the convolution.
        """
        spans = [(k - 1) * d for k, d in zip(self.weight.shape[2:], self.dilations, strict=True)]
        _, height, width = self.in_shape
        before = [span - pad for span, pad in zip(spans, self.pads[:2], strict=True)]
        after = [
            size + span - out - pad
            for size, span, out, pad in zip((height, width), spans, self.out_shape[1:], before, strict=True)
        ]
        larger = self.out_shape[0] * height * width > 2 * self.in_shape[0] * self.out_shape[1] * self.out_shape[2]
        if larger or self.groups > 1 or self.strides != (1, 1) or min(*before, *after) < 0:
            return None
        weight = np.ascontiguousarray(self.weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
        return replace(self, weight=weight, in_shape=self.out_shape, pads=(*before, *after))

    def apply_transpose(self, y: FloatArray) -> FloatArray:
        if self._flipped is not None:
            return self._flipped.apply(y)
        channels, height, width = self.out_shape
        kernel = self.weight.reshape(self.groups, channels // self.groups, -1).transpose(0, 2, 1)
        images = y.reshape(y.shape[0], self.groups, channels // self.groups, height * width)
        out = np.empty((y.shape[0], self.in_size), np.result_type(y, kernel))
        for part in self._chunks(y.shape[0]):
            out[part] = self._fold(np.matmul(kernel, images[part]))
        return out

    def apply_abs(self, x: FloatArray) -> FloatArray:
        return self._absolute.apply(x)

    def apply_abs_transpose(self, y: FloatArray) -> FloatArray:
        return self._absolute.apply_transpose(y)

    def _chunks(self, batch: int) -> Iterator[slice]:
        taps = int(np.prod(self.weight.shape[2:]))
        entries = self.in_shape[0] * taps * self.out_shape[1] * self.out_shape[2]
        step = max(1, _CHUNK // max(entries, 1))
        return (slice(start, start + step) for start in range(0, batch, step))

    def _windows(self) -> Iterator[tuple[int, int, slice, slice]]:
        """Yield each kernel offset and the slices of the padded image it sees."""
        _, height, width = self.out_shape
        for i in range(self.weight.shape[2]):
            top = i * self.dilations[0]
            rows = slice(top, top + (height - 1) * self.strides[0] + 1, self.strides[0])
            for j in range(self.weight.shape[3]):
                left = j * self.dilations[1]
                yield i, j, rows, slice(left, left + (width - 1) * self.strides[1] + 1, self.strides[1])

    def unfold(self, x: FloatArray) -> FloatArray:
        """Return the pixels each output sees: (batch, in) -> (batch, groups, C / groups * taps, out pixels)."""
        batch = x.shape[0]
        channels, height, width = self.in_shape
        top, left, bottom, right = self.pads
        image = x.reshape(batch, channels, height, width)
        if any(self.pads):  # np.pad does the same in several times as many calls
            padded = np.zeros((batch, channels, top + height + bottom, left + width + right), x.dtype)
            padded[:, :, top : top + height, left : left + width] = image
            image = padded
        unfolded = np.empty((batch, channels, *self.weight.shape[2:], *self.out_shape[1:]), x.dtype)
        for i, j, rows, columns in self._windows():
            unfolded[:, :, i, j] = image[:, :, rows, columns]
        return unfolded.reshape(batch, self.groups, -1, self.out_shape[1] * self.out_shape[2])

    def _fold(self, unfolded: FloatArray) -> FloatArray:
        """Add every window back to its pixels, the transpose of `unfold`: -> (batch, in)."""
        batch = unfolded.shape[0]
        channels, height, width = self.in_shape
        top, left, bottom, right = self.pads
        windows = unfolded.reshape(batch, channels, *self.weight.shape[2:], *self.out_shape[1:])
        image = np.zeros((batch, channels, height + top + bottom, width + left + right), unfolded.dtype)
        for i, j, rows, columns in self._windows():
            image[:, :, rows, columns] += windows[:, :, i, j]
        return image[:, :, top : top + height, left : left + width].reshape(batch, self.in_size)

    def to_csr(self, rows: IntArray | None = None) -> sparse.csr_array:
        chosen = np.arange(self.out_size) if rows is None else np.asarray(rows)
        taps = self.weight[0].size
        step = max(1, _ROW_CHUNK // taps)
        parts = [self._rows(chosen[start : start + step]) for start in range(0, chosen.size, step)]
        if not parts:
            return sparse.csr_array((0, self.in_size))
        return parts[0] if len(parts) == 1 else sparse.csr_array(sparse.vstack(parts, format="csr"))

    def _rows(self, rows: IntArray) -> sparse.csr_array:
        _, group_channels, *kernel_shape = self.weight.shape
        _, height, width = self.in_shape
        out_channel, y, x = np.unravel_index(rows, self.out_shape)
        first = out_channel // (self.out_shape[0] // self.groups) * group_channels
        row = (y * self.strides[0] - self.pads[0])[:, None] + np.arange(kernel_shape[0]) * self.dilations[0]
        column = (x * self.strides[1] - self.pads[1])[:, None] + np.arange(kernel_shape[1]) * self.dilations[1]
        inside = ((row >= 0) & (row < height))[:, :, None] & ((column >= 0) & (column < width))[:, None, :]
        pixel = row[:, :, None] * width + column[:, None, :]
        channel = (first[:, None] + np.arange(group_channels)) * (height * width)
        data = self.weight[out_channel]
        kept = inside[:, None] & (data != 0.0)
        index = (channel[:, :, None, None] + pixel[:, None]).astype(np.int32)
        pointer = np.concatenate([[0], np.cumsum(kept.reshape(rows.size, -1).sum(axis=1))])
        return sparse.csr_array((data[kept], index[kept], pointer), shape=(rows.size, self.in_size))

    @cached_property
    def fan_in(self) -> IntArray:
        """Pixels (not padding) under the kernel times channels a group; zero weights are counted."""
        seen = []
        for axis, kernel in enumerate(self.weight.shape[2:]):
            start = np.arange(self.out_shape[axis + 1]) * self.strides[axis] - self.pads[axis]
            position = start[:, None] + np.arange(kernel) * self.dilations[axis]
            seen.append(((position >= 0) & (position < self.in_shape[axis + 1])).sum(axis=1))
        image = np.outer(seen[0], seen[1]).ravel() * self.weight.shape[1]
        return np.tile(image, self.out_shape[0]).astype(np.int64)

    def astype(self, dtype: DTypeLike) -> Convolution:
        return self.with_weight(self.weight.astype(dtype))

    def scale_rows(self, factor: FloatArray) -> LinearMap:
        a_channel = factor.reshape(self.out_shape[0], -1)
        if (a_channel == a_channel[:, :1]).all():
            return self.with_weight(self.weight * a_channel[:, 0][:, None, None, None])
        return Sparse(self.to_csr()).scale_rows(factor)

    def mix_outputs(self, mixing: sparse.csr_array) -> Convolution | None:
        """Return ``kron(mixing, identity) @ self``: output channels picked and scaled. None when groups would break."""
        if self.groups > 1 and not _is_diagonal(mixing):
            return None
        weight = mixing @ self.weight.reshape(self.weight.shape[0], -1)
        return self.with_weight(np.asarray(weight).reshape(-1, *self.weight.shape[1:]))

    def mix_inputs(self, mixing: sparse.csr_array) -> Convolution | None:
        """Return ``self @ kron(mixing, identity)``: input channels picked and scaled. None when groups would break."""
        _, height, width = self.in_shape
        if self.groups > 1:
            if not _is_diagonal(mixing):
                return None
            factor = mixing.diagonal().reshape(self.groups, 1, -1)
            grouped = self.weight.reshape(self.groups, -1, self.weight.shape[1], *self.weight.shape[2:])
            return self.with_weight((grouped * factor[..., None, None]).reshape(self.weight.shape))
        moved = np.moveaxis(self.weight, 1, 0)
        weight = np.asarray(mixing.T @ moved.reshape(moved.shape[0], -1)).reshape(-1, *moved.shape[1:])
        return replace(
            self, weight=np.ascontiguousarray(np.moveaxis(weight, 0, 1)), in_shape=(mixing.shape[1], height, width)
        )

    def absorb_padding(self, padding: sparse.csr_array) -> Convolution | None:
        """Return ``self @ padding`` where that matrix sets images into larger ones of zeros, else None."""
        size = padding.shape[1]
        counts = np.diff(padding.indptr)
        if padding.nnz != size or counts.max() > 1:
            return None
        if (padding.data != 1.0).any() or (padding.indices != np.arange(size)).any():
            return None
        _, rows, columns = np.nonzero(counts.reshape(self.in_shape))
        first_row, last_row = int(rows.min()), int(rows.max())
        first_column, last_column = int(columns.min()), int(columns.max())
        channels, height, width = self.in_shape
        shape = (channels, last_row + 1 - first_row, last_column + 1 - first_column)
        if int(np.prod(shape)) != size:
            return None
        top, left, bottom, right = self.pads
        pads = (top + first_row, left + first_column, bottom + height - 1 - last_row, right + width - 1 - last_column)
        return replace(self, in_shape=shape, pads=pads)


def _is_diagonal(matrix: sparse.csr_array) -> bool:
    square = matrix.shape[0] == matrix.shape[1]
    return square and not (matrix - sparse.diags_array(matrix.diagonal())).nnz
