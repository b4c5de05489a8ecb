r"""Weights under a mask, and the gradient that passes straight through it (Zhao, Wressnegger, ICLR 2023).

Forward, the effective weights are :math:`W \circ M`. Backward the mask counts as a function of scores and rates with

.. math:: G = \frac{\partial L}{\partial M} = \frac{\partial L}{\partial (W \circ M)} \circ W, \qquad
    \frac{\partial L}{\partial |S|} = G, \quad
    \frac{\partial L}{\partial S} = G \circ \operatorname{sign} S, \quad
    \frac{\partial L}{\partial r_l} = \sum_{i \in l} G_i ,

so that a weight that is masked now learns from what it would do. Layers lie end to end as in
`netopt.pruning.harp.select`. Sums are taken in float64. CuPy arrays go to `netopt.pruning.harp.straight_through_cuda`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import IntArray, array_namespace
from netopt.errors import InputError
from netopt.pruning.harp.select import check_layers


def apply_mask(weights: Any, mask: Any) -> Any:
    """Return the weights where the mask holds and +0 elsewhere, whatever is there (NaN and infinity too).

    Parameters
    ----------
    weights : (N,) float32 or float64, or a CuPy array (N,) float32.
    mask : (N,) bool, of the same library.
    """
    _check_equal(weights=weights, mask=mask)
    if array_namespace(weights, mask) is np:
        return np.where(mask, weights, weights.dtype.type(0))
    from netopt.pruning.harp.straight_through_cuda import apply_mask as apply_on_gpu

    return apply_on_gpu(weights, mask)


def straight_through(gradient: Any, weights: Any, scores: Any, offsets: IntArray) -> tuple[Any, Any]:
    """Return the gradients of the scores, (N,), and of the layers' rates, (layers,) float64.

    Parameters
    ----------
    gradient : (N,) the loss's gradient with respect to the masked weights, where they are zero too.
    weights, scores : (N,), of the same type: float32 or float64, or CuPy arrays of float32.
    offsets : (layers + 1,) where each layer begins, from 0 to N; on the host.

    Raises
    ------
    InputError
        Sizes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.pruning.harp.straight_through import straight_through
    >>> parts = straight_through(np.array([1.0, 2.0]), np.array([3.0, -1.0]), np.array([0.5, -0.5]), np.array([0, 2]))
    >>> [part.tolist() for part in parts]
    [[3.0, 2.0], [1.0]]
    """
    _check_equal(gradient=gradient, weights=weights, scores=scores)
    check_layers(weights, offsets)
    if array_namespace(gradient, weights, scores) is np:
        products = gradient * weights
        return products * np.sign(scores), np.add.reduceat(products, offsets[:-1], dtype=np.float64)
    from netopt.pruning.harp.straight_through_cuda import straight_through as pass_on_gpu

    return pass_on_gpu(gradient, weights, scores, offsets)


def _check_equal(**arrays: Any) -> None:
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"arrays of one length are needed and the shapes are {found}; lay the layers end to end")
