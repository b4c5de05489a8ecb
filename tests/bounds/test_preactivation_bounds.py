"""Bounds as files, intersected, and checked against the network they are used with."""

from dataclasses import replace

import numpy as np
import pytest
from bound_cases import NETWORKS, random_network, unit_box

from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.bounds.preactivation import PreactivationBounds
from netopt.errors import InputError


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_bounds_come_back(name, tmp_path):
    network = NETWORKS[name]
    bounds = crown_bounds(network, unit_box(network))
    bounds.save(tmp_path / "bounds.npz")
    again = PreactivationBounds.load(tmp_path / "bounds.npz")
    again.require(network)
    assert (again.level, again.network_sha256, again.unstable_count) == (
        "crown",
        network.sha256,
        bounds.unstable_count,
    )
    for relu in network.relus:
        np.testing.assert_array_equal(again.lower[relu.name], bounds.lower[relu.name])
        np.testing.assert_array_equal(again.upper[relu.name], bounds.upper[relu.name])
    np.testing.assert_array_equal(again.output_upper, bounds.output_upper)


def test_intersection_keeps_the_tighter_side():
    network = random_network(0)
    box = unit_box(network)
    interval, crown = interval_bounds(network, box), crown_bounds(network, box)
    shifted = replace(interval, output_lower=crown.output_lower + 0.5, level="milp")
    both = crown.intersect(shifted)
    np.testing.assert_array_equal(both.output_lower, crown.output_lower + 0.5)
    np.testing.assert_array_equal(both.output_upper, crown.output_upper)
    np.testing.assert_array_equal(both.lower["layer2.relu"], crown.lower["layer2.relu"])
    assert both.level == "milp"
    other = random_network(1)
    with pytest.raises(InputError, match="cannot be combined"):
        crown.intersect(crown_bounds(other, box))


def test_union_keeps_the_looser_side():
    network = random_network(0)
    box = unit_box(network)
    interval, crown = interval_bounds(network, box), crown_bounds(network, box)
    shifted = replace(interval, output_lower=crown.output_lower + 0.5, level="milp")
    either = shifted.unite(crown)
    np.testing.assert_array_equal(either.output_lower, crown.output_lower)
    np.testing.assert_array_equal(either.output_upper, interval.output_upper)
    np.testing.assert_array_equal(either.lower["layer2.relu"], interval.lower["layer2.relu"])
    np.testing.assert_array_equal(either.upper["layer2.relu"], interval.upper["layer2.relu"])
    assert either.level == "crown"


def test_bounds_of_another_network_are_refused():
    network = random_network(0)
    bounds = crown_bounds(network, unit_box(network))
    with pytest.raises(InputError, match=f"digest {network.sha256[:12]}, not to the one at hand"):
        bounds.require(random_network(1))
    lacking = replace(bounds, lower={}, upper={})
    with pytest.raises(InputError, match="compute them for this network"):
        lacking.require(network)


def spoil(path, **changes):
    with np.load(path) as data:
        content = {key: data[key] for key in data.files} | changes
    np.savez(path, **{key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": np.array("ibp")}, "unknown level 'ibp'"),
        ({"output_lower": None}, "output_lower"),
        ({"lower/layer1.relu": None}, "one side only"),
        ({"lower/layer1.relu": np.zeros(3)}, "not two float64 vectors"),
        ({"upper/layer2.relu": np.full(6, np.nan)}, "not two float64 vectors"),
        ({"upper/layer2.relu": np.zeros(6, dtype=np.float32)}, "not two float64 vectors"),
        ({"level": np.array([{"an": "object"}])}, "allow_pickle"),
    ],
)
def test_spoiled_files_are_refused(tmp_path, changes, message):
    network = random_network(0)
    path = tmp_path / "bounds.npz"
    crown_bounds(network, unit_box(network)).save(path)
    spoil(path, **changes)
    with pytest.raises(InputError, match=message) as error:
        PreactivationBounds.load(path)
    assert "make it with 'netopt bounds'" in str(error.value)


def test_files_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "other"
    for content in (b"", b"lower 0 upper 1", b"PK\x03\x04 truncated"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="does not hold bounds written by netopt"):
            PreactivationBounds.load(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="does not hold bounds written by netopt"):
        PreactivationBounds.load(path)
    with pytest.raises(InputError, match="No such file"):
        PreactivationBounds.load(tmp_path / "absent.npz")
    network = random_network(0)
    with pytest.raises(InputError, match="cannot be written"):
        crown_bounds(network, unit_box(network)).save(tmp_path / "no" / "folder.npz")
