from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bound_cases import random_network, unit_box
from pruned_cases import ALL

from netopt.errors import InputError
from netopt.network.nodes import Affine
from netopt.pruning.apply import apply_mask, center_values
from netopt.pruning.mask import Mask
from netopt.pruning.prune import prune
from netopt.pruning.weights import is_structural, prunable_maps


@pytest.mark.parametrize("name", ALL)
def test_a_mask_is_the_same_after_saving_and_loading(name: str, tmp_path: Path) -> None:
    mask = prune(ALL[name], "magnitude", 0.5).mask
    mask.save(tmp_path / "mask.npz")
    again = Mask.load(tmp_path / "mask.npz")
    again.require(ALL[name])
    assert again.kept.keys() == mask.kept.keys()
    assert all(np.array_equal(again.kept[key], kept) for key, kept in mask.kept.items())
    assert (again.method, again.rate, again.network_sha256) == (mask.method, mask.rate, mask.network_sha256)
    assert again.removed == mask.removed


@pytest.mark.parametrize("name", ["deep", "residual", "convolutional"])
def test_a_saved_mask_holds_the_factors(name: str, tmp_path: Path) -> None:
    network = ALL[name]
    pruned = prune(network, "ticket-rescaled", 0.5, domain=unit_box(network))
    assert pruned.mask.factors
    pruned.mask.save(tmp_path / "mask.npz")
    again = Mask.load(tmp_path / "mask.npz")
    assert again.factors == pruned.mask.factors
    used = prune(network, f"mask:{tmp_path / 'mask.npz'}", domain=unit_box(network))
    assert used.mask.factors == pruned.mask.factors
    for found, reused in zip(pruned.network.affines, used.network.affines, strict=True):
        for one, other in zip(found.maps, reused.maps, strict=True):
            np.testing.assert_array_equal(one.to_csr().toarray(), other.to_csr().toarray())
    center = unit_box(network).center
    np.testing.assert_allclose(used.network.forward(center), network.forward(center), rtol=1e-9, atol=1e-9)


def test_factors_that_cannot_be_are_refused(tmp_path: Path) -> None:
    network = random_network(1)
    mask = prune(network, "magnitude", 0.5).mask
    for factors in ({"layer9.affine": 2.0}, {"layer1.affine": -1.0}, {"layer1.affine": np.inf}):
        replace(mask, factors=factors).save(tmp_path / "mask.npz")
        with pytest.raises(InputError, match="give positive factors, for layers that it covers"):
            Mask.load(tmp_path / "mask.npz").require(network)
    np.savez(tmp_path / "vector.npz", method="x", rate=0.5, network_sha256="y", **{"factor/layer1.affine": np.ones(2)})
    with pytest.raises(InputError, match="does not hold a mask written by netopt"):
        Mask.load(tmp_path / "vector.npz")


def test_files_that_hold_no_mask_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    whole = {"method": "x", "network_sha256": "y"}
    np.savez(tmp_path / "rate.npz", rate=1.5, **whole)
    np.savez(tmp_path / "floats.npz", rate=0.5, **whole, **{"kept/a": np.ones(3)})
    for name in ("text", "other", "rate", "floats", "absent"):
        with pytest.raises(InputError, match="does not hold a mask written by netopt"):
            Mask.load(tmp_path / f"{name}.npz")
    mask = prune(random_network(1), "magnitude", 0.5).mask
    with pytest.raises(InputError, match="cannot be written"):
        mask.save(tmp_path / "absent" / "mask.npz")


def test_masks_of_other_networks_are_refused() -> None:
    network = random_network(1)
    mask = prune(network, "magnitude", 0.5).mask
    with pytest.raises(InputError, match="belongs to the network with digest"):
        apply_mask(random_network(2), mask)
    with pytest.raises(InputError, match="do not cover the same layers"):
        apply_mask(network, replace(mask, kept={**mask.kept, "layer9.affine": np.ones(3, dtype=bool)}))
    with pytest.raises(InputError, match=r"the mask of 'layer1.affine' has shape \(2, 2\) and its weights \(7, 4\)"):
        apply_mask(network, replace(mask, kept={**mask.kept, "layer1.affine": np.ones((2, 2), dtype=bool)}))


def test_means_have_to_fit() -> None:
    network = random_network(1)
    mask = prune(network, "magnitude", 0.5).mask
    with pytest.raises(InputError, match=r"needs means of 'input', shape \(4,\); none was given"):
        apply_mask(network, mask, {})
    with pytest.raises(InputError, match=r"an array of shape \(3,\) was given"):
        apply_mask(network, mask, {**center_values(network, unit_box(network)), "input": np.zeros(3)})


@pytest.mark.parametrize("name", ALL)
def test_skips_and_averages_have_no_mask(name: str) -> None:
    network = ALL[name]
    maps = [linear_map for node in network.affines for linear_map in node.maps]
    parts = prunable_maps(network)
    assert len(parts) == len(maps) - sum(is_structural(linear_map) for linear_map in maps)
    assert all(part.key.split(":")[0] == part.node.name for part in parts)
    assert all((":" in part.key) == (len(part.node.maps) > 1) for part in parts)
    expected = {"residual": 1, "convolutional": 1, "pooled": 1}.get(name, 0)
    assert len(maps) - len(parts) == expected


@pytest.mark.parametrize("name", ALL)
def test_a_composed_mask_does_what_both_do(name: str) -> None:
    network = ALL[name]
    box = unit_box(network)
    first = prune(network, "magnitude", 0.6)
    second = prune(first.network, "random", 0.5, seed=3)
    both = first.mask.compose(second.mask, network)
    points = box.sample(np.random.default_rng(0), 20)
    np.testing.assert_allclose(
        apply_mask(network, both).forward(points), second.network.forward(points), rtol=1e-12, atol=1e-12
    )
    assert both.removed >= first.mask.removed
    other = prune(network, "random", 0.3, seed=4).mask
    either = first.mask.compose(other, network)
    assert all(np.array_equal(kept, first.mask.kept[key] & other.kept[key]) for key, kept in either.kept.items())


def test_factors_of_composed_masks_multiply() -> None:
    network = random_network(2, (6, 30, 20, 2))
    first = prune(network, "magnitude", 0.3).mask
    masks = [
        replace(prune(network, "random", 0.3, seed=k).mask, factors=factors)
        for k, factors in enumerate(({"layer1.affine": 2.0, "layer2.affine": 3.0}, {"layer2.affine": 0.5}))
    ]
    both = masks[0].compose(masks[1], network)
    assert both.factors == {"layer1.affine": 2.0, "layer2.affine": 1.5}
    assert first.compose(masks[1], network).factors == {"layer2.affine": 0.5}
    x = np.random.default_rng(0).normal(size=(20, 6))
    whole = apply_mask(network, replace(both, factors={}))
    scale = {"layer1.affine": 2.0, "layer2.affine": 1.5}
    scaled = whole.with_nodes(
        tuple(
            replace(node, maps=tuple(m.scale_rows(np.full(m.out_size, scale.get(node.name, 1.0))) for m in node.maps))
            if isinstance(node, Affine)
            else node
            for node in whole.nodes
        )
    )
    np.testing.assert_allclose(apply_mask(network, both).forward(x), scaled.forward(x), rtol=1e-12)


def test_composing_crosses_from_dense_to_sparse_storage() -> None:
    network = random_network(6, (64, 64, 10))
    first = prune(network, "magnitude", 0.95)
    second = prune(first.network, "magnitude", 0.5)
    assert second.mask.kept["layer1.affine"].shape == (int(first.mask.kept["layer1.affine"].sum()),)
    both = first.mask.compose(second.mask, network)
    points = np.random.default_rng(0).normal(size=(20, 64))
    np.testing.assert_allclose(apply_mask(network, both).forward(points), second.network.forward(points), rtol=1e-12)
    assert both.kept["layer1.affine"].sum() == second.mask.kept["layer1.affine"].sum()
    third = prune(random_network(7, (64, 64, 10)), "magnitude", 0.99)
    wrong = prune(third.network, "magnitude", 0.5).mask
    with pytest.raises(InputError, match="which neither network has there"):
        first.mask.compose(wrong, network)


def test_pruning_keeps_names_sizes_and_order() -> None:
    for network in ALL.values():
        pruned = prune(network, "magnitude", 0.7).network
        assert [(n.name, n.size, n.inputs) for n in pruned.nodes] == [(n.name, n.size, n.inputs) for n in network.nodes]
        assert pruned.sha256 != network.sha256
