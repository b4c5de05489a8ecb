"""The joint model: the dense network, restricted to a linear region of the pruned one.

Inside the region the pruned network is affine and its phases are known; the dense network's own are left to the
solver. The region of the pruned network's best point is where the surrogate says that good points are.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from netopt.arrays import FloatArray
from netopt.attack.region import Region
from netopt.engines.milp import build_slack_model
from netopt.problems.run import Run
from netopt.problems.settings import Settings
from netopt.problems.surrogate.incumbent import DenseIncumbent
from netopt.problems.surrogate.sparse_model import SparseModel

#: Seconds of one joint model, at most.
MOST_SECONDS = 50.0
#: The start may lie outside of a row by this much: it is on the boundary where a neuron is about to switch.
_ROOM = 1e-7


def search_region(
    model: SparseModel,
    incumbent: DenseIncumbent,
    point: FloatArray,
    settings: Settings,
    run: Run,
    seconds: float,
) -> dict[str, Any]:
    """Maximise the dense objective over the region of the pruned network that `point` (n,) lies in; return a record."""
    begun = time.monotonic()
    label = f"{model.pruning.label} region"
    slack_model = build_slack_model(
        incumbent.network, incumbent.domain, incumbent.objective, incumbent.bounds, settings.formulation
    )
    unstable = [model.bounds.unstable(relu.name) for relu in model.network.relus]
    forms = Region.of(model.network, point).neurons(np.flatnonzero(np.concatenate([np.empty(0, bool), *unstable])))
    builder = slack_model.encoding.builder
    builder.add_rows(
        (slack_model.encoding.inputs, sparse.csr_array(forms.matrix)),
        lower=-forms.constant - _ROOM * (1.0 + np.abs(forms.constant)),
        name="region",
    )
    milp = builder.build()

    def found(_value: float, solution: FloatArray) -> None:
        incumbent.offer(slack_model.input_of(solution)[None], label)

    left = max(0.0, seconds - (time.monotonic() - begun))
    start = slack_model.start(point)
    answer = settings.solver.solve(
        milp,
        replace(settings.parameters, time_limit=left, plain=True),
        start=start,
        on_incumbent=found,
        interrupt=run.halt,
    )
    value = None if answer.primal_bound is None else incumbent.sign * answer.primal_bound
    return {
        "pruning": model.pruning.label,
        "termination": answer.termination.value,
        "region_value": value,
        "region_rows": int(forms.constant.size),
        "nodes": answer.nodes,
        "rows": milp.row_count,
        "columns": milp.column_count,
        "binaries": slack_model.encoding.binary_count,
    }
