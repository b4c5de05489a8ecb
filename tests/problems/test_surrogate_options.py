"""Texts that name surrogates, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from activation_patterns import random_perceptron
from solved_domains import LOWER, UPPER

from netopt.errors import InvalidOptionError
from netopt.network.build import from_weights
from netopt.problems.maximization import maximize
from netopt.problems.surrogate.options import Pruning, RelaxedSurrogate, Surrogate, parse_surrogate
from netopt.specification.box import Box


@pytest.mark.parametrize(
    ("text", "rungs", "exact"),
    [
        ("domain-aware:0.8", ["domain-aware:0.8"], False),
        ("lossless", ["lossless"], False),
        ("ladder", ["domain-aware:0.95", "domain-aware:0.9", "domain-aware:0.8", "domain-aware:0.5"], True),
        ("ladder:0.5,0.9", ["domain-aware:0.9", "domain-aware:0.5"], True),
        ("ladder:magnitude:0.9,0", ["magnitude:0.9"], True),
    ],
)
def test_texts_name_surrogates(text: str, rungs: list[str], exact: bool) -> None:
    surrogate = parse_surrogate(text)
    assert isinstance(surrogate, Surrogate)
    assert [pruning.label for pruning in surrogate.rungs] == rungs
    assert surrogate.exact is exact


def test_texts_name_relaxed_surrogates() -> None:
    assert parse_surrogate("relaxed") == RelaxedSurrogate(None)
    assert parse_surrogate("relaxed:0.3") == RelaxedSurrogate(0.3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("magnitude:1", r"\[0, 1\)"),
        ("magnitude:-0.1", r"\[0, 1\)"),
        ("magnitude:nan", r"\[0, 1\)"),
        ("magnitude", "METHOD:RATE"),
        ("best:0.5", "unknown"),
        ("ladder:", "not a rate"),
        ("ladder:0.9,x", "not a rate"),
        ("ladder:1.5", r"\[0, 1\)"),
        ("ladder:best:0.5", "unknown"),
        ("ladder:0", "no pruned network"),
        ("relaxed:1", r"\[0, 1\)"),
        ("relaxed:", "not a rate"),
    ],
)
def test_other_texts_are_refused(text: str, words: str) -> None:
    network = from_weights([np.eye(1)], [np.zeros(1)])
    with pytest.raises(InvalidOptionError, match=words):
        maximize(network, Box(np.zeros(1), np.ones(1)), isolate=False, prune=text)


def test_no_good_cuts_need_binaries() -> None:
    perceptron = random_perceptron(np.random.default_rng(0), [2, 6, 4, 1])
    surrogate = Surrogate(rungs=(Pruning("magnitude", 0.0),), no_good=True)
    with pytest.raises(InvalidOptionError, match="binaries"):
        maximize(
            perceptron.network,
            Box(LOWER, UPPER),
            isolate=False,
            formulation="triangle",
            bounds="interval",
            prune=surrogate,
        )
