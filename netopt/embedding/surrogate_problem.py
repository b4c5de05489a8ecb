r"""A user's model as a linear part and networks beside it.

.. math:: \max\; c^T v + c_0 \quad\text{s.t.}\quad b_l \le A v \le b_u,\; l \le v \le u,\; v_j \in \mathbb{Z}
    \ (j \in I),\; Y_k v + y_k = f_k(X_k v + x_k) \text{ for every copy k of a network.}

The linear part holds the user's rows, the ranges the inputs were promised to keep, and trust regions. The networks can
be written into it as rows, dense or sparse, or be evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from formulations.milp import MilpBuilder, MilpModel
from netopt.arrays import FloatArray, IntArray
from netopt.bounds.preactivation import PreactivationBounds
from netopt.embedding.adapter import ModelAdapter, VariableBounds
from netopt.embedding.extraction import Extraction
from netopt.embedding.forms import AffineForms
from netopt.embedding.fragment import Recipe
from netopt.embedding.inputs import InputRow, input_row
from netopt.embedding.prediction import PredictorConstraint
from netopt.embedding.request import Request
from netopt.embedding.scaling import Scaling
from netopt.errors import InputError
from netopt.network.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedNetwork:
    """One `PredictorConstraint` over the columns of the linear part.

    Attributes
    ----------
    region : a row of x -> the columns its trust region brought.
    """

    name: str
    network: Network
    request: Request
    bounds: str | PreactivationBounds
    recipe: Recipe
    region: tuple[IntArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One copy of a network, ``outputs(v) == scaling.unscale(network(w(v)))``.

    Attributes
    ----------
    network : reads the columns w of `row`.
    row : how w comes from the columns v.
    outputs : the entries of y over the columns v.
    scaling : of the outputs.
    """

    network: Network
    row: InputRow
    outputs: AffineForms
    scaling: Scaling

    def answers(self, points: FloatArray) -> FloatArray:
        """Return what the outputs must be at points (batch, columns): (batch, m)."""
        return self.scaling.unscale(self.network.forward(self.row.columns_at(points)))

    def input_matrix(self, columns: int) -> sparse.csr_array:
        """Return M with ``w = M @ v + constant``, (inputs, columns)."""
        own = self.row.variables
        picked = sparse.csr_array((np.ones(own.size), (np.arange(own.size), own)), shape=(own.size, columns))
        return sparse.csr_array(sparse.vstack([picked, self.row.expressions], format="csr"))


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedProblem:
    """What is to be solved.

    Attributes
    ----------
    linear : the linear part; the user's variables come first.
    networks : what is embedded in it.
    """

    linear: MilpModel
    networks: tuple[EmbeddedNetwork, ...]

    @property
    def sign(self) -> float:
        """1 when maximizing, -1 when minimizing: sign * objective is the worth of a point."""
        return 1.0 if self.linear.maximize else -1.0


def read_problem(
    adapter: ModelAdapter, predictions: Sequence[PredictorConstraint]
) -> tuple[Extraction, EmbeddedProblem]:
    """Return the user's variables with the model around them, and the problem.

    Raises
    ------
    InputError
        The model is not linear beside its networks, or a network is not in it.
    """
    for prediction in predictions:
        prediction.wiring.check_present()
        if not adapter.shares_model(prediction.wiring.adapter):
            raise InputError(
                f"network {prediction.name!r} is not in the model that was given; pass the model it was embedded in"
            )
    mentioned = [variable for prediction in predictions for variable in prediction.wiring.request.variables]
    extraction = adapter.extract([prediction.wiring.inserted[0] for prediction in predictions], mentioned)
    for prediction in predictions:
        wiring = prediction.wiring
        held = {wiring.adapter.key(variable) for variable in wiring.outputs.variables}
        inside = {wiring.adapter.key(variable) for variable in wiring.inserted[0].created()} - held
        extraction = extraction.without(inside, prediction.name)
    builder = MilpBuilder()
    model = extraction.model
    v = builder.add_columns(
        model.column_count, lower=model.column_lower, upper=model.column_upper, integral=model.integral, name="v"
    )
    builder.add_rows((v, model.matrix), lower=model.row_lower, upper=model.row_upper, name="row")
    networks = [_read_network(builder, extraction, prediction) for prediction in predictions]
    builder.set_objective(v, model.objective, constant=model.objective_constant, maximize=model.maximize)
    linear = builder.build()
    return extraction, EmbeddedProblem(linear, tuple(_widened(network, linear) for network in networks))


def _read_network(builder: MilpBuilder, extraction: Extraction, prediction: PredictorConstraint) -> EmbeddedNetwork:
    """Return a network over the model's columns, with the rows that are its own but linear written."""
    wiring = prediction.wiring
    inputs = _over_columns(wiring.request.inputs, extraction, wiring.adapter)
    outputs = _over_columns(wiring.outputs, extraction, wiring.adapter)
    model, count, size = extraction.model, wiring.rows, prediction.network.input_size
    lower, upper = wiring.request.entry_lower, wiring.request.entry_upper
    reach = VariableBounds(model.column_lower, model.column_upper)
    rows = [input_row(inputs.rows(k * size, (k + 1) * size), reach, lower[k], upper[k], k) for k in range(count)]
    everything = np.arange(model.column_count)
    held = np.flatnonzero((np.isfinite(lower) | np.isfinite(upper)).ravel() & (np.diff(inputs.matrix.indptr) > 0))
    builder.add_rows(
        (everything, inputs.matrix[held]),
        lower=lower.ravel()[held] - inputs.constant[held],
        upper=upper.ravel()[held] - inputs.constant[held],
        name="input.range",
    )
    region, brought = wiring.recipe.trust_region, []
    for k in range(count):
        first = builder.column_count
        if region is not None:
            entries = inputs.rows(k * size, (k + 1) * size)
            region.encode(builder, everything, entries.matrix, entries.constant)
        brought.append(np.arange(first, builder.column_count))
    request = replace(
        wiring.request, variables=tuple(range(model.column_count)), rows=tuple(rows), inputs=inputs, outputs=outputs
    )
    recipe = replace(wiring.recipe, trust_region=None)
    # levels that solve a program a neuron would not keep to a time limit
    bounds = "crown" if wiring.bounds in ("lp", "milp") else wiring.bounds
    return EmbeddedNetwork(prediction.name, prediction.network, request, bounds, recipe, tuple(brought))


def _over_columns(forms: AffineForms, extraction: Extraction, adapter: ModelAdapter) -> AffineForms:
    columns = np.array(extraction.columns([adapter.key(variable) for variable in forms.variables]), dtype=np.int64)
    coo = forms.matrix.tocoo()
    shape = (forms.matrix.shape[0], extraction.model.column_count)
    matrix = sparse.csr_array((coo.data, (coo.coords[0], columns[coo.coords[1]])), shape=shape)
    return AffineForms(tuple(range(shape[1])), matrix, forms.constant)


def _widened(network: EmbeddedNetwork, linear: MilpModel) -> EmbeddedNetwork:
    """Return a network over the columns of the linear part, trust regions' included."""
    count, request = linear.column_count, network.request
    assert request.outputs is not None
    rows = tuple(replace(row, expressions=_resized(row.expressions, count)) for row in request.rows)
    variables = tuple(range(count))
    inputs = AffineForms(variables, _resized(request.inputs.matrix, count), request.inputs.constant)
    outputs = AffineForms(variables, _resized(request.outputs.matrix, count), request.outputs.constant)
    return replace(network, request=replace(request, variables=variables, rows=rows, inputs=inputs, outputs=outputs))


def _resized(matrix: sparse.csr_array, columns: int) -> sparse.csr_array:
    return sparse.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], columns))


def check_predictions(predictions: Any) -> tuple[PredictorConstraint, ...]:
    """Return the predictions given as a tuple.

    Raises
    ------
    InputError
        They are none, or not what `add_predictor_constr` returned.
    """
    several = isinstance(predictions, Iterable) and not isinstance(predictions, PredictorConstraint)
    given = tuple(predictions) if several else (predictions,)
    if not given:
        raise InputError("no network was given; pass what add_predictor_constr returned")
    for prediction in given:
        if not isinstance(prediction, PredictorConstraint):
            raise InputError(
                f"a {type(prediction).__name__} was given as a network; pass what add_predictor_constr returned"
            )
    if len({id(prediction) for prediction in given}) < len(given):
        raise InputError("a network was given twice; pass each once")
    return given
