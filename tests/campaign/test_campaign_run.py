"""Campaigns with a stand-in for the command: rows, failures, resuming, executors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from netopt.campaign import process
from netopt.campaign.campaign import Limits, Progress, plan, run_campaign
from netopt.campaign.journal import Journal, read_table
from netopt.campaign.problem import read_problems
from netopt.campaign.setting import parse_setting
from netopt.campaign.task import Task
from netopt.errors import InputError, InvalidOptionError

Calls = Callable[[], list[list[str]]]
ListOf = Callable[[list[str]], Path]
SETTINGS = [parse_setting("name=a,solver=highs,threads=2"), parse_setting("name=b,solver=scip,seed=7")]


def _tasks(path: Path, **limits: float) -> list[Task]:
    return plan(read_problems(path), SETTINGS, Limits(**limits))


def test_each_problem_under_each_setting_is_one_row(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    tasks = _tasks(problem_list(["sat-1:sat", "unsat-2:unsat"]), time=7.0)
    run_campaign(tasks, tmp_path / "r.parquet", workers=2)
    table = read_table(tmp_path / "r.parquet").set_index(["onnx", "setting"]).sort_index()
    assert list(table["status"]) == ["sat", "sat", "unsat", "unsat"]
    row = table.loc[("sat-1.onnx", "b")]
    assert (row["solver"], row["seed"], row["time_limit"], row["truth"]) == ("scip", 7, 7.0, "sat")
    assert (row["bounds.seconds"], row["bounds.unstable"], row["call_seconds"]) == (0.75, 7, 0.5)
    assert row["bounds.worst"] == 2.5
    assert table["prove.dual_bound"].isna().tolist() == [True, True, False, False]
    assert table["prove.open"].tolist() == ["3", "3", "all", "all"]
    assert json.loads(row["witness"]) == [0.25, 0.5]
    assert json.loads(row["versions"])["netopt"]
    assert row["seconds"] > 0.0
    assert row["started"].endswith("+00:00")
    assert not (tmp_path / "r.parquet.journal").exists()
    call = next(call for call in calls() if "sat-1" in call[1] and "--solver=scip" in call)
    assert call[3:] == ["--solver=scip", "--seed=7", "--time-limit=7", "--json", "--quiet"]


def test_a_crash_a_refusal_and_a_memory_hog_are_rows_too(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    tasks = _tasks(problem_list(["crash-1", "refuse-2", "grow-3", "sat-4"]), memory=200e6)
    run_campaign(tasks[::2], tmp_path / "r.parquet", workers=2)
    table = read_table(tmp_path / "r.parquet").set_index("onnx")
    assert table["status"].to_dict() == {
        "crash-1.onnx": "error",
        "refuse-2.onnx": "error",
        "grow-3.onnx": "memory",
        "sat-4.onnx": "sat",
    }
    assert table.loc["crash-1.onnx", "exit_status"] == -signal.SIGSEGV
    assert table.loc["refuse-2.onnx", "error"] == "the network is not one"
    assert table.loc["grow-3.onnx", "peak_memory_mb"] > 190


def test_an_answer_in_another_form_is_an_error(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    run_campaign(_tasks(problem_list(["other-1"])), tmp_path / "r.parquet")
    assert set(read_table(tmp_path / "r.parquet")["error"]) == {
        "answered in another form than schema 1; update both sides"
    }


def test_a_run_that_does_not_stop_is_killed(
    calls: Calls, problem_list: ListOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netopt.campaign.task.GRACE", 0.5)
    run_campaign(_tasks(problem_list(["hang-1"]), time=0.5)[:1], tmp_path / "r.parquet")
    (row,) = read_table(tmp_path / "r.parquet").to_dict("records")
    assert row["status"] == "timeout"
    assert row["error"] == "killed 0.5 s after its time limit of 0.5 s"
    assert 1.0 < row["seconds"] < 4.0


def test_a_second_call_runs_only_what_is_new(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    results = tmp_path / "r.parquet"
    run_campaign(_tasks(problem_list(["sat-1"])), results)
    seen: list[Progress] = []
    run_campaign(_tasks(problem_list(["sat-1", "unsat-2"])), results, on_progress=seen.append)
    assert len(calls()) == 4
    assert len(read_table(results)) == 4
    assert [(p.total, p.before, p.finished) for p in seen] == [(4, 2, 0), (4, 2, 1), (4, 2, 2)]


def test_errors_are_repeated_only_when_asked(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    tasks = _tasks(problem_list(["crash-1", "sat-2"]))
    run_campaign(tasks, tmp_path / "r.parquet")
    run_campaign(tasks, tmp_path / "r.parquet")
    assert len(calls()) == 4
    run_campaign(tasks, tmp_path / "r.parquet", retry_errors=True)
    assert len(calls()) == 6
    assert len(read_table(tmp_path / "r.parquet")) == 4


def test_a_killed_campaign_goes_on_where_it_stopped(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    """SIGKILL in the middle, then a torn line in the journal: nothing is lost, nothing finished runs twice."""
    path = problem_list([f"slow-{k}" for k in range(6)])
    results = tmp_path / "r.parquet"
    script = (
        "import netopt.campaign.process as process\n"
        "from pathlib import Path\n"
        "from netopt.campaign.campaign import Limits, plan, run_campaign\n"
        "from netopt.campaign.problem import read_problems\n"
        "from netopt.campaign.setting import parse_setting\n"
        f"process.PROGRAM = {process.PROGRAM!r}\n"
        "settings = [parse_setting('name=a,solver=highs,threads=2'), parse_setting('name=b,solver=scip,seed=7')]\n"
        f"run_campaign(plan(read_problems(Path({str(path)!r})), settings, Limits()), Path({str(results)!r}))\n"
    )
    victim = subprocess.Popen([sys.executable, "-c", script])
    journal = tmp_path / "r.parquet.journal"
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline and not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    finished = Journal(results).rows()
    assert 3 <= len(finished) < 12
    with journal.open("ab") as file:
        file.write(b'{"key": "torn')

    run_campaign(_tasks(path), results, workers=2)
    table = read_table(results)
    assert len(table) == 12
    assert table["key"].is_unique
    called = Counter((Path(call[1]).name, call[3]) for call in calls())
    assert len(called) == 12
    assert all(called[row["onnx"], f"--solver={row['solver']}"] == 1 for row in finished.values())
    kept = table.set_index("key")["started"].to_dict()
    assert all(kept[key] == row["started"] for key, row in finished.items())


def test_a_kill_between_table_and_journal_loses_nothing(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    results = tmp_path / "r.parquet"
    tasks = _tasks(problem_list(["sat-1", "unsat-2"]))
    run_campaign(tasks, results)
    rows = Journal(results).rows()
    with Journal(results).writing() as journal:
        journal.append({**next(iter(rows.values())), "time_limit": 20.0, "memory_limit_mb": None})
    run_campaign(tasks, results)
    assert len(calls()) == 4
    assert len(read_table(results)) == 4


def test_any_executor_will_do(problem_list: ListOf, tmp_path: Path) -> None:
    """The real program in another process's worker: without a network it answers with an error, as a row."""
    tasks = _tasks(problem_list(["broken-1"]))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        run_campaign(tasks, tmp_path / "r.parquet", executor=pool)
    assert list(read_table(tmp_path / "r.parquet")["status"]) == ["error", "error"]


def test_two_campaigns_cannot_write_one_table(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    with Journal(tmp_path / "r.parquet").writing(), pytest.raises(InputError, match="another campaign writes"):
        run_campaign(_tasks(problem_list(["sat-1"])), tmp_path / "r.parquet")


def test_one_name_for_two_settings_is_refused(calls: Calls, problem_list: ListOf, tmp_path: Path) -> None:
    problems = read_problems(problem_list(["sat-1"]))
    with pytest.raises(InvalidOptionError, match="two settings are called 'a'"):
        plan(problems, [parse_setting("name=a"), parse_setting("name=a,seed=1")], Limits())
    with pytest.raises(InvalidOptionError, match="needs a setting"):
        plan(problems, [], Limits())
    run_campaign(plan(problems, [parse_setting("name=a,seed=1")], Limits()), tmp_path / "r.parquet")
    with pytest.raises(InputError, match="with options 'seed=1', time limit 20 s, asked for now is options 'seed=2'"):
        run_campaign(plan(problems, [parse_setting("name=a,seed=2")], Limits()), tmp_path / "r.parquet")
    with pytest.raises(InputError, match="asked for now is options 'seed=1', time limit 5 s"):
        run_campaign(plan(problems, [parse_setting("name=a,seed=1")], Limits(time=5)), tmp_path / "r.parquet")


def test_limits_must_be_positive() -> None:
    with pytest.raises(InvalidOptionError, match="the time limit is 0"):
        Limits(time=0)


def test_a_file_that_is_no_table_is_refused(problem_list: ListOf, tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_text("not a table")
    with pytest.raises(InputError, match=r"r.parquet is no table of results"):
        run_campaign(_tasks(problem_list(["sat-1"])), tmp_path / "r.parquet")
