from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ticket_cases import box_of, convolutional, perceptron

from netopt.errors import InputError, InvalidOptionError
from netopt.specification.box import Box
from netopt.subset_sum.search import Effort
from netopt.ticket import memory
from netopt.ticket.masks import load_ticket, save_masks
from netopt.ticket.quality import measure_quality
from netopt.ticket.sizes import measure_sizes
from netopt.ticket.ticket import find_ticket

QUICK = Effort(width=16, subsets=1, flips=10, rounds=0)


def test_a_ticket_follows_from_its_seed_and_its_masks(tmp_path: Path) -> None:
    for target, dimension, scale in ((perceptron(), None, None), (convolutional(), 2, 8.0)):
        domain = box_of(target, -1.0)
        found = find_ticket(target, 8, scale=scale, seed=7, dimension=dimension, domain=domain, effort=QUICK)
        assert (
            find_ticket(target, 8, scale=scale, seed=7, dimension=dimension, domain=domain, effort=QUICK).network.sha256
            == found.network.sha256
        )
        assert (
            find_ticket(target, 8, scale=scale, seed=8, dimension=dimension, domain=domain, effort=QUICK).network.sha256
            != found.network.sha256
        )
        save_masks(found, tmp_path / "masks.npz")
        again = load_ticket(target, tmp_path / "masks.npz")
        assert again.network.sha256 == found.network.sha256
        assert (again.width, again.scale, again.seed, again.size, again.dimension) == (8, scale, 7, None, dimension)
        assert again.certificate().output.tolist() == found.certificate().output.tolist()


def test_masks_of_another_target_or_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "masks.npz"
    save_masks(find_ticket(perceptron(), 8, effort=QUICK), path)
    with pytest.raises(InputError, match="not for the one at hand"):
        load_ticket(perceptron(1), path)
    with np.load(path) as arrays:
        content = dict(arrays)
    np.savez(path, **(content | {"width": np.array(9)}))
    with pytest.raises(InputError, match="do not fit"):
        load_ticket(perceptron(), path)
    np.savez(path, **(content | {"scale/layer1.affine": np.array(-1.0)}))
    with pytest.raises(InputError, match="not a positive number"):
        load_ticket(perceptron(), path)
    np.savez(path, **{name: array for name, array in content.items() if name != "scale/layer1.affine"})
    with pytest.raises(InputError, match="layer1"):
        load_ticket(perceptron(), path)
    path.write_bytes(b"masks")
    with pytest.raises(InputError, match="written by netopt"):
        load_ticket(perceptron(), path)


def test_subsets_of_a_fixed_size_have_that_size() -> None:
    target = perceptron()
    found = find_ticket(target, 24, size=6, domain=box_of(target, 0.0), effort=QUICK)
    for one in (*found.found.maps, *found.found.biases):
        assert (one.subsets.kept.sum(axis=1) == 6).all()
    x = np.random.default_rng(0).uniform(size=(500, 4))
    assert (np.abs(found.network.forward(x) - target.forward(x)) <= found.certificate().output).all()


def test_quality_stands_beside_the_empty_subset_and_the_limit() -> None:
    target = perceptron()
    qualities = measure_quality(find_ticket(target, 200, domain=box_of(target, -1.0), effort=QUICK).found)
    assert [one.key for one in qualities][:2] == ["layer1.affine", "output.affine"]
    assert qualities[0].problems == 8  # four inputs, two signs each
    assert qualities[1].problems == 5
    for one in qualities:
        assert one.relative_error < 0.2
        assert one.deviation < 0.5 * one.empty_deviation
        assert one.limit < one.deviation
        assert 140 < one.candidates < 260


def test_sizes_are_those_of_the_networks() -> None:
    target = perceptron()
    found = find_ticket(target, 10, domain=box_of(target, 0.0), effort=QUICK)
    sizes = measure_sizes(found.found, found.domain)
    # 4 -> 5 -> 3 with 20 channels of U for each input channel, and 20 for each layer's constant
    assert sizes.random.neurons == 80 + 100 + 20 + 20 + 5
    assert sizes.random.weights == 80 * 4 + 80 * 5 + 100 * 5 + 100 * 3 + 20 * (1 + 5) + 20 * (1 + 3)
    assert sizes.ticket.neurons == found.network.relu_count
    assert sizes.ticket.unstable <= 5
    assert sizes.reduced.neurons <= 5
    assert sizes.target.neurons == 5
    assert sizes.network.relu_count == sizes.reduced.neurons


def test_without_a_domain_inputs_are_between_minus_one_and_one() -> None:
    found = find_ticket(perceptron(), 8, effort=QUICK)
    assert found.domain.lower.tolist() == [-1.0] * 4
    assert found.domain.upper.tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width is 0; give a whole number, at least 1"),
        ({"scale": 0.0}, "not a positive number"),
        ({"scale": np.inf}, "not a positive number"),
        ({"seed": -1}, "seed is -1; give a whole number, at least 0"),
        ({"size": 0}, "cannot be kept"),
        ({"size": 5}, "half the width"),
        ({"dimension": 0}, "dimension is 0; give a whole number, at least 1"),
        ({"device": "tpu"}, "unknown device"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        find_ticket(perceptron(), **({"width": 8} | options))  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        (np.zeros(3), np.ones(3), "has 3 inputs"),
        (np.ones(4), np.zeros(4), "empty"),
    ],
)
def test_domains_that_cannot_be_used_are_refused(lower: np.ndarray, upper: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_ticket(perceptron(), 8, domain=Box(lower, upper))


def test_weights_that_are_not_finite_and_too_little_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = perceptron()
    first = network.affines[0]
    spoilt = replace(first, bias=np.full(first.size, np.nan))
    broken = network.with_nodes(tuple(spoilt if node is first else node for node in network.nodes))
    with pytest.raises(InputError, match="not finite"):
        find_ticket(broken, 8)
    with pytest.raises(InputError, match=r"GB are free; choose a smaller width"):
        find_ticket(perceptron(), 10**12)
    needed = memory.ticket_memory
    monkeypatch.setattr(memory, "ticket_memory", lambda *given: needed(*given) + 10**15)
    with pytest.raises(InputError, match="GB are free"):
        find_ticket(perceptron(), 8)
