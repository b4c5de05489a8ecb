"""Where a sliding window sees its image: kernel, strides, dilations and padding of Conv and the pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netopt.arrays import BoolArray, IntArray
from netopt.network.onnx_reader.call import Call


@dataclass(frozen=True, slots=True)
class Window:
    """A window over an image of shape `image` (all tuples: one entry a spatial axis; pads before and after)."""

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    out: tuple[int, ...]

    def positions(self, axis: int) -> IntArray:
        """Return where the taps lie along an axis, (out, kernel); outside the image they are padding."""
        start = np.arange(self.out[axis]) * self.strides[axis] - self.begin[axis]
        places: IntArray = start[:, None] + np.arange(self.kernel[axis]) * self.dilations[axis]
        return places

    def table(self, count: int) -> tuple[IntArray, BoolArray]:
        """Return what each output sees of `count` images stored one after another.

        Returns
        -------
        index : (count * out pixels, taps) positions, -1 for padding.
        padded : (count * out pixels, taps), False for taps beyond the padding too (ceil mode).
        """
        rank = len(self.image)
        flat = np.zeros((1,) * (2 * rank), dtype=np.int64)
        inside = np.ones_like(flat, dtype=bool)
        padded = np.ones_like(flat, dtype=bool)
        for axis, length in enumerate(self.image):
            shape = [1] * (2 * rank)
            shape[axis], shape[rank + axis] = self.out[axis], self.kernel[axis]
            places = self.positions(axis).reshape(shape)
            flat = flat * length + places
            inside = inside & (places >= 0) & (places < length)
            padded = padded & (places < length + self.end[axis])
        pixels = int(np.prod(self.out))
        one = np.where(inside, flat, -1).reshape(pixels, -1)
        offsets = np.arange(count)[:, None, None] * int(np.prod(self.image))
        index = np.where(one >= 0, one + offsets, -1).reshape(count * pixels, -1)
        return index, np.tile(padded.reshape(pixels, -1), (count, 1))


def read_window(call: Call, image: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """Return the window of a Conv or pool node over an image."""
    rank = len(image)
    strides = integers(call, "strides", (1,) * rank)
    dilations = integers(call, "dilations", (1,) * rank)
    if min(*strides, *dilations, *kernel) < 1:
        raise call.malformed(
            f"has kernel {kernel}, strides {strides} and dilations {dilations}, which must be positive"
        )
    spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    begin, end = _pads(call, image, spans, strides)
    ceil = bool(call.attribute("ceil_mode", 0))
    out = []
    for n, span, stride, a, b in zip(image, spans, strides, begin, end, strict=True):
        room = n + a + b - span
        if room < 0:
            raise call.malformed(f"has a kernel spanning {span} on an image of {n} padded by {a} and {b}")
        size = -(-room // stride) + 1 if ceil else room // stride + 1
        out.append(size - 1 if ceil and (size - 1) * stride >= n + a else size)
    return Window(image, kernel, strides, dilations, begin, end, tuple(out))


def integers(call: Call, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return an attribute of the node that holds as many integers as `default`."""
    found = tuple(int(value) for value in call.attribute(name, default))
    if len(found) != len(default):
        raise call.malformed(f"has {name} {found} for {len(default)} axes")
    return found


def _pads(
    call: Call, image: tuple[int, ...], spans: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    mode = call.attribute("auto_pad", "NOTSET")
    rank = len(image)
    if mode == "NOTSET":
        pads = integers(call, "pads", (0,) * (2 * rank))
        if min(pads) < 0:
            raise call.malformed(f"has negative pads {pads}")
        return pads[:rank], pads[rank:]
    if mode == "VALID":
        return (0,) * rank, (0,) * rank
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise call.malformed(f"has the unknown auto_pad {mode!r}")
    totals = [
        max((-(-n // stride) - 1) * stride + span - n, 0) for n, span, stride in zip(image, spans, strides, strict=True)
    ]
    return same_pads(totals, mode)


def same_pads(totals: Sequence[int], mode: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the pads before and after each axis: halves, the larger one after for SAME_UPPER, else before."""
    small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
    return (small, large) if mode == "SAME_UPPER" else (large, small)
