"""Write ``instances.csv``: ``python -m instances.make.listing RESULTS.parquet ... [--proofs PROOFS.csv ...]``.

Every network is paired with every property of its data set. Answers come from tables of `netopt campaign` and are
written only where they were earned: `sat` where this script replays the witness in onnxruntime against the text of the
property; `unsat` where netopt proved it and either `instances.make.oracle` did too, sharing no code, or the whole proof
was followed by `netopt check` (`instances.make.proved`) or repeated by a second solver (``confirm=`` in the setting).
Answers that the list has were earned so before and stay. Everything else, contradictions included, is `unknown`.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import pandas as pd

from instances import load_instances
from instances.make.properties import FOLDER, NETWORKS, PROPERTIES
from instances.make.witness import is_counterexample

TIMEOUTS = {"digits": 20, "mnist": 120, "fashion": 120}
Pair = tuple[str, str]


def pairs() -> list[Pair]:
    """Return every (onnx, vnnlib) name, relative to the folder, in a fixed order."""
    return [
        (f"networks/{network.name}", f"properties/{prop.name}")
        for network in sorted(NETWORKS.glob("*.onnx*"))
        for prop in sorted(PROPERTIES.glob(f"{network.name.split('-')[0]}-*.vnnlib.gz"))
    ]


def known_answers() -> dict[Pair, str]:
    """Return the truths that the list has now."""
    return {(f"networks/{one.onnx.name}", f"properties/{one.vnnlib.name}"): one.truth for one in load_instances()}


def earned_answers(tables: list[Path], proofs: list[Path], known: dict[Pair, str]) -> dict[Pair, str]:
    """Return the answers that campaign tables, independent proofs and what is known support together."""
    proved = {key for key, truth in known.items() if truth == "unsat"}
    broken = {key for key, truth in known.items() if truth == "sat"}
    repeated = proved | {tuple(pair) for path in proofs for pair in pd.read_csv(path).itertuples(index=False)}
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
    answers = earned_answers(arguments.tables, arguments.proofs, known_answers())
    with (FOLDER / "instances.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["onnx", "vnnlib", "timeout_s", "truth"])
        for key in pairs():
            timeout = TIMEOUTS[Path(key[0]).name.split("-")[0]]
            writer.writerow([*key, timeout, answers.get(key, "unknown")])


if __name__ == "__main__":
    main()
