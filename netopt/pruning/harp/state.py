"""Where a HARP training stands between two epochs: all that it takes to go on exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from netopt.archive import arrays_of, write_arrays
from netopt.arrays import IntArray
from netopt.bounds.torch_maps import Tensor
from netopt.errors import InputError

#: The stages in order.
STAGES = ("pretrain", "prune", "finetune")
#: What of a state is written as text.
_PLAIN = ("stage", "epoch", "gamma", "gamma_fixed", "kept_rates", "notices")
#: Raised when what a checkpoint holds changes.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch did.

    Attributes
    ----------
    stage, epoch : one of `STAGES` and the number in it, from 0.
    loss : mean over the training points.
    right : share of the attacked training points that were read rightly.
    learning_rate : of the epoch.
    hardware_loss, gamma : L_hw at its end and its weight in it; 0 outside of "prune".
    rates : share of its groups each layer keeps at its end; none outside of "prune".
    """

    stage: str
    epoch: int
    loss: float
    right: float
    learning_rate: float
    hardware_loss: float = 0.0
    gamma: float = 0.0
    rates: tuple[float, ...] = ()


@dataclass(slots=True, eq=False)
class State:
    """The tensors and numbers that a training changes.

    Attributes
    ----------
    dense : (parameters,) of the network the mask is about; fixed once the mask is learned.
    parameters : (parameters,) as they are now.
    mask : (parameters,) bool, what is kept.
    scores, rate_scores : (groups,) and (layers,) float64; what masks are made of.
    parameter_velocity, score_velocity, rate_velocity : what the descent remembers of each.
    generator : random bits, on the CPU.
    stage, epoch : the next epoch's.
    gamma : weight of the hardware loss; fixed once `gamma_fixed`.
    kept_rates : share of its groups each layer keeps once the mask is fixed.
    history, notices : the epochs so far, and what the reader should know.
    """

    dense: Tensor
    parameters: Tensor
    mask: Tensor
    scores: Tensor
    rate_scores: Tensor
    parameter_velocity: Tensor
    score_velocity: Tensor
    rate_velocity: Tensor
    generator: Tensor
    stage: int = 0
    epoch: int = 0
    gamma: float = 0.0
    gamma_fixed: bool = False
    kept_rates: list[float] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @classmethod
    def first(cls, parameters: Tensor, offsets: IntArray, seed: int) -> State:
        """Return the state before the first epoch; `offsets` are those of the layers' groups."""
        import torch

        scores = parameters.new_zeros(int(offsets[-1]))
        rate_scores = torch.zeros(offsets.size - 1, dtype=torch.float64)
        return cls(
            dense=parameters,
            parameters=parameters.clone(),
            mask=torch.ones_like(parameters, dtype=torch.bool),
            scores=scores,
            rate_scores=rate_scores,
            parameter_velocity=torch.zeros_like(parameters),
            score_velocity=torch.zeros_like(scores),
            rate_velocity=torch.zeros_like(rate_scores),
            generator=torch.Generator().manual_seed(seed),
        )

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write the state; the file is whole or the one before. `about` says what it is the state of.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        arrays = {name: getattr(self, name).cpu().numpy() for name in _tensors()}
        arrays["generator"] = self.generator.get_state().numpy()
        numbers = {name: getattr(self, name) for name in _PLAIN}
        text = numbers | {"history": [asdict(epoch) for epoch in self.history], "about": about, "version": _VERSION}
        partial = path.with_name(f"{path.name}.partial")
        write_arrays(partial, arrays | {"state": np.array(json.dumps(text))}, "the state of the training")
        try:
            partial.replace(path)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); choose another path") from error

    def load(self, path: Path, about: dict[str, Any]) -> None:
        """Take over a state written by `save`, that of a training that is asked for the same.

        Raises
        ------
        InputError
            The file holds none, or one of another training.
        """
        import torch

        with arrays_of(path, "the state of a training", "begin a new training") as content:
            text = json.loads(str(content["state"]))
            if text["version"] != _VERSION:
                raise ValueError(f"its version is {text['version']}, not {_VERSION}")
            tensors = {name: torch.from_numpy(content[name]) for name in _tensors()}
            plain, found = {name: text[name] for name in _PLAIN}, dict(text["about"])
            history = [Epoch(**epoch | {"rates": tuple(epoch["rates"])}) for epoch in text["history"]]
            generator = torch.from_numpy(content["generator"])
        _check_about(path, found, about)
        self.generator.set_state(generator)
        self.history = history
        for name, value in plain.items():
            setattr(self, name, value)
        for name, tensor in tensors.items():
            setattr(self, name, tensor.to(getattr(self, name).device))


def _tensors() -> Iterator[str]:
    return (item.name for item in fields(State) if item.type == "Tensor" and item.name != "generator")


def _check_about(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        if found.get(name) != value:
            raise InputError(
                f"{path} is the state of a training with {name} {found.get(name)!r} and {value!r} was asked for now;"
                " ask for the same, or begin a new training"
            )
