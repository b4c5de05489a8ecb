from typing import Any

import numpy as np
import pandas as pd
import pytest

from netopt.embedding.entries import input_entries, output_entries
from netopt.errors import InputError


def as_given(values: Any) -> Any:
    return values


@pytest.mark.parametrize(
    ("values", "shape", "vector"),
    [
        (["a", "b", "c"], (1, 3), True),
        (("a", "b", "c"), (1, 3), True),
        (np.array(["a", "b", "c"], dtype=object), (1, 3), True),
        ({"first": "a", "second": "b", "third": "c"}, (1, 3), True),
        (pd.Series(["a", "b", "c"], dtype=object), (1, 3), True),
        ([["a", "b", "c"], ["d", "e", "f"]], (2, 3), False),
        ([["a", "b", "c"]], (1, 3), False),
        (pd.DataFrame([["a", "b", "c"], ["d", "e", "f"]], dtype=object), (2, 3), False),
        ({(0, 0): "a", (0, 1): "b", (0, 2): "c", (1, 0): "d", (1, 1): "e", (1, 2): "f"}, (2, 3), False),
        ([{"x": "a", "y": "b", "z": "c"}, {"x": "d", "y": "e", "z": "f"}], (2, 3), False),
    ],
)
def test_every_container_gives_its_entries_in_order(values, shape, vector) -> None:
    array, one = input_entries(values, 3, as_given)
    assert array.shape == shape
    assert one is vector
    assert array.ravel().tolist() == list("abcdef")[: array.size]


def test_a_single_variable_serves_a_network_of_one_input() -> None:
    array, vector = input_entries("x", 1, as_given)
    assert array.tolist() == [["x"]]
    assert vector


@pytest.mark.parametrize("values", [[], [[]], np.zeros((2, 3, 1)), [["a", "b", "c"], "d"], np.zeros((0, 3))])
def test_other_shapes_are_refused(values) -> None:
    with pytest.raises(InputError):
        input_entries(values, 3, as_given)


def test_outputs_fit_rows_and_outputs() -> None:
    assert output_entries(["a", "b"], 2, 1, as_given).shape == (2, 1)
    assert output_entries(["a", "b"], 1, 2, as_given).shape == (1, 2)
    assert output_entries("a", 1, 1, as_given).shape == (1, 1)
    for values, rows, size in [(["a", "b"], 2, 2), (["a", "b", "c", "d"], 2, 2), ([["a"], ["b"]], 1, 2)]:
        with pytest.raises(InputError, match="y has shape"):
            output_entries(values, rows, size, as_given)
