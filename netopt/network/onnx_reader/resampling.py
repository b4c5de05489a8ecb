"""Upsample and Resize: images of another size, by the nearest pixel or by linear interpolation.

Each output has a coordinate in the image along every axis; it takes the pixel nearest to it, or a weighted sum of its
neighbours. Coordinates are computed in float32, as runtimes do; where that decides which pixel is nearest, the node is
refused, since another runtime may choose otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from netopt.arrays import FloatArray, IntArray
from netopt.network.composition import weighted_sums
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value

#: What is read of the attributes that have other values; the default of each is its first.
_READ: dict[str, tuple[Any, ...]] = {
    "antialias": (0,),
    "exclude_outside": (0,),
    "keep_aspect_ratio_policy": ("stretch",),
    "coordinate_transformation_mode": (
        "half_pixel",
        "pytorch_half_pixel",
        "half_pixel_symmetric",
        "align_corners",
        "asymmetric",
        "tf_half_pixel_for_nn",
    ),
    "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
}


def upsample(call: Call) -> Sequence[Value]:
    """Lower Upsample (opset 9 and before): coordinates are divided by the scale and rounded down."""
    x = call.tensor()
    scales = call.constant(1, "scale") if call.opset >= 9 else np.array(call.attribute("scales", ()))
    sizes, factors = _scaled_sizes(call, x, scales, np.arange(len(x.shape)))
    return [_resampled(call, x, sizes, factors, "asymmetric", "floor")]


def resize(call: Call) -> Sequence[Value]:
    """Lower Resize, given the scales or the sizes of all axes or of some."""
    for name, known in _READ.items():
        if call.attribute(name, known[0]) not in known:
            raise call.refuse(
                f"has {name} {call.attribute(name, None)!r}", f"netopt reads {', '.join(map(str, known))}"
            )
    x = call.tensor()
    if call.opset < 11:
        sizes, factors = _scaled_sizes(call, x, call.constant(1, "scale"), np.arange(len(x.shape)))
        if min(factors) < 1.0 and call.attribute("mode", "nearest") == "nearest":
            raise call.refuse(
                "makes an image smaller, of which opset 10 leaves the pixels open", "export with opset 11"
            )
        return [_resampled(call, x, sizes, factors, "asymmetric", "floor")]
    chosen = call.attribute("axes", None)
    axes = np.array(
        [call.axis(int(axis), len(x.shape)) for axis in (range(len(x.shape)) if chosen is None else chosen)]
    )
    given = call.optional_constant(3, "size")
    if given is not None and given.size:
        sizes, factors = _given_sizes(call, x, given, axes)
    else:
        sizes, factors = _scaled_sizes(call, x, call.constant(2, "scale"), axes)
    transformation = call.attribute("coordinate_transformation_mode", "half_pixel")
    return [_resampled(call, x, sizes, factors, transformation, call.attribute("nearest_mode", "round_prefer_floor"))]


def _scaled_sizes(
    call: Call, x: Tensor, scales: NDArray[Any], axes: IntArray
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the length and the scale of every axis, those of `axes` by their scales."""
    if scales.shape != axes.shape or not (np.isfinite(scales) & (scales > 0.0)).all():
        raise call.malformed(f"has scales {scales.tolist()} for {axes.size} axes")
    factors = np.ones(len(x.shape), dtype=np.float32)
    factors[axes] = scales
    lengths = np.floor(np.array(x.shape, dtype=np.float32) * factors).astype(np.int64)
    if (lengths < 1).any():
        raise call.malformed(f"makes an image of shape {tuple(lengths.tolist())}")
    return tuple(lengths.tolist()), tuple(factors.tolist())


def _given_sizes(
    call: Call, x: Tensor, sizes: NDArray[Any], axes: IntArray
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    if sizes.shape != axes.shape or (sizes < 1).any():
        raise call.malformed(f"has sizes {sizes.tolist()} for {axes.size} axes")
    lengths = np.array(x.shape)
    lengths[axes] = sizes
    factors = lengths.astype(np.float32) / np.array(x.shape, dtype=np.float32)
    return tuple(lengths.tolist()), tuple(factors.tolist())


def _resampled(
    call: Call, x: Tensor, sizes: tuple[int, ...], factors: tuple[float, ...], transformation: str, rounding: str
) -> Tensor:
    mode = call.attribute("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise call.refuse(f"interpolates by {mode!r}", "netopt reads 'nearest' and 'linear'")
    index, weights = x.index, np.ones(x.shape)
    index, weights = index[..., None], weights[..., None]
    for axis, (length, size, factor) in enumerate(zip(x.shape, sizes, factors, strict=True)):
        if size == length and factor == 1.0:
            continue
        if mode == "nearest":
            place = _nearest(call, length, size, factor, transformation, rounding)[:, None]
            share = np.ones(place.shape)
        else:
            place, share = _neighbours(_coordinates(length, size, factor, transformation, np.float32), length)
        index, weights = _along(index, place, axis), _along(weights, place, axis) * _spread(share, axis, x)
        index, weights = index.reshape(*index.shape[:-2], -1), weights.reshape(*weights.shape[:-2], -1)
    value = weighted_sums(index.reshape(-1, index.shape[-1]), weights.reshape(-1, weights.shape[-1]), x.value.size)
    return Tensor(sizes, call.lowering.apply(value, x.value))


def _along(values: NDArray[Any], place: IntArray, axis: int) -> NDArray[Any]:
    """Return the entries at (out, taps) places along an axis, the taps as the last axis but one."""
    return np.moveaxis(np.take(values, place, axis=axis), axis + 1, -2)


def _spread(share: FloatArray, axis: int, x: Tensor) -> FloatArray:
    """Return (out, taps) weights shaped to multiply what `_along` returns."""
    shape = [1] * len(x.shape) + [share.shape[1], 1]
    shape[axis] = share.shape[0]
    return share.reshape(shape)


def _nearest(call: Call, length: int, size: int, factor: float, transformation: str, rounding: str) -> IntArray:
    """Return the pixel each output takes, (out,)."""
    found = [
        _rounded(_coordinates(length, size, factor, transformation, kind), rounding)
        for kind in (np.float32, np.float64)
    ]
    if (found[0] != found[1]).any():
        raise call.refuse("takes pixels that depend on rounding errors", "use scales that are whole numbers")
    return np.clip(found[0], 0, length - 1)


def _rounded(coordinate: FloatArray, rounding: str) -> IntArray:
    if rounding == "round_prefer_floor":
        nearest = np.ceil(coordinate - 0.5)
    elif rounding == "round_prefer_ceil":
        nearest = np.floor(coordinate + 0.5)
    else:
        nearest = np.floor(coordinate) if rounding == "floor" else np.ceil(coordinate)
    return nearest.astype(np.int64)


def _neighbours(coordinate: FloatArray, length: int) -> tuple[IntArray, FloatArray]:
    """Return the two pixels around each coordinate and their weights, (out, 2) each."""
    inside = np.clip(coordinate, 0, length - 1)
    below = np.minimum(inside.astype(np.int64), max(length - 2, 0))
    share = inside.astype(np.float64) - below
    return np.stack([below, np.minimum(below + 1, length - 1)], axis=1), np.stack([1.0 - share, share], axis=1)


def _coordinates(length: int, size: int, factor: float, transformation: str, kind: DTypeLike) -> FloatArray:
    """Return the coordinate of each output in the image, computed in a floating-point type, (out,)."""
    place = np.arange(size).astype(kind)
    if transformation == "align_corners":
        return place * (length - 1) / max(size - 1, 1)
    if transformation == "asymmetric":
        return place / factor
    middle = (place + 0.5) / factor
    if transformation == "tf_half_pixel_for_nn":
        return middle
    if transformation == "pytorch_half_pixel" and size == 1:
        return place
    if transformation == "half_pixel_symmetric":
        middle = middle + length / 2.0 * (1.0 - size / (factor * length))
    return middle - 0.5


LOWERINGS: dict[str, LoweringFunction] = {"Upsample": upsample, "Resize": resize}
