"""The command line as tests call it, and a small network and its properties to give it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from netopt.cli.main import app
from netopt.network.build import from_weights
from netopt.specification.box import Box
from netopt.specification.property import Case, Conjunction, Property
from netopt.specification.vnnlib_writer import write_vnnlib

#: (|x|, -|x| / 2) for x in R.
NETWORK = from_weights([[[1.0], [-1.0]], [[1.0, 1.0], [-0.5, -0.5]]], [[0.0, 0.0], [0.0, 0.0]])


def call(*arguments: object) -> Result:
    """Call ``netopt`` with some arguments, in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def vnnlib_of(path: Path, *bounds: float) -> Path:
    """Write ``y0 >= bound`` for -1 <= x <= 0.75, one disjunct a bound."""
    rows = tuple(Conjunction(np.array([[-1.0, 0.0]]), np.array([-bound])) for bound in bounds)
    write_vnnlib(Property((Case(Box(np.array([-1.0]), np.array([0.75])), rows),), 1, 2), path)
    return path
