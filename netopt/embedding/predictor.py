"""`add_predictor_constr`: a trained network as a constraint of somebody's model."""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.formulation import Formulation
from formulations.registry import FORMULATIONS
from netopt.arrays import IntArray
from netopt.bounds.preactivation import LEVELS, PreactivationBounds
from netopt.embedding.adapter import ModelAdapter, adapt
from netopt.embedding.copying import Copier
from netopt.embedding.forms import affine_forms
from netopt.embedding.fragment import Recipe
from netopt.embedding.prediction import PredictorConstraint, Wiring, package
from netopt.embedding.request import read_request
from netopt.embedding.scaling import read_scaling
from netopt.embedding.sparse import parse_sparse
from netopt.embedding.stacking import Copy, Mapping, stack
from netopt.embedding.trust_region import TrustRegion
from netopt.errors import InvalidOptionError, UnsupportedModelError
from netopt.network.load import load_network
from netopt.network.network import Network
from netopt.problems.inputs import as_formulation


def add_predictor_constr(
    model: Any,
    predictor: Any,
    x: Any,
    y: Any = None,
    *,
    formulation: str | Formulation = "big-m",
    input_bounds: Any = None,
    bounds: str | PreactivationBounds = "crown",
    input_scaling: Any = None,
    output_scaling: Any = None,
    trust_region: TrustRegion | None = None,
    surrogate: str | None = None,
    name: str | None = None,
) -> PredictorConstraint:
    r"""Add ``y == predictor(x)`` to a model.

    Parameters
    ----------
    model : a Pyomo model or block, a ``gurobipy.Model``, a ``highspy.Highs`` or a ``pyscipopt.Model``.
    predictor : path of an ONNX file, a `Network`, a torch module, or a scikit-learn multilayer perceptron.
    x : the network's n inputs, (n,), or several rows of inputs, (rows, n), each of which gets a copy of the network.
        A sequence, array, mapping or the library's own container (``MVar``, indexed ``Var``, …) of variables, linear
        expressions and numbers.
    y : variables (or linear expressions) for the outputs, (m,) or (rows, m); None creates variables.
    formulation : a name (`formulations.registry.FORMULATIONS`, e.g. ``"partition:4"``) or a `Formulation`.
    input_bounds : pair (lower, upper) in the user's units, each a number, (n,) or (rows, n), or a `Box`. Intersected
        with the variables' own bounds, and enforced by rows where tighter than these.
    bounds : level of the pre-activation bounds, ``"interval"``, ``"crown"``, ``"alpha-crown"``, ``"lp"`` or ``"milp"``;
        or bounds computed before, which must hold over every x the model allows.
    input_scaling : the network sees ``(x - offset) / factor``; a pair (offset, factor) or a fitted scikit-learn scaler.
    output_scaling : ``y = offset + factor * network output``; likewise.
    trust_region : a `DataBox` or `DataHull` (in the user's units) that x must lie in.
    surrogate : ``METHOD:RATE``, e.g. ``"domain-aware:0.8"``: the constraint holds a sparse network, the predictor
        pruned by a fraction RATE for the box x lives in, and reduced. `PredictorConstraint.get_error` says how far its
        answer is from the predictor's; `netopt.solve_with_surrogate` gives answers that hold for the predictor itself.
    name : prefix of the names of new columns and rows; network1, network2, … when None.

    Returns
    -------
    PredictorConstraint

    Raises
    ------
    InputError
        The shapes do not fit, a variable has no finite range, the scaling or the predictor cannot be used.
    UnsupportedModelError
        The library has no SOS1 sets or indicator rows, which the formulation needs.
    formulations.errors.FormulationError
        The formulation is unknown or cannot write a layer.

    Notes
    -----
    The rows are valid for the variables' bounds at the time of the call. Bounds may be narrowed later; before widening
    them, remove the network and add it again.

    Examples
    --------
    >>> import highspy
    >>> from netopt.embedding import add_predictor_constr
    >>> from netopt.network.build import from_weights
    >>> network = from_weights([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])  # |x|
    >>> model = highspy.Highs()
    >>> model.silent()
    >>> x = model.addVariable(lb=-2.0, ub=1.0)
    >>> prediction = add_predictor_constr(model, network, [x])
    >>> _ = model.maximize(prediction.output[0])
    >>> prediction.output_values.round(6).tolist()
    [2.0]
    """
    adapter = adapt(model)
    form = _formulation(formulation, adapter)
    sparse = None if surrogate is None else parse_sparse(surrogate)
    network = load_network(predictor)
    _check_bounds(bounds, network)
    before = read_scaling(input_scaling, network.input_size, "input_scaling")
    after = read_scaling(output_scaling, network.output_size, "output_scaling")
    adapter.prepare()
    request = read_request(adapter, network, x, y, input_bounds, trust_region)
    recipe = Recipe(form, before, after, trust_region)
    copies = Copier(network, request, bounds, recipe, sparse).copies()
    insertion, mappings = stack(copies, request.variables, adapter.reserve_name(name))
    inserted = adapter.insert(insertion)
    output, outputs = y, request.outputs
    if outputs is None:
        created = inserted.variables(_created_columns(copies, mappings))
        outputs = affine_forms(created, adapter.split, adapter.key)
        output = package(adapter, created, None if request.vector else len(copies))
    wiring = Wiring(adapter, insertion.name, request, outputs, bounds, recipe, sparse, tuple(mappings), [inserted])
    return PredictorConstraint(x, output, network, insertion.name, tuple(copy.fragment for copy in copies), wiring)


def _formulation(formulation: str | Formulation, adapter: ModelAdapter) -> Formulation:
    form = as_formulation(formulation)
    missing = form.requires - adapter.row_kinds
    if missing:
        others = ", ".join(sorted(name for name, kind in FORMULATIONS.items() if kind.requires <= adapter.row_kinds))
        raise UnsupportedModelError(
            f"{adapter.library} has no {' or '.join(sorted(missing))} constraints, which formulation {form.name} needs;"
            f" take one of {others}"
        )
    return form


def _check_bounds(bounds: str | PreactivationBounds, network: Network) -> None:
    if isinstance(bounds, str):
        if bounds not in LEVELS:
            raise InvalidOptionError(f"bounds={bounds!r} is unknown; choose one of {', '.join(LEVELS)}")
    else:
        bounds.require(network)


def _created_columns(copies: list[Copy], mappings: list[Mapping]) -> IntArray:
    return np.concatenate([mapping[copy.fragment.outputs] for mapping, copy in zip(mappings, copies, strict=True)])
