"""One problem of the experiments, and what a method is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netopt.network.network import Network
from netopt.pruning.mask import Mask
from netopt.solvers.child import ChildSolver
from netopt.specification.domain import Domain

#: Trains the weights a mask keeps; the network's other weights are zero.
Finetune = Callable[[Mask], Network]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The largest ``weights @ network(x)`` over a domain.

    Attributes
    ----------
    finetune : None where there is no data to train on.
    """

    network: Network
    domain: Domain
    weights: np.ndarray
    finetune: Finetune | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every method works with.

    Attributes
    ----------
    solver : a MILP solver in a child process that has started and loaded its library before the clock does.
    seed : governs everything random.
    """

    solver: ChildSolver
    seed: int
