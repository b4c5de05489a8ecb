"""Surrogates within limits: the best known is returned, and stages say what each of them brought."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from activation_patterns import random_perceptron
from lone_surrogates import only_surrogates
from result_schema import validate

from netopt.network.network import Network
from netopt.problems.maximization import maximize
from netopt.problems.surrogate import ladder as ladder_module
from netopt.specification.box import Box


def wide_network() -> Network:
    return random_perceptron(np.random.default_rng(0), [24, 60, 60, 60, 2], scale=0.5).network


@pytest.mark.parametrize(("prune", "isolate"), [("ladder", True), ("magnitude:0.3", False), ("ladder", False)])
def test_a_limit_returns_the_best_known(prune: str, isolate: bool) -> None:
    network, box = wide_network(), Box(-np.ones(24), np.ones(24))
    result = maximize(network, box, output=1, time_limit=3.0, isolate=isolate, prune=prune)
    assert result.status == "timeout"
    assert result.primal_bound is not None
    assert result.dual_bound is not None
    assert result.primal_bound < result.dual_bound
    assert result.origin
    validate(result)


def test_an_interrupt_returns_the_best_known() -> None:
    interrupt, seen = threading.Event(), list[float]()

    def heard(progress: Any) -> None:
        if progress.primal_bound is not None:
            seen.append(progress.primal_bound)
        if progress.stage == "surrogate":
            interrupt.set()

    result = maximize(
        wide_network(),
        Box(-np.ones(24), np.ones(24)),
        output=0,
        interrupt=interrupt,
        progress=heard,
        isolate=False,
        prune="ladder",
    )
    assert result.interrupted
    assert result.status == "feasible"
    assert seen == sorted(seen)
    assert result.primal_bound is not None
    assert result.primal_bound >= seen[-1]


def test_stages_tell_sparse_and_dense_figures_apart() -> None:
    network, box = wide_network(), Box(np.full(24, -0.1), np.full(24, 0.1))
    result = maximize(network, box, output=0, minimize=True, time_limit=8.0, isolate=False, prune="magnitude:0.9")
    stage = next(stage for stage in result.stages if stage["name"] == "surrogate")
    assert stage["pruning"] == "magnitude:0.9"
    assert stage["removed"] == pytest.approx(0.9, abs=0.01)
    assert stage["weights"] < 0.11 * network.parameters
    assert stage["binaries"] <= stage["unstable_relus"] <= network.relu_count
    assert stage["sparse_bound"] <= stage["sparse_value"] + 1e-6  # of a minimum
    assert stage["primal_bound"] <= stage["dense_value"] + 1e-9
    assert stage["primal_bound"] >= result.primal_bound


def test_a_rung_that_brings_nothing_gives_its_time_back(monkeypatch: pytest.MonkeyPatch) -> None:
    only_surrogates(monkeypatch)
    monkeypatch.setattr(ladder_module, "PATIENCE", 0.1)
    monkeypatch.setattr(ladder_module, "STALL_SHARE", 0.0)
    network, box = wide_network(), Box(-np.ones(24), np.ones(24))
    result = maximize(network, box, output=1, time_limit=3.0, isolate=False, prune="ladder:magnitude:0.5")
    stage = next(stage for stage in result.stages if stage["name"] == "surrogate")
    assert stage["stalled"] or stage["incumbents"] == 0
