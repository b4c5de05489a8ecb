"""Small trained networks and properties with known answers; see README.md beside this file.

Importable from the checkout only: the wheel does not ship it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Instance:
    """A network, a property, a time-out in seconds and what is known: "sat", "unsat" or "unknown"."""

    onnx: Path
    vnnlib: Path
    timeout: float
    truth: str


def load_instances(name: str = "") -> tuple[Instance, ...]:
    """Return the instances of ``instances.csv`` whose network's file name starts with `name`, in the file's order.

    Examples
    --------
    >>> from instances import load_instances
    >>> load_instances("digits-2x10")[0].onnx.name
    'digits-2x10.onnx'
    """
    with (FOLDER / "instances.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if Path(row["onnx"]).name.startswith(name)]
    return tuple(
        Instance(FOLDER / row["onnx"], FOLDER / row["vnnlib"], float(row["timeout_s"]), row["truth"]) for row in rows
    )
