"""Solving a MILP, of the dense network or of a pruned one; every incumbent is replayed on the dense network."""

from __future__ import annotations

from benchmarks.surrogate_common.improving import Improving
from benchmarks.surrogate_common.problem import Means, Problem
from benchmarks.surrogate_common.trace import Trace
from formulations.big_m import BigM
from formulations.formulation import Formulation
from formulations.triangle import Triangle
from netopt.bounds.compute import compute_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.bounds.rows import bound_rows
from netopt.engines.engine import EngineResult, Maximization
from netopt.engines.milp import MilpEngine
from netopt.engines.objective import SlackObjective
from netopt.network.network import Network
from netopt.problems.surrogate.options import Pruning
from netopt.problems.surrogate.sparse_model import SparseModel
from netopt.pruning.prune import prune
from netopt.reduction.reduce import reduce_network
from netopt.solvers.parameters import SolverParameters
from netopt.solvers.result import Termination

#: Name of a mask in this experiment -> (pruning method, whether means are folded into the biases).
#: The paper's are magnitude, random and neuron-norm; folding and what looks at the domain are netopt's.
MASKS = {
    "magnitude": ("magnitude", False),
    "folded-magnitude": ("magnitude", True),
    "domain-aware": ("domain-aware", True),
    "random": ("random", False),
    "neuron-norm": ("neuron-norm", False),
    "neuron-width": ("neuron-width", True),
}


def dense(problem: Problem, means: Means, trace: Trace, *, improve: bool = False, relax: bool = False) -> None:
    """Solve the dense MILP with CROWN bounds, from a forward pass at the domain's centre, or after its relaxation."""
    bounds = dense_bounds(problem, trace)
    if relax:
        _solve(problem.network, bounds, Triangle(), problem, means, trace, improve=improve)
        if trace.stopped():
            return
    answer = _solve(problem.network, bounds, BigM(), problem, means, trace, improve=improve)
    trace.proved(answer.dual_bound, answer.name)


def root_lp(problem: Problem, means: Means, trace: Trace) -> None:
    """Solve the relaxation of the dense MILP at its root, and evaluate the network at the point it is attained at."""
    bounds = dense_bounds(problem, trace)
    answer = _solve(problem.network, bounds, Triangle(), problem, means, trace)
    trace.proved(answer.dual_bound, "relaxation")
    if trace.status == "solved":
        trace.status = "done"


def sparse(
    problem: Problem,
    means: Means,
    trace: Trace,
    mask: str,
    rate: str,
    *,
    finetuned: bool = False,
    improve: bool = False,
) -> None:
    """Prune, bound, reduce and solve the sparse MILP from a forward pass at the domain's centre.

    Its bounds and its optimum say nothing of the dense network. Training time goes to the stage ``finetune`` and not
    to the trace: the report shows it charged and not.
    """
    method, fold = MASKS[mask]
    with trace.stage("prune"):
        pruned = prune(
            problem.network, method, float(rate), domain=problem.domain, fold=fold and not finetuned, seed=means.seed
        )
    network = pruned.network
    if finetuned:
        assert problem.finetune is not None
        before = trace.elapsed
        with trace.stage("finetune"):
            network = problem.finetune(pruned.mask)
        trace.begun += trace.elapsed - before
    with trace.stage("bounds"):
        bounds = compute_bounds(network, problem.domain, "crown")
    with trace.stage("reduce"):
        reduced = reduce_network(network, problem.domain, bounds)
    trace.sizes["weights_kept"] = pruned.mask.weights_kept
    _solve(reduced.network, reduced.bounds, BigM(), problem, means, trace, improve=improve)


def rung(problem: Problem, means: Means, trace: Trace, mask: str, rate: str) -> None:
    """Search one pruned network as netopt's ladder does, and nothing else; `mask` is any of netopt's pruning methods.

    The objective is corrected by a linear function of the inputs for what pruning took; the relaxation of the sparse
    MILP comes first, and every point is improved on the dense network.
    """
    bounds = dense_bounds(problem, trace)
    with trace.stage("prune"):
        model = SparseModel.of(
            problem.network,
            problem.domain,
            Pruning(mask, float(rate)),
            bounds,
            point=problem.domain.center,
            seed=means.seed,
            deadline=trace.deadline,
        )
        objective = model.objective(trace.objective)
    for formulation in (Triangle(), BigM()):
        _solve(model.network, model.bounds, formulation, problem, means, trace, improve=True, objective=objective)
        if trace.stopped():
            return


def dense_bounds(problem: Problem, trace: Trace) -> PreactivationBounds:
    """Return CROWN bounds, and note the one of the objective."""
    trace.offer(problem.domain.center)
    with trace.stage("bounds"):
        bounds = compute_bounds(problem.network, problem.domain, "crown", deadline=trace.deadline)
        trace.proved(float(bound_rows(problem.network, problem.domain, bounds, problem.weights[None])[0]), bounds.level)
    return bounds


def _solve(
    network: Network,
    bounds: PreactivationBounds,
    formulation: Formulation,
    problem: Problem,
    means: Means,
    trace: Trace,
    *,
    improve: bool = False,
    objective: SlackObjective | None = None,
) -> EngineResult:
    """Solve what `network` (and `objective`, when it is another) says the problem is, for the rest of the time."""
    trace.offer(problem.domain.center)
    with trace.stage(f"solve {formulation.name}"), Improving(trace, means.seed, improve) as judge:
        answer = MilpEngine(means.solver, formulation).maximize(
            Maximization(
                network,
                problem.domain,
                trace.objective if objective is None else objective,
                bounds,
                SolverParameters(time_limit=trace.remaining, seed=means.seed),
                start=trace.point if formulation.exact else None,
                on_point=judge,
                interrupt=trace.halt,
            )
        )
        if answer.point is not None:
            judge(answer.point)
    if answer.termination in (Termination.ERROR, Termination.NUMERICAL, Termination.MEMORY_LIMIT):
        trace.status = f"failed: {answer.termination.value} {answer.message}"
    elif answer.termination is Termination.OPTIMAL:
        trace.status = "solved"  # of the dense network's optimum, only the dense method may say so
    trace.sizes |= {
        "weights": sum(m.to_csr().nnz for node in network.affines for m in node.maps),
        "relus": network.relu_count,
        "binaries": answer.binaries,
        "rows": answer.rows,
        "columns": answer.columns,
        "nodes": answer.nodes,
    }
    return answer
