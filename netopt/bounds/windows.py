r"""Rows about the pixels of a convolution carried backward as the windows of the images that they depend on.

A neuron of a convolution of k x k pixels depends on k x k pixels of the layer before, on ``(k - 1) s + k`` of the one
before that (stride s), and on nothing else. So rows that start at single pixels have their coefficients in windows,
of one size for all rows of a layer: the window of the pixel (y, x) begins at ``(a y + b, c x + d)``. They are carried
as arrays (window height, window width, rows, channels) until a window is not much smaller than its image, and as
whole rows from there on. A window may stick out of its image: what it has there is dropped.

Sums and their rounding are those of `netopt.bounds.backward`; terms that are zero are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.rounding import UNIT_ROUNDOFF
from netopt.bounds.window_plan import Window, WindowPlan
from netopt.network.convolution import Convolution
from netopt.network.nodes import Affine, Node, Relu

#: Entries of the largest array of a block of rows: a few of them fit into the processor's cache.
_BLOCK_ENTRIES = 2**17


@dataclass(slots=True, eq=False)
class _WindowRows:
    """Rows on their way: of k pixels, the negatives first; `values` are (height, width, 2, k, channels)."""

    y: IntArray
    x: IntArray
    values: dict[str, FloatArray]
    constant: FloatArray
    error: FloatArray


@dataclass(eq=False)
class Windows:
    """Starts rows about the neurons of one Affine, over a single input set, and carries them as windows."""

    backward: Backward
    plan: WindowPlan

    @cached_property
    def block(self) -> int:
        """Number of neurons to carry at a time."""
        largest = max(window.entries for window in self.plan.windows.values())
        return max(1, _BLOCK_ENTRIES // (2 * largest))

    @cached_property
    def _images(self) -> dict[str, list[FloatArray]]:
        """What steps weigh coefficients with: name of a node -> images (H, W, C) with zeros around them."""
        images: dict[str, list[FloatArray]] = {}
        for node in self.plan.steps:
            if isinstance(node, Relu):
                lines = self.backward.relaxations[node.name]
                vectors = [lines.upper_slope, lines.lower_slope, lines.upper_intercept, lines.reach]
            else:
                vectors = [node.bias[None], self.backward.state.magnitude[node.name]]
            images[node.name] = [self.plan.windows[node.name].padded(vector[0]) for vector in vectors]
        return images

    def start(self, neurons: IntArray) -> Rows:
        """Return the rows of the negatives of some neurons, then of the neurons, as far as windows last."""
        first = self.plan.windows[self.plan.start]
        channel, y, x = np.unravel_index(neurons, first.shape)
        unit = np.zeros((1, 1, 2, neurons.size, first.shape[0]))
        unit[0, 0, :, np.arange(neurons.size), channel] = (-1.0, 1.0)
        rows = _WindowRows(y, x, {self.plan.start: unit}, np.zeros((2, neurons.size)), np.zeros((2, neurons.size)))
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for node in self.plan.steps:
                if isinstance(node, Relu):
                    self._through_relu(node, rows)
                else:
                    self._through_affine(node, rows)
        return Rows(
            {name: self.plan.windows[name].whole(value, y, x) for name, value in rows.values.items()},
            rows.constant.ravel(),
            rows.error.ravel(),
        )

    def _seen(self, node: Node, rows: _WindowRows) -> list[FloatArray]:
        """Return the windows of a node's images, each (height, width, k, channels)."""
        where = self.plan.windows[node.name].places(rows.y, rows.x)
        return [image[where] for image in self._images[node.name]]

    def _through_affine(self, node: Affine, rows: _WindowRows) -> None:
        value = rows.values.pop(node.name)
        bias, magnitude = self._seen(node, rows)
        rows.constant += _dot(value, bias)
        rows.error += self.backward.rounding * _dot(np.abs(value), magnitude)
        for source, linear_map in zip(node.inputs, node.maps, strict=True):
            part = _transposed(linear_map, value) if isinstance(linear_map, Convolution) else value
            self._add(rows, source, part, self.plan.after(node, linear_map))

    def _through_relu(self, node: Relu, rows: _WindowRows) -> None:
        value = rows.values.pop(node.name)
        upper_slope, lower_slope, intercept, reach = self._seen(node, rows)
        positive = np.maximum(value, 0.0)
        negative = value - positive
        constant = _dot(positive, intercept)
        positive *= upper_slope[:, :, None]
        negative *= lower_slope[:, :, None]
        positive += negative  # exact: one of the two is zero
        rows.constant += constant
        rows.error += self.backward.rounding * constant
        rows.error += 2.0 * UNIT_ROUNDOFF * _dot(np.abs(positive), reach)
        self._add(rows, node.input, positive, self.plan.windows[node.name])

    def _add(self, rows: _WindowRows, name: str, part: FloatArray, window: Window) -> None:
        """Add coefficients in a window of a node to those in the window that holds all of them."""
        whole = self.plan.windows[name]
        present = rows.values.get(name)
        if present is None and window.same(whole):
            rows.values[name] = part
            return
        if present is None:
            present = np.zeros((whole.rows.size, whole.columns.size, *part.shape[2:]))
            present[window.inside(whole)] = part
            rows.values[name] = present
            return
        present[window.inside(whole)] += part
        reach = whole.padded(self.backward.state.reach(name)[0])[whole.places(rows.y, rows.x)]
        rows.error += 2.0 * UNIT_ROUNDOFF * _dot(np.abs(present), reach)


def _dot(value: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the sums over pixels and channels: (h, w, 2, k, c), (h, w, k, c) -> (2, k)."""
    total: FloatArray = np.einsum("hwskc,hwkc->sk", value, weights)
    return total


def _transposed(convolution: Convolution, value: FloatArray) -> FloatArray:
    """Return the coefficients of the pixels that windows of outputs see: (h, w, 2, k, out) -> (h', w', 2, k, in)."""
    height, width = value.shape[:2]
    (down, across), (step_down, step_across) = convolution.strides, convolution.dilations
    taps = convolution.weight.shape[2:]
    shape = (
        (height - 1) * down + (taps[0] - 1) * step_down + 1,
        (width - 1) * across + (taps[1] - 1) * step_across + 1,
    )
    seen = np.zeros((*shape, *value.shape[2:4], convolution.in_shape[0]))
    matrix = value.reshape(-1, value.shape[-1])
    part = np.empty((matrix.shape[0], convolution.in_shape[0]))
    for i in range(taps[0]):
        rows = slice(i * step_down, i * step_down + (height - 1) * down + 1, down)
        for j in range(taps[1]):
            columns = slice(j * step_across, j * step_across + (width - 1) * across + 1, across)
            np.matmul(matrix, convolution.weight[:, :, i, j], out=part)
            seen[rows, columns] += part.reshape(*value.shape[:4], -1)
    return seen
