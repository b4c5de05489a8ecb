"""Every problem under every setting, through any executor, into one table that a kill cannot harm."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from netopt.campaign.journal import Journal, Row
from netopt.campaign.problem import Problem
from netopt.campaign.setting import Setting
from netopt.campaign.task import Task, run_task
from netopt.errors import InputError, InvalidOptionError


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is: runs in all, finished before it began, and the rows finished since, of which one is new.

    Attributes
    ----------
    row : the run just finished; None at the beginning.
    """

    total: int
    before: int
    finished: int
    row: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run.

    Attributes
    ----------
    time : seconds; caps the problem's own time-out. None leaves that as it is.
    memory : bytes resident in all processes of the run; None for none.
    """

    time: float | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        for name in ("time", "memory"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidOptionError(f"the {name} limit is {value}; give a positive number, or none")


def plan(problems: Sequence[Problem], settings: Sequence[Setting], limits: Limits) -> list[Task]:
    """Return one task a problem and setting, the settings of a problem after each other.

    Raises
    ------
    InvalidOptionError
        No setting was given, or two have one name.
    """
    names = [setting.name for setting in settings]
    if not names:
        raise InvalidOptionError("a campaign needs a setting, e.g. --setting name=base,solver=highs")
    for name in names:
        if names.count(name) > 1:
            raise InvalidOptionError(f"two settings are called {name!r}; give each a name= of its own")
    tasks = []
    for problem in problems:
        known = [limit for limit in (problem.timeout, limits.time) if limit is not None]
        time_limit = min(known) if known else None
        tasks += [
            Task(problem=problem, setting=setting, time_limit=time_limit, memory_limit=limits.memory)
            for setting in settings
        ]
    return tasks


def run_campaign(
    tasks: Sequence[Task],
    results: Path,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    retry_errors: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> None:
    """Run what `results` does not hold yet, and write the table.

    Parameters
    ----------
    tasks : from `plan`.
    results : the table, Parquet; ``.journal`` beside it holds finished runs until the end. Ended early, by Ctrl-C,
        a kill or an error, a second call with the same tasks goes on where the first one stopped.
    workers : runs at a time on this machine, where no executor is given.
    executor : any `concurrent.futures.Executor`, for instance of a cluster; it stays open. Tasks and rows are pickled.
    retry_errors : repeat the runs whose status is "error".
    on_progress : called at the beginning and after every finished run, in this thread.

    Raises
    ------
    InputError
        `results` cannot be written, is no table of a campaign, or holds one of the runs with other options.
    """
    journal = Journal(results)
    with journal.writing():
        finished = journal.rows()
        _check_same_question(finished, tasks, results)
        todo = [task for task in tasks if _is_open(finished.get(task.key), retry_errors)]
        before = len(tasks) - len(todo)
        report = on_progress or (lambda progress: None)
        report(Progress(len(tasks), before, 0, None))
        with _submitting(executor, workers) as submit:
            for count, future in enumerate(as_completed([submit(task) for task in todo]), start=1):
                row = future.result()
                journal.append(row)
                report(Progress(len(tasks), before, count, row))
        journal.compact()


@contextmanager
def _submitting(executor: Executor | None, workers: int) -> Iterator[Callable[[Task], Future[Row]]]:
    """Yield what starts a task; on the way out, cancel what has not begun and, on this machine, kill what runs."""
    futures: list[Future[Row]] = []
    stop = threading.Event()
    # Threads serve here: they only wait for the process each run has.
    chosen = ThreadPoolExecutor(workers) if executor is None else executor
    run = partial(run_task, stop=stop) if executor is None else run_task

    def submit(task: Task) -> Future[Row]:
        futures.append(chosen.submit(run, task))
        return futures[-1]

    try:
        yield submit
    finally:
        stop.set()
        for future in futures:
            future.cancel()
        if executor is None:
            chosen.shutdown()


def _is_open(row: Row | None, retry_errors: bool) -> bool:
    return row is None or (retry_errors and row["status"] == "error")


def _check_same_question(finished: Mapping[str, Row], tasks: Sequence[Task], results: Path) -> None:
    """Refuse to go on where a finished run had other options or another time limit: tables would compare nothing."""
    for task in tasks:
        row = finished.get(task.key)
        if row is None:
            continue
        before = f"options {row['options']!r}, time limit {_seconds(row['time_limit'])}"
        now = f"options {task.setting.text!r}, time limit {_seconds(task.time_limit)}"
        if before != now:
            raise InputError(
                f"{results} holds {task.problem.onnx} {task.problem.vnnlib} under the setting {task.setting.name!r}"
                f" with {before}, asked for now is {now}; choose another name, or another results file"
            )


def _seconds(limit: float | None) -> str:
    """Return a limit as text; a table has NaN where a journal has None."""
    return "none" if limit is None or math.isnan(limit) else f"{limit:g} s"
