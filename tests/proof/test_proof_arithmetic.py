"""The checker's intervals and rows contain what exact arithmetic gives, at every scale and in every kind of network."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from bound_cases import NETWORKS, exact_preactivations, random_network, unit_box
from hypothesis import given
from hypothesis import strategies as st

from netopt.network.network import INPUT, Network
from netopt.proof.arithmetic import raised
from netopt.proof.carry import Rows, carry
from netopt.proof.clip import Cuts, clip
from netopt.proof.enclosure import Enclosure
from netopt.proof.exact import Dyadic
from netopt.proof.judge import Hints, LinesOfRows, carried
from netopt.proof.lines import lines_of
from netopt.proof.regions import Regions
from netopt.specification.l1_ball import L1Ball
from netopt.specification.polytope import Polytope

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> Network:
    return NETWORKS[request.param]


def boxes_of(network: Network, generator: np.random.Generator, count: int = 4) -> Regions:
    """Return boxes inside the unit box, the last of them a point."""
    box = unit_box(network)
    ends = generator.uniform(box.low, box.high, size=(2, count, box.dimension))
    ends[1, -1] = ends[0, -1]
    return Regions(ends.min(axis=0), ends.max(axis=0))


def test_enclosures_contain_the_exact_values(network: Network) -> None:
    generator = np.random.default_rng(0)
    regions = boxes_of(network, generator)
    enclosure = Enclosure(network, regions)
    for k in range(regions.count):
        points = generator.uniform(regions.lower[k], regions.upper[k], size=(6, network.input_size))
        for point in [*points, regions.lower[k], regions.upper[k]]:
            for name, values in exact_preactivations(network, point).items():
                assert all(Fraction(low) <= value for low, value in zip(enclosure.lower[name][k], values, strict=True))
                assert all(
                    Fraction(high) >= value for high, value in zip(enclosure.upper[name][k], values, strict=True)
                )


@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1e8, 1e60])
def test_enclosures_hold_at_every_scale(scale: float) -> None:
    network = random_network(7, (3, 6, 6, 2), scale)
    generator = np.random.default_rng(1)
    regions = boxes_of(network, generator, 2)
    enclosure = Enclosure(network, regions)
    for point in generator.uniform(regions.lower[0], regions.upper[0], size=(8, 3)):
        values = exact_preactivations(network, point)[network.output]
        assert all(
            Fraction(low) <= value for low, value in zip(enclosure.lower[network.output][0], values, strict=True)
        )
        assert all(
            Fraction(high) >= value for high, value in zip(enclosure.upper[network.output][0], values, strict=True)
        )


def test_backward_substitution_tightens_the_intervals() -> None:
    network = random_network(5, (4, 10, 10, 10, 2))
    regions = Regions(np.full((1, 4), -0.2), np.full((1, 4), 0.2))
    loose, tight = Enclosure(network, regions, backward=False), Enclosure(network, regions)
    last = network.relus[-1].input
    assert (tight.upper[last] - tight.lower[last]).sum() < 0.9 * (loose.upper[last] - loose.lower[last]).sum()


def test_rows_with_slopes_and_multipliers_bound_the_exact_value(network: Network) -> None:
    """Any slopes and multipliers are right: at a point of the part, the bound of the row is not exceeded."""
    generator = np.random.default_rng(2)
    regions = boxes_of(network, generator)
    neurons, count = network.relu_count, regions.count
    points = generator.uniform(regions.lower, regions.upper)
    values = [exact_preactivations(network, point) for point in points]
    phase = np.zeros((count, neurons), dtype=np.int8)
    for k in range(count):  # fix about half of the neurons as they are at the point
        signs = np.concatenate([[1 if v >= 0 else -1 for v in values[k][relu.input]] for relu in network.relus])
        phase[k] = np.where(generator.random(neurons) < 0.5, signs, 0)
    hints = Hints(phase, generator.random((count, neurons)), generator.exponential(size=(count, neurons)))
    weights = generator.normal(size=(count, network.output_size))
    enclosure, owner = Enclosure(network, regions), np.arange(count)
    rows = Rows({network.output: weights.copy()}, np.zeros(count), np.zeros(count))
    upper = enclosure.upper_bounds(carried(enclosure, rows, owner, hints), owner)
    for k in range(count):
        value = sum(Fraction(w) * v for w, v in zip(weights[k], values[k][network.output], strict=True))
        assert Fraction(upper[k]) >= value


def test_fixed_phases_tighten_enclosures_soundly() -> None:
    network = NETWORKS["perceptron"]
    regions = Regions(np.full((1, 4), -1.0), np.full((1, 4), 1.0))
    points = np.random.default_rng(3).uniform(-1.0, 1.0, size=(2000, 4))
    before = network.preactivations(points)
    first = network.relus[0]
    neuron = int(np.argmin(np.abs((before[first.name] > 0.0).mean(axis=0) - 0.5)))
    phase = np.zeros((1, first.size), dtype=np.int8)
    phase[0, neuron] = 1
    free = Enclosure(network, regions)
    known = {relu.name: (free.lower[relu.input], free.upper[relu.input]) for relu in network.relus}
    fixed = Enclosure(network, regions, given=known, phase={first.name: phase})
    last = network.relus[-1]
    inside = before[last.name][before[first.name][:, neuron] >= 0.0]
    assert (inside >= fixed.lower[last.input] - 1e-9).all()
    assert (inside <= fixed.upper[last.input] + 1e-9).all()
    assert fixed.upper[last.input].sum() < free.upper[last.input].sum()


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=20), st.data())
def test_lines_enclose_the_relu(ends: list[tuple[float, float]], data: st.DataObject) -> None:
    lower = np.array([[min(pair) for pair in ends]])
    upper = np.array([[max(pair) for pair in ends]])
    slope = np.array([[data.draw(st.floats(0.0, 1.0)) for _ in ends]])
    lines = lines_of(lower, upper, None, slope)
    for k in range(len(ends)):
        for z in (lower[0, k], upper[0, k], 0.5 * lower[0, k] + 0.5 * upper[0, k]):
            if not np.isfinite(lines.intercept[0, k]):
                continue
            exact, above, below = Fraction(z), Fraction(lines.above[0, k]), Fraction(lines.below[0, k])
            assert below * exact <= max(exact, 0) <= above * exact + Fraction(lines.intercept[0, k])


@given(st.lists(finite, min_size=1, max_size=8), st.lists(finite, min_size=8, max_size=8))
def test_dyadic_numbers_are_exact(values: list[float], others: list[float]) -> None:
    first, second = Dyadic.of(np.array(values)), Dyadic.of(np.array(others[: len(values)]))
    pairs = list(zip(values, others, strict=False))
    assert first.sum() == sum(map(Fraction, values))
    assert first.times(second).sum() == sum(Fraction(a) * Fraction(b) for a, b in pairs)
    assert first.plus(second).sum() == sum(Fraction(a) + Fraction(b) for a, b in pairs)


@given(st.lists(st.floats(0.0, 1e300), min_size=1, max_size=50))
def test_raised_sums_are_upper_bounds(values: list[float]) -> None:
    product = np.array(values) * 0.1
    bound = raised(np.array([np.dot(np.array(values), np.full(len(values), 0.1))]), len(values))[0]
    assert product.size == len(values)
    assert not np.isfinite(bound) or Fraction(bound) >= sum(Fraction(v) * Fraction(0.1) for v in values)


@pytest.mark.parametrize("rows", [1, 3])
def test_clipping_keeps_every_point_of_the_half_spaces(rows: int) -> None:
    generator = np.random.default_rng(4)
    lower, upper = -generator.random((200, 3)), generator.random((200, 3))
    slope = generator.normal(size=(200, rows, 3)) * generator.integers(0, 2, size=(200, rows, 3))
    level = generator.normal(size=(200, rows)) * 0.5
    level[::7, 0] = np.inf  # says nothing
    low, high, left = clip(lower, upper, Cuts(slope, level))
    points = generator.uniform(lower, upper, size=(300, 200, 3))
    inside = (np.einsum("skn,krn->skr", points, slope) + level >= 0.0).all(axis=2)
    within = ((points >= low - 1e-12) & (points <= high + 1e-12)).all(axis=2) & left
    assert inside.any()
    assert within[inside].all()
    assert not left.all()
    assert (high - low)[left].sum() < 0.95 * (upper - lower)[left].sum()


@pytest.mark.parametrize(
    "domain",
    [
        L1Ball(np.zeros(4), 0.7, np.full(4, -1.0), np.full(4, 1.0)),
        Polytope(np.ones((1, 4)), [-np.inf], [0.5], np.full(4, -1.0), np.ones(4)),
    ],
)
def test_domains_that_are_no_boxes(domain: L1Ball | Polytope) -> None:
    network = NETWORKS["perceptron"]
    whole = Regions.of(domain, domain.lower[None], domain.upper[None])
    box = Regions(domain.lower[None], domain.upper[None])
    points = domain.sample(np.random.default_rng(5), 500)
    enclosure, loose = Enclosure(network, whole), Enclosure(network, box)
    values = network.forward(points)
    assert (values <= enclosure.upper[network.output] + 1e-9).all()
    assert (values >= enclosure.lower[network.output] - 1e-9).all()
    relu = network.relus[1].input
    assert enclosure.upper[relu].sum() < loose.upper[relu].sum()


def test_a_row_that_reads_the_inputs_only() -> None:
    network = NETWORKS["perceptron"]
    enclosure = Enclosure(network, Regions(np.zeros((1, 4)), np.ones((1, 4))))
    rows = Rows({INPUT: np.array([[1.0, -1.0, 2.0, 0.0]])}, np.array([0.5]), np.zeros(1))
    lines = LinesOfRows(enclosure, None, Hints(), network.relu_columns)
    upper = enclosure.upper_bounds(carry(network, rows, enclosure.sizes(None), lines), None)
    assert 3.5 <= upper[0] < 3.5 + 1e-12
