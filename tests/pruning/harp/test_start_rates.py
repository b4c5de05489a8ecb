"""Rates to begin with: they meet the share asked for, and follow their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from bound_cases import random_network
from hypothesis import given
from hypothesis import strategies as st

from netopt.errors import InvalidOptionError
from netopt.network.build import from_weights
from netopt.network.network import Network
from netopt.pruning.harp.starts import STARTS, start_rates
from netopt.pruning.prune import prune
from netopt.pruning.weights import prunable_maps


def sizes_of(network: Network) -> np.ndarray:
    return np.array([part.weights.size for part in prunable_maps(network)], dtype=float)


@given(st.sampled_from(sorted(STARTS)), st.floats(0.01, 1.0), st.integers(0, 5))
def test_the_share_kept_is_met(start: str, keep: float, seed: int) -> None:
    network = random_network(seed, (9, 30, 7, 2))
    rates = start_rates(network, keep, start)
    values, sizes = np.array(list(rates.values())), sizes_of(network)
    assert list(rates) == [part.key for part in prunable_maps(network)]
    assert ((values >= 0.0) & (values <= 1.0)).all()
    assert values @ sizes == pytest.approx(keep * sizes.sum(), abs=0.51 if start == "lamp" else 1e-9)


def test_lamp_leaves_what_pruning_by_lamp_leaves() -> None:
    network = random_network(1, (9, 30, 7, 2))
    mask = prune(network, "lamp", 0.5).mask
    assert start_rates(network, 0.5, "lamp") == {key: kept.mean() for key, kept in mask.kept.items()}


def test_erk_is_in_proportion_to_the_sum_over_the_product_of_sizes() -> None:
    network = random_network(1, (9, 30, 7, 2))
    rates = np.array(list(start_rates(network, 0.05, "erk").values()))
    density = np.array([(9 + 30) / 270, (30 + 7) / 210, (7 + 2) / 14])
    np.testing.assert_allclose(rates / rates[0], density / density[0])


def test_erk_caps_layers_that_would_keep_more_than_all() -> None:
    network = random_network(1, (9, 30, 7, 2))
    rates = start_rates(network, 0.5, "erk")
    assert list(rates.values())[-1] == 1.0
    np.testing.assert_allclose(np.array(list(rates.values())) @ sizes_of(network), 0.5 * 494)


def test_other_starts_and_shares_are_refused() -> None:
    network = from_weights([[[1.0]]], [[0.0]])
    with pytest.raises(InvalidOptionError, match="choose one of uniform, lamp, erk"):
        start_rates(network, 0.5, "best")
    with pytest.raises(InvalidOptionError, match="not in"):
        start_rates(network, 0.0)
