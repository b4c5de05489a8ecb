r"""Partition: between big-M and the convex hull, by the number of groups the inputs of a neuron are split into.

The pre-activation of a neuron with ``l < 0 < u`` is cut into N groups, ``t_g = sum_{i in S_g} w_i x_i`` with
``t_g in [L_g, U_g]`` over the box of the inputs. Each has an active part v and an inactive part ``t - v``. With a
binary z:

.. math::
   L_g z \le v_g \le U_g z, \quad L_g (1 - z) \le t_g - v_g \le U_g (1 - z), \quad y = \sum_g v_g + b z,

   0 \le y \le u z, \quad l (1 - z) \le \sum_g (t_g - v_g) + b (1 - z) \le 0.

One group is big-M; as many groups of equal size as the neuron has inputs are its convex hull over the box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from formulations.big_m import BigM
from formulations.errors import FormulationError
from formulations.formulation import Formulation, ReluColumns, ReluLayer
from formulations.grouping import GROUPINGS, GroupingRule
from formulations.milp import FloatArray, IntArray, MilpBuilder
from formulations.phase_rows import add_active_part, add_output_and_phase, add_phase_rows, check_input_bounds
from formulations.split_weight import SplitWeight, split_weight


@dataclass(frozen=True, slots=True)
class Partition(Formulation):
    """The partition-based formulation (Tsay, Kronqvist, Thebelt, Misener, arXiv 2102.04373).

    Parameters
    ----------
    groups : the number N of groups a neuron's inputs are split into; a neuron with fewer inputs has fewer groups.
    grouping : ``"equal-size"`` or ``"equal-range"``, see `formulations.grouping`.

    Raises
    ------
    FormulationError
        `groups` is not a positive integer, or `grouping` is unknown.

    Examples
    --------
    >>> from formulations.partition import Partition
    >>> Partition(groups=4)
    Partition(groups=4, grouping='equal-size')
    """

    name: ClassVar[str] = "partition"
    exact: ClassVar[bool] = True

    groups: int = 2
    grouping: str = "equal-size"

    def __post_init__(self) -> None:
        if not isinstance(self.groups, int) or self.groups < 1:
            raise FormulationError(f"partition takes a positive number of groups, {self.groups!r} was given")
        if self.grouping not in GROUPINGS:
            raise FormulationError(
                f"there is no grouping {self.grouping!r}; choose one of {', '.join(sorted(GROUPINGS))}"
            )

    def _encode_unstable(self, builder: MilpBuilder, layer: ReluLayer, inputs: IntArray) -> ReluColumns:
        if self.groups == 1:
            return BigM()._encode_unstable(builder, layer, inputs)
        check_input_bounds(layer, self.name)
        index, name = layer.index, layer.name
        split = split_weight(layer)
        groups = _Groups.of(layer, split, GROUPINGS[self.grouping], self.groups)
        group_index = np.column_stack([index[groups.rows], groups.rank])
        t = builder.add_columns(
            groups.count, lower=groups.lower, upper=groups.upper, name=f"{name}.t", index=group_index
        )
        builder.add_rows(
            (t, 1.0), (inputs, -groups.weight), lower=0.0, upper=0.0, name=f"{name}.group", index=group_index
        )
        a = builder.add_columns(layer.neurons, lower=layer.lower, upper=layer.upper, name=f"{name}.a", index=index)
        y, z = add_output_and_phase(builder, layer)
        member = groups.membership(layer.neurons)
        builder.add_rows((a, 1.0), (t, -member), lower=split.bias, upper=split.bias, name=f"{name}.affine", index=index)
        add_phase_rows(builder, layer, a, y, z)
        v = add_active_part(builder, t, z[groups.rows], groups.lower, groups.upper, name=f"{name}.v", index=group_index)
        builder.add_rows(
            (y, 1.0), (v, -member), (z, -split.bias), lower=0.0, upper=0.0, name=f"{name}.active", index=index
        )
        return ReluColumns(output=y, binary=z, preactivation=a, auxiliary=np.concatenate([t, v]))

    def _auxiliary_values(self, layer: ReluLayer, input_values: FloatArray) -> FloatArray:
        if self.groups == 1:
            return BigM()._auxiliary_values(layer, input_values)
        groups = _Groups.of(layer, split_weight(layer), GROUPINGS[self.grouping], self.groups)
        t = groups.weight @ input_values
        active = layer.preactivation(input_values) > 0.0
        return np.concatenate([t, t * active[groups.rows]])


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """The groups of all neurons: group k belongs to neuron ``rows[k]`` as its group number ``rank[k]``.

    `weight` is (groups, inputs) and `lower`, `upper` are the range of ``weight @ x`` over the box of the inputs.
    """

    rows: IntArray
    rank: IntArray
    weight: sparse.csr_array
    lower: FloatArray
    upper: FloatArray

    @property
    def count(self) -> int:
        return self.rows.size

    def membership(self, neurons: int) -> sparse.csr_array:
        """Return the (neurons, groups) matrix that sums each neuron's groups."""
        return sparse.csr_array((np.ones(self.count), (self.rows, np.arange(self.count))), shape=(neurons, self.count))

    @classmethod
    def of(cls, layer: ReluLayer, split: SplitWeight, rule: GroupingRule, count: int) -> _Groups:
        at_lower = split.values * layer.input_lower[split.columns]
        at_upper = split.values * layer.input_upper[split.columns]
        number = rule(split.rows, at_upper - at_lower, layer.neurons, count)
        labels, group = np.unique(split.rows * count + number, return_inverse=True)
        shape = (labels.size, layer.input_lower.size)
        return cls(
            rows=labels // count,
            rank=labels % count,
            weight=sparse.csr_array((split.values, (group, split.columns)), shape=shape),
            lower=_sums(group, np.minimum(at_lower, at_upper), labels.size),
            upper=_sums(group, np.maximum(at_lower, at_upper), labels.size),
        )


def _sums(group: IntArray, values: FloatArray, count: int) -> FloatArray:
    total = np.zeros(count)
    np.add.at(total, group, values)
    return total
