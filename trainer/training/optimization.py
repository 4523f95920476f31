"""How weights are found: rates as functions of the step, optimisers, and the average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainer.settings import OptimizationSettings


def rate_at(step: int, settings: OptimizationSettings) -> float:
    """The learning rate of step 0, 1, ...: a linear warm-up to `rate`, then the schedule to `final_rate` at the end."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    progress = min(1.0, (step - settings.warmup) / max(1, settings.steps - settings.warmup))
    if settings.schedule == "cosine":
        share = (1 + math.cos(math.pi * progress)) / 2
        return settings.final_rate + (settings.rate - settings.final_rate) * share
    if settings.schedule == "exponential":
        return settings.rate * (settings.final_rate / settings.rate) ** progress
    return settings.rate


def make_optimizer(parameters: Iterable[nn.Parameter], settings: OptimizationSettings) -> Optimizer:
    """The optimiser of the settings, in its fused form where all weights are on a GPU."""
    weights = [one for one in parameters if one.requires_grad]
    common: dict[str, Any] = {"lr": settings.rate, "weight_decay": settings.weight_decay}
    fused = {**common, "fused": (bool(weights) and all(one.is_cuda for one in weights)) or None}
    makers: Mapping[str, Callable[[], Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(weights, momentum=settings.momentum, **fused),
        "adam": lambda: torch.optim.Adam(weights, eps=settings.epsilon, **fused),
        "adamw": lambda: torch.optim.AdamW(weights, eps=settings.epsilon, **fused),
        "adam_tensorflow": lambda: AdamTensorflow(weights, eps=settings.epsilon, **common),
    }
    return makers[settings.optimizer]()


class AdamTensorflow(Optimizer):
    """Adam with epsilon where TensorFlow puts it: beside the uncorrected root of the squares.

    m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate sqrt(1 - b2^t)/(1 - b1^t) m / (sqrt(v) + eps):
    the form before section 2.1 of Kingma and Ba, "Adam", ICLR 2015. PyTorch's equals it with eps/sqrt(1 - b2^t).
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step on all weights that have a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step_of(weight, weight.grad, group)

    def _step_of(self, weight: Tensor, gradient: Tensor, group: Mapping[str, Any]) -> None:
        state, (beta1, beta2) = self.state[weight], group["betas"]
        if not state:
            state.update(step=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
        state["step"] += 1
        if group["weight_decay"]:
            gradient = gradient.add(weight, alpha=group["weight_decay"])
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        rate = group["lr"] * math.sqrt(1 - beta2 ** state["step"]) / (1 - beta1 ** state["step"])
        weight.addcdiv_(state["mean"], state["square"].sqrt().add_(group["eps"]), value=-rate)


class MovingAverage:
    """Exponential average of all weights and buffers of a network: the copy that is validated and exported.

    The decay grows as (1 + t)/(10 + t) up to `decay`, so that short runs do not average over their first weights.
    Whole numbers (how many batches a batch norm saw) are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """After step `step`."""
        decay = min(self._decay, (1 + step) / (10 + step))
        mine, new = _tensors(self.network), _tensors(network)
        torch._foreach_lerp_(_floating(mine), _floating(new), 1 - decay)
        for count, its_count in zip(_whole(mine), _whole(new), strict=True):
            count.copy_(its_count)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*(one.data for one in network.parameters()), *network.buffers()]


def _floating(tensors: list[Tensor]) -> list[Tensor]:
    return [one for one in tensors if one.is_floating_point()]


def _whole(tensors: list[Tensor]) -> list[Tensor]:
    return [one for one in tensors if not one.is_floating_point()]
