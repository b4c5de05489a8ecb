"""What a call tells its proof log: the goals closed by bounds, the trails of its searches, and what is only trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from netopt.arrays import FloatArray
from netopt.proof.trail import Trail

#: Levels of bounds that the checker computes itself, so that nothing need be written down.
RECOMPUTED = ("interval", "crown")


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The trail of a search over a case; its objective k is disjunct ``disjuncts[k]``."""

    case: int
    disjuncts: tuple[int, ...]
    trail: Trail


@dataclass(slots=True, eq=False)
class ProofRecorder:
    """Collects what `netopt.proof.log.write_proof` writes.

    Attributes
    ----------
    bounded : (case, disjunct) that bounds over the whole domain close.
    trees : one a search.
    trusted : (case, disjunct) -> whose claim it is that no input satisfies it.
    bounds : case -> (level, lower and upper pre-activation bounds of each Relu), which searches over it may have used;
        levels that the checker recomputes have no arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.proof.recorder import ProofRecorder
    >>> recorder = ProofRecorder()
    >>> trail = recorder.search(0, [0])
    >>> halves = trail.split_axis(trail.whole(), np.array([2]), np.array([0.5]))
    >>> trail.close(halves, np.array([0, 0]))
    """

    bounded: list[tuple[int, int]] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    trusted: dict[tuple[int, int], str] = field(default_factory=dict)
    bounds: dict[int, tuple[str, dict[str, tuple[FloatArray, FloatArray]]]] = field(default_factory=dict)

    def search(self, case: int, disjuncts: Iterable[int]) -> Trail:
        """Return the trail of a new search over a case; its objective k is ``disjuncts[k]``."""
        trail = Trail()
        self.trees.append(Tree(case, tuple(disjuncts), trail))
        return trail

    def closed_by_bounds(self, case: int, disjuncts: Sequence[int]) -> None:
        """Note disjuncts of a case that interval or CROWN bounds over the whole domain close."""
        self.bounded += [(case, disjunct) for disjunct in disjuncts]

    def closed_by_claim(self, case: int, disjunct: int, method: str) -> None:
        """Note a disjunct that is closed by what cannot be written down, such as a solver's dual bound."""
        self.trusted[case, disjunct] = method

    def preactivation_bounds(self, case: int, level: str, pairs: Mapping[str, tuple[FloatArray, FloatArray]]) -> None:
        """Note the pre-activation bounds over a case's domain that proofs from now on rest on."""
        self.bounds[case] = (level, {} if level in RECOMPUTED else dict(pairs))
