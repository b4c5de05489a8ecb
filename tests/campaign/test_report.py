"""What a table of results says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netopt.campaign.profile import performance_ratios, plot_profile
from netopt.campaign.report import report
from netopt.campaign.summary import contradictions, scored, shifted_geometric_mean, summarise
from netopt.errors import InputError


def _row(onnx: str, setting: str, status: str, seconds: float, **more: Any) -> dict[str, Any]:
    row = {
        "benchmark": "bench", "command": "verify", "onnx": onnx, "vnnlib": "p.vnnlib", "objective": "", "truth": "",
        "setting": setting, "status": status, "seconds": seconds, "time_limit": 10.0,
        "primal_bound": None, "dual_bound": None,
    }  # fmt: skip
    return row | more


def _maximize(setting: str, status: str, primal: float | None, dual: float | None, **more: Any) -> dict[str, Any]:
    base = {"command": "maximize", "vnnlib": "", "objective": "--output=0", "primal_bound": primal, "dual_bound": dual}
    return _row("m", setting, status, 1.0, **(base | more))


def test_counts_and_times_by_hand() -> None:
    rows = [
        _row("n1", "a", "sat", 1.0, truth="sat"),
        _row("n2", "a", "unsat", 3.0),
        _row("n3", "a", "timeout", 10.4),
        _row("n4", "a", "error", 0.5),
        _row("n5", "a", "sat", 1.0, truth="unsat"),
    ]
    (summary,) = summarise(scored(pd.DataFrame(rows)), shift=1.0).to_dict("records")
    assert {k: summary[k] for k in ("runs", "solved", "wrong", "sat", "unsat", "timeout", "error")} == {
        "runs": 5, "solved": 2, "wrong": 1, "sat": 2, "unsat": 1, "timeout": 1, "error": 1,
    }  # fmt: skip
    assert summary["mean_s"] == pytest.approx((2.0 * 4.0 * 11.0**3) ** 0.2 - 1.0)
    assert summary["par2_s"] == pytest.approx((1.0 + 3.0 + 20.0 + 20.0 + 20.0) / 5)


def test_a_verdict_that_came_late_is_charged_the_limit() -> None:
    (row,) = scored(pd.DataFrame([_row("n1", "a", "unsat", 10.8)])).to_dict("records")
    assert (row["solved"], row["charged"]) == (True, 10.0)


def test_without_a_limit_an_open_run_is_charged_its_time() -> None:
    (row,) = scored(pd.DataFrame([_row("n1", "a", "unknown", 4.0, time_limit=None)])).to_dict("records")
    assert row["charged"] == 4.0


@pytest.mark.parametrize(
    ("truth", "status", "wrong"),
    [
        ("sat", "unsat", True), ("unsat", "sat", True), ("sat", "sat", False), ("sat", "timeout", False),
        ("unknown", "sat", False), ("boundary", "unsat", False), ("disputed", "sat", False), ("", "unsat", False),
    ],
)  # fmt: skip
def test_only_labels_sat_and_unsat_are_scored(truth: str, status: str, wrong: bool) -> None:
    assert scored(pd.DataFrame([_row("n1", "a", status, 1.0, truth=truth)]))["wrong"].tolist() == [wrong]


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (_maximize("a", "optimal", 2.0, 2.0, truth="2.0"), False),
        (_maximize("a", "feasible", 1.0, 3.0, truth="2.0"), False),
        (_maximize("a", "feasible", None, 1.9, truth="2.0"), True),
        (_maximize("a", "feasible", 2.1, 3.0, truth="2.0"), True),
        (_maximize("a", "infeasible", None, None, truth="2.0"), True),
        (_maximize("a", "optimal", 2.0, 2.0, truth="unknown"), False),
        (_maximize("a", "feasible", 3.0, 1.0, truth="2.0", objective="--output=0 --minimize"), False),
        (_maximize("a", "feasible", 1.0, 0.0, truth="2.0", objective="--output=0 --minimize"), True),
    ],
)
def test_a_bound_beyond_the_known_optimum_is_wrong(row: dict[str, Any], wrong: bool) -> None:
    assert scored(pd.DataFrame([row]))["wrong"].tolist() == [wrong]


def test_runs_that_cannot_both_be_right_are_named_whatever_the_truth() -> None:
    rows = [_row("n1", "a", "sat", 1.0), _row("n1", "b", "unsat", 1.0), _row("n2", "a", "sat", 1.0)]
    rows += [
        _maximize("a", "feasible", 2.5, None),
        _maximize("b", "feasible", None, 2.0),
        _row("n2", "b", "timeout", 9),
    ]
    assert contradictions(pd.DataFrame(rows)) == [
        "bench maximize m --output=0: a has a point of value 2.5, b the bound 2",
        "bench verify n1 p.vnnlib: a: sat, b: unsat",
    ]
    assert contradictions(pd.DataFrame(rows[2:4])) == []


def test_the_report_names_every_wrong_answer() -> None:
    text = report(pd.DataFrame([_row("n1", "a", "sat", 1.0, truth="unsat"), _row("n2", "a", "sat", 1.0, truth="sat")]))
    assert "| bench     | a       | 2    | 1      | 1     | 2   |" in text
    assert "Wrong answers: 1\n  bench n1 p.vnnlib  a: sat" in text
    assert "known unsat" in text


def test_several_benchmarks_are_also_summed() -> None:
    rows = [_row("n1", "a", "sat", 1.0), _row("n1", "a", "unsat", 1.0, benchmark="other")]
    summary = summarise(scored(pd.DataFrame(rows)))
    assert summary[["benchmark", "solved"]].to_numpy().tolist() == [["bench", 1], ["other", 1], ["all", 2]]


def test_geometric_mean_of_equal_values_is_the_value() -> None:
    assert shifted_geometric_mean(np.full(4, 2.5), 10.0) == pytest.approx(2.5)


def test_performance_ratios_by_hand(tmp_path: Path) -> None:
    rows = [
        _row("n1", "a", "sat", 1.0), _row("n1", "b", "sat", 4.0),
        _row("n2", "a", "timeout", 10.0), _row("n2", "b", "unsat", 2.0),
        _row("n3", "a", "timeout", 10.0), _row("n3", "b", "unknown", 2.0),
        _row("n4", "a", "sat", 1.0),
    ]  # fmt: skip
    table = scored(pd.DataFrame(rows))
    settings, ratios = performance_ratios(table)
    assert settings == ["a", "b"]
    assert ratios.tolist() == [[1.0, 4.0], [np.inf, 1.0], [np.inf, np.inf]]
    plot_profile(table, tmp_path / "profile.png")
    assert (tmp_path / "profile.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"the plot .*profile.tune cannot be written"):
        plot_profile(table, tmp_path / "profile.tune")
    with pytest.raises(InputError, match="no problem was run under every setting"):
        performance_ratios(scored(pd.DataFrame([rows[0], {**rows[1], "onnx": "n9"}])))
