"""What training minimises: our losses, which are means over unmasked pixels, and the released layers by name.

Every loss is `forward(output, reference, mask=None) -> scalar` of NxCxHxW tensors, in float32 or wider: a class in a
file of this room and a line in LOSSES. Of the trainer it imports inputs alone; training imports it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from builder.settings_tables import require_known
from trainer.inputs import Batch
from trainer.losses.caffe import EuclideanLoss, L1Loss, Regularization, SsimLayer
from trainer.losses.means import Charbonnier, L1Mean, MeanSquaredError, StandardSsim

# name -> class; its keyword parameters come from [loss_parameters.<name>] of the settings. The only list.
LOSSES: Mapping[str, type[nn.Module]] = {
    "l1": L1Loss,
    "euclidean": EuclideanLoss,
    "ssim": SsimLayer,
    "regularization": Regularization,
    "ssim_std": StandardSsim,
    "l1_mean": L1Mean,
    "mse": MeanSquaredError,
    "charbonnier": Charbonnier,
}

KINDS = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}


def make_loss(name: str, parameters: Mapping[str, Any]) -> nn.Module:
    """A loss of LOSSES; ValueError naming the known ones for unknown names or parameters, and what is missing."""
    require_known([name], LOSSES, "[losses]")
    signature = inspect.signature(LOSSES[name]).parameters
    known = {key: one for key, one in signature.items() if one.kind is one.POSITIONAL_OR_KEYWORD}
    where = f"[loss_parameters.{name}]"
    if parameters and not known:
        raise ValueError(f"{where}: this loss has no parameters, found {', '.join(parameters)}")
    require_known(parameters, known, where)
    missing = [key for key, one in known.items() if one.default is one.empty and key not in parameters]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} must be given")
    for key, value in parameters.items():
        _require_kind(f"{where} {key}", known[key].annotation, value)
    return LOSSES[name](**parameters)


def _require_kind(where: str, annotation: str, value: Any) -> None:
    """ValueError unless a value from a settings file is of a constructor's annotated type."""
    many = annotation == "Sequence[float]"
    if many and not isinstance(value, list | tuple):
        raise ValueError(f"{where}: expected a list of numbers, found {value!r}")
    for one in value if many else [value]:
        if type(one) not in KINDS["float" if many else annotation]:
            raise ValueError(f"{where}: expected {annotation}, found {value!r}")


class WeightedLoss(nn.Module):
    """Sum of weighted losses."""

    def __init__(self, weights: Mapping[str, float], parameters: Mapping[str, Mapping[str, Any]]) -> None:
        """Both by names of LOSSES. ValueError for unknown names, parameters, or weights that are none."""
        super().__init__()
        require_known(parameters, LOSSES, "[loss_parameters]")
        self.terms = nn.ModuleDict({name: make_loss(name, parameters.get(name, {})) for name in weights})
        if not weights:
            raise ValueError(f"[losses]: no loss is given; known losses: {', '.join(LOSSES)}")
        for name, weight in weights.items():
            if type(weight) not in KINDS["float"] or not 0 <= weight < math.inf:
                raise ValueError(f"[losses] {name}: expected a weight >= 0, found {weight!r}")
        self.weights = dict(weights)

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """(total, each unweighted term detached), scalars in float32 or wider."""
        terms = {name: loss(output, batch.reference, batch.mask) for name, loss in self.terms.items()}
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()}
