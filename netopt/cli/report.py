"""How results are printed: one JSON object, or plain lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from netopt.problems.results import Witness


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    import json

    click.echo(json.dumps(content, allow_nan=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns: the first to the left, the others to the right."""
    lines = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    for first, *others in lines:
        cells = [first.ljust(widths[0]), *[cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]]
        click.echo("  ".join(cells).rstrip())


def number(value: float | None) -> str:
    """Return a number with all its digits, or ``none``."""
    return "none" if value is None else repr(float(value))


def witness_text(witness: Witness) -> str:
    """Return a witness in VNN-COMP form: ``((X_0 v) ... (Y_0 v))``, one pair a line."""
    pairs = [f"(X_{k} {value!r})" for k, value in enumerate(witness.x.tolist())]
    pairs += [f"(Y_{k} {value!r})" for k, value in enumerate(witness.y.tolist())]
    return "(" + "\n".join(pairs) + ")"
