"""Gaussian windows over NxCxHxW tensors and the structural similarity in them (Wang et al., IEEE TIP 13(4), 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Moments:
    """Of both pictures in each window, NxCxRxS: means, sum of the variances, covariance."""

    mean_x: Tensor
    mean_y: Tensor
    variances: Tensor
    covariance: Tensor


def gaussian_taps(size: int, sigma: float, centre: float) -> Tensor:
    """`size` float64 weights exp(-(i - centre)^2 / (2 sigma^2)) of sum 1; their outer product is the window."""
    offsets = torch.arange(size, dtype=torch.float64) - centre
    taps = torch.exp(-(offsets**2) / (2 * sigma**2))
    return taps / taps.sum()


def window_moments(x: Tensor, y: Tensor, taps: Tensor, stride: int = 1) -> Moments:
    """Moments of NxCxHxW tensors in all whole windows that start at multiples of `stride`."""
    # The sum of the variances is all that SSIM asks for: four planes to filter, not five.
    planes = torch.cat((x, y, x * x + y * y, x * y), dim=1)
    mean_x, mean_y, squares, product = windowed_means(planes, taps, stride).chunk(4, dim=1)
    return Moments(mean_x, mean_y, squares - (mean_x**2 + mean_y**2), product - mean_x * mean_y)


def windowed_means(planes: Tensor, taps: Tensor, stride: int) -> Tensor:
    """Weighted sums of NxCxHxW planes in windows of taps x taps: rows first, then columns.

    One group per channel in contiguous memory: PyTorch's own depthwise kernel, in true float32 forwards and
    backwards; cuDNN, which other layouts go to, would compute in TF32 and lose the variances.
    """
    channels = planes.shape[1]
    weights = taps.to(planes).expand(channels, 1, -1).contiguous()
    planes = planes.contiguous(memory_format=torch.contiguous_format)
    planes = functional.conv2d(planes, weights[:, :, :, None], stride=(stride, 1), groups=channels)
    return functional.conv2d(planes, weights[:, :, None, :], stride=(1, stride), groups=channels)


def similarity(moments: Moments, c1: float, c2: float) -> Tensor:
    """SSIM of each window: luminance term times contrast-structure term."""
    products = 2 * moments.mean_x * moments.mean_y
    squares = moments.mean_x**2 + moments.mean_y**2
    luminance = (products + c1) / (squares + c1)
    return luminance * ((2 * moments.covariance + c2) / (moments.variances + c2))
