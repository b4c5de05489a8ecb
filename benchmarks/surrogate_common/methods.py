"""The methods by name: each runs until the trace's time is up, or it has nothing left to do.

``dense``, ``root-lp``, ``sign-ascent``, ``pgd``, ``portfolio`` (netopt's ascents, walks and sampled regions), ``walk``,
``default`` (netopt's `maximize` without surrogates), ``ladder`` (with them);
``sparse:MASK:RATE`` (the paper's: incumbents replayed), ``finetuned:MASK:RATE``, ``surrogate:METHOD:RATE`` (`maximize`
with one rung). ``dense+`` and ``sparse+:MASK:RATE`` improve every incumbent on the dense network and do nothing else;
``dense++`` solves the relaxation of the dense MILP first, as a rung does with that of the sparse one;
``rung:METHOD:RATE`` is a single rung of netopt's ladder: its objective is corrected, and incumbents are improved.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.surrogate_common.milp_methods import MASKS, dense, root_lp, rung, sparse
from benchmarks.surrogate_common.primal_methods import default, ladder, pgd, portfolio, sign_ascent, surrogate, walk
from benchmarks.surrogate_common.problem import Means, Problem
from benchmarks.surrogate_common.trace import Trace

Method = Callable[[Problem, Means, Trace], None]

PLAIN: dict[str, Method] = {
    "dense": dense,
    "dense+": partial(dense, improve=True),
    "dense++": partial(dense, improve=True, relax=True),
    "root-lp": root_lp,
    "sign-ascent": sign_ascent,
    "pgd": pgd,
    "portfolio": portfolio,
    "walk": walk,
    "default": default,
    "ladder": ladder,
}
WITH_RATE: dict[str, Callable[..., None]] = {
    "sparse": sparse,
    "sparse+": partial(sparse, improve=True),
    "finetuned": partial(sparse, finetuned=True),
    "rung": rung,
    "surrogate": surrogate,
}
#: Kinds whose mask is any of netopt's pruning methods, not one of the experiment's.
OWN_MASKS = ("rung", "surrogate")
#: Methods that never call a MILP solver, so that one run serves for all of them.
WITHOUT_SOLVER = ("sign-ascent", "pgd", "portfolio", "walk")


def method_of(name: str) -> Method:
    """Return the method called `name`.

    Raises
    ------
    ValueError
        There is none.
    """
    if name in PLAIN:
        return PLAIN[name]
    kind, _, rest = name.partition(":")
    mask, _, rate = rest.partition(":")
    if kind not in WITH_RATE or (kind not in OWN_MASKS and mask not in MASKS) or not 0.0 <= float(rate or -1.0) < 1.0:
        raise ValueError(
            f"there is no method {name!r}; take {', '.join(PLAIN)}, or KIND:MASK:RATE with KIND one of"
            f" {', '.join(WITH_RATE)} and MASK one of {', '.join(MASKS)}"
        )
    return partial(WITH_RATE[kind], mask=mask, rate=rate)
