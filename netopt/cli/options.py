"""Options that several subcommands take, each declared once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import click

from netopt.cli.command import Argument, Option


def _positive(value: float | None) -> float | None:
    if value is not None and not value > 0.0:
        raise click.BadParameter(f"{value:g} is not positive; leave the option out for no limit")
    return value


Network = Annotated[Path, Argument(metavar="NET.onnx", help="The trained network, .onnx or .onnx.gz.")]
PropertyFile = Annotated[
    Path | None, Option("--property", metavar="FILE", help="VNN-LIB file whose inputs are the domain.")
]
Lower = Annotated[
    str | None,
    Option("--lower", metavar="VALUE", help="Lower bound of the inputs: a number, one a comma, or a .npy file."),
]
Upper = Annotated[
    str | None,
    Option("--upper", metavar="VALUE", help="Upper bound of the inputs: a number, one a comma, or a .npy file."),
]
Output = Annotated[int | None, Option("--output", min=0, metavar="K", help="The output, counted from 0.")]
Weights = Annotated[
    str | None, Option("--weights", metavar="w0,w1,...", help="Weights of a linear function of all outputs.")
]
Minimize = Annotated[bool, Option("--minimize", help="Minimize instead.")]
Logits = Annotated[bool, Option("--logits", help="Take the outputs before a trailing softmax.")]
Solver = Annotated[
    str,
    Option(
        "--solver",
        metavar="NAME",
        help="auto, native (netopt's own branch and bound), or a MILP solver: highs, gurobi, scip, pyomo:NAME.",
    ),
]
Formulation = Annotated[
    str,
    Option(
        "--formulation",
        metavar="NAME",
        help="big-m, partition:N, multiple-choice, indicator or sos1; see docs/formulations.md.",
    ),
]
Bounds = Annotated[
    str, Option("--bounds", metavar="LEVEL", help="Pre-activation bounds: interval, crown, alpha-crown, lp or milp.")
]
Prune = Annotated[
    str | None,
    Option(
        "--prune",
        metavar="METHOD:RATE",
        help="Search a pruned network (RATE is the fraction removed), or mask:FILE, ladder, relaxed; see"
        " docs/surrogates.md.",
    ),
]
TimeLimit = Annotated[
    float | None,
    Option(
        "--time-limit",
        "--timeout",
        metavar="SECONDS",
        help="Limit of the whole call, reading included.",
        callback=_positive,
    ),
]


def _limit_matrix_threads(count: int) -> int:
    """Hold the matrix library to the same number of threads; it reads these variables when it is first imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(count))
    return count


Device = Annotated[
    str,
    Option("--device", metavar="cpu|cuda", help="Where arrays are computed; cuda needs a GPU, see docs/gpu.md."),
]
Threads = Annotated[
    int,
    Option(
        "--threads",
        min=1,
        metavar="N",
        callback=_limit_matrix_threads,
        help="Threads of the solver and of matrix products.",
    ),
]
MemoryLimit = Annotated[
    float | None, Option("--memory-limit", metavar="GB", help="Limit of the solver's memory.", callback=_positive)
]
Seed = Annotated[int, Option("--seed", min=0, metavar="N", help="Seed of everything random.")]
AsJson = Annotated[bool, Option("--json", help="Print one JSON object instead of text.")]
ResultsFile = Annotated[
    Path | None,
    Option("--results-file", metavar="FILE", help="Write the result to FILE, as VNN-COMP's judges read it."),
]
Quiet = Annotated[bool, Option("--quiet", help="Nothing on standard error but errors.")]
