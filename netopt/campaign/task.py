"""One problem under one setting: what is run, and the row of the table it becomes."""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from netopt.campaign.problem import Problem
from netopt.campaign.process import Outcome, run_limited
from netopt.campaign.setting import Setting

Row = dict[str, Any]

#: Seconds that a run may take beyond its time limit, for starting and reading, before it is killed.
GRACE = 10.0
#: Version of the JSON object of `netopt verify` and `netopt maximize`.
_SCHEMA = 1
_PACKAGES = ("netopt", "numpy", "scipy", "onnx", "onnxruntime", "highspy", "gurobipy", "PySCIPOpt", "pyomo", "torch")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: Last characters of standard error kept as the reason of a run that failed.
_REASON = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A problem, a setting, and limits.

    Attributes
    ----------
    time_limit : seconds; None for none.
    memory_limit : bytes; None for none.
    """

    problem: Problem
    setting: Setting
    time_limit: float | None
    memory_limit: float | None

    @property
    def key(self) -> str:
        """What tells this run from the others, on any machine; a run with this key is not repeated."""
        return json.dumps([*self.problem.key, self.setting.name])


def run_task(task: Task, stop: threading.Event | None = None) -> Row:
    """Run `task` in a process of its own and return its row, whatever happens to it.

    Parameters
    ----------
    stop : once set, the run is killed; its row's status is then "interrupted".
    """
    started = datetime.now(UTC)
    limit = [] if task.time_limit is None else [f"--time-limit={task.time_limit:g}"]
    outcome = run_limited(
        [*task.problem.arguments(), *task.setting.arguments(), *limit, "--json", "--quiet"],
        time_limit=None if task.time_limit is None else task.time_limit + GRACE,
        memory_limit=task.memory_limit,
        program=task.setting.program,
        environment=dict.fromkeys(_THREAD_VARIABLES, task.setting.get("threads", "1")),
        stop=stop,
    )
    return {
        **_asked(task),
        **_answered(outcome, task.time_limit),
        "seconds": outcome.seconds,
        "peak_memory_mb": outcome.peak_memory / 2**20,
        "exit_status": outcome.exit_status,
        "started": started.isoformat(timespec="seconds"),
        "versions": json.dumps(_versions()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }


def _asked(task: Task) -> Row:
    problem, setting = task.problem, task.setting
    return {
        "key": task.key,
        "benchmark": problem.benchmark,
        "command": problem.command,
        "onnx": problem.onnx,
        "vnnlib": problem.vnnlib,
        "objective": " ".join(problem.objective),
        "truth": problem.truth,
        "setting": setting.name,
        "options": setting.text,
        "solver": setting.get("solver"),
        "formulation": setting.get("formulation"),
        "bounds": setting.get("bounds"),
        "seed": int(setting.get("seed", "0")),
        "time_limit": task.time_limit,
        "memory_limit_mb": None if task.memory_limit is None else task.memory_limit / 2**20,
    }


def _answered(outcome: Outcome, time_limit: float | None) -> Row:
    killed = {
        "time": ("timeout", f"killed {GRACE:g} s after its time limit of {time_limit} s"),
        "memory": ("memory", f"killed at {outcome.peak_memory / 2**20:.0f} MB"),
        "interrupt": ("interrupted", "killed by the end of the campaign"),
    }
    if outcome.ending in killed:
        status, reason = killed[outcome.ending]
        return {"status": status, "error": reason}
    try:
        answer = json.loads(outcome.output)
    except ValueError:
        reason = outcome.errors.strip()[-_REASON:] or f"ended with status {outcome.exit_status} and no answer"
        return {"status": "error", "error": reason}
    if not isinstance(answer, dict) or answer.get("schema") != _SCHEMA:
        return {"status": "error", "error": f"answered in another form than schema {_SCHEMA}; update both sides"}
    return _flattened(answer)


def _flattened(answer: Mapping[str, Any]) -> Row:
    """One column an entry of each stage; where a stage comes again, seconds and counts add up, the rest is the last."""
    row: Row = {
        "status": answer["status"],
        "primal_bound": answer["primal_bound"],
        "dual_bound": answer["dual_bound"],
        "gap": answer["gap"],
        "network_sha256": answer["network_sha256"],
        "proved_by": ", ".join(answer["proved_by"]),
        "confirmed_by": answer.get("confirmed_by") or "",
        "notices": " ".join(answer["notices"]),
        "call_seconds": answer["seconds"],
        "witness": None if answer["witness"] is None else json.dumps(answer["witness"]["x"]),
        "error": "",
    }
    for stage in answer["stages"]:
        for name, value in stage.items():
            column = f"{stage['name']}.{name}"
            before = row.get(column)
            if name == "seconds":
                row[column] = value + (before or 0.0)
            elif type(value) is int and type(before) is int:
                row[column] = before + value
            elif name != "name" and value is not None:
                row[column] = value if type(value) in (int, float) else str(value)
    return row


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # an extra that is not installed
    return found
