"""Training data, memory and pictures of a HARP training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bound_cases import random_network

from netopt.errors import InputError, InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.network import Network, TensorSpec
from netopt.pruning.harp.data_file import read_data
from netopt.pruning.harp.memory import check_memory, estimate_memory
from netopt.pruning.harp.options import HarpOptions
from netopt.pruning.harp.picture import check_picture, draw_rates
from netopt.pruning.harp.result import HarpResult
from netopt.pruning.harp.state import Epoch
from netopt.pruning.prune import prune


@pytest.fixture
def network() -> Network:
    """Two channels of 3 x 4 pixels to two classes."""
    plain = from_weights([np.ones((2, 24))], [np.zeros(2)])
    return replace(plain, inputs=(TensorSpec("x", (1, 2, 3, 4)),))


def file_of(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "data.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    return folder / "data.npz"


def test_bytes_are_divided_by_255_and_channels_turned_to_the_networks_order(tmp_path: Path, network: Network) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 4), dtype=np.uint8)
    labels = np.array([[0], [1], [0], [1], [1]])
    path = file_of(tmp_path, x_train=np.moveaxis(images, 1, -1), y_train=labels, x_test=images, y_test=labels)
    training, tests = read_data(path, network, most_tests=3)
    assert tests is not None
    np.testing.assert_array_equal(training.images, images.reshape(5, 24).astype(np.float32) / 255.0)
    assert training.labels.tolist() == [0, 1, 0, 1, 1]
    np.testing.assert_array_equal(tests.images, training.images[:3])


def test_vectors_and_other_names_are_taken_as_they_are(tmp_path: Path, network: Network) -> None:
    images = np.random.default_rng(0).random((6, 24))
    training, tests = read_data(file_of(tmp_path, images=images, labels=np.arange(6) % 2), network, most=4)
    assert tests is None
    np.testing.assert_array_equal(training.images, images[:4])
    assert training.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"pictures": np.zeros((3, 24))}, "holds pictures, not x_train and y_train or images and labels"),
        ({"images": np.zeros((3, 23)), "labels": np.zeros(3, int)}, "not points of the network's 24 inputs"),
        ({"images": np.zeros((3, 4, 3, 2)), "labels": np.zeros(3, int)}, r"takes images of shape \(2, 3, 4\)"),
        ({"images": np.zeros((0, 24)), "labels": np.zeros(0, int)}, "not points of the network's 24 inputs"),
        ({"images": np.full((3, 24), np.nan), "labels": np.zeros(3, int)}, "holds 72 values that are no finite"),
    ],
)
def test_wrong_data_is_refused(tmp_path: Path, network: Network, arrays: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_data(file_of(tmp_path, **arrays), network)


def test_files_of_another_kind_are_refused(tmp_path: Path, network: Network) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.save(tmp_path / "one.npy", np.zeros(3))
    objects = file_of(tmp_path, images=np.array([{}, {}], dtype=object), labels=np.zeros(2, int))
    for path, sentence in (
        (tmp_path / "text.npz", "npz"),
        (tmp_path / "one.npy", "one array"),
        (objects, "as numbers"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_data(path, network)
    with pytest.raises(InputError, match="cannot be read"):
        read_data(tmp_path / "absent.npz", network)


def test_memory_grows_with_all_that_takes_some() -> None:
    network, options = random_network(0, (9, 30, 7, 2)), HarpOptions(keep=0.1)
    base = estimate_memory(network, options, 1000)
    assert estimate_memory(random_network(0, (9, 60, 7, 2)), options, 1000) > base
    assert estimate_memory(network, replace(options, batch=256), 1000) > base
    assert estimate_memory(network, replace(options, loss="trades"), 1000) > base
    assert estimate_memory(network, options, 2000) > base
    assert estimate_memory(network, options, 1000, 500) > base


def test_too_little_memory_is_refused_with_the_estimate() -> None:
    check_memory(3 * 2**30, 3 * 2**30)
    with pytest.raises(InvalidOptionError, match=r"needs about 3\.00 GB of memory and 2\.50 GB are free"):
        check_memory(3 * 2**30, 5 * 2**29)


def test_a_picture_of_rates(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    network = random_network(0, (4, 5, 2))
    pruned = prune(network, "magnitude", 0.5)
    history = tuple(Epoch("prune", k, 1.0, 0.5, 0.1, 0.3, 0.01, (0.1 + 0.1 * k, 0.4)) for k in range(3))
    result = HarpResult(pruned.network, network, pruned.mask, {"a": 0.3, "b": 0.4}, 0.5, 0.5, history)
    for shown, name in ((result, "learned.png"), (replace(result, history=()), "fixed.svg")):
        check_picture(tmp_path / name)
        draw_rates(shown, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    with pytest.raises(InputError, match="names no kind of picture"):
        check_picture(tmp_path / "rates.docx")
    with pytest.raises(InputError, match="cannot be written"):
        draw_rates(result, tmp_path / "absent" / "rates.png")
