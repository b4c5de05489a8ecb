"""A summary as text: a Markdown table, then what is wrong, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netopt.campaign.summary import contradictions, scored, summarise

if TYPE_CHECKING:
    import pandas as pd


def report(table: pd.DataFrame, shift: float = 1.0) -> str:
    """Return the report of a table of results.

    Parameters
    ----------
    table : as `netopt.campaign.journal.read_table` gives it.
    shift : seconds, of the geometric mean.
    """
    rows = scored(table)
    lines = [markdown(summarise(rows, shift)), ""]
    lines.append(
        f"mean_s: geometric mean shifted by {shift:g} s, unsolved runs at their limit; par2_s: mean, unsolved twice."
    )
    wrong = rows[rows["wrong"]]
    lines.append(f"Wrong answers: {len(wrong)}")
    lines += [
        f"  {row.benchmark} {row.onnx} {row.vnnlib} {row.objective} {row.setting}: {row.status}"
        f" [{row.primal_bound}, {row.dual_bound}], known {row.truth}"
        for row in wrong.itertuples()
    ]
    found = contradictions(rows)
    lines.append(f"Contradictions between runs: {len(found)}")
    lines += [f"  {sentence}" for sentence in found]
    return "\n".join(lines)


def markdown(frame: pd.DataFrame) -> str:
    """Return a table in Markdown, aligned; numbers with two decimals where they are not whole."""
    cells = [[str(name) for name in frame.columns]]
    cells += [[_text(value) for value in row] for row in frame.itertuples(index=False)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(frame.columns))]
    rules = ["-" * width for width in widths]
    padded = [
        [cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (cells[0], rules, *cells[1:])
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in padded)


def _text(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
