"""Reading lists of problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from netopt.campaign.problem import read_problems
from netopt.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bench"
    folder.mkdir()
    for name in ("a.onnx", "b.onnx.gz", "p.vnnlib.gz"):
        (folder / name).touch()
    return folder


def _list(folder: Path, text: str, name: str = "instances.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_list_without_header_has_network_property_timeout(folder: Path) -> None:
    (problem,) = read_problems(_list(folder, "./a.onnx,p.vnnlib,12.5\n"))
    assert (problem.command, problem.timeout, problem.truth, problem.benchmark) == ("verify", 12.5, "", "bench")
    assert problem.arguments() == ["verify", str(folder / "a.onnx"), str(folder / "p.vnnlib.gz")]


def test_a_header_names_the_columns_in_any_order(folder: Path) -> None:
    text = "truth,timeout_s,vnnlib,onnx,best_known_s\nunsat,116,p.vnnlib,b.onnx,1.2\n\n"
    (problem,) = read_problems(_list(folder, text, "hard.csv"))
    assert (problem.timeout, problem.truth, problem.benchmark) == (116.0, "unsat", "bench/hard")
    assert problem.arguments()[1].endswith("b.onnx.gz")


def test_maximization_rows_become_options(folder: Path) -> None:
    text = (
        "command,onnx,vnnlib,lower,upper,output,weights,minimize,timeout,truth\n"
        "maximize,a.onnx,,-1,1,2,,,5,3.25\n"
        'maximize,a.onnx,p.vnnlib,,,,"1,-1",true,,\n'
    )
    box, prop = read_problems(_list(folder, text))
    assert box.arguments() == ["maximize", str(folder / "a.onnx"), "--lower=-1", "--upper=1", "--output=2"]
    assert box.truth == "3.25"
    domain = f"--property={folder / 'p.vnnlib.gz'}"
    assert prop.arguments() == ["maximize", str(folder / "a.onnx"), domain, "--weights=1,-1", "--minimize"]
    assert prop.timeout is None


def test_a_repeated_row_counts_once(folder: Path) -> None:
    assert len(read_problems(_list(folder, "a.onnx,p.vnnlib,1\na.onnx,p.vnnlib,1\nb.onnx,p.vnnlib,1\n"))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a.onnx,p.vnnlib,soon\n", "row 1 of .* has the time-out 'soon'"),
        ("a.onnx,p.vnnlib,nan\n", "has the time-out 'nan'"),
        ("a.onnx,,5\n", "row 1 of .* names no vnnlib file"),
        ("a.onnx,gone.vnnlib,5\n", r"gone.vnnlib does not exist, nor does it with .gz"),
        ("command,onnx,vnnlib\nminimise,a.onnx,p.vnnlib\n", "has the command 'minimise'"),
        ("onnx,vnnlib,output\na.onnx,p.vnnlib,1\n", "is a verify row with '--output=1'"),
        ("command,onnx,minimize\nmaximize,a.onnx,perhaps\n", "has minimize='perhaps'"),
    ],
)
def test_a_bad_list_is_refused_in_one_sentence(folder: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_problems(_list(folder, text))


def test_an_absent_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.csv cannot be read: No such file"):
        read_problems(tmp_path / "none.csv")


def test_every_public_list_is_read(vnncomp: Path) -> None:
    for path in sorted(vnncomp.glob("*/instances.csv")):
        problems = read_problems(path)
        assert problems
        assert all(problem.truth and problem.timeout for problem in problems)
