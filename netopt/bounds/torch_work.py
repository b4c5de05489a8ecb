"""What a descent in torch keeps on the device: the rows at work, their choices, and Adam's steps on them."""

from __future__ import annotations

from dataclasses import dataclass, fields

from netopt.bounds.steps import DECAY, SQUARE_DECAY, adam_length
from netopt.bounds.torch_maps import Tensor

#: Keeps quotients finite where a gradient has always been zero.
_LEAST = 1e-30


@dataclass(frozen=True, slots=True, eq=False)
class TorchLines:
    """Lines of a ReLU: the slope above and its intercept (1 or p, kept), the slope below (1, kept) that CROWN has."""

    upper_slope: Tensor
    intercept: Tensor
    lower_slope: Tensor


@dataclass(slots=True, eq=False)
class Work:
    """Rows that are still improved, on the device; every tensor is (p, ...).

    Attributes
    ----------
    value : slopes where a neuron is free, multipliers where it is fixed; at least 0 and at most `high`.
    weight : of the weighted rows.
    phase, fixed, active : 1, 0 or -1; whether it is not 0; 1.0 where it is 1.
    mean, square, weight_mean, weight_square : of Adam.
    rows : (p,) their numbers in the batch.
    """

    value: Tensor
    weight: Tensor
    phase: Tensor
    fixed: Tensor
    active: Tensor
    high: Tensor
    mean: Tensor
    square: Tensor
    weight_mean: Tensor
    weight_square: Tensor
    constant: Tensor
    target: Tensor
    output_rows: Tensor
    offset: Tensor
    scale: Tensor
    rows: Tensor

    def take(self, which: Tensor) -> Work:
        """Return some of the rows."""
        return Work(*(getattr(self, item.name)[which] for item in fields(self)))


def adam(mean: Tensor, square: Tensor, gradient: Tensor, step: int) -> Tensor:
    """Return Adam's step, and note the gradient in its averages."""
    mean.mul_(DECAY).add_(gradient, alpha=1.0 - DECAY)
    square.mul_(SQUARE_DECAY).addcmul_(gradient, gradient, value=1.0 - SQUARE_DECAY)
    return mean / (square.sqrt() + _LEAST) * adam_length(step)


def towards_smallest(weight: Tensor, rows: Tensor, length: float) -> Tensor:
    """Return weights moved against the rows' values and projected onto the simplex, as `steps.towards_smallest`."""
    import torch

    present = torch.isfinite(rows)
    value = torch.where(present, rows, 0.0)
    value = torch.where(present, value - (weight * value).sum(1, keepdim=True), 0.0)
    size = value.abs().amax(1, keepdim=True)
    moved = torch.where(present, weight - length * value / (size + _LEAST), -torch.inf)
    ordered = moved.sort(dim=1, descending=True).values
    count = torch.arange(1, moved.shape[1] + 1, device=moved.device)
    shift = (ordered.cumsum(1) - 1.0) / count
    last = (ordered > shift).sum(1, keepdim=True) - 1
    return (moved - shift.gather(1, last)).clamp_(min=0.0)
