"""Reductions over axes: sum, sum of absolute values, mean, maximum, minimum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netopt.arrays import IntArray
from netopt.network.composition import weighted_sums
from netopt.network.maximum import maximum_of
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value


def reduce_sum(call: Call) -> Sequence[Value]:
    """Lower a sum over axes."""
    return [_summed(call, call.tensor(), mean=False)]


def reduce_absolute_sum(call: Call) -> Sequence[Value]:
    """Lower a sum of absolute values over axes."""
    x = call.tensor()
    return [_summed(call, Tensor(x.shape, call.lowering.leaky_relu(x.value, -1.0)), mean=False)]


def reduce_mean(call: Call) -> Sequence[Value]:
    """Lower a mean over axes."""
    return [_summed(call, call.tensor(), mean=True)]


def cumulative_sum(call: Call) -> Sequence[Value]:
    """Lower the sums of the entries up to each one along an axis; `reverse`: from it on; `exclusive`: without it."""
    x = call.tensor()
    axis = call.axis(int(call.constant(1, "axis").reshape(-1)[0]), len(x.shape))
    length = x.shape[axis]
    summed = np.tri(length, k=-1 if call.attribute("exclusive", 0) else 0)
    summed = summed.T if call.attribute("reverse", 0) else summed
    lines = np.broadcast_to(np.moveaxis(x.index, axis, -1)[..., None, :], (*np.delete(x.shape, axis), length, length))
    groups = np.moveaxis(lines, -2, axis).reshape(x.value.size, length)
    weights = np.moveaxis(np.broadcast_to(summed, lines.shape), -2, axis).reshape(groups.shape)
    return [Tensor(x.shape, call.lowering.apply(weighted_sums(groups, weights, x.value.size), x.value))]


def _summed(call: Call, x: Tensor, *, mean: bool) -> Tensor:
    groups, shape = _groups(call, x)
    weights = np.full(groups.shape, 1.0 / groups.shape[1] if mean else 1.0)
    return Tensor(shape, call.lowering.apply(weighted_sums(groups, weights, x.value.size), x.value))


def reduce_max(call: Call) -> Sequence[Value]:
    """Lower a maximum over axes."""
    x = call.tensor()
    groups, shape = _groups(call, x)
    return [Tensor(shape, maximum_of(call.lowering, x.value, groups))]


def reduce_min(call: Call) -> Sequence[Value]:
    """Lower a minimum over axes: minus the maximum of minus x."""
    x = call.tensor()
    groups, shape = _groups(call, x)
    lowering = call.lowering
    return [Tensor(shape, lowering.scale(maximum_of(lowering, lowering.scale(x.value, -1.0), groups), -1.0))]


def _groups(call: Call, x: Tensor) -> tuple[IntArray, tuple[int, ...]]:
    """Return the entries each output is made of, (out, group), and the shape of the output."""
    rank = len(x.shape)
    given = call.optional_constant(1, "list of axes")
    chosen = call.attribute("axes", None) if given is None else given.tolist()
    if not chosen:
        chosen = [] if call.attribute("noop_with_empty_axes", 0) else list(range(rank))
    axes = sorted({call.axis(int(axis), rank) for axis in chosen})
    kept = [axis for axis in range(rank) if axis not in axes]
    size = int(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    groups = x.index.transpose(*kept, *axes).reshape(-1, size)
    if call.attribute("keepdims", 1):
        return groups, tuple(1 if axis in axes else length for axis, length in enumerate(x.shape))
    return groups, tuple(x.shape[axis] for axis in kept)


LOWERINGS: dict[str, LoweringFunction] = {
    "CumSum": cumulative_sum,
    "ReduceSum": reduce_sum,
    "ReduceL1": reduce_absolute_sum,
    "ReduceMean": reduce_mean,
    "ReduceMax": reduce_max,
    "ReduceMin": reduce_min,
}
