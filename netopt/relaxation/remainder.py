r"""The part of a layer's rows that a relaxed model replaces by slack.

Split the rows of an Affine, ``W x + b = K x + b + P x``, each weight in one of the two. The relaxed model keeps K and
writes a column r for P x, about which it knows

.. math:: l \le r \le u, \qquad V r \le h, \qquad h_k \ge \max_x V_k P x .

Every x of the domain gives an r that satisfies all of them, so what holds for the relaxed model holds for the network.
The rows V tie the slacks to each other: without them, r may take the worst of every row at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from netopt.arrays import FloatArray
from netopt.network.nodes import Affine


@dataclass(frozen=True, slots=True, eq=False)
class Remainder:
    """What is known of the pruned part ``P x`` of an Affine.

    Attributes
    ----------
    part : an Affine without bias that reads what the whole one reads; its maps are P. Rows of neurons that are never
        active are zero.
    lower, upper : (size,) range of each row over the domain, rounded outward.
    directions : (k, size), the rows V.
    limits : (k,) upper bounds h of ``V P x`` over the domain, rounded outward.
    """

    part: Affine
    lower: FloatArray
    upper: FloatArray
    directions: FloatArray
    limits: FloatArray

    @property
    def weights(self) -> int:
        """Number of weights that were replaced."""
        return sum(int(linear_map.fan_in.sum()) for linear_map in self.part.maps)
