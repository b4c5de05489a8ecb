"""Write ``instances.csv``: ``python -m instances.make.listing RESULTS.parquet ... [--proofs PROOFS.csv ...]``.

Every network is paired with every property of its data set. Answers come from tables of `netopt campaign` and are
written only where they were earned: `sat` where this script replays the witness in onnxruntime against the text of the
property; `unsat` where netopt proved it and either `instances.make.oracle` did too, sharing no code, or a second solver
repeated the whole proof (``confirm=`` in the setting). Everything else, contradictions included, is `unknown`.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import pandas as pd

from instances.make.properties import FOLDER, NETWORKS, PROPERTIES
from instances.make.witness import is_counterexample

TIMEOUTS = {"digits": 20, "mnist": 120, "fashion": 120}


def pairs() -> list[tuple[str, str]]:
    """Return every (onnx, vnnlib) name, relative to the folder, in a fixed order."""
    return [
        (f"networks/{network.name}", f"properties/{prop.name}")
        for network in sorted(NETWORKS.glob("*.onnx*"))
        for prop in sorted(PROPERTIES.glob(f"{network.name.split('-')[0]}-*.vnnlib.gz"))
    ]


def earned_answers(tables: list[Path], proofs: list[Path]) -> dict[tuple[str, str], str]:
    """Return the answers that campaign tables and independent proofs support."""
    proved: set[tuple[str, str]] = set()
    broken: set[tuple[str, str]] = set()
    repeated = {tuple(pair) for path in proofs for pair in pd.read_csv(path).itertuples(index=False)}
    for row in pd.concat([pd.read_parquet(path) for path in tables]).to_dict("records"):
        key = (f"networks/{Path(row['onnx']).name}", f"properties/{Path(row['vnnlib']).name}")
        if row["status"] == "unsat":
            proved.add(key)
            if isinstance(row.get("confirmed_by"), str) and row["confirmed_by"]:
                repeated.add(key)
        elif row["status"] == "sat" and is_counterexample(*(FOLDER / name for name in key), json.loads(row["witness"])):
            broken.add(key)
    for key in (proved | repeated) & broken:
        print(f"contradiction: {key} was proved and broken; left unknown")
    answers = dict.fromkeys((proved & repeated) - broken, "unsat")
    return answers | dict.fromkeys(broken - proved - repeated, "sat")


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="results of `netopt campaign` on this list")
    parser.add_argument("--proofs", type=Path, nargs="*", default=[], help="tables of `instances.make.oracle`")
    arguments = parser.parse_args()
    answers = earned_answers(arguments.tables, arguments.proofs)
    with (FOLDER / "instances.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["onnx", "vnnlib", "timeout_s", "truth"])
        for key in pairs():
            timeout = TIMEOUTS[Path(key[0]).name.split("-")[0]]
            writer.writerow([*key, timeout, answers.get(key, "unknown")])


if __name__ == "__main__":
    main()
