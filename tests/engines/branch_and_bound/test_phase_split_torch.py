"""ReLU splitting with torch's descent closes what it closes with NumPy's; on a GPU where there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bound_cases import NETWORKS, unit_box
from followed_search import Follower, problem_of

from netopt.engines.branch_and_bound.phase_split import PhaseSplit
from netopt.engines.objective import SlackObjective

torch = pytest.importorskip("torch")

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=GPU)])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_maxima_are_those_found_without_torch(name: str, device: str) -> None:
    network = NETWORKS[name]
    box = unit_box(network, 0.3)
    problem = problem_of(network, box, [SlackObjective.linear(row) for row in np.eye(network.output_size)])
    seen = network.forward(box.sample(np.random.default_rng(0), 5_000)).max(axis=0)
    found = []
    for one in (problem, replace(problem, device=device)):
        split = PhaseSplit(one, Follower(one, 1e-4))
        split.advance(None, most=3_000)
        assert (split.upper >= seen - 1e-9).all()
        assert split.finished
        found.append(split.upper)
    assert found[1] == pytest.approx(found[0], abs=3e-4)
