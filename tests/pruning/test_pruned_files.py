from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from bound_cases import unit_box
from pruned_cases import ALL
from scipy import sparse

from netopt.network.load import load_network
from netopt.network.network import INPUT, Network, TensorSpec
from netopt.network.nodes import Affine
from netopt.network.onnx_writer import write_onnx
from netopt.network.sparse import Sparse
from netopt.pruning.agree import agree_at
from netopt.pruning.prune import prune
from netopt.pruning.registry import METHODS
from netopt.specification.box import Box

INSTANCES = Path(__file__).resolve().parents[2] / "instances" / "networks"
PUBLIC = ["acasxu_2023", "collins_rul_cnn_2023", "cora", "eran2021", "mnist_fc", "nn4sys_2023", "oval21"]
PUBLIC += ["rl_benchmarks", "tllverifybench_2023"]


@pytest.mark.parametrize("name", ALL)
def test_a_pruned_network_reads_back_equal(name: str, tmp_path: Path) -> None:
    network, box = ALL[name], unit_box(ALL[name])
    pruned = prune(network, "domain-aware", 0.6, domain=box).network
    write_onnx(pruned, tmp_path / "small.onnx", dtype="float64")
    points = box.sample(np.random.default_rng(0), 20)
    again = load_network(tmp_path / "small.onnx")
    np.testing.assert_allclose(again.forward(points), pruned.forward(points), rtol=1e-12, atol=1e-12)


def test_large_sparse_maps_are_written_compactly(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    matrix = sparse.random_array((4000, 4500), density=0.01, rng=generator, data_sampler=generator.standard_normal)
    affine = Affine("y", (INPUT,), (Sparse(sparse.csr_array(matrix)),), generator.normal(size=4000))
    network = Network((affine,), "y", (TensorSpec("X", (1, 4500)),), (TensorSpec("Y", (1, 4000)),))
    write_onnx(network, tmp_path / "large.onnx", dtype="float64")
    assert (tmp_path / "large.onnx").stat().st_size < 0.1 * 8 * matrix.shape[0] * matrix.shape[1]
    point = generator.normal(size=4500)
    again = load_network(tmp_path / "large.onnx")
    np.testing.assert_allclose(again.forward(point), network.forward(point), rtol=1e-12, atol=1e-12)
    assert again.parameters == network.parameters


def _agrees(network: Network, method: str) -> None:
    center = np.random.default_rng(0).uniform(0.0, 1.0, network.input_size)
    box = Box.ball(center, 0.02)
    pruned = prune(network, method, 0.8 if METHODS[method].takes_rate else 0.0, domain=box).network
    if METHODS[method].averages:
        pruned = agree_at(network, pruned, box.center)
    dense = network.forward(box.center)
    np.testing.assert_allclose(pruned.forward(box.center), dense, rtol=1e-9, atol=1e-12 * np.abs(dense).max())


@pytest.mark.parametrize("path", sorted(INSTANCES.glob("*.onnx")), ids=lambda path: path.stem)
def test_the_instances_are_pruned(path: Path) -> None:
    network = load_network(path)
    for method in METHODS:
        _agrees(network, method)


@pytest.mark.parametrize("benchmark", PUBLIC)
def test_public_networks_are_pruned(vnncomp: Path, benchmark: str) -> None:
    found = sorted((vnncomp / benchmark).rglob("*.onnx*"))
    for path in islice(found, 1):
        network = load_network(path, output="logits")
        for method in ("domain-aware", "global-domain-aware", "neuron-width", "lossless"):
            _agrees(network, method)
