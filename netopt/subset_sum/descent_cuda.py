r"""Local search by one or two flips, resident on a GPU: the host only asks, every few steps, whether anything moved.

A step is a sweep (`netopt.subset_sum.two_flip_cuda`) and a kernel that carries out what was found. The sweep's float32
proposes; the residual is kept in float64, and a flip counts where it lowers :math:`|r|^2` there, so the search ends and
no rounding adds up: the changes :math:`\delta_i = G_{ii} - 2 \sigma_i \langle v_i, r \rangle` are computed afresh from
the residual. That takes n D products a subset, little beside the sweep's n^2 / 2 scores; the sweep bounds a step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netopt.arrays import array_namespace
from netopt.errors import InvalidOptionError
from netopt.gpu.kernels import Kernels
from netopt.subset_sum.two_flip_cuda import NOTHING, check, sweep

KERNELS = Kernels(Path(__file__).with_name("descent.cu"))
_THREADS = 256
_STEPS_BETWEEN_QUESTIONS = 16


def descend(
    candidates: Any, gram: Any, residual: Any, delta: Any, sign: Any, *, fixed_size: bool, most_steps: int
) -> int:
    """Flip the best one or two elements of every subset until no flip lowers its error; return the steps taken.

    Parameters
    ----------
    candidates : (p, n, D) float32, contiguous, as all arrays are; CuPy's.
    gram : (p, n, n) float32.
    residual : (p, r, D) float64, target less the subset's sum; changed in place.
    delta : (p, r, n) float32 change of the squared error when one element flips, +inf to forbid it; changed in place.
    sign : (p, r, n) float32, 1 where the element is out, -1 where it is in; changed in place.
    fixed_size : swaps only.
    most_steps : flips of each subset at most.

    Raises
    ------
    InvalidOptionError
        An array has the wrong type, or there are more than 65536 elements.
    """
    check(gram, candidates, delta, sign)
    if residual.dtype != np.float64 or not residual.flags.c_contiguous:
        raise InvalidOptionError(f"residuals are kept in contiguous float64 arrays, but got {residual.dtype}")
    xp = array_namespace(candidates, gram, residual, delta, sign)
    problems, restarts, size = delta.shape
    dimension = candidates.shape[2]
    best = xp.full((problems, restarts), NOTHING, dtype=np.uint64)
    sizes = (np.int32(size), np.int32(dimension), np.int32(restarts))
    steps = 0
    while steps < most_steps and delta.size:
        turn = min(_STEPS_BETWEEN_QUESTIONS, most_steps - steps)
        moved = xp.zeros(turn, dtype=np.int32)
        for step in range(turn):
            sweep(gram, delta, sign, fixed_size, best)
            arguments = (candidates, gram, best, residual, sign, delta, moved[step : step + 1], *sizes)
            KERNELS.launch("carry_out", problems * restarts, _THREADS, arguments, shared=8 * dimension)
        in_step = moved.tolist()
        steps += sum(count > 0 for count in in_step)
        if in_step[-1] == 0:
            break
    return steps
