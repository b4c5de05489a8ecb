"""Which searches a problem is given to, and what share of the time each gets."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import random_network

from netopt.bounds.compute import compute_bounds
from netopt.engines.branch_and_bound.schedule import schedule
from netopt.engines.branch_and_bound.search import Problem
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.specification.box import Box


def rules_of(network: Network, radius: float) -> dict[str, tuple[float, float]]:
    box = Box(np.full(network.input_size, -radius), np.full(network.input_size, radius))
    objectives = (SlackObjective.linear(np.ones(network.output_size)),)
    rules = schedule(Problem(network, box, compute_bounds(network, box), objectives))
    assert sum(rule.share for rule in rules) == pytest.approx(1.0) or len(rules) == 1
    return {rule.name: (rule.first, rule.share) for rule in rules}


def test_few_unstable_neurons_for_each_input_are_split_as_early_as_boxes() -> None:
    rules = rules_of(random_network(0, (18, 12, 12, 2)), 1.0)
    assert list(rules) == ["input splitting", "ReLU splitting"]
    assert rules["input splitting"] == (0.5, 0.5)
    assert rules["ReLU splitting"][1] == 0.5


def test_boxes_of_few_inputs_have_the_time_where_many_neurons_are_unstable() -> None:
    first, share = rules_of(random_network(0, (2, 60, 60, 2)), 1.0)["input splitting"]
    assert first > 1.0
    assert share > 0.5


def test_many_inputs_leave_relu_splitting_and_networks_without_relus_boxes() -> None:
    assert rules_of(random_network(0, (40, 12, 2)), 0.5) == {"ReLU splitting": (1.0, 1.0)}
    linear = from_weights([[[1.0, 2.0]]], [[0.0]])
    assert list(rules_of(linear, 1.0)) == ["input splitting"]
