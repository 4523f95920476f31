"""What training minimises: our losses, which are means over unmasked pixels, and the released layers by name.

Every loss is `forward(output, reference, mask=None) -> scalar` of NxCxHxW tensors, in float32 or wider.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from builder.settings_tables import require_known
from trainer.caffe_losses import EuclideanLoss, L1Loss, Regularization, SsimLayer
from trainer.full_precision import in_full_precision
from trainer.inputs import Batch
from trainer.ssim_windows import Moments, gaussian_taps, similarity, window_moments


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of NxCxHxW values where the Nx1xHxW mask is 1; 0 where it is nowhere."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp_min(1)


class L1Mean(nn.Module):
    """mean |x - y|."""

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return masked_mean((output - reference).abs(), mask)


class MeanSquaredError(nn.Module):
    """mean (x - y)^2."""

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return masked_mean((output - reference).square(), mask)


class Charbonnier(nn.Module):
    """mean sqrt((x - y)^2 + eps^2): an L1 that is smooth at 0 (Charbonnier et al., ICIP 1994)."""

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        if not eps > 0:
            raise ValueError(f"charbonnier: eps must be > 0, found {eps!r}")
        self.eps = eps

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors."""
        return masked_mean(((output - reference).square() + self.eps**2).sqrt(), mask)


class StandardSsim(nn.Module):
    """mean (1 - SSIM) as published (Wang et al. 2004): 11x11 Gaussian, sigma 1.5, whole windows at every pixel.

    Windows that touch a masked pixel are left out.
    """

    WINDOW, SIGMA, C1, C2 = 11, 1.5, 0.01**2, 0.03**2
    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(
            "taps", gaussian_taps(self.WINDOW, self.SIGMA, self.WINDOW // 2), persistent=False
        )

    @in_full_precision
    def forward(self, output: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scalar of NxCxHxW tensors of at least 11x11 pixels, else ValueError."""
        if min(output.shape[2:]) < self.WINDOW:
            raise ValueError(f"ssim_std: pictures need at least 11x11 pixels, found {tuple(output.shape)}")
        # Variances do not depend on the mean; about .5 the squares are smaller and float32 loses less.
        centred = window_moments(output - 0.5, reference - 0.5, self.taps)
        moments = Moments(centred.mean_x + 0.5, centred.mean_y + 0.5, centred.variances, centred.covariance)
        whole = None if mask is None else -functional.max_pool2d(-mask, self.WINDOW, stride=1)
        return masked_mean(1 - similarity(moments, self.C1, self.C2), whole)


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
