"""Many runs, each in a process of its own on a core of its own; what is finished is on disk and never run again."""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netopt.campaign.journal import Journal
from netopt.campaign.process import Outcome, run_limited

PROGRAM = (sys.executable, "-m", "benchmarks.surrogate_common.job")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
#: Seconds a run may take beyond its limit: loading, and in finetuned runs the training that is not on its clock.
GRACE, TRAINING = 40.0, 240.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run.

    Attributes
    ----------
    loader : module whose ``load_problem(instance)`` returns the problem.
    instance : what names it there.
    labels : columns of the table that say what the instance is.
    until_found : end at the first adversarial point.
    """

    loader: str
    instance: dict[str, Any]
    labels: dict[str, Any]
    method: str
    solver: str
    seconds: float
    seed: int = 0
    until_found: bool = False

    @property
    def key(self) -> str:
        """Tells this run from all others of its experiment."""
        instance = ",".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        ends = "found" if self.until_found else "limit"
        return f"{instance}|{self.method}|{self.solver}|{self.seconds:g}|{ends}|{self.seed}"

    @property
    def hard_limit(self) -> float:
        """Seconds after which the process is killed."""
        return self.seconds + GRACE + (TRAINING if self.method.startswith("finetuned") else 0.0)


def run_jobs(jobs: Sequence[Job], results: Path, workers: int) -> None:
    """Run the jobs that `results` lacks, `workers` at a time.

    Every finished run is appended to ``results.journal`` and forced to disk at once; at the end journal and table
    become one. The same call goes on where it was ended.
    """
    cores: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    known = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    for k in range(workers):
        cores.put(known[k] if k < len(known) else None)
    journal = Journal(results)
    with journal.writing():
        finished = journal.rows()
        todo = [job for job in jobs if job.key not in finished]
        print(f"{len(jobs)} runs, {len(jobs) - len(todo)} of them finished before", flush=True)
        pool, stop = ThreadPoolExecutor(workers), threading.Event()
        try:
            futures = [pool.submit(_run, job, cores, stop) for job in todo]
            for count, future in enumerate(as_completed(futures), start=1):
                row = future.result()
                journal.append(row)
                print(f"{count}/{len(todo)} {_line(row)}", flush=True)
        finally:
            stop.set()  # after Ctrl-C, end what runs; it is run again next time
            pool.shutdown(cancel_futures=True)
        if todo:
            journal.compact()


def _run(job: Job, cores: queue.SimpleQueue[int | None], stop: threading.Event) -> dict[str, Any]:
    core = cores.get()
    try:
        text = json.dumps(asdict(job) | {"core": core})
        outcome = run_limited([text], time_limit=job.hard_limit, environment=ONE_THREAD, program=PROGRAM, stop=stop)
    finally:
        cores.put(core)
    return {
        "key": job.key,
        **job.labels,
        "method": job.method,
        "solver": job.solver,
        "seconds": job.seconds,
        "seed": job.seed,
        "until_found": job.until_found,
        **_answer(outcome),
    }


def _answer(outcome: Outcome) -> dict[str, Any]:
    if outcome.ending == "exit" and outcome.exit_status == 0:
        row: dict[str, Any] = json.loads(outcome.output.splitlines()[-1])
        if str(row["status"]).startswith("failed"):
            print(outcome.errors, file=sys.stderr, flush=True)
        return row
    last = (outcome.errors.strip().splitlines() or ["no message"])[-1]
    print(outcome.errors, file=sys.stderr, flush=True)
    return {"status": f"failed: ended by {outcome.ending} with status {outcome.exit_status}: {last}"}


def _line(row: dict[str, Any]) -> str:
    value, found = row.get("value"), row.get("found_seconds")
    reached = "no value" if value is None else f"{value:.5g}"
    first = "" if found is None else f", positive after {found:.2f} s"
    name = row["key"].rsplit("|", 3)[0]
    return f"{name}: {row['status']}, {reached}{first}, {row.get('run_seconds') or 0.0:.1f} s"


def add_run_options(parser: argparse.ArgumentParser, results: Path, methods: Sequence[str], seconds: float) -> None:
    """Add the options both experiments share."""
    parser.add_argument("-o", "--output", type=Path, default=results, help=f"table, Parquet (default {results.name})")
    parser.add_argument("--methods", nargs="+", default=list(methods), help="see surrogate_common/methods.py")
    parser.add_argument("--solvers", nargs="+", default=["highs"], help="of highs, scip, gurobi (default highs)")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"limit of a run (default {seconds:g})")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time, one core each (default 1)")
    parser.add_argument("--list", action="store_true", help="print the runs asked for and end")
