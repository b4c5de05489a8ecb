"""Masks: which weights of a network are kept, and times what. Masks are data: saved, loaded, composed, applied."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from netopt.archive import arrays_of, under, write_arrays
from netopt.arrays import BoolArray
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.pruning.request import Request
from netopt.pruning.weights import prunable_maps


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Which stored weights of a network are kept.

    Attributes
    ----------
    kept : name of an Affine (``"name:k"`` for the k-th map of one with several inputs) -> True where the weight is
        kept, shaped like the stored weights: Dense (out, in), Sparse (nnz,), Convolution its kernel. Maps that only
        move values (skip branches, selections, poolings) have no key.
    method : how it was found.
    rate : the fraction that was asked to be removed, in [0, 1).
    network_sha256 : the network it is about.
    factors : key of `kept` -> what the weights kept there are multiplied by; 1 where there is none.
    """

    kept: Mapping[str, BoolArray]
    method: str
    rate: float
    network_sha256: str
    factors: Mapping[str, float] = field(default_factory=dict)

    @property
    def weights(self) -> int:
        """Number of weights the mask covers."""
        return sum(kept.size for kept in self.kept.values())

    @property
    def weights_kept(self) -> int:
        """Number of weights kept."""
        return sum(int(np.count_nonzero(kept)) for kept in self.kept.values())

    @property
    def removed(self) -> float:
        """Share of the covered weights that is removed."""
        return 1.0 - self.weights_kept / self.weights if self.weights else 0.0

    def require(self, network: Network) -> None:
        """Check that this is a mask of `network`.

        Raises
        ------
        InputError
            A map has no array, an array of another shape or no such map exists, a factor is of none of them or not
            positive, or the network has another digest.
        """
        shapes = {part.key: part.weights.shape for part in prunable_maps(network)}
        if odd := sorted(shapes.keys() ^ self.kept.keys()):
            raise InputError(
                f"mask and network do not cover the same layers (e.g. {odd[0]!r}); make a mask for this one"
            )
        for key, shape in shapes.items():
            if self.kept[key].shape != shape:
                raise InputError(
                    f"the mask of {key!r} has shape {self.kept[key].shape} and its weights {shape};"
                    " make a mask for this network"
                )
        for key, factor in self.factors.items():
            if key not in shapes or not 0.0 < factor < math.inf:
                raise InputError(
                    f"the mask multiplies the weights of {key!r} by {factor:g}; give positive factors, for layers"
                    " that it covers"
                )
        if self.network_sha256 != network.sha256:
            raise InputError(
                f"the mask belongs to the network with digest {self.network_sha256[:12]}, not to the one at hand"
                f" ({network.sha256[:12]}); make a mask for this network"
            )

    def select(self, request: Request) -> Mapping[str, BoolArray]:
        """Return what is kept of the network that a request is about.

        Raises
        ------
        InputError
            It is not the mask's.
        """
        self.require(request.network)
        return self.kept

    def compose(self, later: Mask, network: Network) -> Mask:
        """Return the mask of `network` that does what this one and then `later` do.

        Parameters
        ----------
        later : a mask of the network this mask makes (as `apply_mask` stores it), or another mask of `network`.
        network : the network this mask is about.

        Raises
        ------
        InputError
            One of the masks does not fit.
        """
        self.require(network)
        composed: dict[str, BoolArray] = {}
        for part in prunable_maps(network):
            kept, then = self.kept[part.key], later.kept.get(part.key)
            if then is None:  # so little was left that the map counts as one that only moves values
                composed[part.key] = kept
            elif then.shape == kept.shape:
                composed[part.key] = kept & then
            else:
                composed[part.key] = _expand(kept & (part.weights != 0.0), then, part.key)
        factors = {
            key: self.factors.get(key, 1.0) * later.factors.get(key, 1.0)
            for key in composed
            if key in self.factors or key in later.factors
        }
        both = Mask(composed, f"{self.method}+{later.method}", self.rate, self.network_sha256, factors)
        return replace(both, rate=both.removed)

    def save(self, path: Path) -> None:
        """Write the mask as ``.npz``.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        arrays: dict[str, Any] = {f"kept/{key}": kept for key, kept in self.kept.items()}
        arrays |= {f"factor/{key}": np.array(factor) for key, factor in self.factors.items()}
        arrays |= {"method": np.array(self.method), "rate": np.array(self.rate)}
        arrays |= {"network_sha256": np.array(self.network_sha256)}
        write_arrays(path, arrays, "the mask")

    @classmethod
    def load(cls, path: Path) -> Mask:
        """Read a mask written by `save`; nothing is ever unpickled.

        Raises
        ------
        InputError
            The file is not one of ours. Use `require` to check that it is about the network at hand.
        """
        with arrays_of(path, "a mask", "make it with 'netopt prune --mask'") as content:
            if "target_sha256" in content:
                raise ValueError("its masks are those of a ticket's random network; use the ticket's own .onnx file")
            kept = under("kept/", content)
            factors = {key: float(factor) for key, factor in under("factor/", content).items()}
            mask = cls(kept, str(content["method"]), float(content["rate"]), str(content["network_sha256"]), factors)
            if any(value.dtype != np.bool_ for value in kept.values()) or not 0.0 <= mask.rate < 1.0:
                raise ValueError("its arrays are not those of a mask")
        return mask


def _expand(stored: BoolArray, then: BoolArray, key: str) -> BoolArray:
    """Return a mask of the weights a sparse map stores as one of the map it came from."""
    if then.shape != (int(np.count_nonzero(stored)),):
        raise InputError(f"the second mask of {key!r} has shape {then.shape}, which neither network has there")
    composed = np.zeros(stored.shape, dtype=bool)
    composed[stored] = then
    return composed
