from __future__ import annotations

import numpy as np
import pytest
from ticket_cases import TARGETS, box_of, perceptron

from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.subset_sum.search import Effort
from netopt.ticket import carry as carried
from netopt.ticket.build import build_ticket
from netopt.ticket.carry import Carry, carry_of
from netopt.ticket.finder import subset_finder
from netopt.ticket.found import Found
from netopt.ticket.layers import learned_layers
from netopt.ticket.scales import reaching_scales
from netopt.ticket.search import searched


def found(target: Network, domain: Box, *, carry: bool, dimension: int | None = None) -> Found:
    effort = Effort(width=8, subsets=1, flips=0, rounds=0)
    return build_ticket(
        target,
        learned_layers(target, domain, reaching_scales(64), dimension),
        width=64,
        seed=0,
        choose=searched(subset_finder(size=None, effort=effort, device="cpu")),
        advance=lambda key, done, total: None,
        points=domain.sample(np.random.default_rng(1), 500) if carry else None,
    )


def moments(carry: Carry) -> np.ndarray:
    features = carry.features.transpose(0, 2, 1)[:, carry.there.T]
    second: np.ndarray = features.T @ features / len(features)
    return second + carried._RIDGE * np.trace(second) / len(second) * np.eye(len(second))


@pytest.mark.parametrize("window", [2048, 5])
def test_chunks_make_up_for_those_before_as_well_as_can_be(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other shift of a chunk's errors leaves less mean square, whatever those after it do."""
    monkeypatch.setattr(carried, "_WINDOW", window)
    generator = np.random.default_rng(0)
    there = np.array([[True, True, False, True, True, True], [False, True, False, True, False, False]])
    features = np.abs(generator.normal(size=(300, 2, 6)) + 1.0) * generator.uniform(0.1, 2.0, size=(1, 2, 6))
    carry = Carry(features, there)
    errors = np.zeros((0, 4))
    for first in (0, 2, 4):
        shift = carry.shift(first, 2, 4)
        assert not shift[~there[:, first : first + 2]].any()
        own = generator.normal(size=(2, 2, 4))
        carry.add(first, own + shift)
        errors = np.concatenate([errors, (own + shift).transpose(1, 0, 2)[there[:, first : first + 2].T]])
        if window == 2048 and first:
            count, before = len(errors), len(errors) - int(there[:, first : first + 2].sum())
            second = moments(carry)
            rest = slice(count, None)
            left = second[:count, :count] - second[:count, rest] @ np.linalg.solve(
                second[rest, rest], second[rest, :count]
            )
            best = -np.linalg.solve(left[before:, before:], left[before:, :before] @ errors[:before])
            assert shift.transpose(1, 0, 2)[there[:, first : first + 2].T] == pytest.approx(best, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("lower", "most"), [(-1.0, 0.8), (0.0, 0.5)])
@pytest.mark.parametrize("dimension", [None, 2])
def test_errors_of_a_map_add_up_to_less(lower: float, most: float, dimension: int | None) -> None:
    target = perceptron(0, (40, 4), bias=0.0)
    domain = box_of(target, lower)
    x = np.random.default_rng(0).uniform(lower, 1.0, size=(2000, 40))
    with_carry, without = (
        float(
            np.square(
                found(target, domain, carry=carry, dimension=dimension).network.forward(x) - target.forward(x)
            ).mean()
        )
        for carry in (True, False)
    )
    assert with_carry < most * without


@pytest.mark.parametrize("name", TARGETS)
def test_every_kind_of_map_has_features(name: str) -> None:
    target = TARGETS[name]()
    domain = box_of(target, -1.0)
    points = domain.sample(np.random.default_rng(0), 20)
    for one in learned_layers(target, domain, reaching_scales(8), 1).maps:
        carry = carry_of(target, one, points)
        assert carry.there.shape == (2, one.channels)
        assert carry.features.shape[1:] == (2, one.channels)
        assert np.isfinite(moments(carry)).all()
        constant = carry_of(target, one, 0.0 * points)
        assert np.isfinite(constant.shift(0, one.channels, 3)).all()
