"""CROWN bounds: backward from every ReLU layer; the tighter of them and the interval ones."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray
from netopt.bounds.backward import Backward, Rows
from netopt.bounds.inputs import Inputs, as_inputs
from netopt.bounds.interval import collect
from netopt.bounds.layer_shares import LayerShares
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.propagation import Propagation, propagate
from netopt.bounds.relaxation import Relaxation, relax
from netopt.bounds.window_plan import WindowPlan
from netopt.bounds.windows import Windows
from netopt.network.network import INPUT, Network
from netopt.network.nodes import Affine, Relu
from netopt.specification.domain import Domain


def crown_bounds(
    network: Network, domain: Domain, *, deadline: float | None = None, start: PreactivationBounds | None = None
) -> PreactivationBounds:
    """Return CROWN bounds of every ReLU and of the output, nowhere looser than interval bounds.

    Parameters
    ----------
    deadline : value of `time.monotonic` to be ready by: layers share the time left, and neurons that it does not
        suffice for keep their interval bounds; the level of the result is then ``"interval"``.
    start : `interval_bounds`, or tighter ones, of this network over this domain, where they are known already.

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
    backward, complete = crown_sweep(network, inputs, deadline=deadline)
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
) -> tuple[Backward, bool]:
    """Bound every node over a batch of input sets, each Affine that a ReLU reads (and the output) by CROWN.

    Parameters
    ----------
    known : name of a Relu -> (lower, upper), bounds from elsewhere, (size,) or (B, size).
    settled : names of Relus whose known bounds are good enough, so that CROWN is not run for them.
    deadline : as in `crown_bounds`.
    bound_output : whether the output is bounded by CROWN as well.

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
    complete = True
    shares = None if deadline is None else LayerShares(network, deadline)
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
        wanted = np.ones((inputs.count, node.size), dtype=bool)
        if not output:
            wanted = (state.lower[node.name] < 0.0) & (state.upper[node.name] > 0.0)
        end = None if shares is None else shares.end(node, int(wanted.sum()) / inputs.count)
        complete = tighten_affine(backward, node, wanted, deadline=end) and complete
    return backward, complete


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
