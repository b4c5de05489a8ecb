r"""ConvTranspose in one and two dimensions, as a convolution of the small image and a move of its pixels.

Along one axis, :math:`y_q = \sum_k w_k\, x_{(q - k d) / s}` over the taps k for which the division leaves no rest,
where s is the stride, d the dilation and q counts from before the cropping by the pads. With
:math:`k d = s m_k + \varphi_k` the outputs :math:`q = s t + \varphi` of one phase :math:`\varphi` are a convolution of
stride 1, :math:`y_{s t + \varphi} = \sum_{k: \varphi_k = \varphi} w_k\, x_{t - m_k}`. Every phase becomes a set of
channels (Shi et al., "Real-time single image and video super-resolution", 2016), which are then interleaved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.network.convolution import Convolution
from netopt.network.onnx_reader.call import Call, LoweringFunction, Tensor, Value
from netopt.network.onnx_reader.convolution_layer import image_pair, read_kernel
from netopt.network.onnx_reader.window import integers, same_pads


@dataclass(frozen=True, slots=True)
class _Axis:
    """One spatial axis of a transposed convolution.

    Attributes
    ----------
    stride : outputs an input is apart from the next.
    phase, delay : (kernel,) what each tap divided by the stride leaves, and the quotient.
    before, after : zeros around the image; of the outputs before the first, `first` are not made.
    first : number t of the first outputs made.
    cropped : outputs cut off at the start.
    out : outputs kept.
    """

    stride: int
    phase: IntArray
    delay: IntArray
    before: int
    after: int
    first: int
    cropped: int
    out: int

    @classmethod
    def of(cls, length: int, kernel: int, stride: int, dilation: int, cropped: int, out: int) -> _Axis:
        """Return the axis of an image of some length, of whose outputs `out` are kept behind the `cropped` first."""
        place = np.arange(kernel) * dilation
        phase, delay = place % stride, place // stride
        longest = int(delay.max())
        first = min(cropped // stride, longest)
        needed = (cropped + out - 1) // stride + 1
        return cls(stride, phase, delay, longest - first, max(needed - length, 0), first, cropped, out)

    def source(self) -> tuple[IntArray, IntArray]:
        """Return the phase of each output, and its number among those made of that phase, (out,) each."""
        place = np.arange(self.out) + self.cropped
        return place % self.stride, place // self.stride - self.first


def transposed_convolution(call: Call) -> Sequence[Value]:
    """Lower a transposed convolution; a one-dimensional one gets height 1."""
    x = call.tensor()
    kernel, groups = read_kernel(call, x, channels_first=True)
    axes = _axes(call, x.shape[2:], kernel.shape[2:])
    pair = axes if len(axes) == 2 else [_Axis.of(1, 1, 1, 1, 0, 1), *axes]
    weight = kernel.reshape(*kernel.shape[:2], *image_pair(kernel.shape[2:]))
    linear_map = Convolution(
        weight=_phase_kernels(weight, pair, groups),
        in_shape=(x.shape[1], *image_pair(x.shape[2:])),
        pads=(pair[0].before, pair[1].before, pair[0].after, pair[1].after),
        groups=groups,
    )
    channels = kernel.shape[1] * groups
    value = call.lowering.take(call.lowering.apply(linear_map, x.value), _interleaved(linear_map, pair, channels))
    out = tuple(axis.out for axis in axes)
    if call.has(2):
        bias = call.constant(2, "bias").astype(np.float64)
        value = call.lowering.shift(value, np.repeat(bias, int(np.prod(out))))
    return [Tensor((1, channels, *out), value)]


def _axes(call: Call, image: tuple[int, ...], kernel: tuple[int, ...]) -> list[_Axis]:
    """Return the spatial axes; the attribute `output_shape` or an `auto_pad` decides the pads."""
    rank = len(image)
    strides = integers(call, "strides", (1,) * rank)
    dilations = integers(call, "dilations", (1,) * rank)
    extra = integers(call, "output_padding", (0,) * rank)
    if min(*strides, *dilations, *kernel) < 1 or min(extra) < 0:
        raise call.malformed(f"has kernel {kernel}, strides {strides}, dilations {dilations}, output_padding {extra}")
    full = [
        s * (n - 1) + (k - 1) * d + 1 + e
        for n, k, s, d, e in zip(image, kernel, strides, dilations, extra, strict=True)
    ]
    mode = call.attribute("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise call.malformed(f"has the unknown auto_pad {mode!r}")
    if "output_shape" in call.attributes or mode.startswith("SAME"):
        out = integers(call, "output_shape", tuple(n * s for n, s in zip(image, strides, strict=True)))
        totals = [size - kept for size, kept in zip(full, out, strict=True)]
        if min(totals) < 0:
            raise call.refuse(f"makes outputs of shape {out} beyond what its windows reach", "give its pads instead")
        cropped = same_pads(totals, mode)[0]
    else:
        pads = integers(call, "pads", (0,) * (2 * rank)) if mode == "NOTSET" else (0,) * (2 * rank)
        if min(pads) < 0:
            raise call.malformed(f"has negative pads {pads}")
        cropped, end = pads[:rank], pads[rank:]
        out = tuple(size - a - b for size, a, b in zip(full, cropped, end, strict=True))
    if min(out) < 1:
        raise call.malformed(f"has outputs of shape {out}")
    return [_Axis.of(*numbers) for numbers in zip(image, kernel, strides, dilations, cropped, out, strict=True)]


def _phase_kernels(weight: FloatArray, axes: Sequence[_Axis], groups: int) -> FloatArray:
    """Return the kernel of each output channel and phase: (channels * phases, in channels / groups, rows, columns)."""
    rows, columns = axes
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    longest = int(rows.delay.max()), int(columns.delay.max())
    shape = (groups, outputs, rows.stride, columns.stride, inputs, longest[0] + 1, longest[1] + 1)
    kernels = np.zeros(shape)
    taps = weight.reshape(groups, inputs, outputs, *weight.shape[2:])
    kernels[
        :, :, rows.phase[:, None], columns.phase, :, (longest[0] - rows.delay)[:, None], longest[1] - columns.delay
    ] = taps.transpose(3, 4, 0, 2, 1)
    return kernels.reshape(-1, inputs, *shape[-2:])


def _interleaved(linear_map: Convolution, axes: Sequence[_Axis], channels: int) -> IntArray:
    """Return the place of every output of the transposed convolution among those of the convolution."""
    _, height, width = linear_map.out_shape
    (row_phase, row), (column_phase, column) = (axis.source() for axis in axes)
    phase = row_phase[:, None] * axes[1].stride + column_phase
    channel = np.arange(channels)[:, None, None] * (axes[0].stride * axes[1].stride) + phase
    index: IntArray = channel * (height * width) + row[:, None] * width + column
    return index.ravel()


LOWERINGS: dict[str, LoweringFunction] = {"ConvTranspose": transposed_convolution}
