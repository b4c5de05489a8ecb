"""Write ``instances.csv``: ``python -m instances.make.listing [RESULTS.parquet ...]``.

Every network is paired with every property of its data set. Answers come from tables of `netopt campaign` and are
written only where they were earned: `sat` where this script replays the witness in onnxruntime against the text of the
property, `unsat` where two different solvers proved it. Everything else, contradictions included, is `unknown`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
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


def earned_answers(tables: list[Path]) -> dict[tuple[str, str], str]:
    """Return the answers that the campaign tables support."""
    provers: dict[tuple[str, str], set[str]] = defaultdict(set)
    broken: set[tuple[str, str]] = set()
    for table in tables:
        for row in pd.read_parquet(table).to_dict("records"):
            key = (f"networks/{Path(row['onnx']).name}", f"properties/{Path(row['vnnlib']).name}")
            if row["status"] == "unsat":
                provers[key].add(row["solver"])
            elif row["status"] == "sat" and is_counterexample(
                *(FOLDER / name for name in key), json.loads(row["witness"])
            ):
                broken.add(key)
    proved = {key for key, solvers in provers.items() if len(solvers) >= 2}
    for key in proved & broken:
        print(f"contradiction: {key} was proved and broken; left unknown")
    return dict.fromkeys(proved - broken, "unsat") | dict.fromkeys(broken - proved, "sat")


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="*", help="results of `netopt campaign` on this list")
    answers = earned_answers(parser.parse_args().tables)
    with (FOLDER / "instances.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["onnx", "vnnlib", "timeout_s", "truth"])
        for key in pairs():
            timeout = TIMEOUTS[Path(key[0]).name.split("-")[0]]
            writer.writerow([*key, timeout, answers.get(key, "unknown")])


if __name__ == "__main__":
    main()
