"""The steps of a HARP training: one on the parameters that are kept, one on the scores and rates of the mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netopt.arrays import FloatArray, IntArray
from netopt.bounds.torch_maps import Tensor
from netopt.errors import InputError
from netopt.pruning.harp.descent import step
from netopt.pruning.harp.losses import LOSSES
from netopt.pruning.harp.options import HarpOptions
from netopt.pruning.harp.rates import RatePlan
from netopt.pruning.harp.select import Selector
from netopt.pruning.harp.sharing import shared_array, shared_tensor
from netopt.pruning.harp.state import State
from netopt.pruning.harp.straight_through import apply_mask, straight_through
from netopt.pruning.harp.torch_network import TorchNetwork

_WEIGHT_DECAY = 5e-4


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What steps are taken on.

    Attributes
    ----------
    model, plan, options : the network, its rates, and what is asked for.
    group : (parameters,) the group of each parameter, on the device.
    selector : of the groups.
    """

    model: TorchNetwork
    plan: RatePlan
    options: HarpOptions
    group: Tensor
    selector: Selector

    def on_parameters(self, state: State, x: Tensor, labels: Tensor, rate: float) -> tuple[float, Tensor]:
        """Move the parameters that the state's mask keeps; return the loss and the class scores where attacked."""
        loss, scores, gradient = self.descend(state, state.mask, x, labels)
        step(state.parameters, state.parameter_velocity, gradient * state.mask, rate, _WEIGHT_DECAY)
        return loss, scores

    def on_mask(self, state: State, x: Tensor, labels: Tensor, rate: float) -> tuple[float, Tensor]:
        """Move scores and rate scores; return the loss and the class scores where attacked."""
        import torch

        rate_scores = state.rate_scores.numpy()
        rates = self.plan.rates(rate_scores)
        loss, scores, gradient = self.descend(state, self.mask(state, rates), x, labels)
        self.selector.check()  # the loss was waited for
        score_gradient, rate_gradient = self.through(state, gradient)
        if self.options.learn_rates:
            total = self.plan.chain(rate_scores, rate_gradient + state.gamma * self.plan.hardware_loss(rates)[1])
            step(state.rate_scores, state.rate_velocity, torch.from_numpy(total), rate * self.options.rate_factor)
        if self.options.learn_scores:
            step(state.scores, state.score_velocity, score_gradient, rate, _WEIGHT_DECAY)
        return loss, scores

    def kept(self, state: State, counts: IntArray) -> Tensor:
        """Return the groups with the largest scores, so many a layer, (groups,); `selector.check` is left to do."""
        return shared_tensor(self.selector.keep_largest(shared_array(state.scores), counts))

    def mask(self, state: State, rates: FloatArray) -> Tensor:
        """Return the parameters of those groups, (parameters,)."""
        import torch

        kept = self.kept(state, self.plan.counts(rates))
        always = kept.new_ones(1)
        return torch.cat([kept, always])[self.group]

    def descend(self, state: State, mask: Tensor, x: Tensor, labels: Tensor) -> tuple[float, Tensor, Tensor]:
        """Return the loss, the class scores where attacked, and the gradient with respect to the masked parameters."""
        import torch

        effective = shared_tensor(apply_mask(shared_array(state.parameters), shared_array(mask))).requires_grad_()
        loss, scores = LOSSES[self.options.loss][0](
            self.options.attack,
            self.options.known_beta,
            lambda point: self.model.forward(point, effective),
            x,
            labels,
            state.generator,
        )
        if not np.isfinite(value := float(loss.detach())):
            raise InputError(f"the loss has become {value}; train with a smaller learning rate")
        (gradient,) = torch.autograd.grad(loss, effective)
        return value, scores.detach(), gradient

    def through(self, state: State, gradient: Tensor) -> tuple[Tensor, FloatArray]:
        """Return the gradients of scores and rates, given that of the masked parameters."""
        structure, weights = self.plan.structure, state.parameters
        if structure.units:
            products = gradient * weights
            gradient = products.new_zeros(structure.groups + 1).index_add(0, self.group, products)
            weights = gradient.new_ones(gradient.shape)
        first = slice(structure.groups)
        by_score, by_rate = straight_through(
            shared_array(gradient[first]), shared_array(weights[first]), shared_array(state.scores), structure.offsets
        )
        return shared_tensor(by_score), shared_tensor(by_rate).cpu().numpy()
