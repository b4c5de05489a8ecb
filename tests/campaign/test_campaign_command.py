"""The commands ``netopt campaign`` and ``netopt campaign report``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from netopt.campaign import process
from netopt.campaign.journal import Journal, read_table
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
        (["--setting", "solver=foo"], "the setting 'solver=foo': there is no solver 'foo'; take one of"),
        (["--setting", "name=x,formulation=foo"], "the setting 'x': there is no formulation 'foo'"),
        (["--setting", "name=x,threads=two"], "the setting 'x': Invalid value for '--threads'"),
        (["--setting", "name=x,prune=magnitude:2"], "the setting 'x': pruning rate 2.0 is not in [0, 1)"),
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


def test_a_table_of_failures_has_a_report(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    result = _call(problem_list(["crash-1"]), "--setting", "name=a", "-o", tmp_path / "r.parquet")
    assert "r.parquet holds the run;" in result.stderr
    result = _call("report", tmp_path / "r.parquet")
    assert result.exit_code == 0, result.output
    assert "Wrong answers: 0" in result.stdout


def test_files_that_cannot_be_used_are_refused_and_left_alone(
    calls: Calls, problem_list: ListOf, tmp_path: Path
) -> None:
    path = problem_list(["sat-1"])
    assert _call(path, "--setting", "name=a", "-o", path).exit_code == 2  # a list, and no table
    assert not path.with_name(f"{path.name}.journal").exists()
    assert calls() == []
    assert _call(path, "--setting", "name=a", "-o", tmp_path / "r.parquet").exit_code == 0
    result = _call("report", tmp_path / "r.parquet", "--csv", tmp_path / "absent" / "s.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "s.csv cannot be written" in result.stderr
    result = _call("report", tmp_path / "absent.parquet")
    assert result.exit_code == 2
    assert "absent.parquet does not exist" in result.stderr


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


def test_ctrl_c_ends_the_runs_and_keeps_what_is_finished(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    path, results = problem_list(["sat-1", "hang-2"]), tmp_path / "r.parquet"
    arguments = ["netopt", "campaign", str(path), "--setting", "name=a", "-o", str(results)]
    script = (
        "import sys, netopt.campaign.process as process\n"
        f"process.PROGRAM, sys.argv = {process.PROGRAM!r}, {arguments!r}\n"
        "from netopt.cli.main import main\n"
        "sys.exit(main())"
    )
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) as campaign:
        deadline = time.monotonic() + 60.0
        while len(calls()) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        campaign.send_signal(signal.SIGINT)
        _, errors = campaign.communicate(timeout=20.0)
    assert campaign.returncode == 130
    assert errors == "netopt: interrupted\n"
    assert [row["status"] for row in Journal(results).rows().values()] == ["sat"]
