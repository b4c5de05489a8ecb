"""The joined matrix is what summing the blocks entry by entry gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from formulations.errors import FormulationError
from formulations.row_blocks import VANISHED, RowBlocks

COLUMNS = 7


@given(seed=st.integers(0, 2**32 - 1), blocks=st.integers(0, 5))
def test_blocks_are_joined_like_dense_rows(seed: int, blocks: int) -> None:
    generator = np.random.default_rng(seed)
    rows, expected = RowBlocks(), []
    for _ in range(blocks):
        height = int(generator.integers(0, 4))
        dense = np.zeros((height, COLUMNS))
        terms = []
        for _ in range(int(generator.integers(1, 4))):
            diagonal = generator.random() < 0.5
            size = height if diagonal else int(generator.integers(0, 5))
            columns = generator.integers(VANISHED, COLUMNS, size)  # repeated and vanished columns among them
            if diagonal:
                values = generator.integers(-2, 3, size).astype(float)
                entries = np.diag(values)
                terms.append((columns, values))
            else:
                entries = generator.integers(-2, 3, (height, size)).astype(float)
                terms.append((columns, sparse.csr_array(entries)))
            for k, column in enumerate(columns):
                if column != VANISHED:
                    dense[:, column] += entries[:, k]
        assert rows.append(tuple(terms), lower=-1.0, upper=np.full(height, 2.0)) == height
        expected.append(dense)
    matrix = rows.matrix(COLUMNS)
    reference = np.concatenate([np.zeros((0, COLUMNS)), *expected])
    np.testing.assert_array_equal(matrix.toarray(), reference)
    assert matrix.has_canonical_format
    assert matrix.indices.dtype == np.int32
    assert rows.count == reference.shape[0] == sum(map(len, rows.lower)) == sum(map(len, rows.upper))


def test_a_matrix_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(FormulationError, match=r"matrix of shape \(2, 3\)"):
        RowBlocks().append(((np.arange(2), sparse.csr_array(np.ones((2, 3)))),), 0.0, 0.0)
    with pytest.raises(FormulationError, match="diagonal of 3 columns"):
        RowBlocks().append(((np.arange(2), 1.0), (np.arange(3), 1.0)), 0.0, 0.0)
