"""What all descents over one domain share: the condensed network, the domain, and the lines of its ReLUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import IntArray
from netopt.bounds.condensed import Condensed
from netopt.bounds.descent_start import Start
from netopt.bounds.parts import Parts, SingleArray
from netopt.bounds.relaxation import Relaxation
from netopt.specification.box import Box
from netopt.specification.domain import Domain

if TYPE_CHECKING:
    from netopt.bounds.descent import Descent

_SINGLE = np.float32


class Ground:
    """What all descents over one domain share; every array is float32.

    Parameters
    ----------
    lines : of the condensed network's ReLUs, (1, kept).

    Attributes
    ----------
    network : the condensed one.
    free : name of a Relu -> where its unstable neurons are among the kept ones; None where all of them are.
    columns : name of a Relu -> the columns of `Parts` that its unstable neurons have.
    upper_slope, lower_slope, intercept : name of a Relu -> (kept,), its lines.
    """

    def __init__(self, condensed: Condensed, domain: Domain, lines: Mapping[str, Relaxation]) -> None:
        self.condensed, self.domain = condensed, domain
        self.network = condensed.network
        self.free: dict[str, IntArray | None] = {}
        self.columns: dict[str, slice] = {}
        self.upper_slope: dict[str, SingleArray] = {}
        self.lower_slope: dict[str, SingleArray] = {}
        self.intercept: dict[str, SingleArray] = {}
        count = 0
        for relu in self.network.relus:
            kept, unstable = condensed.kept[relu.name], condensed.unstable[relu.name]
            self.columns[relu.name] = slice(count, count + unstable.size)
            self.free[relu.name] = np.searchsorted(kept, unstable) if kept.size > unstable.size else None
            self.upper_slope[relu.name] = lines[relu.name].upper_slope[0].astype(_SINGLE)
            self.lower_slope[relu.name] = lines[relu.name].lower_slope[0].astype(_SINGLE)
            self.intercept[relu.name] = lines[relu.name].upper_intercept[0].astype(_SINGLE)
            count += unstable.size
        self.unstable = count
        self.middle = (0.5 * (domain.lower + domain.upper)).astype(_SINGLE)
        self.radius = (0.5 * (domain.upper - domain.lower)).astype(_SINGLE)

    def descent(self, parts: Parts, start: Start) -> Descent:
        """Return a search for better choices of some rows, see `netopt.bounds.descent`."""
        from netopt.bounds.descent import Descent

        return Descent(self, parts, start)

    def maximize(self, slope: SingleArray, wanted: bool) -> tuple[SingleArray, SingleArray | None]:
        """Return the maxima (p,) of linear functions (p, n), and members where they are reached, where `wanted`."""
        if type(self.domain) is Box:
            value = slope @ self.middle + np.abs(slope) @ self.radius
            return value, self.middle + np.copysign(self.radius, slope) if wanted else None
        points = self.domain.maximizer(slope.astype(np.float64)).astype(_SINGLE)
        return np.einsum("pn,pn->p", slope, points), points


def ground_on(device: str | None, condensed: Condensed, domain: Domain, lines: Mapping[str, Relaxation]) -> Ground:
    """Return the ground of descents in NumPy, or in torch on a device.

    Raises
    ------
    InvalidOptionError
        torch or the device is missing.
    """
    if device is None:
        return Ground(condensed, domain, lines)
    from netopt.bounds.torch_ground import TorchGround

    return TorchGround(condensed, domain, lines, device)
