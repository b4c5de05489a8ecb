"""The measurements of ``make gpu`` from start to end, on the stand-in for CuPy: small sizes, times of no meaning."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "gpu"
MODULES = ("cases", "timing", "run", "end_to_end")


class Event:
    """An event that takes a millisecond."""

    def record(self) -> None: ...

    def synchronize(self) -> None: ...


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder's scripts import one another by their names."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def cupy(cupy_on_cpu: Any) -> Any:
    """The stand-in with a device that says what it is, and events."""
    attributes = {
        "ComputeCapabilityMajor": 9,
        "ComputeCapabilityMinor": 0,
        "MultiProcessorCount": 132,
        "ClockRate": 1980000,
    }
    cuda = cupy_on_cpu.cuda
    cuda.Event, cuda.get_elapsed_time = Event, lambda begin, end: 1.0
    cuda.Device = lambda: SimpleNamespace(synchronize=lambda: None, attributes=attributes)
    properties = {"name": b"stand-in", "major": 9, "minor": 0, "multiProcessorCount": 132}
    cuda.runtime.getDeviceProperties = lambda device: properties
    cuda.runtime.driverGetVersion = cuda.runtime.runtimeGetVersion = lambda: 13000
    return cupy_on_cpu


@pytest.mark.parametrize("cuda_on_cpu", [0], indirect=True, ids=["ascending"])
@pytest.mark.usefixtures("scripts")
def test_every_case_runs_and_is_written(cupy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import cases
    import run
    import timing

    monkeypatch.setattr(timing, "_WARM_UPS", 0)
    monkeypatch.setattr(cases, "vgg16_offsets", lambda: np.array([0, 100, 900]))
    small = [cases.two_flip_sweep(cupy, 2, 1, 40), cases.pair_scoring(cupy, 1, 50, 9)]
    chosen = [cases.mask_step(cupy), cases.straight_through_backward(cupy), *small]
    monkeypatch.setattr(run, "cases", lambda library: iter(chosen))
    monkeypatch.setattr(run, "copy_bandwidth", lambda library: timing.copy_bandwidth(library, 1 << 10))
    monkeypatch.setattr(sys, "argv", ["run.py", "--repeats", "1", "-o", str(tmp_path / "results.csv")])
    run.main()
    rows = pd.read_csv(tmp_path / "results.csv")
    assert rows["case"].tolist() == [case.name for case in chosen]
    assert (rows["kernel_seconds"] >= 1e-3).all()
    assert rows["kernels"][0].count("us") == 6  # the select and apply_mask
    table = (tmp_path / "table.md").read_text()
    assert "stand-in, 132 multiprocessors; CUDA driver 13.0" in table
    assert table.count("\n") == 4 + len(chosen)
    for case in chosen:  # what is timed is the same on both sides
        found, expected = case.work(), case.on_cpu()
        for one, other in zip(as_tuple(found), as_tuple(expected), strict=True):
            np.testing.assert_allclose(one.get(), other, rtol=1e-4, atol=1e-4)


def as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.usefixtures("scripts")
def test_both_scripts_say_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import end_to_end
    import run

    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    assert "CuPy is not installed" in capsys.readouterr().err
    monkeypatch.setattr(end_to_end, "jobs", lambda width, images: {"nothing": lambda device: None})
    monkeypatch.setattr(sys, "argv", ["end_to_end.py", "-o", str(tmp_path / "end.csv")])
    end_to_end.main()
    assert "the CPU alone: device 'cuda' was asked for, but CuPy is not installed" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "end.csv")["device"].tolist() == ["cpu"]
