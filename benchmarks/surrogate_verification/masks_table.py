"""Masks and rates: ``python -m benchmarks.surrogate_verification.masks_table TABLE.parquet`` writes ``masks.csv``.

Without an argument that file is read. Prints seconds to the first adversarial point: a line a mask, a column a rate.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.surrogate_common import tables
from benchmarks.surrogate_verification.instances import HERE
from benchmarks.surrogate_verification.report import LABELS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", help="table of a campaign; default: masks.csv as it is")
    results = tables.read_results(parser.parse_args().results, HERE / "masks.csv", LABELS)
    parts = results["method"].str.extract(r"^(?P<kind>[^:]+):(?P<mask>[^:]+):(?P<rate>[\d.]+)$")
    rows = results.assign(line=parts["kind"] + " " + parts["mask"], rate=parts["rate"])
    rates = sorted(rows["rate"].dropna().unique(), key=float)
    print("| method | " + " | ".join(rates) + " |\n" + "|---" * (len(rates) + 1) + "|")
    for line, mine in rows.groupby("line"):
        cells = [_cell(mine[mine["rate"] == rate]["found_seconds"]) for rate in rates]
        print(f"| {line} | " + " | ".join(cells) + " |")


def _cell(seconds: pd.Series) -> str:
    """Return how many were found, and the median seconds of these."""
    if seconds.empty:
        return ""
    found = seconds.dropna()
    return f"{len(found)} of {len(seconds)}" + (f", {found.median():.2f} s" if len(found) else "")


if __name__ == "__main__":
    main()
