"""What a table of results says: counts, times, wrong answers, contradictions. Computed from the rows, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netopt.arrays import BoolArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

#: Statuses that decide a problem.
SOLVED = ("sat", "unsat", "optimal", "infeasible")
#: Statuses that leave it open.
OPEN = ("feasible", "unknown", "timeout", "memory", "error")
#: Columns that tell one problem from another.
PROBLEM = ["benchmark", "command", "onnx", "vnnlib", "objective"]
#: Relative and absolute tolerance when a bound is compared with a known optimum or another run's.
_RELATIVE, _ABSOLUTE = 1e-4, 1e-6


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with three more columns.

    ``wrong`` : the answer contradicts a known one: sat for unsat, unsat for sat, or a bound beyond the known optimum.
        Any other label ("unknown", "boundary", "disputed", ...) is never scored.
    ``solved`` : decided, and not wrong.
    ``charged`` : seconds, those of the whole process when solved, else the time limit; at most the time limit.
    """
    import pandas as pd

    # Runs that all failed have no bounds, and their table no such columns.
    table = table.reindex(columns=table.columns.union(["primal_bound", "dual_bound"], sort=False))
    optimum = pd.to_numeric(table["truth"], errors="coerce").to_numpy(dtype=float)
    table["wrong"] = _wrong_verdict(table) | _wrong_bound(table, optimum)
    table["solved"] = table["status"].isin(SOLVED) & ~table["wrong"]
    limit = table["time_limit"].astype(float).fillna(np.inf)
    # A run without a time limit that was not solved is charged what it took: nothing else is known.
    spent = table["seconds"].where(table["solved"] | np.isinf(limit), limit)
    table["charged"] = np.minimum(spent, limit)
    return table


def summarise(table: pd.DataFrame, shift: float = 1.0) -> pd.DataFrame:
    """Return one row a benchmark and setting, and one a setting over all benchmarks ("all") when there are several.

    Parameters
    ----------
    table : from `scored`.
    shift : seconds added before and taken off after the geometric mean.

    Returns
    -------
    columns benchmark, setting, runs, solved, wrong, one a status that occurs, ``mean_s`` the shifted geometric mean of
    the charged seconds, ``par2_s`` the mean with unsolved runs charged twice.
    """
    import pandas as pd

    parts = list(table.groupby(["benchmark", "setting"], sort=True))
    if table["benchmark"].nunique() > 1:
        parts += [(("all", setting), part) for setting, part in table.groupby("setting", sort=True)]
    statuses = [status for status in (*SOLVED, *OPEN) if (table["status"] == status).any()]
    rows = []
    for (benchmark, setting), part in parts:
        charged = part["charged"].to_numpy(dtype=float)
        counts = {status: int((part["status"] == status).sum()) for status in statuses}
        rows.append(
            {
                "benchmark": benchmark,
                "setting": setting,
                "runs": len(part),
                "solved": int(part["solved"].sum()),
                "wrong": int(part["wrong"].sum()),
                **counts,
                "mean_s": shifted_geometric_mean(charged, shift),
                "par2_s": float(np.mean(charged * np.where(part["solved"], 1.0, 2.0))),
            }
        )
    return pd.DataFrame(rows)


def shifted_geometric_mean(values: FloatArray, shift: float) -> float:
    """Return ``exp(mean(log(values + shift))) - shift``.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.campaign.summary import shifted_geometric_mean
    >>> round(shifted_geometric_mean(np.array([0.0, 3.0]), shift=1.0), 12)
    1.0
    """
    return float(np.exp(np.mean(np.log(values + shift))) - shift)


def contradictions(table: pd.DataFrame) -> list[str]:
    """Return one sentence a problem on which two runs cannot both be right, whatever the truth."""
    found = []
    for problem, part in table.groupby(PROBLEM, sort=True):
        cells = [str(cell) for cell in problem]
        name = " ".join(cell for cell in cells if cell)
        if {"sat", "unsat"} <= set(part["status"]):
            answers = ", ".join(f"{row.setting}: {row.status}" for row in part.itertuples())
            found.append(f"{name}: {answers}")
        elif cells[1] == "maximize":
            found += _crossing(name, "--minimize" in cells[-1], part)
    return found


def _crossing(name: str, minimize: bool, part: pd.DataFrame) -> list[str]:
    """Name a point of one run that is better than what another run proved to be the most."""
    sign = -1.0 if minimize else 1.0
    primal = sign * part["primal_bound"].to_numpy(dtype=float)
    dual = sign * part["dual_bound"].to_numpy(dtype=float)
    if np.isnan(primal).all() or np.isnan(dual).all():
        return []
    best, least = int(np.nanargmax(primal)), int(np.nanargmin(dual))
    if primal[best] <= dual[least] + _tolerance(dual[least]):
        return []
    settings = part["setting"].tolist()
    return [
        f"{name}: {settings[best]} has a point of value {sign * primal[best]:.9g},"
        f" {settings[least]} the bound {sign * dual[least]:.9g}"
    ]


def _wrong_verdict(table: pd.DataFrame) -> BoolArray:
    verdicts = ("sat", "unsat")
    decided = table["status"].isin(verdicts) & table["truth"].isin(verdicts)
    return (decided & (table["status"] != table["truth"])).to_numpy(dtype=bool)


def _wrong_bound(table: pd.DataFrame, optimum: FloatArray) -> BoolArray:
    """Comparisons with NaN, an unknown optimum or bound, are false."""
    sign = np.where(table["objective"].str.contains("--minimize", regex=False), -1.0, 1.0)
    tolerance = _tolerance(optimum)
    wrong = sign * (table["primal_bound"].to_numpy(dtype=float) - optimum) > tolerance
    wrong |= sign * (optimum - table["dual_bound"].to_numpy(dtype=float)) > tolerance
    wrong |= np.isfinite(optimum) & (table["status"] == "infeasible").to_numpy(dtype=bool)
    return wrong & (table["command"] == "maximize").to_numpy(dtype=bool)


def _tolerance(value: FloatArray) -> FloatArray:
    return np.maximum(_ABSOLUTE, _RELATIVE * np.abs(value))
