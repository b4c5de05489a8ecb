"""The stored networks and properties, and the scripts that made them."""

from __future__ import annotations

import gzip
import json
import re
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from instances import FOLDER, load_instances
from instances.make import listing, proved
from instances.make.image_data import read_image_data
from instances.make.random_networks import random_weights
from instances.make.robustness import write_robustness
from instances.make.witness import is_counterexample

NETWORKS = sorted((FOLDER / "networks").glob("*"))


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 15e6


def test_every_listed_file_exists_and_every_file_is_listed() -> None:
    instances = load_instances()
    listed = {path for instance in instances for path in (instance.onnx, instance.vnnlib)}
    assert listed == {*NETWORKS, *(FOLDER / "properties").glob("*")}
    assert {instance.truth for instance in instances} <= {"sat", "unsat", "unknown"}
    assert all(instance.timeout > 0 for instance in instances)


def test_a_name_selects_instances() -> None:
    assert {instance.onnx.name for instance in load_instances("digits-2x20")} == {"digits-2x20.onnx"}
    assert load_instances("no such network") == ()


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_networks_are_plain_float32_onnx_without_metadata(path: Path) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version >= 13
    assert {tensor.data_type for tensor in model.graph.initializer} == {onnx.TensorProto.FLOAT}
    assert not model.metadata_props
    assert not model.producer_name
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_digits_networks_classify_digits() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the digits; install netopt[sklearn]")
    images, labels = datasets.load_digits(return_X_y=True)
    for path in (FOLDER / "networks").glob("digits-*"):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        scores = [session.run(None, {"X": image[None]})[0] for image in (images / 16.0).astype(np.float32)]
        assert np.mean(np.concatenate(scores).argmax(axis=1) == labels) > 0.97


def test_no_property_is_broken_at_the_image_itself() -> None:
    """The centre of a box that no side cuts off is the image."""
    for instance in load_instances():
        lower, upper = _box(instance.vnnlib)
        radius = float(instance.vnnlib.name.removesuffix(".vnnlib.gz").split("eps")[1])
        image = np.where(lower == 0.0, upper - radius, lower + radius)
        assert not is_counterexample(instance.onnx, instance.vnnlib, image)


def _box(vnnlib: Path) -> tuple[np.ndarray, np.ndarray]:
    text = gzip.decompress(vnnlib.read_bytes()).decode()
    sides = [re.findall(rf"\({side} X_\d+ (\S+?)\)", text) for side in (">=", "<=")]
    lower, upper = (np.array(side, dtype=np.float64) for side in sides)
    return lower, upper


@pytest.fixture
def square(tmp_path: Path) -> tuple[Path, Path]:
    """Ten outputs, Y_1 = x_0 and Y_0 = x_1 and the rest -1, and the property that class 0 is kept around (0.4, 0.6)."""
    from instances.make.onnx_file import write_mlp

    weight, bias = np.zeros((10, 2)), -np.ones(10)
    weight[1, 0] = weight[0, 1] = 1.0
    bias[:2] = 0.0
    write_mlp(tmp_path / "square.onnx", [weight], [bias])
    write_robustness(tmp_path / "p.vnnlib.gz", np.array([0.4, 0.6]), 0, 0.125, "a square")
    return tmp_path / "square.onnx", tmp_path / "p.vnnlib.gz"


@pytest.mark.parametrize(
    ("point", "holds"),
    [((0.5, 0.5), True), ((0.52, 0.48), True), ((0.4, 0.6), False), ((0.6, 0.5), False), ((0.5, 0.4), False)],
)
def test_a_witness_is_checked_against_box_and_scores(
    square: tuple[Path, Path], point: tuple[float, float], holds: bool
) -> None:
    assert is_counterexample(*square, point) is holds


@pytest.mark.parametrize(("radius", "status", "by"), [(0.0625, "unsat", "netopt check"), (0.125, "sat", None)])
def test_a_proof_that_the_checker_finds_valid_confirms(
    square: tuple[Path, Path],
    radius: float,
    status: str,
    by: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network, prop = square
    write_robustness(prop, np.array([0.4, 0.6]), 0, radius, "a square")
    arguments = ["verify", str(network), str(prop), "--time-limit=60", "--json", "--quiet"]
    monkeypatch.setattr(sys, "argv", ["proved", *arguments])
    with pytest.raises(SystemExit) as ended:
        proved.main()
    answer = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert (answer["status"], answer["confirmed_by"]) == (status, by)
    checks = [stage for stage in answer["stages"] if stage["name"] == "check"]
    assert [stage["status"] for stage in checks] == (["valid"] if by else [])


@pytest.mark.parametrize("found", ["trusting", "invalid"])
def test_a_proof_that_the_checker_does_not_find_valid_confirms_nothing(found: str) -> None:
    answer = {"status": "unsat", "confirmed_by": None, "stages": []}
    check = {"status": found, "seconds": 1.0, "parts": 3, "own_splits": 0}
    checked = proved.with_check(answer, check)
    assert checked["confirmed_by"] is None
    assert checked["stages"] == [{"name": "check", **check}]


INSIDE, OUTSIDE = "[0.52, 0.48]", "[0.6, 0.4]"


@pytest.mark.parametrize(
    ("known", "rows", "answer"),
    [
        ("unknown", [("unsat", "netopt check", None)], "unsat"),
        ("unknown", [("unsat", "", None)], None),
        ("unknown", [("sat", "", INSIDE)], "sat"),
        ("unknown", [("sat", "", OUTSIDE)], None),
        ("unknown", [("timeout", "", None)], None),
        ("unsat", [("timeout", "", None)], "unsat"),
        ("sat", [("timeout", "", None)], "sat"),
        ("unsat", [("sat", "", INSIDE)], None),
        ("sat", [("unsat", "", None)], None),
        ("unknown", [("unsat", "scip", None), ("sat", "", INSIDE)], None),
    ],
)
def test_an_answer_is_written_only_where_it_was_earned(
    square: tuple[Path, Path],
    known: str,
    rows: list[tuple[str, str, str | None]],
    answer: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = square[0].parent
    key = ("networks/square.onnx", "properties/p.vnnlib.gz")
    for path, name in zip(square, key, strict=True):
        (folder / name).parent.mkdir()
        path.rename(folder / name)
    monkeypatch.setattr(listing, "FOLDER", folder)
    columns = ["onnx", "vnnlib", "status", "confirmed_by", "witness"]
    pd.DataFrame([(*key, *row) for row in rows], columns=columns).to_parquet(folder / "table.parquet")
    assert listing.earned_answers([folder / "table.parquet"], [], {key: known}).get(key) == answer


def test_boxes_end_at_zero_and_one(tmp_path: Path) -> None:
    write_robustness(tmp_path / "p.vnnlib.gz", np.array([0.0, 1.0]), 3, 0.25, "corner")
    text = gzip.decompress((tmp_path / "p.vnnlib.gz").read_bytes()).decode()
    assert "(assert (>= X_0 0.00000000))\n(assert (<= X_0 0.25000000))" in text
    assert "(assert (>= X_1 0.75000000))\n(assert (<= X_1 1.00000000))" in text
    assert "(and (>= Y_9 Y_3))" in text
    assert "Y_3 Y_3" not in text


def test_random_networks_are_seeded() -> None:
    first, again, other = (random_weights(100, 2, 50, seed)[0] for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert np.abs(first[0]).max() <= 0.1


def test_npz_and_idx_hold_the_same_images(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    labels = np.array([7, 2], dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels, x_test=images[:1], y_test=labels[:1])
    for prefix, part in {"train": slice(2), "t10k": slice(1)}.items():
        header = struct.pack(">4B3I", 0, 0, 8, 3, *images[part].shape)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(header + images[part].tobytes())
        header = struct.pack(">4B1I", 0, 0, 8, 1, len(labels[part]))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels[part].tobytes()))
    npz, idx = read_image_data(tmp_path / "d.npz"), read_image_data(tmp_path / "train-images-idx3-ubyte")
    for name in ("x_train", "y_train", "x_test", "y_test"):
        assert np.array_equal(getattr(npz, name), getattr(idx, name))
    assert npz.x_train.dtype == np.float32
    assert npz.x_train[1, 8] == np.float32(17 / 255)


def test_files_that_are_no_images_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=np.zeros(1))
    with pytest.raises(ValueError, match="y_train"):
        read_image_data(tmp_path / "d.npz")
    (tmp_path / "train-images").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"does not start as an IDX file"):
        read_image_data(tmp_path / "train-images")


def test_stored_mnist_networks_have_the_accuracy_the_readme_gives(image_data: Path) -> None:
    data = read_image_data(image_data / "mnist.npz")
    session = onnxruntime.InferenceSession(FOLDER / "networks/mnist-2x50.onnx", providers=["CPUExecutionProvider"])
    scores = [session.run(None, {"X": image[None]})[0] for image in data.x_test]
    assert np.mean(np.concatenate(scores).argmax(axis=1) == data.y_test) == pytest.approx(0.9749, abs=5e-4)
