"""Conv in one and two dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netopt.arrays import FloatArray
from netopt.network.convolution import Convolution
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value
from netopt.network.onnx_reader.window import read_window


def convolution(call: Call) -> Sequence[Value]:
    """Lower a convolution; a one-dimensional one gets height 1."""
    x = call.tensor()
    kernel, groups = read_kernel(call, x, channels_first=False)
    window = read_window(call, x.shape[2:], kernel.shape[2:])
    linear_map = Convolution(
        weight=kernel.reshape(*kernel.shape[:2], *image_pair(kernel.shape[2:])),
        in_shape=(x.shape[1], *image_pair(x.shape[2:])),
        strides=image_pair(window.strides),
        pads=(*image_pair(window.begin, 0), *image_pair(window.end, 0)),
        dilations=image_pair(window.dilations),
        groups=groups,
    )
    value = call.lowering.apply(linear_map, x.value)
    if call.has(2):
        bias = call.constant(2, "bias").astype(np.float64)
        value = call.lowering.shift(value, np.repeat(bias, int(np.prod(window.out))))
    return [Tensor((1, kernel.shape[0], *window.out), value)]


def read_kernel(call: Call, x: Tensor, *, channels_first: bool) -> tuple[FloatArray, int]:
    """Return the kernel and the number of groups of a node that convolves `x`.

    The kernel of a transposed convolution has the channels of `x` first (`channels_first`), that of a convolution the
    channels it makes.
    """
    kernel = call.constant(1, "kernel").astype(np.float64)
    if kernel.ndim != len(x.shape) or kernel.ndim < 3:
        raise call.malformed(f"convolves a tensor of shape {x.shape} with a kernel of shape {kernel.shape}")
    if kernel.ndim > 4:
        raise call.refuse(f"convolves over {kernel.ndim - 2} axes", "netopt reads one- and two-dimensional ones")
    if x.shape[0] != 1:
        raise call.refuse(f"convolves a batch of {x.shape[0]} images", "export the network with batch size 1")
    groups = int(call.attribute("group", 1))
    channels = kernel.shape[0] if channels_first else kernel.shape[1] * groups
    if groups < 1 or channels != x.shape[1] or kernel.shape[0] % groups:
        raise call.malformed(f"has {groups} groups, a kernel of shape {kernel.shape} and {x.shape[1]} channels")
    return kernel, groups


def image_pair(sizes: Sequence[int], first: int = 1) -> tuple[int, int]:
    """Return a pair for the vertical and the horizontal axis, the first of which may be missing."""
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (first, sizes[0])


LOWERINGS: dict[str, LoweringFunction] = {"Conv": convolution}
