"""The files we write, read by the solvers' own readers, give the optimum of the model they were written from."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, sparse

from formulations.milp import MilpBuilder, MilpModel
from netopt.solvers.lp import write_lp
from netopt.solvers.mps import write_mps

WRITERS = {".mps": write_mps, ".lp": write_lp}


def by_scipy(model: MilpModel) -> float:
    sign = -1.0 if model.maximize else 1.0
    result = optimize.milp(
        sign * model.objective,
        integrality=model.integral,
        bounds=optimize.Bounds(model.column_lower, model.column_upper),
        constraints=optimize.LinearConstraint(model.matrix, model.row_lower, model.row_upper),
        options={"mip_rel_gap": 0.0},
    )
    assert result.success, result.message
    return sign * float(result.fun) + model.objective_constant


def read_by_highs(path: Path) -> float:
    highspy = pytest.importorskip("highspy")
    highs = highspy.Highs()
    highs.silent()
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getInfo().objective_function_value)


def read_by_scip(path: Path) -> float:
    pyscipopt = pytest.importorskip("pyscipopt")
    model = pyscipopt.Model()
    model.hideOutput()
    model.readProblem(str(path))
    model.optimize()
    assert model.getStatus() == "optimal"
    return float(model.getObjVal())


def read_by_gurobi(path: Path) -> float:
    gurobipy = pytest.importorskip("gurobipy")
    with gurobipy.Env(empty=True) as environment:
        environment.setParam("OutputFlag", 0)
        environment.start()
        with gurobipy.read(str(path), environment) as model:
            model.Params.MIPGap = 0.0
            model.optimize()
            assert model.Status == gurobipy.GRB.OPTIMAL
            return float(model.ObjVal)


def read_by_cbc(path: Path) -> float:
    pulp = pytest.importorskip("pulp")
    # CBC ignores the OBJSENSE section of an .mps file: its users pass the sense
    sense = ["-max"] if path.suffix == ".mps" and "OBJSENSE" in path.read_text() else []
    solution = path.with_suffix(".solution")
    command = [pulp.PULP_CBC_CMD.pulp_cbc_path, str(path), *sense, "-ratio", "0", "solve", "-solution", str(solution)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "errors on input" not in output, output
    status, value = solution.read_text().splitlines()[0].split(" - objective value ")
    assert status == "Optimal"
    return float(value)


LINEAR_READERS = {"highs": read_by_highs, "scip": read_by_scip, "gurobi": read_by_gurobi, "cbc": read_by_cbc}
#: HiGHS reads neither SOS1 sets nor indicator rows, CBC no indicator rows.
LOGICAL_READERS = {name: reader for name, reader in LINEAR_READERS.items() if name not in ("highs", "cbc")}


def random_model(seed: int) -> MilpModel:
    """Every kind of column and row bound, with coefficients of all magnitudes, feasible at a hidden point."""
    generator = np.random.default_rng(seed)
    builder = MilpBuilder()
    hidden = generator.integers(-3, 4, size=12).astype(float)
    lower, upper = hidden - generator.uniform(0.0, 5.0, 12), hidden + generator.uniform(0.0, 5.0, 12)
    lower[0], upper[1], lower[2], upper[2] = -np.inf, np.inf, -np.inf, np.inf
    lower[3] = upper[3] = hidden[3]
    lower[4], upper[4] = -7.25, -1.5
    hidden[4] = -3.0
    integral = generator.random(12) < 0.4
    x = builder.add_columns(12, lower=lower, upper=upper, integral=integral, name="x")
    matrix = np.round(generator.normal(size=(8, 12)), 12) * (generator.random((8, 12)) < 0.5)
    matrix[:, :3] = generator.uniform(1.0 / 3.0, 0.5, size=(8, 3)) * np.sign(generator.normal(size=3))

    activity = matrix @ hidden
    row_lower, row_upper = activity - generator.uniform(0, 2, 8), activity + generator.uniform(0, 2, 8)
    row_lower[0], row_upper[1] = -np.inf, np.inf
    row_lower[2] = row_upper[2] = activity[2]
    row_lower[3], row_upper[3] = -np.inf, np.inf
    builder.add_rows((x, sparse.csr_array(matrix)), lower=row_lower, upper=row_upper, name="row")
    # a box around the columns without bounds, through rows
    builder.add_rows((x[:3], 1.0), lower=-20.0, upper=np.array([20.0, np.pi * 6, 1e2 / 3]), name="box")
    builder.add_rows((np.array([-1]), 1.0), upper=1.0, name="empty")
    builder.set_objective(x, generator.normal(size=12), constant=float(generator.normal()), maximize=seed % 2 == 1)
    return builder.build()


@pytest.fixture(params=sorted(WRITERS))
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("reader", sorted(LINEAR_READERS))
def test_linear_models_read_back_to_the_same_optimum(reader: str, suffix: str, tmp_path: Path) -> None:
    for seed in range(6):
        model = random_model(seed)
        WRITERS[suffix](model, tmp_path / f"model{suffix}")
        found = LINEAR_READERS[reader](tmp_path / f"model{suffix}")
        assert found == pytest.approx(by_scipy(model), rel=1e-7, abs=1e-7)


def encoded_layer(form: str) -> MilpModel:
    """The largest value of a small random network's output, written with a formulation."""
    from formulations.formulation import ReluLayer
    from formulations.registry import parse_formulation

    generator = np.random.default_rng(4)
    weight, bias = generator.normal(size=(6, 4)), generator.normal(size=6)
    reach = np.abs(weight).sum(axis=1)
    layer = ReluLayer(
        "layer1.relu",
        sparse.csr_array(weight),
        bias,
        -np.ones(4),
        np.ones(4),
        bias - reach,
        bias + reach,
        np.arange(6),
    )
    builder = MilpBuilder()
    x = builder.add_columns(4, lower=-1.0, upper=1.0, name="x")
    columns = parse_formulation(form).encode(builder, layer, x)
    builder.set_objective(columns.output, np.array([1.0, -2.0, 1.5, -1.0, 0.5, -2.5]), constant=0.25, maximize=True)
    return builder.build()


@pytest.mark.parametrize(
    ("reader", "form"),
    [("cbc", "sos1"), *((reader, form) for reader in sorted(LOGICAL_READERS) for form in ("sos1", "indicator"))],
)
def test_logical_rows_read_back_to_the_same_optimum(reader: str, form: str, suffix: str, tmp_path: Path) -> None:
    WRITERS[suffix](encoded_layer(form), tmp_path / f"model{suffix}")
    expected = by_scipy(encoded_layer("big-m"))
    relaxed = encoded_layer(form)
    without = by_scipy(replace(relaxed, sos1=None, indicators=None))
    assert without > expected + 0.1  # the logical rows matter
    assert LINEAR_READERS[reader](tmp_path / f"model{suffix}") == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("reader", sorted(LOGICAL_READERS))
def test_indicator_rows_of_every_sense(reader: str, suffix: str, tmp_path: Path) -> None:
    """Both phases of the binary, with a ranged row, an equation and a one-sided row behind them."""
    builder = MilpBuilder()
    x = builder.add_columns(3, lower=-10.0, upper=10.0, name="x")
    z = builder.add_columns(3, upper=1.0, integral=True, name="z")
    builder.add_indicators(z, True, (x, 1.0), lower=np.array([1.0, 2.0, -np.inf]), upper=np.array([3.0, 2.0, 4.0]))
    builder.add_indicators(z, False, (x, 1.0), lower=-2.0, upper=np.array([-1.0, np.inf, 7.0]))
    builder.set_objective(
        np.concatenate([x, z]), np.array([1.0, 1.0, -1.0, -10.0, 20.0, 0.1]), constant=100.0, maximize=True
    )
    WRITERS[suffix](builder.build(), tmp_path / f"model{suffix}")
    # z0 = 0 and x0 = -1; z1 = 1 and x1 = 2; z2 = 1 and x2 = -10
    assert LOGICAL_READERS[reader](tmp_path / f"model{suffix}") == pytest.approx(100.0 - 1.0 + 22.0 + 10.1, abs=1e-5)


def test_highs_reads_back_every_array_exactly(suffix: str, tmp_path: Path) -> None:
    highspy = pytest.importorskip("highspy")
    builder = MilpBuilder()
    values = np.array([1.0 / 3.0, -1e-9, 123456789.12345678, 5e9, np.nextafter(1.0, 2.0)])
    x = builder.add_columns(5, lower=-values.max() * 3, upper=np.pi * values.max(), name="x")
    builder.add_rows((x, sparse.csr_array(values[None])), upper=np.sqrt(2.0), name="row")
    builder.set_objective(x, -values)
    WRITERS[suffix](builder.build(), tmp_path / f"model{suffix}")
    highs = highspy.Highs()
    highs.silent()
    highs.setOptionValue("small_matrix_value", 1e-12)
    highs.readModel(str(tmp_path / f"model{suffix}"))
    read = highs.getLp()
    assert np.array(read.a_matrix_.value_).tolist() == values.tolist()
    assert np.array(read.col_cost_).tolist() == (-values).tolist()
    assert np.array(read.col_upper_).tolist() == [np.pi * values.max()] * 5
    assert list(read.col_names_) == [f"x.{k}" for k in range(5)]


def test_names_are_readable_distinct_and_legal(suffix: str, tmp_path: Path) -> None:
    builder = MilpBuilder()
    twice = [builder.add_columns(2, upper=1.0, integral=True, name="x") for _ in range(2)]
    odd = builder.add_columns(2, lower=-1.0, upper=1.0, name="/conv[1]/Relu", index=np.array([7, 9]))
    number = builder.add_columns(1, upper=2.0, name="1e5")
    exponent = builder.add_columns(1, upper=2.0, name="e7")
    neuron = builder.add_columns(1, upper=3.0, name="layer3.relu", index=np.array([17]))
    every = np.concatenate([*twice, odd, number, exponent, neuron])
    builder.add_rows((every, sparse.csr_array(np.ones((1, 9)))), upper=100.0, name="objective")
    builder.add_rows((every, sparse.csr_array(np.ones((1, 9)))), upper=100.0, name="objective")
    builder.set_objective(every, np.arange(1.0, 10.0), maximize=True)
    model = builder.build()
    path = tmp_path / f"model{suffix}"
    WRITERS[suffix](model, path)
    words = set(path.read_text().replace(":", " ").split())
    expected = {
        "x.0",
        "x.1",
        "x.0_2",
        "x.1_2",
        "n_conv_1__Relu.7",
        "n_conv_1__Relu.9",
        "n1e5.0",
        "ne7.0",
        "layer3.relu.17",
    }
    assert expected <= words
    assert not any("[" in word or "/" in word for word in words)
    for reader in LINEAR_READERS.values():
        assert reader(path) == pytest.approx(by_scipy(model))


def test_a_model_without_columns_in_rows_is_written(suffix: str, tmp_path: Path) -> None:
    """Columns in no row and with no price keep their place, and rows without a term stay rows."""
    builder = MilpBuilder()
    builder.add_columns(2, lower=-1.0, upper=4.0, integral=True, name="x")
    builder.add_columns(1, lower=2.5, name="y")
    builder.add_rows((np.array([-1]), 1.0), lower=-1.0, name="empty")
    model = replace(builder.build(), objective_constant=-1.5)
    WRITERS[suffix](model, tmp_path / f"model{suffix}")
    for reader in LINEAR_READERS.values():
        assert reader(tmp_path / f"model{suffix}") == pytest.approx(-1.5)
