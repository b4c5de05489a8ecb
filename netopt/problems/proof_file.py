"""The proof of a verdict, written to a file once the verdict is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from netopt.errors import InputError
from netopt.network.network import Network
from netopt.problems.goal import Goal
from netopt.problems.results import VerificationResult, VerificationStatus
from netopt.proof.recorder import RECOMPUTED, ProofRecorder
from netopt.specification.property import Property


@dataclass(slots=True, eq=False)
class ProofFile:
    """Where a proof goes, and what is recorded for it.

    Attributes
    ----------
    prop : the property, once it is read.
    """

    path: Path
    recorder: ProofRecorder = field(default_factory=ProofRecorder)
    prop: Property | None = None

    def written(self, result: VerificationResult, network: Network | None, goals: Sequence[Goal]) -> VerificationResult:
        """Write the proof of an ``unsat``; return the result with a notice where there is none, or one with claims.

        A file that cannot be written is a notice too: the verdict may have taken hours.
        """
        from netopt.proof.log import proof_log, write_log

        if result.status is not VerificationStatus.UNSAT or network is None or self.prop is None:
            notice = f"no proof was written, for the answer is {result.status.value}"
            return replace(result, notices=(*result.notices, notice))
        for goal in goals:
            if goal.proved_by in RECOMPUTED:
                self.recorder.closed_by_bounds(goal.case, [goal.disjunct])
            else:
                self.recorder.closed_by_claim(goal.case, goal.disjunct, goal.proved_by)
        log = proof_log(self.recorder, network, self.prop)
        notices = list(result.notices)
        try:
            write_log(self.path, log)
        except InputError as error:
            notices.append(str(error))
        if log.claims:
            notices.append(
                f"{len(log.claims)} of {len(goals)} disjuncts in the proof rest on claims that cannot be checked"
            )
        return replace(result, notices=tuple(notices))
