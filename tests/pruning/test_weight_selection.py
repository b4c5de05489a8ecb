from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netopt.errors import InvalidOptionError
from netopt.pruning.registry import METHODS, check_rate, parse_prune
from netopt.pruning.select import count_removed, keep_best, keep_globally, scaled


@given(st.integers(0, 99), st.integers(1, 100_000))
def test_rates_are_exact_to_one_weight(percent: int, size: int) -> None:
    removed = count_removed(percent / 100, size)
    assert removed == math.floor(Fraction(percent, 100) * size)
    assert removed == count_removed(1.0 - (1.0 - percent / 100), size)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, math.inf]), min_size=1, max_size=30), st.integers(0, 31))
def test_the_best_are_kept_and_of_equal_ones_the_first(scores: list[float], removed: int) -> None:
    kept = keep_best(np.array(scores), removed)
    order = sorted(range(len(scores)), key=lambda k: (-scores[k], k))
    assert np.flatnonzero(kept).tolist() == sorted(order[: max(len(scores) - removed, 0)])


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.99))
def test_compared_over_all_maps_the_total_is_exact_and_no_map_is_emptied_needlessly(seed: int, rate: float) -> None:
    generator = np.random.default_rng(seed)
    scores = {str(k): generator.random((3 * k + 4, 5)) * 10.0 ** (-3 * k) for k in range(4)}
    kept = keep_globally(scores, rate)
    total = sum(value.size for value in scores.values())
    left = total - count_removed(rate, total)
    assert sum(int(value.sum()) for value in kept.values()) == left
    assert sum(bool(value.any()) for value in kept.values()) == min(len(scores), left)
    for key, value in kept.items():
        if value.any() and not value.all():
            assert scores[key][value].min() > scores[key][~value].max()


def test_scaled_scores_compare_across_scales() -> None:
    scores = np.random.default_rng(0).random((6, 5))
    made = scaled({"small": scores * 1e-200, "large": scores * 1e200, "zero": np.zeros(3)})
    np.testing.assert_allclose(made["small"], made["large"])
    assert np.square(made["large"]).mean() == pytest.approx(1.0)
    assert not made["zero"].any()


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0, math.nan, math.inf])
def test_rates_outside_are_refused(rate: float) -> None:
    with pytest.raises(InvalidOptionError, match=r"is not in \[0, 1\)"):
        check_rate(rate)


def test_texts_name_a_method_and_its_rate() -> None:
    assert parse_prune("magnitude:0.9") == ("magnitude", 0.9)
    assert parse_prune("lossless") == ("lossless", 0.0)
    for name, method in METHODS.items():
        assert parse_prune(f"{name}:0.5" if method.takes_rate else name)[0] == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("best:0.5", "pruning method 'best' is unknown; choose one of magnitude, domain-aware"),
        ("magnitude", "names no rate"),
        ("magnitude:", "names no rate"),
        ("magnitude:much", "names no rate"),
        ("magnitude:1", r"is not in \[0, 1\)"),
        ("magnitude:nan", r"is not in \[0, 1\)"),
        ("lossless:0.5", "takes no rate"),
    ],
)
def test_texts_that_name_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        parse_prune(text)
