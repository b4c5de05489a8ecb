"""Descent by one or two flips, resident on a GPU: the host asks only every few steps whether anything moved.

A step is a sweep (`netopt.subset_sum.two_flip_cuda`) and a kernel that carries out what was found. The sweep proposes
in float32, on the Gram matrix over a power of two near its largest entry; a flip is made where it lowers the objective
in float64. What the elements correlate with is kept in float64: two rows of the Gram matrix a step and subset. The
sweep, half the float32 matrix a problem, bounds a step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.gpu.kernels import Kernels
from netopt.subset_sum.two_flip_cuda import NOTHING, check, sweep

KERNELS = Kernels(Path(__file__).with_name("descent.cu"))
_THREADS = 256
_STEPS_BETWEEN_QUESTIONS = 16


def descend(gram: Any, pull: Any, selected: Any, rounding: Any, *, fixed_size: bool) -> Any:
    """Return subsets that no flip of one or two elements improves, (p, r, n) bool.

    Parameters
    ----------
    gram : (p, n, n) float64 CuPy array, as the others.
    pull : (p, n) float64, the vector b of the objective s^T G s - 2 <b, s>.
    selected : (p, r, n) bool, subsets to start from.
    rounding : (p,) float64, changes not below its negative are no gains.
    fixed_size : swaps only.

    Raises
    ------
    InvalidOptionError
        There are more than 65536 elements.
    """
    xp = array_namespace(gram, pull, selected, rounding)
    problems, restarts, size = selected.shape
    diagonal = xp.ascontiguousarray(xp.einsum("pnn->pn", gram))
    unit = xp.ldexp(xp.ones(problems), xp.frexp(diagonal.max(axis=-1))[1])
    in_units = (gram / unit[:, None, None]).astype(np.float32)
    sign = 1.0 - 2.0 * selected
    correlation = pull[:, None] - selected.astype(np.float64) @ gram
    delta = ((diagonal[:, None] - 2.0 * sign * correlation) / unit[:, None, None]).astype(np.float32)
    sign = sign.astype(np.float32)
    check(in_units, delta, sign)
    best = xp.full((problems, restarts), NOTHING, dtype=np.uint64)
    fixed = (xp.ascontiguousarray(gram), diagonal, xp.ascontiguousarray(rounding), unit, best)
    moving = best.size > 0
    while moving:
        moved = xp.zeros(_STEPS_BETWEEN_QUESTIONS, dtype=np.int32)
        for step in range(_STEPS_BETWEEN_QUESTIONS):
            sweep(in_units, delta, sign, fixed_size, best)
            arguments = (*fixed, correlation, sign, delta, moved[step:], np.int32(size), np.int32(restarts))
            KERNELS.launch("carry_out", best.size, _THREADS, arguments)
        moving = int(moved[-1]) > 0
    return sign < 0.0
