r"""HARP: rates of every layer and scores of every weight learned together under attack.

Zhao, Wressnegger, *Holistic adversarially robust pruning*, ICLR 2023. In three stages a network is

1. pretrained: all parameters :math:`\theta` descend an adversarial loss (`netopt.pruning.harp.losses`); or left as
   given;
2. pruned: with :math:`\theta` fixed, scores S and rate scores s descend
   :math:`L_{robust}(\theta \circ M(S, s)) + \gamma L_{hw}(s)`, where the mask M keeps the largest scores of each layer
   at the rates that s names (`netopt.pruning.harp.rates`) and gradients pass straight through it
   (`netopt.pruning.harp.straight_through`). :math:`\gamma` grows by a step an epoch until :math:`L_{hw}` rounds to
   zero;
3. fine-tuned: with M fixed, what it keeps of :math:`\theta` descends the adversarial loss.

S and s do not change inside of an attack, so masks are made once a step, not at every forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netopt.bounds.torch_device import check_device
from netopt.errors import InputError
from netopt.network.network import Network
from netopt.pruning.apply import apply_mask
from netopt.pruning.harp.descent import cosine
from netopt.pruning.harp.options import HarpOptions
from netopt.pruning.harp.rates import MET, NEAR, START, TOLERANCE, RatePlan, check_keep
from netopt.pruning.harp.result import HarpResult
from netopt.pruning.harp.select import Selector
from netopt.pruning.harp.state import STAGES, Epoch, State
from netopt.pruning.harp.steps import Steps
from netopt.pruning.harp.structure import find_structure
from netopt.pruning.harp.torch_network import TorchNetwork
from netopt.pruning.harp.training_data import check_data
from netopt.pruning.mask import Mask
from netopt.pruning.paths import ensure_path

#: Called with the share of an epoch that is done, and its mean loss so far.
OnStep = Callable[[float, float], None]


class HarpTraining:
    """A training that is stopped, saved and gone on with between any two epochs.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.pruning.harp.options import HarpOptions
    >>> from netopt.pruning.harp.training import HarpTraining
    >>> generator = np.random.default_rng(0)
    >>> weights = [generator.normal(size=(8, 2)), generator.normal(size=(2, 8))]
    >>> network = from_weights(weights, [np.zeros(8), np.zeros(2)])
    >>> images = generator.random((64, 2))
    >>> labels = (images[:, 0] > images[:, 1]).astype(int)
    >>> options = HarpOptions(keep=0.5, epochs=2, finetune_epochs=1, epsilon=0.01)
    >>> training = HarpTraining(network, images, labels, options)
    >>> [epoch.stage for epoch in training.epochs()]
    ['prune', 'prune', 'finetune']
    >>> training.result().network.relu_count
    8
    """

    def __init__(self, network: Network, images: ArrayLike, labels: ArrayLike, options: HarpOptions) -> None:
        """Begin a training.

        Raises
        ------
        InputError
            Data, network and options do not fit one another.
        """
        check_device(options.device)
        import torch

        data = check_data(network, images, labels, lower=options.lower, upper=options.upper)
        self.network, self.options = network, options
        self.model = TorchNetwork(network, options.device)
        self.structure = find_structure(self.model, options.structure)
        check_keep(self.structure, options.keep)
        self.plan = RatePlan(self.structure, options.keep)
        group = torch.from_numpy(self.structure.group).to(options.device)
        self.steps = Steps(self.model, self.plan, options, group, Selector(self.structure.offsets))
        self._about = {**asdict(options), "network": network.sha256, "data": data.digest}
        self._images = torch.from_numpy(data.images).to(options.device)
        self._labels = torch.from_numpy(data.labels).to(options.device)
        self.state = State.first(self.model.parameters(), self.structure.offsets, options.seed)
        self._enter()

    @property
    def done(self) -> bool:
        """Whether all epochs have run."""
        return self.state.stage >= len(STAGES)

    def epochs(self, on_step: OnStep | None = None) -> Iterator[Epoch]:
        """Run the epochs that are left, and yield what each did; the state is whole at every yield."""
        while not self.done:
            yield self.run_epoch(on_step)

    def run_epoch(self, on_step: OnStep | None = None) -> Epoch:
        """Run the next epoch; `on_step` is called after every step.

        Raises
        ------
        InputError
            All have run, or the loss is no number any more.
        """
        if self.done:
            raise InputError("the training is done; ask for its result")
        state, stage = self.state, STAGES[self.state.stage]
        pruning = stage == "prune"
        rate = self._first_rate(stage) * cosine(state.epoch, self._length(stage))
        if pruning and not state.gamma_fixed:
            state.gamma = self.options.gamma_step * (state.epoch + 1)
        loss, right = self._sweep(rate, on_step or (lambda share, loss: None))
        rates = self.plan.rates(state.rate_scores.numpy()) if pruning else np.empty(0)
        hardware_loss = self.plan.hardware_loss(rates)[0] if pruning else 0.0
        state.gamma_fixed |= pruning and hardware_loss < MET
        epoch = Epoch(
            stage, state.epoch, loss, right, rate, hardware_loss, state.gamma if pruning else 0.0, tuple(rates.tolist())
        )
        state.history.append(epoch)
        state.epoch += 1
        self._enter()
        return epoch

    def result(self) -> HarpResult:
        """Return what the training came to.

        Raises
        ------
        InputError
            Epochs are left.
        """
        if not self.done:
            raise InputError(f"the training stands in the stage {STAGES[self.state.stage]!r}; run the epochs left")
        state, keep = self.state, self.options.keep
        dense, trained = self._dense(), self.model.to_network(state.parameters)
        kept = self.model.by_part(state.mask[: self.model.weights].cpu().numpy())
        mask = Mask(kept, "harp", 1.0 - keep, dense.sha256)
        network = apply_mask(trained, replace(mask, network_sha256=trained.sha256))
        rates = dict(zip(self.structure.names, state.kept_rates, strict=True))
        share = self.structure.share_of(list(kept.values()))
        notices = list(state.notices)
        if share > keep * (1.0 + TOLERANCE):
            notices.append(
                f"the target was missed: {share:.4g} is kept and {keep:g} was asked for; prune for more epochs or raise"
                " gamma"
            )
        return HarpResult(network, dense, mask, rates, keep, share, tuple(state.history), tuple(notices))

    def save(self, path: Path) -> None:
        """Write the state, so that a training of the same network, data and options goes on from it exactly.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        self.state.save(path, self._about)

    def load(self, path: Path) -> None:
        """Go on from a state that `save` wrote.

        Raises
        ------
        InputError
            The file holds none, or one of another training.
        """
        self.state.load(path, self._about)

    def _enter(self) -> None:
        """Go on to the next stage wherever one has ended."""
        while not self.done and self.state.epoch >= self._length(STAGES[self.state.stage]):
            if STAGES[self.state.stage] == "pretrain":
                self._start_mask()
            elif STAGES[self.state.stage] == "prune":
                self._fix_mask()
            self.state.stage, self.state.epoch = self.state.stage + 1, 0

    def _start_mask(self) -> None:
        import torch

        state, learned = self.state, self.options.learn_rates
        state.dense = state.parameters.clone()
        values = state.dense.cpu().double().numpy()
        state.scores = self.model.tensor(self.structure.start_scores(self.model, values))
        share = max(START, self.options.keep) if learned else self.options.keep
        rates = self.plan.first_rates(self._dense(), self.options.start, share)
        state.rate_scores.copy_(torch.from_numpy(self.plan.rate_scores(rates, learned=learned)))

    def _fix_mask(self) -> None:
        """Make the mask that stays, and put a path back where it leaves none from inputs to outputs."""
        import torch

        state = self.state
        learned = self.plan.rates(state.rate_scores.numpy())
        rates, excess = self.plan.final_rates(learned), self.plan.excess(learned)
        if MET <= excess < NEAR:
            state.notices.append(f"the learned rates keep {excess:.1%} more than asked for, and were cut by one factor")
        elif excess < -NEAR:
            state.notices.append(
                f"the learned rates keep {-excess:.1%} less than asked for, and were raised by one factor"
            )
        counts = self.plan.final_counts(rates)
        groups = self.steps.kept(state, counts).cpu().numpy()
        self.steps.selector.check()
        state.kept_rates = (counts / self.structure.sizes).tolist()
        kept, notices = ensure_path(self._dense(), self.structure.weight_mask(self.model, groups))
        flat = np.concatenate([kept[part.key].ravel() for part in self.model.parts])
        state.mask[: self.model.weights] = torch.from_numpy(flat).to(state.mask.device)
        state.notices += notices
        state.parameters = state.dense * state.mask
        state.parameter_velocity.zero_()

    def _dense(self) -> Network:
        """Return the network before pruning: the one given, unless it was trained."""
        return self.model.to_network(self.state.dense) if self.options.pretrain_epochs else self.network

    def _length(self, stage: str) -> int:
        lengths = self.options.pretrain_epochs, self.options.epochs, self.options.finetune_epochs
        return lengths[STAGES.index(stage)]

    def _first_rate(self, stage: str) -> float:
        options = self.options
        rates = options.pretrain_learning_rate, options.learning_rate, options.finetune_learning_rate
        return rates[STAGES.index(stage)]

    def _sweep(self, rate: float, on_step: OnStep) -> tuple[float, float]:
        """Take a step a batch; return the mean loss and the share of attacked points read rightly."""
        import torch

        state = self.state
        take = self.steps.on_mask if STAGES[state.stage] == "prune" else self.steps.on_parameters
        order = torch.randperm(len(self._images), generator=state.generator).to(self._images.device)
        total, right, seen = 0.0, 0, 0
        for rows in torch.split(order, self.options.batch):
            labels = self._labels[rows]
            loss, scores = take(state, self._images[rows], labels, rate)
            total += loss * len(rows)
            right += int((scores.argmax(1) == labels).sum())
            seen += len(rows)
            on_step(seen / len(order), total / seen)
        return total / len(order), right / len(order)


def harp(network: Network, images: ArrayLike, labels: ArrayLike, *, keep: float, **options: Any) -> HarpResult:
    """Prune a network so that what is left withstands attacks, and train that.

    Parameters
    ----------
    network : trained, best adversarially; or not, with ``pretrain_epochs``.
    images : (count, ...) numbers in [0, 1], or the range that `options` name, one point the network's inputs.
    labels : (count,) the index of the output that should be largest.
    keep : share of the weights kept.
    options : as in `HarpOptions`.

    Raises
    ------
    InputError
        Data, network and options do not fit one another, or the training diverges.

    Examples
    --------
    >>> import numpy as np
    >>> from netopt.network.build import from_weights
    >>> from netopt.pruning.harp.training import harp
    >>> generator = np.random.default_rng(0)
    >>> weights = [generator.normal(size=(8, 2)), generator.normal(size=(2, 8))]
    >>> network = from_weights(weights, [np.zeros(8), np.zeros(2)])
    >>> images = generator.random((64, 2))
    >>> labels = (images[:, 0] > images[:, 1]).astype(int)
    >>> result = harp(network, images, labels, keep=0.5, epochs=0, finetune_epochs=1, learn_rates=False)
    >>> result.mask.weights_kept, result.target_met
    (16, True)
    """
    training = HarpTraining(network, images, labels, HarpOptions(keep=keep, **options))
    for _ in training.epochs():
        pass
    return training.result()
