r"""How close subset sums of random vectors come to their targets: error against n, D, k, scale and effort.

    python benchmarks/tickets/subset_sum/run.py measure [--problems 8]  # appends what is not in results.csv yet
    python benchmarks/tickets/subset_sum/run.py draw  # errors.svg, and a table on stdout

Vectors are NSN, :math:`v_j = |u_j| w_j` with u and w standard normal; targets are :math:`\alpha N(0, 0.1^2)`. Errors
are root mean squares over all problems and entries, relative to the targets'; seconds are processor time of one core.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from netopt.subset_sum.limits import MOST_EXACT, exact_subsets, first_moment_limit
from netopt.subset_sum.search import Effort, find_subsets
from netopt.subset_sum.sums import sums_of

HERE = Path(__file__).parent
TABLE = HERE / "results.csv"
FIGURE = HERE / "errors.svg"
FIELDS = ("experiment", "entries", "count", "size", "scale", "width", "problems", "relative_error", "median_deviation",
          "limit", "exact_relative_error", "seconds_per_problem")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a dimension, a number of vectors, a size of the subset (0: any), a scale and a width of the beam."""

    experiment: str
    entries: int
    count: int
    size: int = 0
    scale: float = 8.0
    width: int = 256


def cases() -> list[Case]:
    """Return all rows, quick ones first."""
    exact = [Case("exact", entries, 24) for entries in (2, 4, 6, 9)]
    grid = [Case("grid", entries, count) for count in (64, 128, 256, 512, 1024) for entries in (4, 9, 18, 36, 72)]
    size = [Case("size", 9, 256, size) for size in (32, 64, 128)] + [Case("size", 36, 1024, k) for k in (256, 512)]
    shapes = ((9, 256), (36, 1024), (72, 1024))
    scale = [Case("scale", *shape, scale=alpha) for shape in shapes for alpha in (1.0, 32.0, 64.0, 128.0)]
    widths = [Case("effort", 36, 1024, width=1 << bits) for bits in (6, 10, 12)]
    widths += [Case("effort", 9, 256, width=1 << bits) for bits in (6, 10, 13, 15, 17, 19)]
    return exact + size + scale + grid + widths


def measure(case: Case, problems: int) -> dict[str, object]:
    """Return the figures of one row."""
    generator = np.random.default_rng(1000 * case.entries + case.count)
    shape = (problems, case.count, case.entries)
    candidates = np.abs(generator.standard_normal(shape[:2]))[..., None] * generator.standard_normal(shape)
    targets = 0.1 * case.scale * generator.standard_normal((problems, case.entries))
    start = time.process_time()
    found = find_subsets(candidates, targets, size=case.size or None, effort=Effort(width=case.width))
    seconds = (time.process_time() - start) / problems
    exact = ""
    if case.count <= MOST_EXACT:
        best = exact_subsets(candidates, targets)
        missing = targets - sums_of(candidates, best)
        exact = f"{np.linalg.norm(missing) / np.linalg.norm(targets):.6g}"
    return asdict(case) | {
        "problems": problems,
        "relative_error": f"{found.relative_error:.6g}",
        "median_deviation": f"{np.median(np.abs(targets - found.sums).max(axis=1)):.6g}",
        "limit": f"{first_moment_limit(case.count, case.entries):.6g}",
        "exact_relative_error": exact,
        "seconds_per_problem": f"{seconds:.4g}",
    }


def measure_all(problems: int) -> None:
    """Append the rows that are missing."""
    done = [tuple(row[field] for field in FIELDS[:6]) for row in rows()]
    with TABLE.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not done:
            writer.writeheader()
        for case in cases():
            if tuple(str(value) for value in asdict(case).values()) not in done:
                writer.writerow(measure(case, problems))
                file.flush()


def rows() -> list[dict[str, str]]:
    """Return the rows measured."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def draw() -> None:
    """Draw the errors over n, with the first-moment limits; print the other experiments as a table."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    grid = [row for row in rows() if row["experiment"] == "grid"]
    for k, entries in enumerate(sorted({int(row["entries"]) for row in grid})):
        mine = sorted(
            (int(row["count"]), float(row["median_deviation"])) for row in grid if int(row["entries"]) == entries
        )
        counts = np.array([count for count, _ in mine])
        axes.loglog(counts, [deviation for _, deviation in mine], "o-", color=f"C{k}", label=f"D = {entries}")
        limits = np.array([first_moment_limit(count, entries) for count in counts])
        axes.loglog(counts[limits > 1e-5], limits[limits > 1e-5], ":", color=f"C{k}")
    axes.set(xlabel="vectors n", ylabel="median largest deviation of an entry", ylim=(1e-5, 10.0))
    axes.set_title("Subset sums of NSN vectors: found (solid), first-moment limit (dotted)", fontsize=10)
    axes.legend()
    figure.savefig(FIGURE, metadata={"Date": None})
    print("| experiment | D | n | k | scale | width | relative error | exact | s a problem |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows():
        if row["experiment"] != "grid":
            size, error = row["size"] if row["size"] != "0" else "any", f"{100 * float(row['relative_error']):.2f} %"
            exact = f"{100 * float(row['exact_relative_error']):.2f} %" if row["exact_relative_error"] else ""
            cells = (row["experiment"], row["entries"], row["count"], size, row["scale"], row["width"], error, exact)
            print("| " + " | ".join((*cells, row["seconds_per_problem"])) + " |")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "draw"))
    parser.add_argument("--problems", type=int, default=8)
    arguments = parser.parse_args()
    if arguments.what == "measure":
        measure_all(arguments.problems)
    else:
        draw()


if __name__ == "__main__":
    main()
