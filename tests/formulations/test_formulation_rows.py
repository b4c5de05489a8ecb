"""Golden texts: the rows of one small layer in each formulation, as an LP file has them.

The layer has one neuron of each kind on x in [-1, 1] x [0, 2]: unstable ``2 x0 - x1 + 1``, active ``x1 + 3``, inactive
``x0 - 5``; the zero weight of the active neuron writes nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from formulations.formulation import ReluLayer
from formulations.milp import MilpBuilder
from formulations.registry import parse_formulation
from netopt.solvers.lp import write_lp

ACTIVE = """\
 r.affine.1:
  - 1 x.1
  + 1 r.1
  = 3
"""
AFFINE = """\
 r.affine.0:
  - 2 x.0
  + 1 x.1
  + 1 r.a.0
  = 1
"""
PHASES = """\
 r.above.0:
  - 1 r.a.0
  + 1 r.0
  >= 0
 r.below.0:
  - 1 r.a.0
  + 1 r.0
  + 3 r.z.0
  <= 3
 r.off.0:
  + 1 r.0
  - 3 r.z.0
  <= 0
"""
INPUTS = """\
 -1 <= x.0 <= 1
 0 <= x.1 <= 2
 3 <= r.1 <= 5
"""
A, Y, Z = " -3 <= r.a.0 <= 3\n", " 0 <= r.0 <= 3\n", " 0 <= r.z.0 <= 1\n"

GOLDEN = {
    "big-m": f"""\
Subject To
{ACTIVE} r.affine.0:
  - 2 x.0
  + 1 x.1
  + 1 r.0
  - 1 r.s.0
  = 1
 r.on.0:
  + 3 r.z.0
  + 1 r.s.0
  <= 3
 r.off.0:
  + 1 r.0
  - 3 r.z.0
  <= 0
Bounds
{INPUTS}{Y}{Z} 0 <= r.s.0 <= 3
General
 r.z.0
End
""",
    "triangle": f"""\
Subject To
{ACTIVE}{AFFINE} r.above.0:
  - 1 r.a.0
  + 1 r.0
  >= 0
 r.chord.0:
  - 0.5 r.a.0
  + 1 r.0
  <= 1.5
Bounds
{INPUTS}{A}{Y}End
""",
    "indicator": f"""\
Subject To
{ACTIVE}{AFFINE} r.above.0:
  - 1 r.a.0
  + 1 r.0
  >= 0
 indicator.0:
  r.z.0 = 1 ->
  - 1 r.a.0
  + 1 r.0
  <= 0
 indicator.1:
  r.z.0 = 0 ->
  + 1 r.0
  <= 0
Bounds
{INPUTS}{A}{Y}{Z}General
 r.z.0
End
""",
    "sos1": f"""\
Subject To
{ACTIVE} r.affine.0:
  - 2 x.0
  + 1 x.1
  + 1 r.0
  - 1 r.s.0
  = 1
Bounds
{INPUTS}{Y} 0 <= r.s.0 <= 3
SOS
 set.0: S1::
  r.0:1
  r.s.0:2
End
""",
    "multiple-choice": f"""\
Subject To
{ACTIVE}{AFFINE}{PHASES} r.x.on_upper.0.0:
  - 1 r.z.0
  + 1 r.x.0.0
  <= 0
 r.x.on_upper.0.1:
  - 2 r.z.0
  + 1 r.x.0.1
  <= 0
 r.x.on_lower.0.0:
  + 1 r.z.0
  + 1 r.x.0.0
  >= 0
 r.x.off_upper.0.0:
  + 1 x.0
  + 1 r.z.0
  - 1 r.x.0.0
  <= 1
 r.x.off_upper.0.1:
  + 1 x.1
  + 2 r.z.0
  - 1 r.x.0.1
  <= 2
 r.x.off_lower.0.0:
  + 1 x.0
  - 1 r.z.0
  - 1 r.x.0.0
  >= -1
 r.x.off_lower.0.1:
  + 1 x.1
  - 1 r.x.0.1
  >= 0
 r.active.0:
  + 1 r.0
  - 1 r.z.0
  - 2 r.x.0.0
  + 1 r.x.0.1
  = 0
Bounds
{INPUTS}{A}{Y}{Z} -1 <= r.x.0.0 <= 1
 0 <= r.x.0.1 <= 2
General
 r.z.0
End
""",
    "partition:2": f"""\
Subject To
{ACTIVE} r.group.0.0:
  + 1 x.1
  + 1 r.t.0.0
  = 0
 r.group.0.1:
  - 2 x.0
  + 1 r.t.0.1
  = 0
 r.affine.0:
  - 1 r.t.0.0
  - 1 r.t.0.1
  + 1 r.a.0
  = 1
{PHASES} r.v.on_upper.0.1:
  - 2 r.z.0
  + 1 r.v.0.1
  <= 0
 r.v.on_lower.0.0:
  + 2 r.z.0
  + 1 r.v.0.0
  >= 0
 r.v.on_lower.0.1:
  + 2 r.z.0
  + 1 r.v.0.1
  >= 0
 r.v.off_upper.0.0:
  + 1 r.t.0.0
  - 1 r.v.0.0
  <= 0
 r.v.off_upper.0.1:
  + 1 r.t.0.1
  + 2 r.z.0
  - 1 r.v.0.1
  <= 2
 r.v.off_lower.0.0:
  + 1 r.t.0.0
  - 2 r.z.0
  - 1 r.v.0.0
  >= -2
 r.v.off_lower.0.1:
  + 1 r.t.0.1
  - 2 r.z.0
  - 1 r.v.0.1
  >= -2
 r.active.0:
  + 1 r.0
  - 1 r.z.0
  - 1 r.v.0.0
  - 1 r.v.0.1
  = 0
Bounds
{INPUTS} -2 <= r.t.0.0 <= 0
 -2 <= r.t.0.1 <= 2
{A}{Y}{Z} -2 <= r.v.0.0 <= 0
 -2 <= r.v.0.1 <= 2
General
 r.z.0
End
""",
}


def small_layer() -> ReluLayer:
    weight = sparse.csr_array(np.array([[2.0, -1.0], [0.0, 1.0], [1.0, 0.0]]))
    return ReluLayer(
        name="r",
        weight=weight,
        bias=np.array([1.0, 3.0, -5.0]),
        input_lower=np.array([-1.0, 0.0]),
        input_upper=np.array([1.0, 2.0]),
        lower=np.array([-3.0, 3.0, -6.0]),
        upper=np.array([3.0, 5.0, -4.0]),
        index=np.arange(3),
    )


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_rows_of_a_small_layer(name: str, tmp_path: Path) -> None:
    layer = small_layer()
    builder = MilpBuilder()
    x = builder.add_columns(2, lower=layer.input_lower, upper=layer.input_upper, name="x")
    parse_formulation(name).encode(builder, layer, x)
    write_lp(builder.build(), tmp_path / "layer.lp")
    _, rows = (tmp_path / "layer.lp").read_text().split("objective:\n")
    assert rows == GOLDEN[name]
