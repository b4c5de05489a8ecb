"""Which windows of the images before a convolution its pixels depend on, the same for all of them but for the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.network.convolution import Convolution
from netopt.network.identity import Identity
from netopt.network.linear_map import LinearMap
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Node, Relu

#: Share of an image up to which its windows are worth their overhead.
_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Span:
    """Along one axis: `size` pixels from ``scale * position + shift`` on, for each position of the row's own pixel."""

    scale: int
    shift: int
    size: int

    def before(self, taps: int, stride: int, padding: int, dilation: int) -> Span:
        """Return what a convolution reads to compute this."""
        size = (self.size - 1) * stride + (taps - 1) * dilation + 1
        return Span(self.scale * stride, self.shift * stride - padding, size)

    def union(self, other: Span) -> Span:
        """Return the smallest span that holds both; they have the same scale."""
        first = min(self.shift, other.shift)
        return Span(self.scale, first, max(self.shift + self.size, other.shift + other.size) - first)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an image that rows depend on.

    Attributes
    ----------
    shape : (C, H, W) of the image.
    positions : heights and widths of the image that the rows started from.
    """

    shape: tuple[int, int, int]
    positions: tuple[int, int]
    rows: Span
    columns: Span

    @property
    def entries(self) -> int:
        """Number of coefficients of a row."""
        return self.shape[0] * self.rows.size * self.columns.size

    @property
    def small(self) -> bool:
        """Whether a row as a window is worth while."""
        return self.entries <= _SHARE * self.shape[0] * self.shape[1] * self.shape[2]

    def same(self, other: Window) -> bool:
        """Whether two windows of one image are the same pixels."""
        return self.rows == other.rows and self.columns == other.columns

    def union(self, other: Window) -> Window | None:
        """Return the smallest window that holds both; None where they do not move alike, or the images differ."""
        alike = self.rows.scale == other.rows.scale and self.columns.scale == other.columns.scale
        if self.shape != other.shape or not alike:
            return None
        return Window(self.shape, self.positions, self.rows.union(other.rows), self.columns.union(other.columns))

    def inside(self, larger: Window) -> tuple[slice, slice]:
        """Return where this window lies in a larger one."""
        top, left = self.rows.shift - larger.rows.shift, self.columns.shift - larger.columns.shift
        return slice(top, top + self.rows.size), slice(left, left + self.columns.size)

    def _margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return by how much windows stick out: above and below, left and right."""
        spans, ends = (self.rows, self.columns), self.shape[1:]
        before, after = (
            [max(0, -span.shift) for span in spans],
            [
                max(0, span.scale * (count - 1) + span.shift + span.size - end)
                for span, count, end in zip(spans, self.positions, ends, strict=True)
            ],
        )
        return (before[0], after[0]), (before[1], after[1])

    def padded(self, vector: FloatArray) -> FloatArray:
        """Return an image (C * H * W,) as (H, W, C) with zeros where windows stick out."""
        return np.pad(vector.reshape(self.shape).transpose(1, 2, 0), (*self._margins(), (0, 0)))

    def places(self, y: IntArray, x: IntArray) -> tuple[IntArray, IntArray]:
        """Return the rows and columns of `padded` that the windows of pixels are; they broadcast to (h, w, k)."""
        (top, _), (left, _) = self._margins()
        rows = (self.rows.scale * y + self.rows.shift + top) + np.arange(self.rows.size)[:, None, None]
        columns = (self.columns.scale * x + self.columns.shift + left) + np.arange(self.columns.size)[None, :, None]
        return rows, columns

    def whole(self, value: FloatArray, y: IntArray, x: IntArray) -> FloatArray:
        """Return windows (h, w, 2, k, C) as rows over the whole image, (2 k, C * H * W)."""
        channels, height, width = self.shape
        (top, below), (left, right) = self._margins()
        image = np.zeros((2, y.size, top + height + below, left + width + right, channels))
        rows, columns = self.places(y, x)
        image[:, np.arange(y.size), rows, columns] = np.moveaxis(value, 2, 0)
        kept = image[:, :, top : top + height, left : left + width]
        return np.moveaxis(kept, -1, 2).reshape(2 * y.size, -1)


@dataclass(frozen=True, slots=True, eq=False)
class WindowPlan:
    """The way of rows about the pixels of one node.

    Attributes
    ----------
    start : name of that node.
    steps : the nodes that rows pass as windows, in this order.
    windows : name of a node -> what rows depend on there; of those passed, and of those where rows become whole.
    """

    start: str
    steps: tuple[Node, ...]
    windows: Mapping[str, Window]

    @classmethod
    def of(cls, network: Network, start: Affine) -> WindowPlan | None:
        """Return the plan for an Affine; None where windows are not worth while, or it is not an image."""
        shape = _image(start)
        if shape is None:
            return None
        windows = {start.name: Window(shape, shape[1:], Span(1, 0, 1), Span(1, 0, 1))}
        steps: list[Node] = []
        pending = {start.name}
        for node in reversed(network.nodes):
            if node.name not in pending:
                continue
            found = _step(network, node, windows)
            if found is None:
                break
            windows.update(found)
            steps.append(node)
            pending = (pending - {node.name}) | set(found)
        return cls(start.name, tuple(steps), windows) if len(steps) > 1 else None

    @property
    def last(self) -> Node:
        """The last of the steps; what comes before it in the network is passed by whole rows."""
        return self.steps[-1]

    @property
    def products(self) -> int:
        """Number of products of the steps, for one row."""
        return sum(
            m.weight.size * self.windows[node.name].rows.size * self.windows[node.name].columns.size
            for node in self.steps
            if isinstance(node, Affine)
            for m in node.maps
            if isinstance(m, Convolution)
        )

    def after(self, node: Affine, linear_map: LinearMap) -> Window:
        """Return what rows depend on beyond one of the maps of an Affine."""
        return _before(self.windows[node.name], linear_map)


def _image(node: Affine) -> tuple[int, int, int] | None:
    """Return the shape of an Affine's value where that is computed pixel by pixel, else None."""
    shapes = {m.out_shape for m in node.maps if isinstance(m, Convolution) and m.groups == 1}
    fits = all(isinstance(m, Identity) or (isinstance(m, Convolution) and m.groups == 1) for m in node.maps)
    return shapes.pop() if fits and len(shapes) == 1 else None


def _before(window: Window, linear_map: LinearMap) -> Window:
    """Return what a map reads to compute a window."""
    if not isinstance(linear_map, Convolution):
        return window
    taps, pads = linear_map.weight.shape[2:], linear_map.pads
    rows, columns = (
        span.before(taps[k], linear_map.strides[k], pads[k], linear_map.dilations[k])
        for k, span in enumerate((window.rows, window.columns))
    )
    return Window(linear_map.in_shape, window.positions, rows, columns)


def _step(network: Network, node: Node, windows: Mapping[str, Window]) -> dict[str, Window] | None:
    """Return the windows that rows depend on beyond a node, by name; None where they should become whole.

    What sticks out of an image is dropped where rows pass a Relu or become whole: an Affine has to read one of these.
    """
    window = windows[node.name]
    if not window.small:
        return None
    found: dict[str, Window] = {}
    if isinstance(node, Relu):
        parts = [(node.input, window)]
    elif _image(node) == window.shape and not any(
        source != INPUT and isinstance(network[source], Affine) for source in node.inputs
    ):
        parts = [(source, _before(window, m)) for source, m in zip(node.inputs, node.maps, strict=True)]
    else:
        return None
    for source, part in parts:
        present = found.get(source, windows.get(source))
        union = part if present is None else part.union(present)
        if union is None:
            return None
        found[source] = union
    return found
