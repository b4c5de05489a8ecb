r"""Class constraints on an embedded classifier.

A given winner k: ``y_k >= y_j + margin`` for every j. A free winner: binaries ``w`` with ``sum w = 1`` and
``y_k >= y_j + margin - M_kj (1 - w_k)``, where ``M_kj = margin + upper_j - lower_k`` from the bounds of y.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from formulations.milp import MilpBuilder
from netopt.arrays import IntArray
from netopt.checks import check_kind, is_positive
from netopt.embedding.adapter import Inserted, Insertion
from netopt.embedding.forms import AffineForms
from netopt.embedding.prediction import PredictorConstraint
from netopt.errors import InputError

#: Below this a solver's feasibility tolerance could swallow the margin and with it the meaning of the constraint.
LEAST_MARGIN = 1e-5


@dataclass(frozen=True, eq=False)
class ArgmaxConstraint:
    """A class constraint, made by `add_argmax_constr`.

    Attributes
    ----------
    winner : binaries, (classes,) or (rows, classes), 1 at the class that wins; None when the winner was given.
    """

    winner: Any
    _prediction: PredictorConstraint = field(repr=False)
    _inserted: Inserted = field(repr=False)

    def remove(self) -> None:
        """Take the class constraint out of the model; removing the network does so too.

        Raises
        ------
        InputError
            It was removed before.
        """
        present = self._prediction.wiring.inserted
        if self._inserted not in present:
            raise InputError("the class constraint was removed from the model before")
        self._inserted.remove()
        present.remove(self._inserted)


def add_argmax_constr(
    prediction: PredictorConstraint, winner: ArrayLike | None = None, *, margin: float = 1e-4
) -> ArgmaxConstraint:
    """Ask that one class of an embedded classifier wins over every other.

    Parameters
    ----------
    prediction : the embedded classifier; its outputs y are logits (or anything else that grows with them).
    winner : the class that must win: one number, or one a row of x. None creates binaries that say which class wins.
    margin : by how much it must win, in units of y. At least 1e-5: a smaller one is lost in the solver's feasibility
        tolerance, and the network itself may then decide otherwise.

    Raises
    ------
    InputError
        The classifier has fewer than two outputs, there is no such class, the margin is too small, or the network was
        removed.

    Examples
    --------
    >>> import highspy
    >>> from netopt.embedding import add_argmax_constr, add_predictor_constr
    >>> from netopt.network.build import from_weights
    >>> classifier = from_weights([[[1.0], [-1.0]]], [[0.0, 0.0]])  # class 0 for x > 0
    >>> model = highspy.Highs()
    >>> model.silent()
    >>> x = model.addVariable(lb=-1.0, ub=1.0)
    >>> prediction = add_predictor_constr(model, classifier, [x])
    >>> _ = add_argmax_constr(prediction, 0, margin=0.5)
    >>> _ = model.minimize(x)
    >>> round(model.val(x), 6)
    0.25
    """
    check_kind(prediction, PredictorConstraint, "the prediction", "give what add_predictor_constr returned")
    wiring = prediction.wiring
    wiring.check_present()
    rows, classes = len(prediction.fragments), prediction.network.output_size
    if classes < 2:
        raise InputError(f"a class constraint needs at least two outputs, the network has {classes}; bound y instead")
    if not (is_positive(margin) and LEAST_MARGIN <= margin < np.inf):
        raise InputError(f"the margin is {margin!r}; it must be at least {LEAST_MARGIN:g}, above solvers' tolerances")
    builder = MilpBuilder()
    given = builder.add_columns(len(wiring.outputs.variables), lower=-np.inf, name="given")
    if winner is None:
        binaries = _write_free_winner(builder, prediction, given, margin)
    else:
        binaries = np.empty(0, dtype=np.int64)
        _write_winner(builder, wiring.outputs, given, _winners(winner, rows, classes), classes, margin)
    wiring.adapter.prepare()
    name = wiring.adapter.reserve_name(None, stem=f"{prediction.name}.argmax")
    inserted = wiring.adapter.insert(Insertion(wiring.outputs.variables, builder.build(), name))
    wiring.inserted.append(inserted)
    variables = wiring.package(inserted.variables(binaries)) if binaries.size else None
    return ArgmaxConstraint(variables, prediction, inserted)


def _winners(winner: ArrayLike, rows: int, classes: int) -> IntArray:
    array = np.asarray(winner)
    if array.dtype.kind not in "iu" or array.shape not in ((), (1,), (rows,)):
        raise InputError(f"the winner must be one class number, or {rows}, one a row of x; {winner!r} was given")
    if (array < 0).any() or (array >= classes).any():
        raise InputError(f"the winner is {winner!r} and the classes are 0 to {classes - 1}")
    return np.broadcast_to(array, (rows,)).astype(np.int64)


def _write_winner(
    builder: MilpBuilder, outputs: AffineForms, given: IntArray, winners: IntArray, classes: int, margin: float
) -> None:
    """Write ``y_k - y_j >= margin`` for the given k of each row and every other j."""
    row, loser = np.nonzero(np.arange(classes) != winners[:, None])
    difference = _differences(row * classes + winners[row], row * classes + loser, winners.size * classes)
    builder.add_rows(
        (given, sparse.csr_array(difference @ outputs.matrix)),
        lower=margin - difference @ outputs.constant,
        name="winner",
    )


def _write_free_winner(
    builder: MilpBuilder, prediction: PredictorConstraint, given: IntArray, margin: float
) -> IntArray:
    """Write the rows of a free winner and return its binaries, (rows * classes,)."""
    outputs, fragments = prediction.wiring.outputs, prediction.fragments
    rows, classes = len(fragments), prediction.network.output_size
    lower = np.concatenate([fragment.output_lower for fragment in fragments])
    upper = np.concatenate([fragment.output_upper for fragment in fragments])
    binaries = builder.add_columns(rows * classes, upper=1.0, integral=True, name="winner")
    row, first, second = np.nonzero(np.broadcast_to(~np.eye(classes, dtype=bool), (rows, classes, classes)))
    wins, loses = row * classes + first, row * classes + second
    slack = np.maximum(margin + upper[loses] - lower[wins], 0.0)
    difference = _differences(wins, loses, rows * classes)
    builder.add_rows(
        (given, sparse.csr_array(difference @ outputs.matrix)),
        (binaries[wins], -slack),
        lower=margin - slack - difference @ outputs.constant,
        name="wins",
    )
    one = sparse.csr_array(np.kron(np.eye(rows), np.ones((1, classes))))
    builder.add_rows((binaries, one), lower=1.0, upper=1.0, name="one.winner")
    return binaries


def _differences(plus: IntArray, minus: IntArray, size: int) -> sparse.csr_array:
    """Return the matrix whose row k is ``e_plus[k] - e_minus[k]``."""
    count = plus.size
    columns = np.stack([plus, minus], axis=1).ravel()
    data = np.tile([1.0, -1.0], count)
    return sparse.csr_array((data, columns, np.arange(0, 2 * count + 1, 2)), shape=(count, size))
