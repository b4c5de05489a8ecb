r"""Adversarial losses: what a network is trained on, so that small changes of its inputs change little.

Points :math:`x'` are looked for in the ball :math:`|x' - x|_\infty \le \varepsilon` cut to the range of the inputs, by
projected gradient ascent (PGD) with steps along the gradient's sign, from a random start. With the cross-entropy CE,
the class probabilities p and the Kullback-Leibler divergence KL:

* natural: :math:`CE(x, y)`.
* pgd-at: :math:`CE(x', y)`, x' ascending CE (Madry, Makelov, Schmidt, Tsipras, Vladu, *Towards deep learning models
  resistant to adversarial attacks*, ICLR 2018).
* trades: :math:`CE(x, y) + \beta\, KL(p(x) \| p(x'))`, x' ascending KL (Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan,
  *Theoretically principled trade-off between robustness and accuracy*, ICML 2019).
* mart: :math:`CE(x', y) - \log(1 - \max_{k \ne y} p_k(x')) + \beta\, KL(p(x) \| p(x'))\,(1 - p_y(x))`, x' ascending
  CE (Wang, Zou, Yi, Bailey, Ma, Gu, *Improving adversarial robustness requires revisiting misclassified examples*,
  ICLR 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netopt.bounds.torch_maps import Tensor

#: From inputs (batch, n) to class scores (batch, m).
Predict = Callable[[Tensor], Tensor]

#: Spread of the random start of an attack on a divergence, whose gradient is zero at x itself.
_NUDGE = 1e-3
#: Keeps logarithms of probabilities finite.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Attack:
    """Projected gradient ascent.

    Attributes
    ----------
    epsilon : radius in the maximum norm.
    step : length of a step.
    steps : how many.
    lower, upper : range of the inputs.
    """

    epsilon: float
    step: float
    steps: int
    lower: float = 0.0
    upper: float = 1.0

    def random_start(self, x: Tensor, generator: Tensor) -> Tensor:
        """Return points drawn uniformly from the ball."""
        return self._inside(x, x + self.epsilon * (2.0 * _uniform(x, generator) - 1.0))

    def nudged(self, x: Tensor, generator: Tensor) -> Tensor:
        """Return points close by."""
        return self._inside(x, x + _NUDGE * (2.0 * _uniform(x, generator) - 1.0))

    def ascend(self, value: Predict, x: Tensor, start: Tensor) -> Tensor:
        """Return points of the ball where `value`, from (batch, n) to a sum over the batch, is large."""
        import torch

        point = start.detach()
        for _ in range(self.steps):
            point.requires_grad_()
            (gradient,) = torch.autograd.grad(value(point), point)
            point = self._inside(x, point.detach() + self.step * gradient.sign())
        return point.detach()

    def _inside(self, x: Tensor, point: Tensor) -> Tensor:
        import torch

        near = torch.minimum(torch.maximum(point, x - self.epsilon), x + self.epsilon)
        return near.clamp(self.lower, self.upper)


#: A loss: attack, beta, predict, x, labels, generator -> the mean over the batch, and the class scores where attacked.
Loss = Callable[[Attack, float, Predict, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def natural(
    attack: Attack, beta: float, predict: Predict, x: Tensor, labels: Tensor, generator: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy at the points themselves."""
    from torch.nn.functional import cross_entropy

    scores = predict(x)
    return cross_entropy(scores, labels), scores


def pgd_at(
    attack: Attack, beta: float, predict: Predict, x: Tensor, labels: Tensor, generator: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy at attacked points."""
    from torch.nn.functional import cross_entropy

    scores = predict(attacked(attack, predict, x, labels, generator))
    return cross_entropy(scores, labels), scores


def trades(
    attack: Attack, beta: float, predict: Predict, x: Tensor, labels: Tensor, generator: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy at the points, and how far their probabilities can be moved."""
    import torch
    from torch.nn.functional import cross_entropy

    with torch.no_grad():
        target = predict(x).log_softmax(1)
    point = attack.ascend(lambda z: _divergence(target, predict(z)).sum(), x, attack.nudged(x, generator))
    scores, moved = predict(x), predict(point)
    return cross_entropy(scores, labels) + beta * _divergence(scores.log_softmax(1), moved).mean(), moved


def mart(
    attack: Attack, beta: float, predict: Predict, x: Tensor, labels: Tensor, generator: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a boosted cross-entropy at attacked points, and the divergence where the points themselves are misread."""
    import torch
    from torch.nn.functional import cross_entropy, one_hot

    point = attacked(attack, predict, x, labels, generator)
    scores, moved = predict(x), predict(point)
    own = one_hot(labels, scores.shape[1]).bool()
    other = moved.softmax(1).masked_fill(own, 0.0).amax(1)
    boosted = cross_entropy(moved, labels) - torch.log(1.0 - other + _LEAST).mean()
    doubt = 1.0 - scores.softmax(1)[own]
    return boosted + beta * (_divergence(scores.log_softmax(1), moved) * doubt).mean(), moved


def attacked(attack: Attack, predict: Predict, x: Tensor, labels: Tensor, generator: Tensor) -> Tensor:
    """Return points of the ball where the cross-entropy is large."""
    from torch.nn.functional import cross_entropy

    return attack.ascend(
        lambda z: cross_entropy(predict(z), labels, reduction="sum"), x, attack.random_start(x, generator)
    )


def _divergence(log_target: Tensor, scores: Tensor) -> Tensor:
    """Return KL(target || softmax(scores)) of every point."""
    return (log_target.exp() * (log_target - scores.log_softmax(1))).sum(1)


def _uniform(x: Tensor, generator: Tensor) -> Tensor:
    """Return numbers in [0, 1), drawn on the CPU so that every device gets the same."""
    import torch

    return torch.rand(x.shape, dtype=x.dtype, generator=generator).to(x.device)


#: Name -> the loss, and the beta its authors use.
LOSSES: Mapping[str, tuple[Loss, float]] = MappingProxyType(
    {"natural": (natural, 0.0), "pgd-at": (pgd_at, 0.0), "trades": (trades, 6.0), "mart": (mart, 5.0)}
)
