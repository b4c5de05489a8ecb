"""Bounds where objectives are open hold there, whoever computes them; what closes an objective is right."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest
from bound_cases import assert_inside, assert_no_looser, random_network, unit_box
from followed_search import problem_of
from teams import Dying, ready_team

from netopt.bounds.rows import bound_rows
from netopt.engines.branch_and_bound.open_domain import where_open
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.branch_and_bound.team import Team
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network


def case(seed: int) -> tuple[Network, Problem, np.ndarray, np.ndarray]:
    """Return three outputs to be bounded: one nearly closed, one half, one that is never open."""
    network = random_network(seed, (4, 16, 16, 3))
    box = unit_box(network, 0.6)
    problem = problem_of(network, box, [SlackObjective.linear(row) for row in np.eye(3)])
    upper = bound_rows(network, box, problem.bounds, np.eye(3))
    largest = network.forward(box.sample(np.random.default_rng(0), 20_000)).max(axis=0)
    enough = np.array([largest[0] - 0.05, 0.5 * largest[1] + 0.5 * upper[1], upper[2] - 1e-6])
    return network, problem, upper, np.minimum(enough, upper - 1e-6)


def teams() -> dict[str, Callable[[], Team | None]]:
    def of(make_executor: Callable[[], Executor]) -> Callable[[], Team]:
        return lambda: ready_team(make_executor, 1)

    return {"alone": lambda: None, "threads": of(lambda: ThreadPoolExecutor(1)), "dying": of(lambda: Dying(1))}


@pytest.mark.parametrize("name", sorted(teams()))
@pytest.mark.parametrize("seed", range(3))
def test_bounds_hold_wherever_an_objective_is_open(name: str, seed: int) -> None:
    network, problem, upper, enough = case(seed)
    team = teams()[name]()
    tight, closes = where_open(problem, upper, enough, lambda: False, team=team)
    if team is not None:
        team.close()
    points = problem.domain.sample(np.random.default_rng(1), 50_000)
    open_ = network.forward(points) > enough
    assert open_.any()
    assert not open_[:, closes].any()
    assert_inside(network, tight.bounds, points[open_.any(axis=1)])
    assert_no_looser(tight.bounds, problem.bounds)
    assert tight.left_out is not None
    assert (tight.left_out >= enough).all()


def test_several_processes_come_to_the_bounds_of_one() -> None:
    _, problem, upper, enough = case(1)
    alone, closes = where_open(problem, upper, enough, lambda: False)
    team = ready_team(lambda: ThreadPoolExecutor(2), 2)
    together, closed = where_open(problem, upper, enough, lambda: False, team=team)
    team.close()
    assert closes.tolist() == closed.tolist()
    assert alone.bounds.unstable_count < problem.bounds.unstable_count
    for name in problem.bounds.lower:
        assert together.bounds.lower[name] == pytest.approx(alone.bounds.lower[name], abs=1e-6)
        assert together.bounds.upper[name] == pytest.approx(alone.bounds.upper[name], abs=1e-6)
