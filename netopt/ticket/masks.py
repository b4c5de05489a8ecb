"""The masks of a ticket as a file, and the ticket again from its masks: all else follows from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netopt.archive import arrays_of, under, write_arrays
from netopt.arrays import BoolArray
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.specification.box import Box
from netopt.ticket.build import build_ticket
from netopt.ticket.layers import Scales, learned_layers
from netopt.ticket.scales import given_scales
from netopt.ticket.search import Choose, Chunk
from netopt.ticket.ticket import Ticket

_WHAT = "masks of a ticket"
_REMEDY = "make it with 'netopt ticket'"


def save_masks(ticket: Ticket, path: Path) -> None:
    """Write which filters of the random network a ticket keeps, as ``.npz``.

    ``kept/{key}`` is (blocks, 2n) for a learned map or bias; beside them are the seed, the width, the scale (0 where it
    was chosen map by map), the scale of every node and constant, the dimension, the box of the domain and the target's
    digest.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    arrays: dict[str, Any] = {f"kept/{one.learned.key}": one.subsets.kept for one in ticket.found.maps}
    arrays |= {f"kept/{one.learned.key}": one.subsets.kept for one in ticket.found.biases}
    arrays |= {"width": np.array(ticket.width), "scale": np.array(ticket.scale or 0.0), "seed": np.array(ticket.seed)}
    arrays |= {f"scale/{name}": np.array(scale) for name, scale in ticket.found.scales.items()}
    arrays |= {f"constant/{one.learned.node.name}": np.array(one.learned.carried) for one in ticket.found.biases}
    arrays |= {"size": np.array(ticket.size or 0), "dimension": np.array(ticket.dimension or 0)}
    arrays |= {"lower": ticket.domain.lower, "upper": ticket.domain.upper}
    arrays |= {"target_sha256": np.array(ticket.target.sha256)}
    write_arrays(path, arrays, _WHAT)


def load_ticket(target: Network, path: Path) -> Ticket:
    """Return the ticket whose masks were saved, without a search; its domain is the box of the one it was made for.

    Raises
    ------
    InputError
        The file is not one of ours, or belongs to another target.
    """
    with arrays_of(path, _WHAT, _REMEDY) as content:
        about = str(content["target_sha256"])
        domain = Box(content["lower"], content["upper"])
        width, scale, seed = int(content["width"]), float(content["scale"]) or None, int(content["seed"])
        size, dimension = int(content["size"]) or None, int(content["dimension"]) or None
        scales, masks = _scales(content), under("kept/", content)
    if about != target.sha256:
        raise InputError(
            f"{path} holds the masks of a ticket for the network with digest {about[:12]}, not for the one at hand"
            f" ({target.sha256[:12]}); give the network it was found for"
        )
    try:
        layers = learned_layers(target, domain, given_scales(scales), dimension)
    except KeyError as error:
        raise InputError(f"{path} lacks the scale of {error}; {_REMEDY}") from error
    shapes = {one.key: (one.blocks, 2 * width) for one in layers.maps}
    shapes |= {one.key: (one.targets.shape[0], 2 * width) for one in layers.biases}
    if {key: (mask.shape, mask.dtype) for key, mask in masks.items()} != {
        key: (shape, np.dtype(bool)) for key, shape in shapes.items()
    }:
        raise InputError(f"{path} holds masks that do not fit its own width and target; {_REMEDY}")
    found = build_ticket(
        target, layers, width=width, seed=seed, choose=_remembered(masks), advance=lambda key, done, total: None
    )
    return Ticket(found, domain, width, scale, seed, size, dimension)


def _scales(content: Mapping[str, Any]) -> Scales:
    nodes, constants = (
        {name: float(value) for name, value in under(prefix, content).items()} for prefix in ("scale/", "constant/")
    )
    if not all(np.isfinite(scale) and scale > 0.0 for scale in (*nodes.values(), *constants.values())):
        raise ValueError("a scale is not a positive number")
    return Scales(nodes, constants)


def _remembered(masks: Mapping[str, BoolArray]) -> Choose:
    def choose(chunk: Chunk) -> BoolArray:
        mask = masks[chunk.key][chunk.first : chunk.first + chunk.lift.shape[0]]
        return np.logical_and(mask, np.logical_or.reduce(chunk.usable, axis=0))

    return choose
