r"""Errors of channels carried on: what some channels are off by together, those after them make up for.

A map's output is off by :math:`\sum_i E_i \varphi_i`, with one feature :math:`\varphi_i` for every channel and sign it
takes, :math:`x_t^+` or :math:`x_t^-`, and :math:`E_i` what the subset found is off its kernel by. Over the domain its
mean square is :math:`e^T M e` for every entry, with the second moments :math:`M = \mathrm{E} \varphi \varphi^T`. With
:math:`M = R R^T`, R upper triangular, it is

.. math:: \sum_b \big| R_{bb}^T e_b + \sum_{a < b} R_{ab}^T e_a \big|^2 ,

channels taken in chunks a, b, ... in order. So chunk b looks for its kernels less
:math:`R_{bb}^{-T} \sum_{a < b} R_{ab}^T e_a`, and the mean square is that of errors that do not add up: the
:math:`R_{bb}^2` are what is left of a feature's second moment when those after it have explained what they can. For
independent values of mean m and variance v it is v instead of :math:`m^2 + v`. (This is Babai's nearest plane, as in
rounding the weights of networks: Frantar et al., *GPTQ*, 2023.)

M is estimated from points of the domain, all pixels of a channel counting as one feature; a ridge keeps chunks from
making up for what those points have by chance. Very many features are carried in windows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.network.network import INPUT, Network
from netopt.ticket.layers import LearnedMap

#: Points of the domain, and the most features whose second moments are held at a time.
POINTS, _WINDOW = 1024, 2048
_RIDGE = 0.01  # of the mean second moment


@dataclass(slots=True, eq=False)
class Carry:
    """The errors of the chunks so far, and what follows for the targets of the next.

    Attributes
    ----------
    features : (points, 2, channels) positive and negative parts of the channels' values.
    there : (2, channels) which of them are read.
    errors : of each chunk of the window so far, (features, outputs * taps).
    factor : (features, features) R of the window, None before it begins.
    position : how many features of the window have been dealt with.
    """

    features: FloatArray
    there: BoolArray
    errors: list[FloatArray] = field(default_factory=list)
    factor: FloatArray | None = None
    position: int = 0

    def shift(self, first: int, count: int, entries: int) -> FloatArray:
        """Return what to add to the targets of channels from `first` on: (2, count, entries)."""
        there = self.there[:, first : first + count].T
        used = int(np.count_nonzero(there))
        if self.factor is None or self.position + used > self.factor.shape[0]:
            self.factor, self.position, self.errors = self._factor_from(first, used), 0, []
        shift = np.zeros((count, 2, entries))
        if self.errors and used:
            rows = slice(self.position, self.position + used)
            before = self.factor[: self.position, rows].T @ np.concatenate(self.errors)
            shift[there] = -np.linalg.solve(self.factor[rows, rows].T, before)
        return shift.transpose(1, 0, 2)

    def add(self, first: int, errors: FloatArray) -> None:
        """Note what the sums of channels from `first` on are off by: (2, count, entries)."""
        there = self.there[:, first : first + errors.shape[1]].T
        self.errors.append(errors.transpose(1, 0, 2)[there])
        self.position += int(np.count_nonzero(there))

    def _factor_from(self, first: int, least: int) -> FloatArray:
        """Return R of the features from channel `first` on, `least` of them or up to the largest window."""
        kept = self.there[:, first:].T
        features = self.features[:, :, first:].transpose(0, 2, 1)[:, kept][:, : max(_WINDOW, least)]
        moments = features.T @ features / features.shape[0]
        count = moments.shape[0]
        ridge = _RIDGE * float(np.trace(moments)) / max(count, 1)
        moments += (ridge or 1.0) * np.eye(count)
        factor: FloatArray = np.linalg.cholesky(moments[::-1, ::-1])[::-1, ::-1]
        return factor


def carry_of(target: Network, learned: LearnedMap, points: FloatArray) -> Carry:
    """Return what carries the errors of a map, for points (count, inputs) of the domain."""
    source = learned.source
    values = points if source == INPUT else target.with_nodes(target.nodes, source).forward(points)
    by_pixel = values.reshape(values.shape[0], learned.channels, -1).transpose(0, 2, 1).reshape(-1, learned.channels)
    size = float(np.abs(by_pixel).max(initial=0.0))
    by_pixel = by_pixel / (size if 0.0 < size < np.inf else 1.0)
    features = np.stack([np.maximum(by_pixel, 0.0), np.maximum(-by_pixel, 0.0)], axis=1)
    there = np.stack([learned.positive, learned.negative])[:, :: learned.groups]
    return Carry(features, there)
