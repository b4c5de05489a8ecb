"""Gemm and MatMul."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netopt.arrays import sparse
from netopt.network.composition import structured
from netopt.network.lowering import Expression
from netopt.network.onnx_reader.call import Call, Constant, LoweringFunction, Tensor, Value
from netopt.network.sparse import Sparse


def gemm(call: Call) -> Sequence[Value]:
    """Lower ``alpha A B + beta C``."""
    left, right = call.value(0), call.value(1)
    if len(left.shape) != 2 or len(right.shape) != 2:
        raise call.malformed(f"multiplies tensors of shapes {left.shape} and {right.shape}")
    if call.attribute("transA", 0):
        left = _transposed(call, left)
    if call.attribute("transB", 0):
        right = _transposed(call, right)
    product = _product(call, left, right, float(call.attribute("alpha", 1.0)))
    beta = float(call.attribute("beta", 1.0))
    if not call.has(2) or beta == 0.0:
        return [product]
    addend = call.broadcast(call.tensor(2), product.shape).value
    return [Tensor(product.shape, call.lowering.add(product.value, call.lowering.scale(addend, beta)))]


def matmul(call: Call) -> Sequence[Value]:
    """Lower NumPy's ``A @ B``."""
    left, right = call.value(0), call.value(1)
    if not left.shape or not right.shape:
        raise call.malformed("multiplies a scalar")
    product = _product(
        call,
        _reshaped(left, (1, *left.shape)) if len(left.shape) == 1 else left,
        _reshaped(right, (*right.shape, 1)) if len(right.shape) == 1 else right,
        1.0,
    )
    shape = product.shape
    if len(right.shape) == 1:
        shape = shape[:-1]
    if len(left.shape) == 1:
        shape = (*shape[: len(product.shape) - 2], *shape[len(product.shape) - 1 :])
    return [Tensor(shape, product.value)]


def _reshaped(value: Value, shape: tuple[int, ...]) -> Value:
    return Tensor(shape, value.value) if isinstance(value, Tensor) else value.reshape(shape)


def _transposed(call: Call, value: Value) -> Value:
    return call.take(value, value.index.T) if isinstance(value, Tensor) else value.T


def _product(call: Call, left: Value, right: Value, alpha: float) -> Tensor:
    if left.shape[-1] != right.shape[-2]:
        raise call.malformed(f"multiplies tensors of shapes {left.shape} and {right.shape}")
    try:
        batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    except ValueError as error:
        raise call.malformed(f"multiplies tensors of shapes {left.shape} and {right.shape}") from error
    shape = (*batch, left.shape[-2], right.shape[-1])
    if isinstance(left, Tensor):
        if isinstance(right, Tensor):
            raise call.refuse(
                "multiplies two tensors that depend on the network's input", "netopt takes products with constants only"
            )
        return Tensor(shape, _times_constant(call, left, _scaled(right, alpha), shape))
    if not isinstance(right, Tensor):
        return Tensor(shape, call.lowering.constant(_scaled(left, alpha).astype(np.float64) @ right))
    mirrored = call.take(right, np.swapaxes(right.index, -1, -2))
    weight = np.swapaxes(_scaled(left, alpha), -1, -2)
    value = _times_constant(call, mirrored, weight, (*batch, shape[-1], shape[-2]))
    turned = Tensor((*batch, shape[-1], shape[-2]), value)
    return call.take(turned, np.swapaxes(turned.index, -1, -2))


def _scaled(weight: Constant, alpha: float) -> Constant:
    return weight if alpha == 1.0 else alpha * weight.astype(np.float64)


def _times_constant(call: Call, x: Tensor, weight: Constant, shape: tuple[int, ...]) -> Expression:
    """Return ``x @ weight``: dense for one row and one matrix, else block by block."""
    rows = int(np.prod(shape[:-1]))
    if rows == 1:
        matrix = weight.reshape(weight.shape[-2:])
        return call.lowering.apply(structured(matrix.T), x.value)
    out_index = np.arange(int(np.prod(shape))).reshape(shape)
    full = (*shape[:-1], shape[-1], x.shape[-1])
    source = np.broadcast_to(x.index[..., :, None, :], full).ravel()
    target = np.broadcast_to(out_index[..., None], full).ravel()
    data = np.broadcast_to(np.swapaxes(weight.astype(np.float64), -1, -2)[..., None, :, :], full).ravel()
    kept = data != 0.0
    blocks = sparse.coo_array((data[kept], (target[kept], source[kept])), shape=(out_index.size, x.value.size))
    return call.lowering.apply(Sparse(sparse.csr_array(blocks)), x.value)


LOWERINGS: dict[str, LoweringFunction] = {"Gemm": gemm, "MatMul": matmul}
