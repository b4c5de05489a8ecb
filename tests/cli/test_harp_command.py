"""``netopt harp`` as a user calls it: files, reports, refusals; killed and interrupted children that go on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import command_line
import numpy as np
import pytest
from bound_cases import random_network
from click.testing import Result

from netopt.network.load import load_network
from netopt.network.onnx_writer import write_onnx
from netopt.pruning.apply import apply_mask
from netopt.pruning.mask import Mask

pytest.importorskip("torch")

NETOPT = [sys.executable, "-m", "netopt.cli.main", "harp"]
SIZES = (6, 24, 12, 3)
WEIGHTS = 6 * 24 + 24 * 12 + 12 * 3
QUICK = ("--keep", "0.25", "--epochs", "2", "--finetune-epochs", "1", "--attack-steps", "2", "--epsilon", "0.02")


def call(*arguments: object) -> Result:
    return command_line.call("harp", *arguments)


def make_network(folder: Path) -> Path:
    write_onnx(random_network(3, SIZES), folder / "net.onnx")
    return folder / "net.onnx"


def make_data(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    images = generator.random((400, 6)).astype(np.float32)
    labels = images[:, :3].argmax(1)
    arrays = {"x_train": images[:300], "y_train": labels[:300], "x_test": images[300:], "y_test": labels[300:]}
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    return make_network(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


def test_network_mask_report_and_nothing_left_behind(onnx: Path, data: Path, tmp_path: Path) -> None:
    small, kept, picture = tmp_path / "small.onnx", tmp_path / "mask.npz", tmp_path / "rates.png"
    result = call(
        onnx, "--data", data, *QUICK, "-o", small, "--mask", kept, "--plot", picture, "--fixed-rates", "--json"
    )
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert result.stderr.startswith("netopt: the training needs up to about 0.3")
    assert (content["command"], content["status"], content["target_met"]) == ("harp", "done", True)
    assert content["weights"] == {"before": WEIGHTS, "after": WEIGHTS // 4}
    assert [epoch["stage"] for epoch in content["epochs"]] == ["prune", "prune", "finetune"]
    assert content["network_sha256"] == load_network(onnx).sha256
    dense, network, mask = load_network(onnx), load_network(small), Mask.load(kept)
    mask.require(dense)
    for key, own in mask.kept.items():
        assert not network[key].maps[0].to_csr().toarray()[~own].any()
    pruned = apply_mask(dense, mask)
    with np.load(data) as arrays:
        points, labels = arrays["x_test"], arrays["y_test"]
    assert content["test"]["images"] == 100
    assert content["test"]["pruned"]["clean"] == np.mean(network.forward(points).argmax(1) == labels)
    assert content["test"]["dense"]["clean"] == np.mean(dense.forward(points).argmax(1) == labels)
    assert content["test"]["pruned"]["attacked"] <= content["test"]["pruned"]["clean"]
    assert np.abs(pruned.forward(points) - network.forward(points)).max() > 0.0  # it was fine-tuned
    assert picture.stat().st_size > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data.npz", "mask.npz", "net.onnx", "rates.png", "small.onnx",
    ]  # fmt: skip


def test_the_mask_of_a_pretrained_network_is_about_the_file_written(onnx: Path, data: Path, tmp_path: Path) -> None:
    small, kept, dense = tmp_path / "small.onnx", tmp_path / "mask.npz", tmp_path / "dense.onnx"
    files = ("-o", small, "--mask", kept, "--dense", dense)
    result = call(onnx, "--data", data, *QUICK, "--pretrain-epochs", "5", "--finetune-epochs", "0", *files)
    assert result.exit_code == 0, result.output
    network = load_network(dense)
    masked = apply_mask(network, Mask.load(kept))
    points = np.random.default_rng(1).random((50, 6))
    np.testing.assert_allclose(load_network(small).forward(points), masked.forward(points), atol=1e-6)


def test_the_report_as_text(onnx: Path, data: Path, tmp_path: Path) -> None:
    result = call(onnx, "--data", data, *QUICK, "-o", tmp_path / "small.onnx", "--quiet", "--test-samples", "50")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    after = int(lines[0].removeprefix(f"weights: {WEIGHTS} -> "))
    assert lines[1] == f"kept: {after / WEIGHTS:.4%} of the weights (target: 25.0000%)"
    assert lines[-3].split()[:3] == ["50", "test", "images"]
    assert sum(int(line.split()[2]) for line in lines if ".affine" in line) == after


def test_a_terminal_shows_losses_as_they_come(
    onnx: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes standard error for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    result = call(onnx, "--data", data, *QUICK, "-o", tmp_path / "small.onnx")
    assert result.exit_code == 0, result.output
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", result.stderr)
    assert re.search(r"3/3 .*finetune 1  loss \d+\.\d{4}  right under attack \d+\.\d%", shown)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--keep", "0.005"], "less than one weight a layer"),
        (["--keep", "1.5"], "keep=1.5 is not in (0, 1)"),
        (["--loss", "hinge"], "loss='hinge' is unknown"),
        (["--lower", "0.5"], "not within [0.5, 1]"),
        (["--memory-limit", "0.1"], "GB are free; give a smaller --batch"),
        (["--dense", "dense.onnx"], "give --pretrain-epochs"),
        (["--pretrain-epochs", "1", "--mask", "mask.npz"], "write that, too, with --dense"),
        (["--plot", "rates.docx"], "no kind of picture"),
        (["--resume"], "to resume from; leave --resume out"),
        (["-o", "absent/small.onnx"], "in a folder that exists"),
        (["--learning-rate", "1e30"], "smaller learning rate"),
        (["--rate-learning-rate", "-1"], "rate_learning_rate=-1.0 is not a positive number"),
        (["--device", "tpu"], "unknown"),
    ],
)  # fmt: skip
def test_bad_calls_are_one_sentence_and_status_2(
    onnx: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(onnx, "--data", data, *QUICK, "-o", "small.onnx", *options, "--quiet")
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "small.onnx").exists()


def test_labels_that_are_no_classes_are_refused(onnx: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", images=np.zeros((5, 6)), labels=np.full(5, 3))
    result = call(onnx, "--data", tmp_path / "odd.npz", *QUICK, "-o", tmp_path / "small.onnx")
    assert result.exit_code == 2
    assert "labels from 3 to 3 do not fit a network with 3 outputs" in result.stderr


#: Long enough to be stopped in.
LONG = ("--keep", "0.25", "--epochs", "20", "--finetune-epochs", "2", "--attack-steps", "10")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, list[dict[str, object]]]:
    """A network, data, and what a training that is never stopped makes of them: a file, and what its epochs did."""
    folder = tmp_path_factory.mktemp("whole")
    onnx, data = make_network(folder), make_data(folder)
    result = call(onnx, "--data", data, *LONG, "-o", folder / "whole.onnx", "--json")
    assert result.exit_code == 0, result.output
    return onnx, data, folder / "whole.onnx", json.loads(result.stdout)["epochs"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_stopped_training_goes_on_as_if_nothing_had_happened(
    whole: tuple[Path, Path, Path, list[dict[str, object]]], tmp_path: Path, sign: signal.Signals
) -> None:
    onnx, data, expected, epochs = whole
    options = ["--data", str(data), *LONG]
    stopped = tmp_path / "stopped.onnx"
    state = tmp_path / "stopped.onnx.state.npz"
    command = [*NETOPT, str(onnx), *options, "-o", str(stopped), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        _wait_for(state, process)
        process.send_signal(sign)
        output, errors = process.communicate(timeout=60.0)
    assert state.exists()
    assert not stopped.exists()
    assert "Traceback" not in errors
    if sign is signal.SIGINT:
        assert process.returncode == 130
        assert json.loads(output) == {"schema": 1, "command": "harp", "status": "interrupted", "checkpoint": str(state)}
        assert "--resume goes on from there" in errors
    refused = call(onnx, *options, "-o", stopped)
    assert (refused.exit_code, "was not finished; give --resume" in refused.stderr) == (2, True)
    other = call(onnx, *options, "-o", stopped, "--resume", "--seed", "1")
    assert (other.exit_code, "training with seed 0 and 1 was asked for" in other.stderr) == (2, True)
    resumed = call(onnx, *options, "-o", stopped, "--json", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(resumed.stdout)["epochs"] == epochs
    assert stopped.read_bytes() == expected.read_bytes()
    assert not state.exists()


def test_a_checkpoint_that_was_named_stays_and_gives_the_result_again(onnx: Path, data: Path, tmp_path: Path) -> None:
    state, small = tmp_path / "state.npz", tmp_path / "small.onnx"
    options = ["--data", data, *QUICK, "--checkpoint", state, "--json"]
    first = call(onnx, *options, "-o", small)
    again = call(onnx, *options, "-o", tmp_path / "again.onnx", "--resume")
    assert (first.exit_code, again.exit_code, state.exists()) == (0, 0, True)
    assert (tmp_path / "again.onnx").read_bytes() == small.read_bytes()
    assert json.loads(again.stdout)["test"] == json.loads(first.stdout)["test"]


def test_an_interrupt_before_the_first_epoch_ends(onnx: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "large.npz", images=generator.random((100_000, 6)), labels=generator.integers(0, 3, 100_000))
    options = ["--data", str(tmp_path / "large.npz"), "--keep", "0.25", "--attack-steps", "200", "--batch", "16"]
    command = [*NETOPT, str(onnx), *options, "-o", str(tmp_path / "small.onnx")]
    terminal = {**os.environ, "FORCE_COLOR": "1"}  # where losses are shown as they come
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=terminal) as process:
        assert process.stderr is not None
        assert "GB of memory" in process.stderr.readline()
        shown = ""
        while "loss" not in shown and (more := process.stderr.read(1)):  # training has begun
            shown += more
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60.0)
    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in errors
    assert "interrupted before the end of the first epoch; begin again" in errors
    assert not (tmp_path / "small.onnx").exists()


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120.0
    while not os.path.exists(path):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
