"""Linear maps as torch applies them: dense, sparse, and convolutions that stay convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from netopt.arrays import sparse
from netopt.network.convolution import Convolution
from netopt.network.dense import Dense
from netopt.network.linear_map import LinearMap
from netopt.network.sparse import Sparse

#: Share of weights that are not zero above which a sparse matrix is multiplied as a dense one.
_DENSE_SHARE = 0.05

#: A torch tensor; torch has to be loaded for its own type.
Tensor = Any


class TorchMap(Protocol):
    """A linear map on batches of tensors."""

    def apply(self, x: Tensor) -> Tensor:
        """Return ``W x`` for every row."""

    def apply_transpose(self, y: Tensor) -> Tensor:
        """Return ``W^T y`` for every row."""


def torch_map(linear_map: LinearMap, device: str, dtype: Any = None) -> TorchMap:
    """Return a linear map on a device, in float32 unless another dtype of torch is given."""
    import torch

    dtype = torch.float32 if dtype is None else dtype
    if isinstance(linear_map, Convolution):
        return _Convolution(linear_map, torch.tensor(linear_map.weight, dtype=dtype, device=device))
    matrix = linear_map.to_csr() if isinstance(linear_map, Sparse) else None
    if matrix is not None and matrix.nnz < _DENSE_SHARE * linear_map.in_size * linear_map.out_size:
        return _Sparse(_sparse(matrix, device, dtype), _sparse(sparse.csr_array(matrix.T), device, dtype))
    weight = linear_map.rows(np.arange(linear_map.out_size))
    return _Dense(torch.tensor(weight, dtype=dtype, device=device))


def map_with_weights(linear_map: Dense | Convolution, weight: Tensor) -> TorchMap:
    """Return the map with other weights, shaped as its own; gradients flow into them."""
    return _Convolution(linear_map, weight) if isinstance(linear_map, Convolution) else _Dense(weight)


def _sparse(matrix: sparse.csr_array, device: str, dtype: Any) -> Tensor:
    import torch

    entries = matrix.tocoo()
    places = torch.tensor(np.stack(entries.coords).astype(np.int64), device=device)
    weights = torch.tensor(entries.data, dtype=dtype, device=device)
    return torch.sparse_coo_tensor(places, weights, matrix.shape, check_invariants=False).coalesce()


@dataclass(frozen=True, slots=True, eq=False)
class _Dense:
    weight: Tensor

    def apply(self, x: Tensor) -> Tensor:
        return x @ self.weight.T

    def apply_transpose(self, y: Tensor) -> Tensor:
        return y @ self.weight


@dataclass(frozen=True, slots=True, eq=False)
class _Sparse:
    weight: Tensor
    transposed: Tensor

    def apply(self, x: Tensor) -> Tensor:
        return (self.weight @ x.T).T

    def apply_transpose(self, y: Tensor) -> Tensor:
        return (self.transposed @ y.T).T


@dataclass(frozen=True, eq=False)
class _Convolution:
    """Zeros around the image: torch's where they are even, else put there, and cut off by the transpose."""

    layout: Convolution
    weight: Tensor

    @cached_property
    def _settings(self) -> dict[str, Any]:
        layout = self.layout
        return {"stride": layout.strides, "dilation": layout.dilations, "groups": layout.groups}

    @cached_property
    def _even_padding(self) -> tuple[int, int] | None:
        """Padding that is the same above and below, left and right."""
        top, left, bottom, right = self.layout.pads
        return (top, left) if (top, left) == (bottom, right) else None

    @cached_property
    def _unseen(self) -> tuple[int, int]:
        """Rows and columns at the end of the padded image that no window reaches."""
        layout = self.layout
        top, left, bottom, right = layout.pads
        reached = [
            (count - 1) * stride + (kernel - 1) * dilation + 1
            for count, stride, kernel, dilation in zip(
                layout.out_shape[1:], layout.strides, layout.weight.shape[2:], layout.dilations, strict=True
            )
        ]
        _, height, width = layout.in_shape
        return height + top + bottom - reached[0], width + left + right - reached[1]

    def apply(self, x: Tensor) -> Tensor:
        from torch.nn.functional import conv2d, pad

        image = x.reshape(len(x), *self.layout.in_shape)
        top, left, bottom, right = self.layout.pads
        if self._even_padding is None:
            image = pad(image, (left, right, top, bottom))
        out = conv2d(image, self.weight, padding=self._even_padding or (0, 0), **self._settings)
        return out.reshape(len(x), -1)

    def apply_transpose(self, y: Tensor) -> Tensor:
        from torch.nn.functional import conv_transpose2d, pad

        image = y.reshape(len(y), *self.layout.out_shape)
        _, height, width = self.layout.in_shape
        top, left, _, _ = self.layout.pads
        below, beside = self._unseen
        if self._even_padding is not None:
            settings = self._settings | {"padding": self._even_padding, "output_padding": self._unseen}
            out = conv_transpose2d(image, self.weight, **settings)
        else:
            padded = pad(conv_transpose2d(image, self.weight, **self._settings), (0, beside, 0, below))
            out = padded[:, :, top : top + height, left : left + width]
        return out.reshape(len(y), -1)
