"""Print the tables of the README from one or more tables of a campaign: ``table.py RESULTS.parquet ... [--csv FILE]``.

Two forms: a row a benchmark and tool; and, with ``--scaling ONE TWO``, one core against two. Medians are over the rows
with a known answer that every tool of the comparison has run; what a tool has not solved counts as its time limit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from netopt.campaign.journal import read_tables
from netopt.campaign.report import markdown
from netopt.campaign.summary import contradictions, scored

#: The tool that the others are compared with.
OURS = "netopt"
COLUMNS = [
    "benchmark",
    "command",
    "onnx",
    "vnnlib",
    "objective",
    "truth",
    "setting",
    "options",
    "time_limit",
    "status",
    "primal_bound",
    "dual_bound",
    "proved_by",
    "seconds",
    "call_seconds",
    "peak_memory_mb",
    "error",
    "started",
]


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--csv", type=Path, help="write the rows, without what names the machine")
    parser.add_argument("--scaling", nargs=2, metavar=("ONE", "TWO"), help="two settings, on one core and on two")
    asked = parser.parse_args()
    rows = scored(read_tables(asked.results))
    rows["problem"] = rows["benchmark"] + " " + rows["onnx"] + " " + rows["vnnlib"] + " " + rows["objective"]
    if asked.csv is not None:
        kept = [name for name in COLUMNS if name in rows.columns]
        rows[kept].sort_values(kept[:7]).round(3).to_csv(asked.csv, index=False)
    print(markdown(scaling(rows, *asked.scaling) if asked.scaling else compared(rows)))
    wrong = rows[rows["wrong"]]
    print(f"\nWrong answers: {len(wrong)}")
    for row in wrong.itertuples():
        print(f"  {row.setting} {row.problem}: {row.status}, known {row.truth}")
    for sentence in contradictions(rows):
        print(f"  {sentence}")


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row a benchmark and tool: solved, wrong, median seconds, and netopt's median over it."""
    lines = []
    for benchmark, own in rows.groupby("benchmark"):
        known = own[own["truth"].isin(("sat", "unsat"))]
        times = known.pivot_table(index="problem", columns="setting", values="charged")
        shared = times.dropna()
        fastest = shared.drop(columns=OURS, errors="ignore").median().min()
        for tool, part in known.groupby("setting"):
            median = shared[tool].median()
            lines.append(
                {
                    "benchmark": benchmark,
                    "tool": tool,
                    "rows": len(part),
                    "solved": int(part["solved"].sum()),
                    "wrong": int(part["wrong"].sum()),
                    "errors": int((part["status"] == "error").sum()),
                    "median s": median,
                    "slowest s": part.loc[part["solved"], "seconds"].max(),
                    "of the fastest peer": median / fastest if tool == OURS and fastest > 0.0 else float("nan"),
                    "unscored, decided": int((own["setting"].eq(tool) & own["solved"]).sum() - part["solved"].sum()),
                }
            )
    return pd.DataFrame(lines)


def scaling(rows: pd.DataFrame, one: str, two: str) -> pd.DataFrame:
    """Return a row an instance that both settings have solved: seconds on one core, on two, and their ratio."""
    times = rows[rows["solved"]].pivot_table(index="problem", columns="setting", values="seconds")[[one, two]].dropna()
    times["one / two"] = times[one] / times[two]
    middle = pd.DataFrame([times.median()], index=["median"])
    return pd.concat([times.sort_values(one), middle]).reset_index(names="instance")


if __name__ == "__main__":
    main()
