"""Run the verification experiment: ``python -m benchmarks.surrogate_verification.run --data FOLDER --networks FOLDER``.

Networks that the folder lacks are trained first. Stopped at any moment, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from itertools import product
from pathlib import Path

from benchmarks.surrogate_common.campaign import Job, add_run_options, run_jobs
from benchmarks.surrogate_common.methods import WITHOUT_SOLVER, method_of
from benchmarks.surrogate_verification.instances import HERE, KINDS
from benchmarks.surrogate_verification.networks import Classifier, add_classifier_options, add_folder_options, chosen

LOADER = "benchmarks.surrogate_verification.problem"
RATES = ("0.3", "0.5", "0.8", "0.9", "0.95")
MASKS = ("magnitude", "domain-aware", "random", "neuron-norm")
#: The methods of the paper's tables and ours; finetuned ones are asked for by name, as they take minutes each.
METHODS = (
    "dense",
    "dense+",
    "root-lp",
    "sign-ascent",
    "pgd",
    "portfolio",
    "walk",
    "default",
    "ladder",
    *(f"sparse:{mask}:{rate}" for mask, rate in product(MASKS, RATES)),
    *(f"sparse+:domain-aware:{rate}" for rate in RATES),
)
SECONDS = 300.0


def plan(options: argparse.Namespace) -> list[Job]:
    """Return the runs asked for, all methods of an instance one after the other."""
    wanted = {classifier.name for classifier in chosen(options)}
    jobs = []
    with options.instances.open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["network"] in wanted and line["kind"] in options.kinds]
    for line in lines:
        classifier = Classifier.named(line["network"])
        labels = {
            "dataset": classifier.dataset,
            "side": classifier.side,
            "architecture": classifier.architecture,
            "network_seed": classifier.seed,
            "kind": line["kind"],
        }
        instance = line | {"data": str(options.data), "networks": str(options.networks)}
        for method, solver in product(options.methods, options.solvers):
            if method in WITHOUT_SOLVER and solver != options.solvers[0]:
                continue
            jobs.append(
                Job(
                    loader=LOADER,
                    instance=instance,
                    labels=labels,
                    method=method,
                    solver="highs" if method in WITHOUT_SOLVER else solver,
                    seconds=options.seconds,
                    until_found=options.until_found,
                )
            )
    return jobs


def _train_missing(options: argparse.Namespace) -> None:
    """Train, in a process of its own, what the folder lacks; torch's memory is gone before the runs begin."""
    missing = [c for c in chosen(options) if not (options.networks / f"{c.name}.npz").exists()]
    for classifier in missing:
        folders = ["--data", str(options.data), "--networks", str(options.networks)]
        one = ["--datasets", classifier.dataset, "--sides", str(classifier.side)]
        one += ["--architectures", classifier.architecture, "--seeds", str(classifier.seed)]
        command = [sys.executable, "-m", "benchmarks.surrogate_verification.training", *folders, *one]
        subprocess.run(command, check=True)


def main() -> None:
    """Run what the table lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder_options(parser)
    add_classifier_options(parser)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--instances", type=Path, default=HERE / "instances.csv", help="list made by instances.py")
    parser.add_argument("--until-found", action="store_true", help="end a run at its first adversarial point")
    add_run_options(parser, HERE / "results.parquet", METHODS, SECONDS)
    options = parser.parse_args()
    for method in options.methods:
        method_of(method)  # refuses unknown names before anything runs
    jobs = plan(options)
    if options.list:
        print("\n".join(job.key for job in jobs))
        return
    _train_missing(options)
    run_jobs(jobs, options.output, options.workers)


if __name__ == "__main__":
    main()
