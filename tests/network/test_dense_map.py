"""Dense maps as CSR and in digests."""

import numpy as np
import pytest
from scipy import sparse

from netopt.network.build import from_weights
from netopt.network.dense import Dense


@pytest.mark.parametrize("zeros", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("rows", [None, np.array([3, 0]), np.array([], dtype=int)])
def test_csr_is_scipys_own(zeros, rows) -> None:
    generator = np.random.default_rng(0)
    weight = np.where(generator.random((5, 4)) < zeros, 0.0, generator.normal(size=(5, 4)))
    found = Dense(weight).to_csr(rows)
    expected = sparse.csr_array(weight if rows is None else weight[rows])
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
        assert getattr(found, part).dtype == getattr(expected, part).dtype


def test_csr_shares_no_memory_with_the_weights() -> None:
    weight = np.ones((2, 2))
    Dense(weight).to_csr().data[:] = 7.0
    assert (weight == 1.0).all()


def test_the_digest_names_the_weights() -> None:
    def digest(weight: list[list[float]], bias: float = 0.0) -> str:
        return from_weights([weight], [[bias]]).sha256

    assert digest([[1.0, 2.0]]) == digest([[1.0, 2.0]])
    assert len({digest([[1.0, 2.0]]), digest([[2.0, 1.0]]), digest([[1.0, 2.0]], 1.0), digest([[0.0, 2.0]])}) == 4
