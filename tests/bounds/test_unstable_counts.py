"""Unstable ReLUs on public benchmarks, against figures known from other tools."""

import csv
import statistics

import pytest

from netopt.bounds.crown import crown_bounds
from netopt.bounds.interval import interval_bounds
from netopt.network.load import load_network
from netopt.specification.vnnlib import read_vnnlib


def existing(path):
    return path if path.exists() else path.with_name(path.name + ".gz")


def unstable_counts(folder, network_name=""):
    """Return [(interval, CROWN)] over the instances whose network's name contains `network_name`."""
    networks, counts = {}, []
    with (folder / "instances.csv").open() as file:
        for row in csv.DictReader(file):
            if network_name not in row["onnx"]:
                continue
            if row["onnx"] not in networks:
                networks[row["onnx"]] = load_network(existing(folder / row["onnx"]))
            network = networks[row["onnx"]]
            domain = read_vnnlib(existing(folder / row["vnnlib"])).cases[0].domain
            counts.append(
                (interval_bounds(network, domain).unstable_count, crown_bounds(network, domain).unstable_count)
            )
    return counts


@pytest.mark.parametrize(
    ("benchmark", "network", "interval", "crown"),
    [
        ("mnist_fc", "256x2", 56, 36),
        ("mnist_fc", "256x4", 725, 415),
        ("mnist_fc", "256x6", 1185, 160),
        ("acasxu_2023", "", 262, 250),
    ],
)
def test_median_unstable_counts_reach_the_known_ones(vnncomp, benchmark, network, interval, crown):
    counts = unstable_counts(vnncomp / benchmark, network)
    assert statistics.median(pair[0] for pair in counts) <= interval
    assert statistics.median(pair[1] for pair in counts) <= crown
