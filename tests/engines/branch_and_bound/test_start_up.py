"""What branch and bound does not load: small instances take no longer than starting up does."""

from __future__ import annotations

import subprocess
import sys

SPLIT = """
import sys
import numpy as np
from netopt.bounds.compute import compute_bounds
from netopt.engines.branch_and_bound.engine import NativeEngine
from netopt.engines.engine import Maximization
from netopt.engines.objective import SlackObjective
from netopt.network.build import from_weights
from netopt.solvers.parameters import SolverParameters
from netopt.specification.box import Box

generator = np.random.default_rng(0)
sizes = (2, 30, 30, 1)
weights = [generator.normal(size=(out, into)) for into, out in zip(sizes, sizes[1:])]
network = from_weights(weights, [generator.normal(size=out) for out in sizes[1:]])
box = Box(-np.ones(2), np.ones(2))
objective, bounds = SlackObjective.linear(np.ones(1)), compute_bounds(network, box)
limits = SolverParameters(time_limit=20.0)
answer = NativeEngine().maximize(Maximization(network, box, objective, bounds, limits, start=box.center))
others = ("netopt.engines.branch_and_bound.rounds", "netopt.engines.branch_and_bound.tightening")
unneeded = ("scipy", "torch", "numpy.ma", *others)
loaded = [name for name in unneeded if name in sys.modules]
print(answer.name, answer.nodes > 1, answer.termination.value, loaded)
"""


def test_boxes_are_split_without_what_other_searches_need() -> None:
    done = subprocess.run([sys.executable, "-c", SPLIT], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "input splitting True optimal []"
