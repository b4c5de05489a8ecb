"""Write and check proofs of public benchmarks: ``run.py BENCHMARKS -o results.csv``.

The folder has one sub-folder a benchmark, each with an ``instances.csv`` (onnx, vnnlib, timeout, truth). Every call is
a process of its own; seconds are of its processor, start-up included. Stopped, the same call goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS = (
    "benchmark", "onnx", "vnnlib", "status", "search_seconds", "bytes", "parts", "check", "check_seconds", "trusted",
    "own_splits",
)  # fmt: skip


def main() -> None:
    """Do what is missing in the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="", help="names of benchmarks, or beginnings of them, with commas")
    parser.add_argument("--rows", type=int, default=8, help="rows known to be unsat a benchmark, spread evenly")
    parser.add_argument("--time-limit", type=float, default=20.0, help="seconds of a search")
    asked = parser.parse_args()
    done = pd.read_csv(asked.output) if asked.output.exists() else pd.DataFrame(columns=list(COLUMNS))
    for instances in sorted(asked.benchmarks.glob("*/instances.csv")):
        name = instances.parent.name
        if not name.startswith(tuple(asked.only.split(","))):
            continue
        table = pd.read_csv(instances)
        table = table[table["truth"] == "unsat"]
        table = table.iloc[:: max(1, len(table) // asked.rows)][: asked.rows]
        for onnx, vnnlib in zip(table["onnx"], table["vnnlib"], strict=True):
            if ((done["benchmark"] == name) & (done["onnx"] == onnx) & (done["vnnlib"] == vnnlib)).any():
                continue
            row = {"benchmark": name, "onnx": onnx, "vnnlib": vnnlib}
            row |= proved(_file(instances.parent / onnx), _file(instances.parent / vnnlib), asked.time_limit)
            done = pd.DataFrame([*done.to_dict("records"), row], columns=list(COLUMNS))
            done.to_csv(asked.output, index=False)
            print(row)


def proved(network: str, prop: str, time_limit: float) -> dict[str, Any]:
    """Return the figures of one instance."""
    with tempfile.TemporaryDirectory() as folder:
        proof = Path(folder) / "proof.npz"
        found, seconds = _call("verify", network, prop, "--time-limit", f"{time_limit:g}", "--proof", str(proof))
        row = {"status": found["status"], "search_seconds": round(seconds, 2)}
        if not proof.exists():
            return row
        checked, seconds = _call("check", str(proof), network, prop)
        size = proof.stat().st_size
    return row | {
        "bytes": size,
        "parts": checked["parts"],
        "check": checked["status"],
        "check_seconds": round(seconds, 2),
        "trusted": len(checked["trusted"]),
        "own_splits": checked["own_splits"],
    }


def _call(*arguments: str) -> tuple[dict[str, Any], float]:
    """Return the answer of a command, and its seconds of processor time."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "netopt.cli.main", *arguments, "--json"]
    process = os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    with os.fdopen(reader) as output:
        text = output.read()
    _, _, used = os.wait4(process, 0)
    return json.loads(text), used.ru_utime + used.ru_stime


def _file(path: Path) -> str:
    return str(path if path.exists() else path.with_name(path.name + ".gz"))


if __name__ == "__main__":
    main()
