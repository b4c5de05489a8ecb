r"""No-good cuts: the activation patterns of points already seen are forbidden, so that others come up.

A pattern z* over the binaries of the unstable neurons is cut off by

.. math:: \sum_{z^*_k = 1} (1 - z_k) + \sum_{z^*_k = 0} z_k \ge 1 .

What a solver proves of a model with such cuts is about the patterns left, so it bounds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from formulations.milp import VANISHED, MilpModel
from netopt.arrays import FloatArray
from netopt.engines.milp import SlackModel
from netopt.errors import InvalidOptionError


class NoGoodCuts:
    """The cuts of one model; they stay in its builder.

    Parameters
    ----------
    slack_model : written by a formulation with a binary for each unstable neuron.

    Raises
    ------
    InvalidOptionError
        The formulation has none.
    """

    def __init__(self, slack_model: SlackModel) -> None:
        encoding = slack_model.encoding
        unstable = sum(int(layer.unstable.sum()) for layer in encoding.layers.values())
        if encoding.binary_count < unstable:
            raise InvalidOptionError(
                f"no-good cuts need binaries to cut off, and the {encoding.formulation.name} formulation writes"
                f" {encoding.binary_count} for {unstable} unstable neurons; choose big-m"
            )
        columns = [relu.binary[relu.binary != VANISHED] for relu in encoding.relus.values()]
        self._binaries = np.concatenate([np.empty(0, dtype=np.int64), *columns])
        self._builder = encoding.builder
        self._seen: set[bytes] = set()

    def add(self, points: Sequence[FloatArray]) -> bool:
        """Cut off the patterns of some points (columns,) of the model; return whether any was new."""
        fresh = []
        for point in points:
            active = point[self._binaries] > 0.5
            key = active.tobytes()
            if active.size and key not in self._seen:
                self._seen.add(key)
                fresh.append(active)
        if not fresh:
            return False
        patterns = np.array(fresh)
        matrix = sparse.csr_array(np.where(patterns, -1.0, 1.0))
        self._builder.add_rows((self._binaries, matrix), lower=1.0 - patterns.sum(axis=1), name="no-good")
        return True

    def model(self) -> MilpModel:
        """Return the model with all the cuts so far."""
        return self._builder.build()
