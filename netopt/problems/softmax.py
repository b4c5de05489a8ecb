r"""Properties that a trailing softmax leaves as they are.

Softmax keeps the order of its inputs, so ``Y_i - Y_j <= 0`` says the same of the logits; the logarithm of softmax
subtracts one number from every logit, so ``Y_i - Y_j <= c`` does for any c.
Every other row is about the softmax itself.
"""

from __future__ import annotations

import numpy as np

from netopt.arrays import BoolArray
from netopt.errors import InputError
from netopt.specification.property import Conjunction, Property


def check_comparisons(dropped: str, prop: Property) -> None:
    """Refuse a property of which some row does more than compare two outputs.

    Parameters
    ----------
    dropped : ``"softmax"`` or ``"log-softmax"``.

    Raises
    ------
    InputError
        Names the first such row.
    """
    for number, case in enumerate(prop.cases):
        for k, conjunction in enumerate(case.disjuncts):
            wrong = np.flatnonzero(~_unaffected(dropped, conjunction))
            if wrong.size:
                raise InputError(
                    f"the network ends in {dropped} and row {wrong[0] + 1} of case {number + 1}, disjunct {k + 1} does"
                    " more than compare two outputs; state the property on the logits of a network without it"
                )


def _unaffected(dropped: str, conjunction: Conjunction) -> BoolArray:
    """Return which rows mean the same with and without the softmax, (rows,)."""
    matrix = conjunction.output_matrix
    about_inputs = ~matrix.any(axis=1)
    balanced = ((matrix != 0.0).sum(axis=1) == 2) & (matrix.sum(axis=1) == 0.0)
    if dropped != "log-softmax":
        balanced &= conjunction.bound == 0.0
        if conjunction.input_matrix is not None:
            balanced &= np.asarray(abs(conjunction.input_matrix).sum(axis=1)).ravel() == 0.0
    return np.asarray(about_inputs | balanced)
