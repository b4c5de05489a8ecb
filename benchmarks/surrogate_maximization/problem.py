"""Untrained networks with torch's default initialisation, one output to maximise over [0, 1]^n."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.surrogate_common.problem import Problem
from instances.make.random_networks import random_weights
from netopt.network.build import from_weights
from netopt.specification.box import Box


def load_problem(instance: dict[str, Any]) -> Problem:
    """Return the problem of (inputs, depth, width, seed): weights and biases uniform in +-1/sqrt(fan-in)."""
    size = {name: int(instance[name]) for name in ("inputs", "depth", "width", "network_seed")}
    weights, biases = random_weights(size["inputs"], size["depth"], size["width"], size["network_seed"])
    domain = Box(np.zeros(size["inputs"]), np.ones(size["inputs"]))
    return Problem(network=from_weights(weights, biases), domain=domain, weights=np.ones(1))
