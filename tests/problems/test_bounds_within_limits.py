"""Bounds of cases: the cheap ones first, CROWN's by a share of the time, and what is reached counts."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from image_networks import residual_images, small_box

from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.problems import preparation
from netopt.problems.goal import bound_goals, goals_of
from netopt.problems.preparation import BoundsOfCases
from netopt.problems.run import Run
from netopt.problems.settings import Settings
from netopt.problems.verification import verify
from netopt.specification.property import Case, Conjunction, Property

NETWORK = residual_images(0)
BOX = small_box(NETWORK)
ROW = np.array([[1.0, -1.0, 0.0]])
BY_INTERVALS = float(bound_rows(NETWORK, BOX, interval_bounds(NETWORK, BOX), ROW)[0])
BY_CROWN = float(bound_rows(NETWORK, BOX, crown_bounds(NETWORK, BOX), ROW)[0])


def _at_least(value: float) -> Property:
    """Whether ``y_0 - y_1 >= value`` somewhere."""
    return Property((Case(BOX, (Conjunction(-ROW, np.array([-value])),)),), NETWORK.input_size, NETWORK.output_size)


def _settings(closing: ExitStack) -> Settings:
    return Settings.checked(
        closing,
        solver="native",
        formulation="big-m",
        bounds="crown",
        threads=1,
        seed=0,
        memory_limit=None,
        isolate=True,
    )


@pytest.mark.parametrize(("share", "closed_by_intervals"), [(1.01, True), (0.5, False)])
def test_what_intervals_prove_needs_no_more(share: float, closed_by_intervals: bool) -> None:
    value = BY_CROWN + share * (BY_INTERVALS - BY_CROWN)
    assert value > BY_CROWN
    answer = verify(NETWORK, _at_least(value), time_limit=100.0)
    assert answer.status.value == "unsat"
    *_, unstable = [stage["unstable_relus"] for stage in answer.stages if stage["name"] == "bounds"]
    assert (unstable == interval_bounds(NETWORK, BOX).unstable_count) == closed_by_intervals


def test_bounds_without_time_are_those_of_intervals() -> None:
    goal = goals_of(_at_least(0.0))[0][0]
    with ExitStack() as closing:
        bounds = BoundsOfCases(NETWORK, _settings(closing), Run(1e-9))
        bound_goals(NETWORK, [goal], bounds.quick(goal))
    assert bounds.quick(goal).level == "interval"
    assert goal.proved_by == "interval"
    assert goal.upper == pytest.approx(BY_INTERVALS / goal.objective.norm[0])


def test_one_case_of_many_leaves_time_for_the_others() -> None:
    goal = goals_of(_at_least(0.0))[0][0]
    with ExitStack() as closing:
        bounds = BoundsOfCases(NETWORK, _settings(closing), Run(1000.0))
        assert bounds.quick(goal, cases=4).level == "crown"
        assert bounds.cheap(goal) is bounds.cheap(goal)
        assert bounds.quick(goal) is bounds.quick(goal)


@pytest.mark.parametrize(("pace", "least", "most"), [(1e15, 400.0, 500.0), (1.0, 700.0, 800.0)])
def test_crown_gets_nearly_all_the_time_where_a_search_would_be_too_slow(
    monkeypatch: pytest.MonkeyPatch, pace: float, least: float, most: float
) -> None:
    monkeypatch.setattr(preparation, "_PACE", pace)
    given: list[float] = []

    def noted(*args: Any, deadline: float, **options: Any) -> PreactivationBounds:
        given.append(deadline - time.monotonic())
        return crown_bounds(*args, deadline=deadline, **options)

    monkeypatch.setattr("netopt.bounds.crown.crown_bounds", noted)
    with ExitStack() as closing:
        BoundsOfCases(NETWORK, _settings(closing), Run(1000.0)).quick(goals_of(_at_least(0.0))[0][0])
    assert least < given[0] <= most


@pytest.mark.parametrize(("pace", "early"), [(1e15, True), (1e4, False)])
def test_a_slow_search_begins_when_nothing_else_is_left(
    monkeypatch: pytest.MonkeyPatch, pace: float, early: bool
) -> None:
    monkeypatch.setattr(preparation, "_PACE", pace)
    answer = verify(NETWORK, _at_least(BY_CROWN - 1e-3 * (BY_INTERVALS - BY_CROWN)), time_limit=100.0)
    assert answer.status.value == "unsat"
    parts = [stage["parts"] for stage in answer.stages if stage["name"] == "branch"]
    assert (parts[0] > 0) == early
    assert parts[-1] > 0
