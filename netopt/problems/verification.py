"""Is there an input of a domain for which the network's output has a property? `verify` answers with a proof."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netopt.checks import check_kind
from netopt.network.network import Network
from netopt.problems.inputs import check_watchers
from netopt.problems.results import VerificationResult
from netopt.problems.run import ProgressCallback, Run, supervise
from netopt.problems.settings import DEFAULT_FORMULATION, Settings
from netopt.problems.verification_steps import VerificationSteps
from netopt.specification.property import Property

if TYPE_CHECKING:
    from formulations.formulation import Formulation
    from netopt.problems.proof_file import ProofFile
    from netopt.problems.surrogate.options import RelaxedSurrogate, Surrogate
    from netopt.solvers.solver import MilpSolver


def verify(
    network: Network | str | Path | Any,
    prop: Property | str | Path,
    *,
    solver: MilpSolver | str = "auto",
    formulation: Formulation | str = DEFAULT_FORMULATION,
    bounds: str = "crown",
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    device: str = "cpu",
    memory_limit: float | None = None,
    confirm: MilpSolver | str | None = None,
    progress: ProgressCallback | None = None,
    interrupt: threading.Event | None = None,
    isolate: bool = True,
    prune: Surrogate | RelaxedSurrogate | str | None = None,
    proof: str | Path | None = None,
) -> VerificationResult:
    r"""Decide whether some input of the property's domains satisfies it.

    The property is a disjunction of conjunctions; each disjunct asks whether
    :math:`\max_x \min_i (b_i - A_i x - B_i f(x)) / \nu_i \ge 0`.

    Parameters
    ----------
    network : a `Network`, the path of an ONNX file, a torch module or a scikit-learn estimator. A trailing softmax is
        left out when every output row compares two outputs, and refused otherwise.
    prop : a `Property` or the path of a VNN-LIB file.
    solver : what proves the disjuncts that bounds leave open. ``"native"`` is netopt's own branch and bound, ``"auto"``
        the same and then a MILP solver (HiGHS) for what it leaves; a `MilpSolver` or its name is asked alone.
    formulation : how a MILP writes the network; an object or a name.
    bounds : ``"interval"``, ``"crown"``, ``"alpha-crown"``, ``"lp"`` or ``"milp"``.
    time_limit : seconds for the whole call, reading included; it ends within a second of it.
    threads, seed : of every solver and of the random starts.
    device : ``"cuda"`` lets torch search slopes and multipliers on a GPU; what it finds is proved in float64 by NumPy.
    memory_limit : GB for the solver's process; the native engine keeps no more open parts than fit into a part of it.
    confirm : another solver that repeats the proof of ``unsat``.
    progress : called with a `Progress` at every improvement.
    interrupt : once set (or on Ctrl-C), the call ends soon with what it has.
    isolate : run the solver in a child process that can be killed; without it, a solver that ignores its limits goes on
        in the background.
    prune : search pruned networks for points of the dense one: ``"METHOD:RATE"`` one of them alone (no proof but by
        bounds of the dense network), ``"ladder"`` several and then the dense network itself; ``"relaxed"`` proves with
        relaxations of it, refined until they suffice. A `Surrogate` has more options.

    proof : file to write the proof of ``unsat`` to; `netopt.proof.check.check_proof` follows it.

    Returns
    -------
    A verdict is ``sat`` (with a replayed witness) or ``unsat`` (with a proven margin); ``unknown`` and ``timeout``
    conclude nothing.

    Raises
    ------
    InputError
        A file or an option cannot be used, or the network and the property do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.problems.verification import verify
    >>> from netopt.specification.box import Box
    >>> from netopt.specification.property import Case, Conjunction, Property
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> above = Conjunction(np.array([[-1.0]]), np.array([-0.5]))  # -y <= -0.5
    >>> prop = Property((Case(Box(np.array([-1.0]), np.array([0.25])), (above,)),), 1, 1)
    >>> verify(network, prop, time_limit=60.0).status.value
    'sat'
    """
    run = Run(time_limit)
    check_watchers(progress, interrupt)
    with ExitStack() as closing:
        settings = Settings.checked(
            closing,
            solver=solver,
            formulation=formulation,
            bounds=bounds,
            threads=threads,
            seed=seed,
            device=device,
            memory_limit=memory_limit,
            isolate=isolate,
            confirm=confirm,
            prune=prune,
        )
        work = VerificationSteps(run, settings, progress, _proof_file(proof))
        supervise(run, lambda: work.work(network, prop), interrupt)
        return work.result()


def _proof_file(path: str | Path | None) -> ProofFile | None:
    if path is None:
        return None
    from netopt.problems.proof_file import ProofFile

    check_kind(path, (str, Path), "the proof's path", "give text or a pathlib.Path")
    return ProofFile(Path(path))
