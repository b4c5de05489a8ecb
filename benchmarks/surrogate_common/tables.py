"""Results of runs as tables: reading them, comparing times that may be censored, comparing values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.surrogate_common.methods import WITHOUT_SOLVER
from netopt.campaign.journal import Journal

#: Two values closer than this, relative to 1 + the larger's size, count as equal.
TIE = 1e-6
#: Methods that combine several; the ladder holds them all.
COMBINED = ("portfolio", "default")
_ROUNDED = {"found_seconds": 4, "run_seconds": 3, "cpu_seconds": 3, "finetune_seconds": 3}


def read_results(parquet: Path | None, csv: Path, labels: Sequence[str]) -> pd.DataFrame:
    """Return the runs, one a row: of a campaign's table (finished or not), which is written to `csv`, or of `csv`.

    A column ``instance`` joins the labels; runs that failed or were skipped are left out, after they are named.
    """
    if parquet is not None:
        table = pd.DataFrame(list(Journal(parquet).rows().values())).drop(columns="key")
        table = table.sort_values([*labels, "method", "solver", "seconds", "until_found"]).round(_ROUNDED)
        table.to_csv(csv, index=False)
    table = pd.read_csv(csv)
    bad = table["status"].str.startswith(("failed", "skipped"))
    for status, count in table.loc[bad].groupby(["method", "solver", "status"]).size().items():
        print(f"{count} runs left out: {', '.join(map(str, np.atleast_1d(np.array(status, dtype=object))))}")
    table["instance"] = table[list(labels)].astype(str).agg("-".join, axis=1)
    return table[~bad].reset_index(drop=True)


def charged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with each finetuned run twice: training time not charged (``*``), and charged."""
    tuned = table[table["method"].str.startswith("finetuned")]
    free = tuned.assign(method=tuned["method"] + "*")
    late = tuned.assign(found_seconds=tuned["found_seconds"] + tuned["finetune_seconds"])
    late["found_seconds"] = late["found_seconds"].where(late["found_seconds"] <= late["seconds"])
    return pd.concat([table[~table["method"].str.startswith("finetuned")], free, late], ignore_index=True)


def found_times(table: pd.DataFrame, solver: str) -> pd.DataFrame:
    """Return seconds to the first adversarial point, instances by methods; NaN not run, inf not found.

    Where an instance was run several times, the longest limit counts, and of those a run that went on to it.
    """
    mine = table[table["solver"].eq(solver) | table["method"].isin(WITHOUT_SOLVER)]
    order = mine.sort_values(["seconds", "until_found"], ascending=[False, True])
    mine = order.drop_duplicates(["instance", "method"])
    mine = mine.assign(found=mine["found_seconds"].fillna(np.inf))
    return mine.pivot(index="instance", columns="method", values="found")


def ratios(times: pd.DataFrame, method: str, limit: float, base: str = "dense") -> pd.DataFrame:
    """Return (base time / method time) of the instances that at least one of the two found.

    A time that is not found counts as the limit, so that the ratio is a bound: from below where only `base` is
    censored, from above where only `method` is.
    """
    pair = times[[base, method]].dropna()
    pair = pair[np.isfinite(pair).any(axis=1)]
    held = pair.clip(upper=limit)
    return pd.DataFrame(
        {
            "ratio": held[base] / held[method],
            "base_found": np.isfinite(pair[base]),
            "method_found": np.isfinite(pair[method]),
        }
    )


def ratio_lines(times: pd.DataFrame, solver: str, limit: float, methods: Sequence[str]) -> list[str]:
    """Return one line a method of the table of ratios."""
    lines = []
    for method in methods:
        if method not in times.columns or "dense" not in times.columns:
            continue
        pair = ratios(times, method, limit)
        if pair.empty:
            continue
        found = int(pair["base_found"].sum()), int(pair["method_found"].sum())
        lines.append(
            f"| {solver} | {method} | {len(pair)} | {found[0]} / {found[1]} |"
            f" {pair['ratio'].median():.2f} | {np.exp(np.log(pair['ratio']).mean()):.2f} |"
            f" {int((pair['ratio'] > 1.0).sum())} | {len(pair) - found[0]} / {len(pair) - found[1]} |"
        )
    return lines


RATIO_HEAD = [
    "| solver | method | instances | found, dense / method | median dense / method | geometric mean | faster on"
    " | censored, dense / method |",
    "|---|---|---|---|---|---|---|---|",
]


def values(table: pd.DataFrame, solver: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the best dense value at the longest limit, instances by methods, and the value at each domain's centre."""
    mine = table[~table["until_found"] & (table["solver"].eq(solver) | table["method"].isin(WITHOUT_SOLVER))]
    mine = mine[mine["seconds"] == mine["seconds"].max()]
    pivot = mine.pivot(index="instance", columns="method", values="value")
    return pivot, mine.groupby("instance")["center"].first()


def shares(best_values: pd.DataFrame, center: pd.Series, ladder: str = "ladder") -> pd.DataFrame:
    """Return (v - v_centre) / (best - v_centre), best being that of all methods but the ladder.

    Instances on which no other method leaves the centre are left out.
    """
    others = best_values.drop(columns=[ladder], errors="ignore")
    reach = others.max(axis=1) - center.reindex(others.index)
    moved = reach > TIE * (1.0 + center.abs().reindex(others.index))
    return best_values[moved].sub(center, axis=0).loc[moved[moved].index].div(reach[moved], axis=0)


def share_lines(relative: pd.DataFrame) -> list[str]:
    """Return one line a method: instances, least, mean, and on how many it is the best."""
    lines = []
    top = relative.max(axis=1)
    for method in relative.mean().sort_values(ascending=False).index:
        mine = relative[method].dropna()
        best = int((relative[method] >= top - TIE * (1.0 + top.abs())).sum())
        lines.append(f"| {method} | {len(mine)} | {mine.min():.3f} | {mine.mean():.3f} | {best} |")
    return lines


SHARE_HEAD = ["| method | instances | least share | mean share | best on |", "|---|---|---|---|---|"]


def duel_lines(best_values: pd.DataFrame, ladder: str = "ladder") -> list[str]:
    """Return one line a rival, and one for all single methods at once: how often the ladder is at least as good."""
    lines = []
    rivals = [method for method in best_values.columns if method != ladder]
    single = [method for method in rivals if method not in COMBINED]
    for name, columns in [*((rival, [rival]) for rival in rivals), ("every single method", single)]:
        both = best_values[[ladder, *columns]].dropna(subset=[ladder]).dropna(subset=columns, how="all")
        rival_best = both[columns].max(axis=1)
        good = both[ladder] >= rival_best - TIE * (1.0 + rival_best.abs())
        strictly = both[ladder] > rival_best + TIE * (1.0 + rival_best.abs())
        lines.append(f"| {name} | {len(both)} | {100 * good.mean():.0f} % | {100 * strictly.mean():.0f} % |")
    return lines


DUEL_HEAD = ["| rival | instances | ladder at least as good | strictly better |", "|---|---|---|---|"]


def replace_block(readme: Path, name: str, lines: Sequence[str]) -> None:
    """Put lines between the marks ``<!-- name -->`` and ``<!-- /name -->`` of a page."""
    text = readme.read_text()
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    readme.write_text("\n".join([head + begin, *lines, end]) + tail)
