"""CROWN bounds: backward from every ReLU layer; the tighter of them, of interval ones and of affine forms."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.affine_forms import AffineForms
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.inputs import Inputs, as_inputs
from netopt.bounds.interval import collect
from netopt.bounds.layer_shares import LayerShares
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.products import Products
from netopt.bounds.propagation import Propagation, propagate
from netopt.bounds.relaxation import Relaxation, relax
from netopt.bounds.window_plan import WindowPlan
from netopt.bounds.windows import Windows
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.specification.domain import Domain

#: Products that the rows of a layer have to take for affine forms to be considered, and how much longer one of them
#: takes than one of the forms, which come in larger blocks.
_DEAR, _SLOWER = 2**28, 2.0
#: Most products between two looks at the clock.
_BETWEEN_LOOKS = 2**32


def crown_bounds(
    network: Network,
    domain: Domain,
    *,
    deadline: float | None = None,
    start: PreactivationBounds | None = None,
    output_rows: bool = True,
) -> PreactivationBounds:
    """Return CROWN bounds of every ReLU and of the output, nowhere looser than interval bounds.

    Parameters
    ----------
    deadline : value of `time.monotonic` to be ready by: layers share the time left, and neurons that it does not
        suffice for keep their interval bounds; the level of the result is then ``"interval"``.
    start : `interval_bounds`, or tighter ones, of this network over this domain, where they are known already.
    output_rows : whether each output is carried backward as well: who carries rows of the outputs, or combines them,
        needs none of that. Without, the output's bounds are those of intervals, or of affine forms.

    Raises
    ------
    InputError
        The domain does not fit the network or is empty.

    Notes
    -----
    Zhang et al., *Efficient neural network robustness certification with general activation functions*, NeurIPS 2018.
    """
    inputs = as_inputs(network, domain)
    interval = collect(propagate(network, inputs, {}), "interval") if start is None else start
    backward, complete = crown_sweep(network, inputs, deadline=deadline, output_rows=output_rows)
    # Intervals from tighter sources are tighter but for their rounding, hence the intersection.
    return interval.intersect(collect(backward.state, "crown" if complete else "interval"))


def crown_sweep(
    network: Network,
    inputs: Inputs,
    *,
    known: Mapping[str, tuple[FloatArray, FloatArray]] = MappingProxyType({}),
    settled: Collection[str] = (),
    deadline: float | None = None,
    bound_output: bool = True,
    output_rows: bool = True,
) -> tuple[Backward, bool]:
    """Bound every node over a batch of input sets, each Affine that a ReLU reads (and the output) by CROWN.

    Parameters
    ----------
    known : name of a Relu -> (lower, upper), bounds from elsewhere, (size,) or (B, size).
    settled : names of Relus whose known bounds are good enough, so that CROWN is not run for them.
    deadline : as in `crown_bounds`.
    bound_output : whether the output is bounded by CROWN as well.
    output_rows : as in `crown_bounds`.

    Returns
    -------
    The relaxed network with its bounds, and whether the deadline left time for all.
    """
    state = Propagation(network, inputs)
    relaxations: dict[str, Relaxation] = {}
    backward = Backward(state, relaxations)
    readers: dict[str, list[str]] = {}
    for relu in network.relus:
        readers.setdefault(relu.input, []).append(relu.name)
    complete, layers = True, _Layers(backward, deadline)
    for node in network.nodes:
        if isinstance(node, Relu):
            relaxations[node.name] = relax(state.lower[node.input], state.upper[node.input])
            state.relu(node)
            continue
        state.affine(node)
        for reader in readers.get(node.name, ()):
            if reader in known:
                state.tighten(node.name, *known[reader])
        output = bound_output and node.name == network.output
        unsettled = any(reader not in settled for reader in readers.get(node.name, ()))
        if not (output or unsettled) or set(node.inputs) == {INPUT}:
            continue  # the interval bounds of an Affine of the inputs alone are exact
        complete = layers.tighten(node, whole=output, rows=unsettled or output_rows) and complete
    return backward, complete


class _Layers:
    """Tightens Affines one after the other, by affine forms first where these are cheaper than rows of all neurons."""

    def __init__(self, backward: Backward, deadline: float | None) -> None:
        self._backward = backward
        self._products = Products(backward.state.network)
        self._shares = None if deadline is None else LayerShares(backward.state.network, deadline, self._products)
        self._forms: AffineForms | None = None
        self._forward = AffineForms.fit(backward.state)

    def tighten(self, node: Affine, *, whole: bool, rows: bool) -> bool:
        """Tighten the unstable neurons of an Affine, or all of them; False when the deadline came first.

        Without `rows`, only by affine forms.
        """
        wanted = self._wanted(node, whole)
        if self._forward and self._forms_pay(node, int(wanted.sum())):
            assert self._forms is not None
            self._forward = self._forms.tighten(node, self._end(node, wanted))
            wanted = self._wanted(node, whole)
        return not rows or tighten_affine(self._backward, node, wanted, deadline=self._end(node, wanted))

    def _wanted(self, node: Affine, whole: bool) -> BoolArray:
        lower, upper = self._backward.state.lower[node.name], self._backward.state.upper[node.name]
        return np.ones(lower.shape, dtype=bool) if whole else (lower < 0.0) & (upper > 0.0)

    def _end(self, node: Affine, wanted: BoolArray) -> float | None:
        return None if self._shares is None else self._shares.end(node, float(wanted.sum()) / len(wanted))

    def _forms_pay(self, node: Affine, wanted: int) -> bool:
        """Whether affine forms take fewer products than the rows of both sides of so many neurons."""
        rows = 2 * wanted * self._products.row(node)
        if rows < _DEAR:
            return False
        if self._forms is None:
            self._forms = AffineForms(self._backward.state, self._backward.relaxations, self._products)
        return self._forms.products(node) < _SLOWER * rows


def tighten_affine(backward: Backward, node: Affine, wanted: BoolArray, *, deadline: float | None = None) -> bool:
    """Tighten the wanted neurons (B, size) of an Affine by their CROWN bounds; False when the deadline came first.

    With a deadline, the neurons that are the furthest from stable come first: their lines are the loosest.
    """
    state = backward.state
    members, neurons = np.nonzero(wanted)
    lower, upper = state.lower[node.name].copy(), state.upper[node.name].copy()
    state.lower[node.name], state.upper[node.name] = lower, upper
    if deadline is not None:
        order = np.argsort(-_distance(lower[members, neurons], upper[members, neurons]), kind="stable")
        members, neurons = members[order], neurons[order]
    plan = WindowPlan.of(state.network, node) if state.inputs.count == 1 else None
    windows = None if plan is None else Windows(backward, plan)
    size = max(backward.block // 2, 1) if windows is None else windows.block
    if deadline is not None and windows is None:
        weights = sum(linear_map.parameters for affine in state.network.affines for linear_map in affine.maps)
        size = max(1, min(size, _BETWEEN_LOOKS // max(2 * weights, 1)))
    for first in range(0, neurons.size, size):
        if deadline is not None and time.monotonic() > deadline:
            return False
        block, who = neurons[first : first + size], members[first : first + size]
        if windows is None:
            rows = _both_sides(backward, node, block, who if state.inputs.count > 1 else None)
        else:
            rows = windows.start(block)
        bound = backward.run(rows).bound
        lower[who, block] = np.maximum(lower[who, block], -bound[: block.size])
        upper[who, block] = np.minimum(upper[who, block], bound[block.size :])
    return True


def _distance(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return how far ReLUs are from stable: the smaller of what is below and what is above zero."""
    distance: FloatArray = np.minimum(-lower, upper)
    return distance


def _both_sides(backward: Backward, node: Affine, neurons: IntArray, owner: IntArray | None) -> Rows:
    """Return the rows of the negatives of some neurons of an Affine, then of the neurons: they travel together."""
    down, up = backward.start(node, neurons, owner, -1.0), backward.start(node, neurons, owner, 1.0)
    return Rows(
        {name: np.concatenate([down.coefficients[name], up.coefficients[name]]) for name in up.coefficients},
        np.concatenate([down.constant, up.constant]),
        np.concatenate([down.error, up.error]),
        None if owner is None else np.concatenate([owner, owner]),
    )
