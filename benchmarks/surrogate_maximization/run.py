"""Run the maximization experiment: ``python -m benchmarks.surrogate_maximization.run``.

A stratified 24 of the 180 networks, or with ``--all`` every one. Stopped at any moment, the same command goes on where
it was.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

from benchmarks.surrogate_common.campaign import Job, add_run_options, run_jobs
from benchmarks.surrogate_common.methods import WITHOUT_SOLVER, method_of
from instances.make.random_networks import DEPTHS, INPUTS, SEEDS, WIDTHS

HERE = Path(__file__).resolve().parent
LOADER = "benchmarks.surrogate_maximization.problem"
RATES = ("0.3", "0.5", "0.8", "0.9", "0.95")
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
    *(f"sparse:{mask}:{rate}" for mask, rate in product(("magnitude", "domain-aware"), RATES)),
)
SECONDS = 30.0

Size = tuple[int, int, int, int]


def stratified() -> list[Size]:
    """Return 24 sizes: every number of inputs and every depth twice, widths in turn, seeds in turn."""
    sizes = []
    for row, (inputs, depth) in enumerate(product(INPUTS, DEPTHS)):
        sizes += [(inputs, depth, WIDTHS[(row + half) % 3], SEEDS[(row + 2 * half) % 5]) for half in range(2)]
    return sizes


def plan(sizes: list[Size], options: argparse.Namespace) -> list[Job]:
    """Return the runs asked for, all methods of a network one after the other."""
    jobs = []
    for size in sizes:
        labels = dict(zip(("inputs", "depth", "width", "network_seed"), size, strict=True))
        for method, solver in product(options.methods, options.solvers):
            if method in WITHOUT_SOLVER and solver != options.solvers[0]:
                continue
            solver = "highs" if method in WITHOUT_SOLVER else solver
            jobs.append(
                Job(
                    loader=LOADER,
                    instance=labels,
                    labels=labels,
                    method=method,
                    solver=solver,
                    seconds=options.seconds,
                )
            )
    return jobs


def main() -> None:
    """Run what the table lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all 180 networks instead of the stratified 24")
    parser.add_argument("--first", type=int, help="only so many of the networks, spread over the list")
    parser.add_argument("--inputs", nargs="+", type=int, default=INPUTS)
    add_run_options(parser, HERE / "results.parquet", METHODS, SECONDS)
    options = parser.parse_args()
    for method in options.methods:
        method_of(method)  # refuses unknown names before anything runs
    sizes = list(product(INPUTS, DEPTHS, WIDTHS, SEEDS)) if options.all else stratified()
    sizes = [size for size in sizes if size[0] in options.inputs]
    if options.first is not None:
        sizes = sizes[:: max(1, -(-len(sizes) // options.first))]
    jobs = plan(sizes, options)
    if options.list:
        print("\n".join(job.key for job in jobs))
        return
    run_jobs(jobs, options.output, options.workers)


if __name__ == "__main__":
    main()
