"""Bounds of every ReLU's pre-activation over a domain: what formulations and engines are built on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import BoolArray, FloatArray
from netopt.checks import check_kind
from netopt.errors import InputError
from netopt.network.network import Network

#: The levels, loosest and fastest first.
LEVELS = ("interval", "crown", "alpha-crown", "lp", "milp")

#: Bounds of each Relu together: name -> (lower, upper), (size,) each.
Pairs = Mapping[str, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class PreactivationBounds:
    """Sound bounds, widened by the rounding error of the float64 forward pass.

    Attributes
    ----------
    lower, upper : name of the Relu -> (size,) float64.
    output_lower, output_upper : (m,) bounds of the network's output.
    level : the tightest level that was completed for them, one of `LEVELS`.
    network_sha256 : the network they belong to.
    """

    lower: Mapping[str, FloatArray]
    upper: Mapping[str, FloatArray]
    output_lower: FloatArray
    output_upper: FloatArray
    level: str
    network_sha256: str

    @property
    def pairs(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """The bounds of each Relu together: name -> (lower, upper)."""
        return {name: (lower, self.upper[name]) for name, lower in self.lower.items()}

    def unstable(self, name: str) -> BoolArray:
        """Return which neurons of a Relu can take either phase, (size,)."""
        mask: BoolArray = (self.lower[name] < 0.0) & (self.upper[name] > 0.0)
        return mask

    @property
    def unstable_count(self) -> int:
        """Number of unstable neurons."""
        return sum(int(self.unstable(name).sum()) for name in self.lower)

    def require(self, network: Network) -> None:
        """Check that these are bounds of `network`.

        Raises
        ------
        InputError
            They were computed for another network, or lack one of its ReLUs.
        """
        fits = self.output_lower.shape == self.output_upper.shape == (network.output_size,) and all(
            getattr(side.get(relu.name), "shape", None) == (relu.size,)
            for relu in network.relus
            for side in (self.lower, self.upper)
        )
        if self.network_sha256 != network.sha256 or not fits:
            raise InputError(
                f"the bounds belong to the network with digest {self.network_sha256[:12]}, not to the one at hand"
                f" ({network.sha256[:12]}); compute them for this network"
            )

    def intersect(self, other: PreactivationBounds) -> PreactivationBounds:
        """Return the tighter of both, bound by bound; the level is the tighter of the two levels.

        Raises
        ------
        InputError
            The bounds belong to different networks.
        """
        level = max(self.level, other.level, key=LEVELS.index)
        return self._combined(other, np.maximum, np.minimum, level)

    def unite(self, other: PreactivationBounds) -> PreactivationBounds:
        """Return the looser of both, bound by bound: what holds wherever either does; the level is the looser one.

        Raises
        ------
        InputError
            The bounds belong to different networks.
        """
        level = min(self.level, other.level, key=LEVELS.index)
        return self._combined(other, np.minimum, np.maximum, level)

    def _combined(
        self, other: PreactivationBounds, lower: np.ufunc, upper: np.ufunc, level: str
    ) -> PreactivationBounds:
        """Return what two functions make of the lower and of the upper bounds of both."""
        if self.network_sha256 != other.network_sha256 or self.lower.keys() != other.lower.keys():
            raise InputError(
                f"bounds of two networks ({self.network_sha256[:12]} and {other.network_sha256[:12]})"
                " cannot be combined; compute both for one network"
            )
        return PreactivationBounds(
            lower={name: lower(value, other.lower[name]) for name, value in self.lower.items()},
            upper={name: upper(value, other.upper[name]) for name, value in self.upper.items()},
            output_lower=lower(self.output_lower, other.output_lower),
            output_upper=upper(self.output_upper, other.output_upper),
            level=level,
            network_sha256=self.network_sha256,
        )

    def save(self, path: Path) -> None:
        """Write the bounds as ``.npz``.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        arrays: dict[str, Any] = {f"lower/{name}": value for name, value in self.lower.items()}
        arrays |= {f"upper/{name}": value for name, value in self.upper.items()}
        arrays |= {"output_lower": self.output_lower, "output_upper": self.output_upper}
        arrays |= {"level": np.array(self.level), "network_sha256": np.array(self.network_sha256)}
        from netopt.archive import write_arrays

        write_arrays(path, arrays, "bounds")

    @classmethod
    def load(cls, path: Path) -> PreactivationBounds:
        """Read bounds written by `save`; nothing is ever unpickled.

        Raises
        ------
        InputError
            The file is not one of ours. Use `require` to check that it is about the network at hand.
        """
        from netopt.archive import arrays_of, under

        with arrays_of(path, "bounds", "make it with 'netopt bounds'") as content:
            bounds = cls(
                lower=under("lower/", content),
                upper=under("upper/", content),
                output_lower=content["output_lower"],
                output_upper=content["output_upper"],
                level=str(content["level"]),
                network_sha256=str(content["network_sha256"]),
            )
            bounds.check()
        return bounds

    def check(self) -> None:
        """Check that the content makes sense by itself: pairs of float64 vectors, none NaN, and a known level.

        Raises
        ------
        InputError
            It does not.
        """
        if self.level not in LEVELS:
            raise InputError(f"bounds of the unknown level {self.level!r}; levels are {', '.join(LEVELS)}")
        if self.lower.keys() != self.upper.keys():
            raise InputError("some ReLUs have bounds on one side only; compute the bounds again")
        pairs = [("the output", self.output_lower, self.output_upper)]
        pairs += [(repr(name), value, self.upper[name]) for name, value in self.lower.items()]
        for what, lower, upper in pairs:
            vectors = lower.ndim == 1 and lower.shape == upper.shape and lower.dtype == upper.dtype == np.float64
            if not vectors or np.isnan(lower).any() or np.isnan(upper).any():
                raise InputError(f"the bounds of {what} are not two float64 vectors without NaN; compute them again")


def check_bounds(bounds: PreactivationBounds, network: Network) -> None:
    """Refuse what are no bounds of this network; see `PreactivationBounds.require`."""
    check_kind(bounds, PreactivationBounds, "bounds", "give what netopt.compute_bounds returned")
    bounds.require(network)
