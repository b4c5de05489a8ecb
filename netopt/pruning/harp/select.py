r"""The mask step of HARP: the largest scores of every layer, all layers in one call.

All layers lie end to end in one array of N scores; layer l is ``scores[offsets[l]:offsets[l + 1]]`` and keeps its
k_l largest magnitudes,

.. math:: M_i = 1 \iff \#\{j \in l : |S_j| > |S_i|\} + \#\{j \in l : |S_j| = |S_i|,\ j < i\} < k_l .

The count is exact, and of equal magnitudes the first stay. NumPy arrays are partitioned layer by layer here. CuPy's go
to a segmented radix select (`netopt.pruning.harp.select_cuda`), which finds the same masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netopt.arrays import BoolArray, FloatArray, IntArray, array_namespace
from netopt.errors import InputError
from netopt.pruning.select import keep_best


class Selector:
    """Selects from layers of one layout, step after step; on a GPU in memory that it keeps.

    Parameters
    ----------
    offsets : (layers + 1,) where each layer begins, from 0 to the number N of scores; on the host.
    """

    def __init__(self, offsets: IntArray) -> None:
        self.offsets = offsets
        self._on_gpu: Any = None

    def keep_largest(self, scores: Any, keep: IntArray) -> Any:
        """Return which scores are among the largest of their layer by magnitude, (N,) bool.

        Parameters
        ----------
        scores : (N,) float32 or float64, or a CuPy array (N,) float32; signs are ignored. All that one selector is
            given are of one library.
        keep : (layers,) how many each keeps, from 0 to its size; on the host.

        Raises
        ------
        InputError
            Sizes do not fit, or a score on the CPU is NaN; for those on a GPU, `check` says so.
        """
        check_layers(scores, self.offsets, keep)
        library = array_namespace(scores)
        if library is np:
            return _keep_largest(scores, self.offsets, keep)
        if self._on_gpu is None:
            from netopt.pruning.harp.select_cuda import GpuSelector

            self._on_gpu = GpuSelector(library, self.offsets)
        return self._on_gpu.keep_largest(scores, keep)

    def check(self) -> None:
        """Check that no score was NaN since the last check. It waits for the GPU: best called where one has to.

        Raises
        ------
        InputError
            One was.
        """
        if self._on_gpu is not None and (count := self._on_gpu.count_nan()):
            raise nan_error(count)


def keep_largest(scores: Any, offsets: IntArray, keep: IntArray) -> Any:
    """Return which scores are among the largest of their layer by magnitude, (N,) bool: `Selector`, used once.

    Parameters
    ----------
    scores : (N,) float32 or float64, or a CuPy array (N,) float32; signs are ignored.
    offsets : (layers + 1,) where each layer begins, from 0 to N; on the host.
    keep : (layers,) how many each keeps, from 0 to its size; on the host.

    Raises
    ------
    InputError
        A score is NaN, or sizes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.pruning.harp.select import keep_largest
    >>> keep_largest(np.array([1.0, -3.0, 2.0, 0.0, 0.0]), np.array([0, 3, 5]), np.array([2, 1])).tolist()
    [False, True, True, True, False]
    """
    selector = Selector(offsets)
    mask = selector.keep_largest(scores, keep)
    selector.check()
    return mask


def check_layers(scores: Any, offsets: IntArray, keep: IntArray | None = None) -> None:
    """Check that layers, and the counts they keep, fit an array of scores.

    Raises
    ------
    InputError
        They do not.
    """
    sizes = np.diff(offsets)
    if scores.ndim != 1 or offsets.size < 2 or offsets[0] != 0 or offsets[-1] != scores.size or (sizes < 1).any():
        raise InputError(
            f"layers that begin at {_short(offsets)} do not divide an array of shape {tuple(scores.shape)};"
            " give increasing offsets from 0 to its length"
        )
    if keep is not None and (keep.shape != sizes.shape or (keep < 0).any() or (keep > sizes).any()):
        raise InputError(
            f"layers of {_short(sizes)} weights cannot keep {_short(keep)}; give each a count from 0 to its size"
        )


def nan_error(count: int) -> InputError:
    """Return the error that says how many scores are no numbers."""
    return InputError(f"{count} of the scores are NaN, which have no order; train with a smaller learning rate")


def _keep_largest(scores: FloatArray, offsets: IntArray, keep: IntArray) -> BoolArray:
    magnitudes = np.abs(scores)
    if nan := int(np.count_nonzero(np.isnan(magnitudes))):
        raise nan_error(nan)
    layers = zip(offsets[:-1].tolist(), offsets[1:].tolist(), keep.tolist(), strict=True)
    parts = [keep_best(magnitudes[begin:end], end - begin - kept) for begin, end, kept in layers]
    mask: BoolArray = np.concatenate(parts)
    return mask


def _short(values: IntArray) -> str:
    shown = ", ".join(map(str, values[:6].tolist()))
    return f"{shown}, ..." if values.size > 6 else shown
