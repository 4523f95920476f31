"""Maps painted on a reduced picture, carried to the full one so that they end where its edges are.

After He, Sun, "Fast guided filter" (arXiv 1505.00996, 2015): around each pixel of the small picture a map is taken for
a line in the picture's brightness; the lines vary slowly, so they are enlarged instead of the map, and each pixel of
the full picture puts its own brightness in.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

RADIUS = 2
EPSILON = 1e-3  # of a brightness in [0, 1]: what varies less is flat
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def brightness(picture: Tensor) -> Tensor:
    """Nx3xHxW -> Nx1xHxW."""
    weights = torch.tensor(LUMA, device=picture.device, dtype=picture.dtype)
    return (picture * weights[:, None, None]).sum(dim=1, keepdim=True)


def guided_lines(maps: Tensor, guide: Tensor) -> Tensor:
    """NxCxHxW along Nx1xHxW -> Nx2CxHxW: the slopes of all maps, then their intercepts."""
    mean_map, mean_guide = _box(maps), _box(guide)
    covariance = _box(maps * guide) - mean_map * mean_guide
    variance = _box(guide * guide) - mean_guide * mean_guide
    slope = covariance / (variance.clamp(min=0) + EPSILON)
    return _box(torch.cat([slope, mean_map - slope * mean_guide], dim=1))


def maps_along(lines: Tensor, guide: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Nx2Chxw and Nx1xHxW brightness -> NxCxHxW; rows NxH and columns NxW of the guide in [0, 1] of the picture."""
    rows = (2 * down - 1)[:, :, None].expand(-1, -1, across.shape[1])
    columns = (2 * across - 1)[:, None, :].expand(-1, down.shape[1], -1)
    where = torch.stack([columns, rows], dim=-1)
    enlarged = functional.grid_sample(
        lines, where, mode="bilinear", padding_mode="border", align_corners=False
    )
    slope, intercept = enlarged.chunk(2, dim=1)
    return slope * guide + intercept


def _box(planes: Tensor) -> Tensor:
    """Means over windows, at the borders of what there is."""
    side = 2 * RADIUS + 1
    return functional.avg_pool2d(planes, side, stride=1, padding=RADIUS, count_include_pad=False)
