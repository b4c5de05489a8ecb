"""A folder of made-up problems, and the stand-in for the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

PROGRAM = (sys.executable, str(Path(__file__).with_name("program.py")))


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """Put the stand-in in place of the command; return what tells how it was called."""
    log = tmp_path / "calls.txt"
    log.touch()
    monkeypatch.setattr("netopt.campaign.process.PROGRAM", PROGRAM)
    monkeypatch.setenv("NETOPT_TEST_CALLS", str(log))
    return lambda: [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture
def problem_list(tmp_path: Path) -> Callable[[Sequence[str]], Path]:
    """Return a function that writes ``bench/instances.csv`` with one verify row a network name and truth."""

    def write(rows: Sequence[str]) -> Path:
        folder = tmp_path / "bench"
        folder.mkdir(exist_ok=True)
        (folder / "p.vnnlib").touch()
        lines = []
        for row in rows:
            name, _, truth = row.partition(":")
            (folder / f"{name}.onnx").touch()
            lines.append(f"{name}.onnx,p.vnnlib,20,{truth}")
        (folder / "instances.csv").write_text("\n".join(lines) + "\n")
        return folder / "instances.csv"

    return write
