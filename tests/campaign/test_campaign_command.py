"""The commands ``netopt campaign`` and ``netopt campaign report``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from netopt.campaign.journal import read_table
from netopt.cli.main import app

Calls = Callable[[], list[list[str]]]
ListOf = Callable[[Sequence[str]], Path]


def _call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["campaign", *map(str, arguments)])


def test_a_campaign_and_its_report(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    path, results = problem_list(["sat-1:sat", "unsat-2:sat", "crash-3"]), tmp_path / "r.parquet"
    result = _call("--setting", "name=a,solver=highs", "--setting", "name=b,seed=1", path, "-o", results, "--workers=2")
    assert result.exit_code == 0, result.output
    assert "a failed on crash-3.onnx" in result.stderr
    assert result.stdout == ""
    assert len(read_table(results)) == 6
    result = _call("report", results, "--csv", tmp_path / "s.csv", "--plot", tmp_path / "p.svg")
    assert result.exit_code == 0, result.output
    assert "Wrong answers: 2" in result.stdout
    assert "Contradictions between runs: 0" in result.stdout
    assert pd.read_csv(tmp_path / "s.csv")["wrong"].tolist() == [1, 1]
    assert "<svg" in (tmp_path / "p.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--setting", "colour=red"], "gives 'colour', which netopt verify does not have; it has"),
        (["--setting", "solver="], "has the part 'solver='"),
        (["--setting", "solver=highs", "--time-limit", "0"], "the time limit is 0.0; give a positive number"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2(
    calls: Calls, problem_list: ListOf, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = _call(problem_list(["sat-1"]), "-o", tmp_path / "r.parquet", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert calls() == []


def test_tables_that_overlap_are_not_added_up(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    path = problem_list(["sat-1"])
    for name in ("r", "s"):
        assert _call(path, "--setting", "name=a", "-o", tmp_path / f"{name}.parquet").exit_code == 0
    result = _call("report", tmp_path / "r.parquet", tmp_path / "s.parquet")
    assert result.exit_code == 2
    assert "more than once" in result.stderr


def test_quiet_prints_nothing(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    result = _call(problem_list(["crash-1"]), "--setting", "name=a", "-o", tmp_path / "r.parquet", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
