"""List the instances that ended differently in two tables: ``changes.py BEFORE AFTER [--slower 1.5]``.

Each is a Parquet table of a campaign or a committed CSV of one. Settings are compared by name; where each table has one
setting, by place.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

KEY = ["benchmark", "onnx", "vnnlib", "objective"]
DECIDED = ("sat", "unsat", "optimal", "infeasible")


def main() -> None:
    """Print what was won, lost, answered differently, and slower or faster by a factor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--factor", type=float, default=2.0, help="a time that changed by this is listed")
    parser.add_argument("--least", type=float, default=2.0, help="seconds below which times are not compared")
    asked = parser.parse_args()
    before, after = _read(asked.before), _read(asked.after)
    single = before["setting"].nunique() == 1 and after["setting"].nunique() == 1
    both = before.merge(after, on=KEY if single else [*KEY, "setting"], suffixes=("_before", "_after"))
    if not len(both):
        raise SystemExit("the tables have no instance in common")
    first, second = (both[f"status_{side}"].isin(DECIDED) for side in ("before", "after"))
    longer = both[["seconds_before", "seconds_after"]].max(axis=1) > asked.least
    ratio = both["seconds_after"] / both["seconds_before"]
    _print("answered differently", both[first & second & (both["status_before"] != both["status_after"])])
    _print("lost", both[first & ~second])
    _print("won", both[~first & second])
    _print("slower", both[first & second & longer & (ratio > asked.factor)])
    _print("faster", both[first & second & longer & (ratio < 1.0 / asked.factor)])


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, keep_default_na=False)
    if "objective" not in table:
        table["objective"] = ""
    return table[[*KEY, "setting", "status", "seconds"]]


def _print(title: str, rows: pd.DataFrame) -> None:
    print(f"{title}: {len(rows)}")
    for row in rows.sort_values(KEY).itertuples():
        place = " ".join(filter(None, (row.benchmark, row.onnx, row.vnnlib, row.objective)))
        print(
            f"  {place}: {row.status_before} {row.seconds_before:.1f} s -> {row.status_after} {row.seconds_after:.1f} s"
        )


if __name__ == "__main__":
    main()
