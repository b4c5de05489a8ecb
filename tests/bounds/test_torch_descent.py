"""The descent in torch: the steps of the one in NumPy, on every kind of network, with and without split ReLUs."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import NETWORKS, unit_box
from hypothesis import given, settings
from hypothesis import strategies as st

from netopt.bounds.compute import compute_bounds
from netopt.bounds.condensed import Condensed
from netopt.bounds.descent import Descent
from netopt.bounds.descent_start import Start
from netopt.bounds.ground import Ground
from netopt.bounds.inputs import as_inputs
from netopt.bounds.objectives import Objectives
from netopt.bounds.parts import Parts
from netopt.bounds.phases import PhaseBounds
from netopt.bounds.propagation import propagate
from netopt.bounds.relaxation import relax
from netopt.bounds.torch_device import check_device
from netopt.bounds.torch_ground import TorchGround
from netopt.errors import InvalidOptionError
from netopt.network.network import INPUT, Network
from netopt.specification.domain import Domain
from netopt.specification.l1_ball import L1Ball

torch = pytest.importorskip("torch")

HAS_GPU = torch.cuda.is_available()
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not HAS_GPU, reason="torch finds no GPU here"))]
COUNT = 6


def domain_of(network: Network, ball: bool) -> Domain:
    """Return a box, or the part of it in an L1 ball."""
    box = unit_box(network, 0.5)
    return L1Ball((box.lower + box.upper) / 2.0, 0.8, box.lower, box.upper) if ball else box


def grounds(network: Network, domain: Domain, device: str) -> tuple[Ground, TorchGround]:
    """Return the ground of descents in NumPy and in torch."""
    state = propagate(network, as_inputs(network, domain), compute_bounds(network, domain).pairs)
    condensed = Condensed.of(state)
    own = condensed.state
    lines = {relu.name: relax(own.lower[relu.input], own.upper[relu.input]) for relu in condensed.network.relus}
    return Ground(condensed, domain, lines), TorchGround(condensed, domain, lines, device)


def random_parts(ground: Ground, generator: np.random.Generator, split: bool, width: int) -> Parts:
    """Return parts with random choices, some phases fixed where `split`."""
    shape = (COUNT, ground.unstable)
    phase = generator.integers(-1, 2, shape) * (generator.random(shape) < 0.3) * split
    weight = generator.random((COUNT, width)) + 0.1
    return Parts(
        np.zeros(COUNT, dtype=np.int64),
        phase.astype(np.int8),
        generator.random(shape).astype(np.float32),
        (generator.random(shape) * (phase != 0)).astype(np.float32),
        weight / weight.sum(axis=1, keepdims=True),
    )


def random_start(network: Network, generator: np.random.Generator, width: int, simplex: bool) -> Start:
    """Return random rows, weighted ones and fixed ones."""

    def normal(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    fixed = (
        {}
        if simplex
        else {network.output: normal(COUNT, network.output_size), INPUT: normal(COUNT, network.input_size)}
    )
    return Start(
        fixed,
        normal(COUNT),
        np.full(COUNT, -np.inf, dtype=np.float32),
        normal(COUNT, width, network.output_size),
        normal(COUNT, width, network.input_size),
        normal(COUNT, width),
        simplex,
        np.full(COUNT, 0.1, dtype=np.float32),
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", sorted(NETWORKS))
@given(
    seed=st.integers(0, 10**6),
    ball=st.booleans(),
    split=st.booleans(),
    width=st.sampled_from([1, 3]),
    simplex=st.booleans(),
    steps=st.sampled_from([0, 1, 4]),
)
@settings(max_examples=8, deadline=None)
def test_it_takes_the_steps_of_numpy(
    device: str, name: str, seed: int, ball: bool, split: bool, width: int, simplex: bool, steps: int
) -> None:
    network, generator = NETWORKS[name], np.random.default_rng(seed)
    plain, ground = grounds(network, domain_of(network, ball), device)
    parts = random_parts(plain, generator, split, width)
    start = random_start(plain.network, generator, width, simplex)
    expected, found = Descent(plain, parts, start), ground.descent(parts, start)
    best, own = expected.run(steps), found.run(steps)
    size = 1.0 + np.abs(expected.value).max()
    assert np.allclose(found.value, expected.value, atol=1e-4 * size if steps < 2 else 0.02 * size)
    assert (own.phase == parts.phase).all()
    assert ((own.slope >= 0.0) & (own.slope <= 1.0)).all()
    assert (own.multiplier >= 0.0).all()
    assert (own.multiplier[parts.phase == 0] == 0.0).all()
    assert (own.slope.dtype, own.multiplier.dtype) == (best.slope.dtype, best.multiplier.dtype)
    if simplex:
        assert np.allclose(own.weight.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_what_it_found_is_what_it_says(device: str, name: str) -> None:
    """A descent that begins with what another found has its bounds at once, and no step makes them worse."""
    network, generator = NETWORKS[name], np.random.default_rng(5)
    plain, ground = grounds(network, domain_of(network, ball=False), device)
    parts = random_parts(plain, generator, split=True, width=2)
    start = random_start(plain.network, generator, 2, simplex=True)
    first, longer = ground.descent(parts, start), ground.descent(parts, start)
    first.run(0)
    best = longer.run(6)
    assert (longer.value <= first.value).all()
    again = Descent(plain, best, start)
    again.run(0)
    assert np.allclose(again.value, longer.value, atol=1e-4 * (1.0 + np.abs(longer.value).max()))


def test_rows_at_their_target_are_left_out() -> None:
    network = NETWORKS[sorted(NETWORKS)[0]]
    plain, ground = grounds(network, domain_of(network, ball=False), "cpu")
    generator = np.random.default_rng(3)
    parts, start = random_parts(plain, generator, True, 1), random_start(plain.network, generator, 1, simplex=True)
    start.target[: COUNT // 2] = np.inf
    descent = ground.descent(parts, start)
    best = descent.run(5)
    untouched = slice(0, COUNT // 2)
    assert (best.slope[untouched] == parts.slope[untouched]).all()
    visited: list[np.ndarray] = []
    ground.descent(parts, start).run(2, visit=visited.append)
    assert [points.shape for points in visited] == [(COUNT, network.input_size)] * 3


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_bounds_of_parts_are_sound(device: str, name: str) -> None:
    network, generator = NETWORKS[name], np.random.default_rng(8)
    domain = domain_of(network, ball=False)
    row = generator.normal(size=network.output_size)
    bounds = compute_bounds(network, domain)
    search = PhaseBounds(network, domain, bounds, Objectives.separate(row[None]), device=device)
    values = network.forward(domain.sample(generator, 2000)) @ row
    whole = search.whole()
    first = search.bound(whole, 0, np.array([-np.inf])).upper[0]
    answer = search.bound(whole, 10, np.array([-np.inf]))
    assert values.max() <= answer.upper[0] <= first
    if search.neurons.size:
        halves = whole.halves(answer.looseness.argmax(axis=1))
        parts = search.bound(halves, 5, np.array([-np.inf])).upper
        assert values.max() <= parts.max()


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_a_missing_gpu_is_told() -> None:
    with pytest.raises(InvalidOptionError, match="finds no GPU; use 'cpu'"):
        check_device("cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="unknown device 'tpu'"):
        check_device("tpu")
