"""The file of a proof: ``.npz`` arrays with a header, nothing pickled.

==========================  ============================================================================================
``header``                  JSON: format, digests of network, property and all the other arrays, what is only trusted
``bounded``                 (k, 2) case and disjunct that CROWN over the whole domain closes
``tree/...``                `netopt.proof.forest.Forest`: the splits of all searches
``leaf/...``                `netopt.proof.closed_parts.ClosedParts`: what closes which disjunct over which part
``bounds/CASE/SIDE/NAME``   pre-activation bounds that the proofs of a case rest on, and that are only trusted
==========================  ============================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netopt.archive import arrays_of, under, write_arrays
from netopt.arrays import FloatArray, IntArray
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.proof.closed_parts import ClosedParts
from netopt.proof.digest import content_digest, property_digest
from netopt.proof.forest import Forest
from netopt.proof.gather import closed_by_trees, gather
from netopt.proof.recorder import ProofRecorder
from netopt.specification.property import Property

#: Version of the format.
FORMAT = 1
#: How a proof is made, for messages.
REMEDY = "make it with 'netopt verify --proof FILE'"

Pairs = dict[str, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class ProofLog:
    """The content of a proof file.

    Attributes
    ----------
    network_sha256, property_sha256 : what it is about.
    bounded : (k, 2) case and disjunct that bounds over the whole domain close.
    forest, leaves : the searches.
    claims : (case, disjunct) -> who claims that no input satisfies it.
    levels : case -> level of the pre-activation bounds below.
    bounds : case -> Relu -> (lower, upper).
    """

    network_sha256: str
    property_sha256: str
    bounded: IntArray
    forest: Forest
    leaves: ClosedParts
    claims: dict[tuple[int, int], str]
    levels: dict[int, str]
    bounds: dict[int, Pairs]


def proof_log(recorder: ProofRecorder, network: Network, prop: Property) -> ProofLog:
    """Return what a call recorded, without what proves nothing."""
    forest, leaves = gather(recorder.trees)
    proved = set(recorder.bounded) | closed_by_trees(forest, leaves)
    used = set(forest.case.tolist())
    given = {case: entry for case, entry in recorder.bounds.items() if case in used and entry[1]}
    return ProofLog(
        network.sha256,
        property_digest(prop),
        np.array(recorder.bounded, dtype=np.int64).reshape(-1, 2),
        forest,
        leaves,
        {goal: method for goal, method in recorder.trusted.items() if goal not in proved},
        {case: level for case, (level, _) in given.items()},
        {case: pairs for case, (_, pairs) in given.items()},
    )


def write_log(path: Path, log: ProofLog) -> None:
    """Write a proof.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    arrays: dict[str, Any] = {"bounded": log.bounded}
    arrays |= {f"tree/{field.name}": getattr(log.forest, field.name) for field in fields(Forest)}
    arrays |= {f"leaf/{field.name}": getattr(log.leaves, field.name) for field in fields(ClosedParts)}
    for case, pairs in log.bounds.items():
        for name, (lower, upper) in pairs.items():
            arrays |= {f"bounds/{case}/lower/{name}": lower, f"bounds/{case}/upper/{name}": upper}
    header = {
        "format": FORMAT,
        "network_sha256": log.network_sha256,
        "property_sha256": log.property_sha256,
        "claims": [[*goal, method] for goal, method in log.claims.items()],
        "levels": [[case, level] for case, level in log.levels.items()],
        "content_sha256": content_digest(arrays),
    }
    write_arrays(path, {"header": np.array(json.dumps(header)), **arrays}, "the proof")


def read_log(path: Path) -> ProofLog:
    """Read a proof.

    Raises
    ------
    InputError
        The file is not a proof of this format, or its arrays are not those it was written with.
    """
    with arrays_of(path, "a proof", REMEDY) as content:
        header = json.loads(str(content.pop("header")))
        if header["format"] != FORMAT:
            raise ValueError(f"it has format {header['format']}, this netopt reads {FORMAT}")
        if content_digest(content) != header["content_sha256"]:
            raise ValueError("its content is not what was written")
        return ProofLog(
            str(header["network_sha256"]),
            str(header["property_sha256"]),
            content["bounded"],
            Forest(**under("tree/", content)),
            ClosedParts(**under("leaf/", content)),
            {(int(case), int(disjunct)): str(method) for case, disjunct, method in header["claims"]},
            {int(case): str(level) for case, level in header["levels"]},
            _bounds(content),
        )


def _bounds(content: Mapping[str, Any]) -> dict[int, Pairs]:
    bounds: dict[int, Pairs] = {}
    for name, lower in under("bounds/", content).items():
        case, side, relu = name.split("/", 2)
        if side == "lower":
            bounds.setdefault(int(case), {})[relu] = (lower, content[f"bounds/{case}/upper/{relu}"])
    return bounds


def check_shapes(log: ProofLog, network: Network, prop: Property) -> None:
    """Check that the arrays of a proof fit each other, the network and the property.

    Raises
    ------
    InputError
        They do not.
    """
    forest, leaves = log.forest, log.leaves
    splits, count, neurons = forest.parent.size, leaves.node.size, leaves.neurons.size
    shapes: list[tuple[NDArray[Any], tuple[int, ...]]] = [
        (log.bounded, (len(log.bounded), 2)),
        (forest.case, (forest.case.size,)),
        (forest.variable, (splits,)),
        (forest.value, (splits,)),
        (leaves.slopes, (len(leaves.slopes), neurons)),
        (leaves.multipliers, (len(leaves.multipliers), neurons)),
        *((rows, (count,)) for rows in (leaves.disjunct, leaves.weights_row, leaves.slope_row, leaves.multiplier_row)),
    ]
    numbers: list[tuple[NDArray[Any], int]] = [
        (log.bounded[..., :1], len(prop.cases)),
        (forest.case, len(prop.cases)),
        (forest.variable[forest.variable >= 0], network.input_size),
        (-1 - forest.variable[forest.variable < 0], network.relu_count),
        (leaves.node, forest.nodes),
        (leaves.neurons, network.relu_count),
        (leaves.weights_row + 1, len(leaves.weights) + 1),
        (leaves.slope_row + 1, len(leaves.slopes) + 1),
        (leaves.multiplier_row + 1, len(leaves.multipliers) + 1),
    ]
    fits = all(array.shape == shape for array, shape in shapes)
    fits = fits and all(array.size == 0 or (array.min() >= 0 and array.max() < limit) for array, limit in numbers)
    if not (fits and forest.well_formed()):
        raise InputError("the arrays of the proof do not fit each other, the network or the property")
