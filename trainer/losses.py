"""Losses: the seed's Caffe layers as released, their corrected forms, and ours. All in float32 or wider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from trainer.inputs import Batch

# name -> class; its keyword parameters come from [loss_parameters.<name>] of the settings. The only list.
# l1, euclidean, ssim (kernel_size, stride, c1, c2: as released), ssim_std, l1_mean, mse, charbonnier, regularization
LOSSES: Mapping[str, type[nn.Module]] = {}


class WeightedLoss(nn.Module):
    """Sum of weighted losses. ValueError for unknown names or parameters."""

    def __init__(self, weights: Mapping[str, float], parameters: Mapping[str, Mapping[str, Any]]) -> None:
        raise NotImplementedError

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """(total, each unweighted term detached)."""
        raise NotImplementedError
