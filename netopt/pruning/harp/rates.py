r"""The share of its groups that every layer keeps, and what holds all of them together.

Rates are :math:`r_l = (1 - r_{min})\,\sigma(s_l) + r_{min}` with :math:`r_{min} = 0.1 a`, a the share of the cost
(`netopt.pruning.harp.structure`) to be kept. The loss :math:`L_{hw} = \max(c(r) / a - 1, 0)` enters with a weight that
grows by a step an epoch until the target is met and stays there (Zhao, Wressnegger, ICLR 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from netopt.arrays import FloatArray, IntArray
from netopt.errors import InputError, InvalidOptionError
from netopt.network.network import Network
from netopt.pruning.harp.starts import start_rates
from netopt.pruning.harp.structure import Structure

#: Least rate of a layer, as a share of the target.
_LEAST = 0.1
#: Rates that are learned start where this share of the cost is kept, or the target if it is more.
START = 0.1
#: A rate that is learned starts at least this share of its range away from the range's ends, where it would stay.
_EDGE = 0.01
#: Rates, counts and shares are equal up to this.
TOLERANCE = 1e-9
#: A hardware loss that rounds to zero: the target is met.
MET = 5e-3
#: Rates that end above the target by up to this share of it are cut to it; beyond, it is missed.
NEAR = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class RatePlan:
    """How rates follow from what is learned, their rate scores.

    Attributes
    ----------
    structure : the groups.
    keep : the share of the cost to be kept.
    """

    structure: Structure
    keep: float

    @property
    def least(self) -> float:
        """The least rate."""
        return _LEAST * self.keep

    def rates(self, rate_scores: FloatArray) -> FloatArray:
        """Return the rates of rate scores, (layers,)."""
        return (1.0 - self.least) * expit(rate_scores) + self.least

    def rate_scores(self, rates: FloatArray, *, learned: bool) -> FloatArray:
        """Return the rate scores of rates, which are cut to what can be learned from, or to their range."""
        edge = _EDGE if learned else TOLERANCE
        inner = np.clip((rates - self.least) / (1.0 - self.least), edge, 1.0 - edge)
        return np.log(inner) - np.log1p(-inner)

    def chain(self, rate_scores: FloatArray, rate_gradient: FloatArray) -> FloatArray:
        """Return the gradient of the rate scores, given that of the rates."""
        inner = expit(rate_scores)
        return rate_gradient * (1.0 - self.least) * inner * (1.0 - inner)

    def hardware_loss(self, rates: FloatArray) -> tuple[float, FloatArray]:
        """Return L_hw and its gradient with respect to the rates."""
        excess = self.excess(rates)
        return (excess, self.structure.share(rates)[1] / self.keep) if excess > 0.0 else (0.0, np.zeros(rates.size))

    def excess(self, rates: FloatArray) -> float:
        """Return by what share of the target rates keep more, negative where they keep less."""
        return self.structure.share(rates)[0] / self.keep - 1.0

    def counts(self, rates: FloatArray) -> IntArray:
        """Return how many groups every layer keeps while rates are learned: at least one.

        Single weights are rounded down. Channels are few, and rounded to the nearest number: always down, they would
        train with a smaller share than the rates say.
        """
        return self._rounded_down(rates + 0.5 / self.structure.sizes if self.structure.units else rates)

    def final_counts(self, rates: FloatArray) -> IntArray:
        """Return how many groups every layer keeps for good: as many as the target, or rates above it, have room for.

        Layers that round up to one group cost others theirs. What rounding down leaves goes to layers one group at a
        time, to the one that lacks most of its rate first, until none has room for one more.
        """
        counts = self._rounded_down(rates)
        budget = max(self.structure.share(rates)[0], self.keep) * (1.0 + TOLERANCE)
        while self._share(counts) > budget and counts.max() > 1:
            counts[counts.argmax()] -= 1
        one_more = np.eye(counts.size, dtype=np.int64)
        while True:
            room = [
                layer
                for layer in np.flatnonzero(counts < self.structure.sizes).tolist()
                if self._share(counts + one_more[layer]) <= budget
            ]
            if not room:
                return counts
            lacking = rates * self.structure.sizes - counts
            counts[max(room, key=lacking.__getitem__)] += 1

    def final_rates(self, rates: FloatArray) -> FloatArray:
        """Return rates brought to the target, all by one factor, unless they are far above it."""
        return self.level(rates) if self.excess(rates) < NEAR else rates

    def first_rates(self, network: Network, start: str, share: float) -> FloatArray:
        """Return the rates of a start (`netopt.pruning.harp.starts`) that keep a share of the cost."""
        if self.structure.units:
            return self.level(np.ones(self.structure.sizes.size), share)
        return np.array(list(start_rates(network, share, start).values()))

    def _rounded_down(self, rates: FloatArray) -> IntArray:
        kept = np.floor(rates * self.structure.sizes * (1.0 + 2.0 * TOLERANCE) + TOLERANCE).astype(np.int64)
        return np.clip(kept, 1, self.structure.sizes)

    def _share(self, counts: IntArray) -> float:
        return self.structure.share(counts / self.structure.sizes)[0]

    def level(self, pattern: FloatArray, share: float | None = None) -> FloatArray:
        """Return the multiple of `pattern`, cut at 1, that keeps a share of the cost (None: the target)."""
        from scipy.optimize import brentq

        wanted = self.keep if share is None else share
        high = 1.0 / float(pattern.min())

        def excess(factor: float) -> float:
            return self.structure.share(np.minimum(factor * pattern, 1.0))[0] - wanted

        if excess(0.0) >= 0.0:
            raise InvalidOptionError(
                f"what always stays costs {excess(0.0) + wanted:.3g} of the network, more than the {wanted:.3g} to be"
                " kept; keep more"
            )
        if excess(high) <= 0.0:
            return np.ones(pattern.size)
        return np.minimum(float(brentq(excess, 0.0, high, xtol=1e-14)) * pattern, 1.0)


def check_keep(structure: Structure, keep: float) -> None:
    """Check that at least one group a layer is left.

    Raises
    ------
    InputError
        The share is not in (0, 1), or too small for this network.
    """
    if not 0.0 < keep < 1.0:
        raise InvalidOptionError(f"keep={keep:g} is not in (0, 1); give the share to be kept")
    smallest, _ = structure.share(1.0 / structure.sizes)
    if keep < smallest:
        what = "channel" if structure.units else "weight"
        raise InputError(
            f"keeping {keep:g} of the network leaves less than one {what} a layer, which takes {smallest:.3g}; keep"
            " more"
        )
