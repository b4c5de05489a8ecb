"""How large can a linear function of the network's outputs be over a domain? `maximize` answers with two bounds."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from formulations.big_m import BigM
from formulations.formulation import Formulation
from netopt.network.network import Network
from netopt.problems.inputs import check_gap, check_watchers
from netopt.problems.maximum_search import MaximumSearch
from netopt.problems.results import RELATIVE_GAP, MaximizationResult, MaximizationStatus, Witness
from netopt.problems.run import Halt, ProgressCallback, Run, supervise
from netopt.problems.settings import Settings
from netopt.problems.surrogate.options import RelaxedSurrogate, Surrogate
from netopt.solvers.solver import MilpSolver
from netopt.specification.domain import Domain


def maximize(
    network: Network | str | Path | Any,
    domain: Domain,
    *,
    weights: ArrayLike | None = None,
    output: int | None = None,
    minimize: bool = False,
    solver: MilpSolver | str = "auto",
    formulation: Formulation | str = BigM(),  # noqa: B008 - frozen, without state
    bounds: str = "crown",
    gap: float = RELATIVE_GAP,
    time_limit: float | None = None,
    threads: int = 1,
    seed: int = 0,
    device: str = "cpu",
    memory_limit: float | None = None,
    progress: ProgressCallback | None = None,
    interrupt: threading.Event | None = None,
    isolate: bool = True,
    prune: Surrogate | RelaxedSurrogate | str | None = None,
) -> MaximizationResult:
    r"""Maximise :math:`w^T f(x)` over a domain (or minimise it).

    Parameters
    ----------
    network : a `Network`, the path of an ONNX file, a torch module or a scikit-learn estimator.
    domain : what the inputs may be.
    weights, output : w, or the number of a single output; not needed for a network with one output.
    minimize : look for the minimum.
    gap : relative gap at which the optimum counts as proven; 1e-6 absolute always does.
    solver, formulation, bounds, time_limit, threads, seed, device : as for `netopt.verify`.
    memory_limit, progress, interrupt, isolate, prune : as for `netopt.verify`.

    Returns
    -------
    The best input found, replayed in float64, and a proven bound. A limit or an interrupt gives the best known so far.

    Raises
    ------
    InputError
        A file or an option cannot be used, or the network and the domain do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.problems.maximization import maximize
    >>> from netopt.specification.box import Box
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> result = maximize(network, Box(np.array([-2.0]), np.array([1.0])), time_limit=60.0)
    >>> result.status.value, round(result.primal_bound, 6), result.x.tolist()
    ('optimal', 2.0, [-2.0])
    """
    run = Run(time_limit)
    check_gap(gap)
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
            prune=prune,
        )
        search = MaximumSearch(run, settings, progress, domain, -1.0 if minimize else 1.0, gap)
        supervise(run, lambda: search.work(network, weights, output), interrupt)
        return _result(search)


def _result(search: MaximumSearch) -> MaximizationResult:
    """Return the answer as it stands."""
    bracket, run, sign = search.bracket, search.run, search.sign
    primal = dual = witness = origin = None
    proved_by: tuple[str, ...] = ()
    if bracket is not None:
        if bracket.contradiction:
            run.note(f"contradiction: {bracket.contradiction}")
        if bracket.point is not None:
            primal, origin = sign * bracket.primal, bracket.origin
            witness = Witness(bracket.point, bracket.network.forward(bracket.point))
        if np.isfinite(bracket.dual):
            dual, proved_by = sign * bracket.dual, (bracket.proved_by,)
    return MaximizationResult(
        status=_status(search),
        network_sha256=None if search.network is None else search.network.sha256,
        primal_bound=primal,
        dual_bound=dual,
        witness=witness,
        stages=run.record(),
        proved_by=proved_by,
        notices=tuple(run.notices),
        halted=run.reason,
        seconds=run.seconds,
        origin=origin,
        minimize=sign < 0.0,
        weights=search.weights,
    )


def _status(search: MaximumSearch) -> MaximizationStatus:
    bracket = search.bracket
    if search.empty:
        return MaximizationStatus.INFEASIBLE
    if bracket is not None and bracket.closed and not bracket.contradiction:
        return MaximizationStatus.OPTIMAL
    if search.run.reason is Halt.TIME_LIMIT:
        return MaximizationStatus.TIMEOUT
    if bracket is not None and bracket.point is not None:
        return MaximizationStatus.FEASIBLE
    return MaximizationStatus.UNKNOWN
