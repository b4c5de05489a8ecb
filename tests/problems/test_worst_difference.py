from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from exact_pieces import exact_extremes, pieces_of

from netopt.errors import InputError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.problems.worst_difference import difference_network, worst_difference
from netopt.specification.box import Box


def _network(seed: int, shift: float = 0.0) -> Network:
    generator = np.random.default_rng(seed)
    return from_weights(
        [generator.normal(size=(3, 2)), generator.normal(size=(2, 3))],
        [generator.normal(size=3), np.array([shift, 0.0])],
    )


BOX = Box(-np.ones(2), np.ones(2))


def test_the_difference_network_computes_the_difference() -> None:
    first, second = _network(0), _network(1)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, size=(100, 2))
    assert difference_network(first, second).forward(x) == pytest.approx(first.forward(x) - second.forward(x))
    with pytest.raises(InputError, match="have no difference"):
        difference_network(first, from_weights([[[1.0]]], [[0.0]]))


@pytest.mark.parametrize("shift", [-50.0, 0.0, 50.0])
def test_no_point_of_a_grid_is_worse_than_what_is_proven(shift: float) -> None:
    """A large shift makes the difference of one output negative, or positive, everywhere."""
    first, second = _network(0, shift), _network(1)
    worst = worst_difference(first, second, BOX, time_limit=60.0)
    grid = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 201)] * 2), axis=-1).reshape(-1, 2)
    found = np.abs(first.forward(grid) - second.forward(grid))
    assert worst.proven
    assert found.max() <= worst.value * (1.0 + 1e-3) + 1e-6
    assert worst.value <= worst.bound <= worst.value * (1.0 + 1e-3) + 1e-5
    assert worst.output == found.max(axis=0).argmax()
    assert worst.x is not None
    assert worst.value == pytest.approx(np.abs(first.forward(worst.x) - second.forward(worst.x)).max(), abs=1e-9)


@pytest.mark.parametrize(("seed", "apart", "scale"), [(0, 1e-12, 1e6), (1, 1e-9, 1.0), (2, 1e-2, 1e-6), (3, 1.0, 1e3)])
def test_no_exact_difference_is_larger_than_the_bound(seed: int, apart: float, scale: float) -> None:
    generator = np.random.default_rng(seed)
    weights = [np.round(4.0 * generator.normal(size=shape)) / 4.0 for shape in ((3, 2), (2, 3))]
    biases = [np.round(4.0 * generator.normal(size=size)) / 4.0 for size in (3, 2)]
    first = from_weights([weights[0], scale * weights[1]], biases)
    changed = [w * (1.0 + apart * generator.choice([-1.0, 0.0, 1.0], size=w.shape)) for w in weights]
    second = from_weights([changed[0], scale * changed[1]], biases)
    network = difference_network(first, second)
    low, high = exact_extremes(pieces_of(network, BOX.low, BOX.high), network.output)

    worst = worst_difference(first, second, BOX, solver="native", time_limit=5.0)

    assert Fraction(worst.bound) >= max(*high, *(-value for value in low))


def test_outputs_that_cannot_be_the_worst_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    from netopt.problems import worst_difference as module

    looked: list[int] = []
    maximize = module.maximize

    def watched(*given: object, output: int, **options: object) -> object:
        looked.append(output)
        return maximize(*given, output=output, **options)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(module, "maximize", watched)
    known = np.array([200.0, 10.0])
    worst = worst_difference(_network(0, 50.0), _network(1), BOX, known=known, time_limit=60.0)
    assert set(looked) == {0}
    assert worst.proven
    assert known.tolist() == [200.0, 10.0]


def test_equal_networks_differ_by_nothing() -> None:
    worst = worst_difference(_network(0), _network(0), BOX, time_limit=60.0)
    assert worst.value == pytest.approx(0.0, abs=1e-9)
    assert worst.bound <= 1e-5
