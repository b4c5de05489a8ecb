"""What a HARP training is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from netopt.checks import as_whole, is_number, is_positive
from netopt.errors import InvalidOptionError
from netopt.gpu.device import DEVICES
from netopt.pruning.harp.losses import LOSSES, Attack
from netopt.pruning.harp.starts import STARTS

STRUCTURES = ("weights", "channels")
#: Length of an attack's steps, added up, in units of its radius.
_WAY = 2.5
#: Options that count, and the least of each.
_COUNTS = {"pretrain_epochs": 0, "epochs": 0, "finetune_epochs": 0, "seed": 0, "attack_steps": 1, "batch": 1}
_POSITIVE = (
    "epsilon",
    "pretrain_learning_rate",
    "learning_rate",
    "rate_learning_rate",
    "finetune_learning_rate",
    "gamma",
)
#: How fast rates learn beside scores, and what the weight of the hardware loss grows to, unless asked for otherwise.
_RATE_FACTOR = 0.2
_LAST_GAMMA = {"weights": 2.0, "channels": 6.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class HarpOptions:
    """One training.

    Attributes
    ----------
    keep : share of the weights kept; with channels, of the multiply-adds.
    pretrain_epochs, epochs, finetune_epochs : of training the dense network, of learning the mask, of training what is
        kept; each may be 0.
    loss : one of `LOSSES`.
    beta : weight of the robust part of trades and mart; None for their authors' values.
    epsilon : radius of the attacks in the maximum norm.
    attack_steps : steps of an attack, each 2.5 epsilon / attack_steps long.
    lower, upper : range of the inputs.
    batch : points a step.
    pretrain_learning_rate, learning_rate, finetune_learning_rate : where each stage begins; they fall to zero along
        half a cosine. The authors fine-tune from 0.01.
    rate_learning_rate : that of the rates, where they are learned; None for a fifth of `learning_rate`, which keeps the
        rates of small layers from running to 1 before scores have settled. The authors have it equal to
        `learning_rate`.
    gamma : by how much the weight of the hardware loss grows an epoch; None for ``2 / epochs``, or ``6 / epochs``
        for channels, which meets targets in few epochs. The authors have 0.01, with 20 epochs of hundreds of steps.
    start : one of `STARTS`, the pattern of rates that training begins with, or keeps.
    structure : "weights" or "channels".
    learn_scores, learn_rates : what the mask's stage learns; where neither, the largest weights at the rates of `start`
        stay.
    seed : governs all that is random.
    device : "cpu" or "cuda".
    """

    keep: float
    pretrain_epochs: int = 0
    epochs: int = 20
    finetune_epochs: int = 20
    loss: str = "pgd-at"
    beta: float | None = None
    epsilon: float = 8.0 / 255.0
    attack_steps: int = 10
    lower: float = 0.0
    upper: float = 1.0
    batch: int = 128
    pretrain_learning_rate: float = 0.1
    learning_rate: float = 0.1
    finetune_learning_rate: float = 0.05
    rate_learning_rate: float | None = None
    gamma: float | None = None
    start: str = "uniform"
    structure: str = "weights"
    learn_scores: bool = True
    learn_rates: bool = True
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check what can be checked without a network."""
        for name, value, known in (
            ("loss", self.loss, tuple(LOSSES)),
            ("start", self.start, tuple(STARTS)),
            ("structure", self.structure, STRUCTURES),
            ("device", self.device, DEVICES),
        ):
            if value not in known:
                raise InvalidOptionError(f"{name}={value!r} is unknown; choose one of {', '.join(known)}")
        if not (is_number(self.keep) and 0.0 < self.keep < 1.0):
            raise InvalidOptionError(f"keep={self.keep} is not in (0, 1); give the share to be kept")
        for name, least in _COUNTS.items():
            as_whole(getattr(self, name), name, least)
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not (is_positive(value) and value < math.inf):
                raise InvalidOptionError(f"{name}={value} is not a positive number; give one")
        if self.beta is not None and not (self.beta == 0.0 or (is_positive(self.beta) and self.beta < math.inf)):
            raise InvalidOptionError(f"beta={self.beta} is negative or no number; give 0 or more")
        if not (is_number(self.lower) and is_number(self.upper) and self.lower < self.upper):
            raise InvalidOptionError(f"the inputs' range [{self.lower}, {self.upper}] is empty; give lower below upper")
        if self.structure == "channels" and self.start != "uniform":
            raise InvalidOptionError(f"start={self.start!r} is for single weights; channels start uniform")

    @property
    def attack(self) -> Attack:
        """The attack trained against."""
        step = _WAY * self.epsilon / self.attack_steps
        return Attack(self.epsilon, step, self.attack_steps, self.lower, self.upper)

    @property
    def rate_factor(self) -> float:
        """How much faster than scores rates learn."""
        return _RATE_FACTOR if self.rate_learning_rate is None else self.rate_learning_rate / self.learning_rate

    @property
    def gamma_step(self) -> float:
        """By how much the weight of the hardware loss grows an epoch."""
        return _LAST_GAMMA[self.structure] / max(self.epochs, 1) if self.gamma is None else self.gamma

    @property
    def known_beta(self) -> float:
        """The weight of the loss's robust part."""
        return LOSSES[self.loss][1] if self.beta is None else self.beta
