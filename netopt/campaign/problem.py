"""The problems of a campaign, read from a list in the form of VNN-COMP's ``instances.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netopt.errors import InputError

COMMANDS = ("verify", "maximize")
#: Columns that say what is maximised; each is an option of `netopt maximize`.
OBJECTIVE_COLUMNS = ("lower", "upper", "output", "weights")
#: Columns of a list without a header.
PLAIN_COLUMNS = ("onnx", "vnnlib", "timeout", "truth")
_SYNONYMS = {"timeout_s": "timeout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row of a list.

    Attributes
    ----------
    benchmark : name of the list: its folder, followed by its own name unless that is ``instances``.
    command : "verify" or "maximize".
    onnx, vnnlib : as the list has them; vnnlib is "" where a maximization has none.
    folder : folder the two are relative to.
    objective : options of `netopt maximize`, e.g. ``("--output=0",)``; empty for verify.
    timeout : seconds, None without one.
    truth : what is known: "sat", "unsat", for a maximization the optimum; any other text is never scored.
    """

    benchmark: str
    command: str
    onnx: str
    vnnlib: str
    folder: Path
    objective: tuple[str, ...] = ()
    timeout: float | None = None
    truth: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What tells this problem from the others, on any machine."""
        return (self.benchmark, self.command, self.onnx, self.vnnlib, *self.objective)

    def arguments(self) -> list[str]:
        """Return the arguments of the command that solves it."""
        network = str(find(self.folder, self.onnx))
        if self.command == "verify":
            return ["verify", network, str(find(self.folder, self.vnnlib))]
        domain = [f"--property={find(self.folder, self.vnnlib)}"] if self.vnnlib else []
        return ["maximize", network, *domain, *self.objective]


def find(folder: Path, name: str) -> Path:
    """Return the file `name` of `folder`, or its ``.gz`` when only that exists.

    Raises
    ------
    InputError
        Neither exists.
    """
    path = folder / name
    compressed = path.with_name(f"{path.name}.gz")
    if not path.exists() and compressed.exists():
        return compressed
    if not path.exists():
        raise InputError(f"{path} does not exist, nor does it with .gz; correct the list or fetch the file")
    return path


def read_problems(path: Path) -> list[Problem]:
    """Read a list.

    Parameters
    ----------
    path : CSV with the columns onnx, vnnlib, timeout (or timeout_s), truth, and for maximization command, lower, upper,
        output, weights, minimize, in any order under a header; without a header onnx, vnnlib, timeout, truth.
        Paths are relative to it. Other columns are ignored. A repeated row counts once.

    Raises
    ------
    InputError
        The list cannot be read, a row is incomplete or contradicts itself, or a file it names does not exist.
    """
    try:
        with path.open(newline="") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(row)]
    except OSError as error:
        raise InputError(f"the list {path} cannot be read: {error.strerror or error}") from error
    if not rows:
        raise InputError(f"the list {path} is empty; give one row a problem: onnx, vnnlib, timeout")
    columns: Sequence[str] = PLAIN_COLUMNS
    if "onnx" in rows[0][1]:
        columns = [_SYNONYMS.get(name.strip(), name.strip()) for name in rows.pop(0)[1]]
    resolved = path.resolve()
    benchmark = resolved.parent.name if path.stem == "instances" else f"{resolved.parent.name}/{path.stem}"
    problems: dict[tuple[str, ...], Problem] = {}
    for number, row in rows:
        cells = {name: cell.strip() for name, cell in zip(columns, row, strict=False)}
        problem = _problem(cells, benchmark, resolved.parent, f"row {number} of {path}")
        problem.arguments()  # names a missing file now, not hours later
        problems.setdefault(problem.key, problem)
    return list(problems.values())


def _problem(cells: Mapping[str, str], benchmark: str, folder: Path, where: str) -> Problem:
    command = cells.get("command") or "verify"
    if command not in COMMANDS:
        raise InputError(f"{where} has the command {command!r}; it must be one of {', '.join(COMMANDS)}")
    needed = ("onnx", "vnnlib") if command == "verify" else ("onnx",)
    for name in needed:
        if not cells.get(name):
            raise InputError(f"{where} names no {name} file")
    objective = [f"--{name}={cells[name]}" for name in OBJECTIVE_COLUMNS if cells.get(name)]
    if _flag(cells.get("minimize", ""), where):
        objective.append("--minimize")
    if command == "verify" and objective:
        raise InputError(f"{where} is a verify row with {objective[0]!r}; leave it empty, or set command to maximize")
    return Problem(
        benchmark=benchmark,
        command=command,
        onnx=cells["onnx"],
        vnnlib=cells.get("vnnlib", ""),
        folder=folder,
        objective=tuple(objective),
        timeout=_seconds(cells.get("timeout", ""), where),
        truth=cells.get("truth", ""),
    )


def _seconds(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0.0:
        raise InputError(f"{where} has the time-out {text!r}; give a positive number of seconds, or nothing")
    return value


def _flag(text: str, where: str) -> bool:
    values = {"": False, "0": False, "false": False, "1": True, "true": True}
    if text.lower() not in values:
        raise InputError(f"{where} has minimize={text!r}; write true or false")
    return values[text.lower()]
