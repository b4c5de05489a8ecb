"""From option texts to objects: the domain, and the linear function of the outputs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netopt.arrays import FloatArray
    from netopt.network.network import Network
    from netopt.specification.domain import Domain
    from netopt.specification.property import Property


def read_network(path: Path, *, logits: bool) -> Network:
    """Return the network in a file; `logits` leaves a trailing softmax out."""
    from netopt.network.load import load_network

    return load_network(path, output="logits" if logits else None)


def read_domain(
    network: Network, lower: str | None, upper: str | None, property_file: Path | None, *, enclose: bool = False
) -> Domain:
    """Return the domain that ``--lower`` and ``--upper``, or ``--property``, name.

    Parameters
    ----------
    enclose : take the enclosing box of a property with several input regions, instead of refusing it.

    Raises
    ------
    InputError
        Nothing or too much was given, a value cannot be read, or its size is not the network's.
    """
    from netopt.errors import InputError
    from netopt.specification.box import Box

    if property_file is not None:
        if lower is not None or upper is not None:
            raise InputError("both --property and --lower or --upper were given; give one of the two")
        return _domain_of(read_property(network, property_file), property_file, enclose)
    if lower is None or upper is None:
        raise InputError("the inputs have no bounds; give --lower and --upper, or --property")
    size = network.input_size
    return Box(_vector(lower, size, "--lower", "inputs"), _vector(upper, size, "--upper", "inputs"))


def read_property(network: Network, path: Path) -> Property:
    """Return the property in a file, which has to be about `network`'s inputs and outputs."""
    from netopt.problems.inputs import check_property
    from netopt.specification.vnnlib import read_vnnlib

    prop = read_vnnlib(path)
    check_property(network, prop)
    return prop


def output_weights(network: Network, output: int | None, weights: str | None) -> FloatArray:
    """Return the linear function of the outputs that ``--output`` or ``--weights`` names, (m,).

    Raises
    ------
    InputError
        None or both were given (a network with one output needs none), or one does not fit the network.
    """
    import numpy as np

    from netopt.errors import InputError

    size = network.output_size
    if output is not None and weights is not None:
        raise InputError("both --output and --weights were given; give one of the two")
    if weights is not None:
        return _vector(weights, size, "--weights", "outputs", repeat=False)
    if output is None and size > 1:
        raise InputError(f"the network has {size} outputs; choose one with --output, or give --weights")
    if output is not None and output >= size:
        raise InputError(f"--output is {output} and the network has the outputs 0 to {size - 1}; choose one of them")
    chosen: FloatArray = np.eye(size)[output or 0]
    return chosen


def left(time_limit: float | None, begun: float) -> float | None:
    """Return what reading the files has left of the time limit, at least a moment."""
    if time_limit is None or not time_limit > 0.0:
        return time_limit
    return max(1e-3, time_limit - (time.monotonic() - begun))


def _domain_of(prop: Property, path: Path, enclose: bool) -> Domain:
    import numpy as np

    from netopt.errors import InputError
    from netopt.specification.box import Box

    domains = [case.domain for case in prop.cases]
    if len(domains) == 1:
        return domains[0]
    if not domains or not enclose:
        raise InputError(f"{path} has {len(domains)} input regions where one is needed; give --lower and --upper")
    return Box(np.min([d.lower for d in domains], axis=0), np.max([d.upper for d in domains], axis=0))


def _vector(text: str, size: int, option: str, what: str, *, repeat: bool = True) -> FloatArray:
    """Read one number for all, one a comma, or a .npy file."""
    import numpy as np

    from netopt.errors import InputError

    try:
        if text.endswith(".npy"):
            with Path(text).open("rb") as file:
                read = np.lib.format.read_array(file, allow_pickle=False)
            values = read.astype(np.float64, casting="same_kind").ravel()
        else:
            values = np.array([float(part) for part in text.split(",")])
    except (TypeError, ValueError) as error:
        raise InputError(f"{option} is {text!r}, which is neither numbers nor a .npy file of them") from error
    if np.isnan(values).any():
        raise InputError(f"{option} holds nan, which is no number; give a number for each of the {size} {what}")
    if values.size == 1 and repeat:
        values = np.full(size, values[0])
    if values.size != size:
        raise InputError(f"{option} gives {values.size} values and the network has {size} {what}; give one for each")
    return values
