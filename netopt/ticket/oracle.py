r"""The exact optimum of a subset-sum problem, by a MILP solver: what searches are measured against.

.. math:: \min_{s \in \{0, 1\}^n, \; e} \; e \quad \text{s.t.} \quad -e \le \sum_i s_i v_{id} - z_d \le e
          \quad (d = 1, \ldots, D), \qquad \sum_i s_i = k \text{ where a size is asked for.}

The largest deviation is the error of the theorem; the search goes by the sum of squares, so that its largest deviation
is at least this optimum, and its sum of squares at least this optimum squared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.milp import MilpBuilder, MilpModel
from netopt.arrays import BoolArray, FloatArray, sparse
from netopt.errors import InputError
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.registry import get_solver
from netopt.solvers.result import Termination
from netopt.solvers.solver import MilpSolver


@dataclass(frozen=True, slots=True, eq=False)
class BestSubset:
    """The subset whose sum deviates least from a target in its worst entry.

    Attributes
    ----------
    selected : (n,) the best subset found, None without one.
    error : its largest deviation, summed again in float64; infinite without a subset.
    bound : no subset deviates by less, as far as the solver's tolerances go.
    proven : whether the solver closed the gap: `selected` is an optimum.
    seconds : wall time of the solver.
    """

    selected: BoolArray | None
    error: float
    bound: float
    proven: bool
    seconds: float


def best_subset(
    candidates: FloatArray,
    target: FloatArray,
    *,
    size: int | None = None,
    start: BoolArray | None = None,
    solver: MilpSolver | str = "highs",
    parameters: SolverParameters | None = None,
) -> BestSubset:
    """Return the subset of vectors whose sum is closest to a target in the largest deviation.

    Parameters
    ----------
    candidates : (n, D) float64.
    target : (D,).
    size : number of vectors to take, None for any.
    start : (n,) a subset to begin with, for example what a search found.
    solver, parameters : the MILP solver, its limits and tolerances.

    Raises
    ------
    InputError
        Shapes do not fit, a number is not finite, or there are fewer vectors than `size`.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.ticket.oracle import best_subset
    >>> best = best_subset(np.array([[3.0], [5.0], [6.0]]), np.array([9.5]))
    >>> best.selected.tolist(), best.error, best.proven
    ([True, False, True], 0.5, True)
    """
    _check(candidates, target, size, start)
    model = _model(candidates, target, size)
    begin = None if start is None else np.append(start.astype(np.float64), _deviation(candidates, target, start))
    chosen = get_solver(solver) if isinstance(solver, str) else solver
    result = chosen.solve(model, parameters or SolverParameters(relative_gap=1e-6, absolute_gap=1e-9), start=begin)
    selected = None if result.point is None else np.rint(result.point[:-1]).astype(bool)
    return BestSubset(
        selected=selected,
        error=np.inf if selected is None else _deviation(candidates, target, selected),
        bound=max(0.0, result.dual_bound),
        proven=result.termination is Termination.OPTIMAL,
        seconds=result.seconds,
    )


def _check(candidates: FloatArray, target: FloatArray, size: int | None, start: BoolArray | None) -> None:
    if candidates.ndim != 2 or target.shape != candidates.shape[1:]:
        raise InputError(
            f"a subset-sum problem needs vectors (n, D) and a target (D,), not {candidates.shape} and {target.shape}"
        )
    if not (np.isfinite(candidates).all() and np.isfinite(target).all()):
        raise InputError("a subset-sum problem with a number that is not finite has no answer; give finite vectors")
    if size is not None and not 0 <= size <= candidates.shape[0]:
        raise InputError(f"{size} of {candidates.shape[0]} vectors cannot be taken; ask for a size from 0 to that")
    if start is not None and start.shape != candidates.shape[:1]:
        raise InputError(f"a start for {candidates.shape[0]} vectors has that many entries, not {start.shape}")


def _model(candidates: FloatArray, target: FloatArray, size: int | None) -> MilpModel:
    count, entries = candidates.shape
    builder = MilpBuilder()
    taken = builder.add_columns(count, upper=1.0, integral=True, name="taken")
    error = builder.add_columns(1, name="error")
    sums = (taken, sparse.csr_array(candidates.T))
    column = np.ones((entries, 1))
    builder.add_rows(sums, (error, sparse.csr_array(-column)), upper=target, name="above")
    builder.add_rows(sums, (error, sparse.csr_array(column)), lower=target, name="below")
    if size is not None:
        builder.add_rows((taken, sparse.csr_array(np.ones((1, count)))), lower=size, upper=size, name="size")
    builder.set_objective(error, np.ones(1))
    return builder.build()


def _deviation(candidates: FloatArray, target: FloatArray, selected: BoolArray) -> float:
    return float(np.abs(candidates[selected].sum(axis=0) - target).max(initial=0.0))
