"""A bilateral grid of colour transforms behind global tone curves: .2 to .6 kMAC per pixel, tiles exact without halo.

After Gharbi et al., "Deep bilateral learning for real-time image enhancement" (ACM TOG 36(4), 2017), with global
curves in front. Two choices differ from it, both for learning in few steps:
the guide reads the picture *after* the global curves, so a depth of the grid means the same output tone at every
exposure (of a picture 3 EV too dark the guide would else reach only the lowest two or three of eight depths), and it
starts as luminance spread over all depths instead of as noise around one of them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.inputs import Inputs
from trainer.networks.guided_lines import LUMA
from trainer.networks.tone_curves import (
    KNOTS,
    apply_curves,
    he_normal,
    mean_and_deviation,
    monotone_knots,
    neutral_where_clipped,
    positions,
    sample_strength,
)

CELLS, DEPTHS = 16, 8  # the grid: CELLS x CELLS over the picture, DEPTHS over the guide
AFFINE = 12  # 3x4 colour transform, row by row
STRIP_PIXELS = 1 << 15  # about 100 float32 planes of them: 13 MB
GUIDE_SLOPE = 5.0  # sigmoid(5 (Y - .5)) runs from .08 to .92: the middles of the outer depths are .06 and .94


class LutGrid(nn.Module):
    """Global monotone curves, then per pixel an affine colour map sliced from a 16x16x8 grid; 453 k parameters.

    output = c + s (A c + b) with c = x + s (curves(x) - x): s = 0 is the input, and each curve stays monotone to s = 1.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"thumbnail", "place", "strength"})
    multiple: ClassVar[int] = 1
    halo: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, 96)
        self.encoder = nn.Sequential(*(_halved(a, b) for a, b in pairwise(widths)))
        self.local = nn.Sequential(_conv(96, 96), nn.SiLU(), _conv(96, 96))
        self.whole = nn.Sequential(_halved(96, 96), _halved(96, 96))
        self.pooled = nn.Sequential(nn.Linear(192, 96), nn.SiLU(), nn.Linear(96, 96))
        self.grid_head = nn.Conv2d(96, AFFINE * DEPTHS, 1)
        self.curve_head = nn.Linear(96, 3 * (KNOTS - 1))
        self.guide = nn.Sequential(nn.Conv2d(3, 16, 1), nn.ReLU(), nn.Conv2d(16, 1, 1), nn.Sigmoid())
        he_normal(self)
        for head in (self.grid_head, self.curve_head):
            nn.init.zeros_(head.weight)
        _start_as_luminance(self.guide)

    def forward(self, inputs: Inputs) -> Tensor:
        """Nx3xHxW, not clamped, float32."""
        assert inputs.thumbnail is not None
        grid, knots = self.transforms(inputs.thumbnail)
        strength = sample_strength(inputs.strength, inputs.data)
        down, across = positions(inputs.data, inputs.place)
        strips = [
            self.render(inputs.data[:, :, rows], grid, knots, strength, down[:, rows], across)
            for rows in _strips(inputs.data)
        ]
        return strips[0] if len(strips) == 1 else torch.cat(strips, dim=2)

    def render(
        self, picture: Tensor, grid: Tensor, knots: Tensor, strength: Tensor, down: Tensor, across: Tensor
    ) -> Tensor:
        """Curves and maps on Nx3xHxW whose rows and columns lie at `down` and `across` of the whole picture."""
        curved = apply_curves(picture, knots)
        with torch.autocast(picture.device.type, enabled=False):  # bfloat16 would band
            guide = self.guide(curved)
            start = picture + strength * (curved - picture)
            maps = slice_grid(grid.float(), guide[:, 0], down, across)
            change = [
                (maps[:, 4 * row : 4 * row + 3] * start).sum(dim=1) + maps[:, 4 * row + 3] for row in range(3)
            ]
            return start + strength * neutral_where_clipped(torch.stack(change, dim=1), picture)

    def transforms(self, thumbnail: Tensor) -> tuple[Tensor, Tensor]:
        """Nx3x256x256 -> (what the affine maps add to identity: Nx12x8x16x16, knots of the curves: Nx3x17)."""
        features = self.encoder(thumbnail - 0.5)
        whole = self.pooled(mean_and_deviation(self.whole(features)))
        mixed = functional.silu(self.local(features) + whole[:, :, None, None])
        grid = self.grid_head(mixed)
        logits = self.curve_head(whole)
        samples = grid.shape[0]
        return (
            grid.reshape(samples, AFFINE, DEPTHS, CELLS, CELLS),
            monotone_knots(logits.reshape(samples, 3, KNOTS - 1)),
        )


def slice_grid(grid: Tensor, guide: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Trilinear: NxCxDxGxG at rows NxH and columns NxW in [0, 1] and NxHxW guide in [0, 1] -> NxCxHxW.

    Values sit at the middles of their cells; outside the outermost middles the grid goes on as a constant.
    """
    if torch.onnx.is_in_onnx_export():
        return slice_by_gathers(grid, guide, down, across)
    if _on_processor_without_gradient(guide):
        return slice_by_bags(grid, guide, down, across)
    return slice_by_sampling(grid, guide, down, across)


def slice_by_sampling(grid: Tensor, guide: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """The same by PyTorch's 5-D grid_sample, for training and GPUs; on a processor it uses one thread per sample."""
    rows = (2 * down - 1)[:, :, None].expand_as(guide)
    columns = (2 * across - 1)[:, None, :].expand_as(guide)
    where = torch.stack([columns, rows, 2 * guide - 1], dim=-1)[:, None]
    sliced = functional.grid_sample(grid, where, mode="bilinear", padding_mode="border", align_corners=False)
    return sliced[:, :, 0]


def slice_by_gathers(grid: Tensor, guide: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """The same by eight gathers: what an ONNX runtime without 5-D GridSample can do. down NxH, across NxW in [0, 1]."""
    samples, channels, depths, rows, columns = grid.shape
    table = grid.reshape(samples, channels, depths * rows * columns)
    axes = (
        _two_neighbours(guide, depths, rows * columns),
        _two_neighbours(down[:, :, None], rows, columns),
        _two_neighbours(across[:, None, :], columns, 1),
    )
    total: Tensor | None = None
    for depth, depth_weight in axes[0]:
        for row, row_weight in axes[1]:
            for column, column_weight in axes[2]:
                index = (depth + row + column).reshape(samples, 1, -1).expand(-1, channels, -1)
                weight = (depth_weight * row_weight * column_weight).reshape(samples, 1, -1)
                part = table.gather(2, index) * weight
                total = part if total is None else total + part
    assert total is not None
    return total.reshape(samples, channels, guide.shape[1], guide.shape[2])


def slice_by_bags(grid: Tensor, guide: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """The same on a processor, in 2/5 of the time and on all threads: rows first, then sums of four table rows."""
    samples, channels, depths, _, columns = grid.shape
    row, row_share = _cell_and_share(down, grid.shape[3])
    column, column_share = _cell_and_share(across, columns)
    depth, depth_share = _cell_and_share(guide, depths)
    table = grid.permute(0, 3, 4, 2, 1)  # N, rows, columns, depths, channels
    sample = torch.arange(samples)[:, None]
    upper, lower = table[sample, row.long()], table[sample, row.long() + 1]
    table = torch.lerp(upper, lower, row_share[:, :, None, None, None])

    line = torch.arange(guide[..., 0].numel(), dtype=torch.int32).reshape(*row.shape, 1)
    index = (line * columns + column[:, None]) * depths + depth
    index = index[..., None] + torch.tensor([0, 1, depths, depths + 1], dtype=torch.int32)
    across_share = column_share[:, None].expand_as(guide)
    both = across_share * depth_share
    weights = torch.stack(
        [1 - across_share - depth_share + both, depth_share - both, across_share - both, both], dim=-1
    )
    sliced = functional.embedding_bag(
        index.reshape(-1, 4),
        table.reshape(-1, channels),
        per_sample_weights=weights.reshape(-1, 4),
        mode="sum",
    )
    return sliced.reshape(*guide.shape, channels).permute(0, 3, 1, 2)


def _cell_and_share(position: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """The cell below a position in [0, 1], int32, and the share of the one above it."""
    exact = (position * cells - 0.5).clamp(0, cells - 1)
    below = exact.floor().clamp(max=cells - 2)
    return below.int(), exact - below


def _two_neighbours(position: Tensor, cells: int, stride: int) -> tuple[tuple[Tensor, Tensor], ...]:
    """(index times stride, weight) of the cells below and above positions in [0, 1]."""
    below, share = _cell_and_share(position, cells)
    index = below.long() * stride
    return (index, 1 - share), (index + stride, share)


def _on_processor_without_gradient(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and not torch.is_grad_enabled() and not torch.onnx.is_in_onnx_export()


def _strips(picture: Tensor) -> list[slice]:
    """Rows few enough for a processor's cache, when nothing needs the whole at once: no pixel asks another."""
    if not _on_processor_without_gradient(picture):
        return [slice(None)]
    rows = max(1, STRIP_PIXELS // (picture.shape[0] * picture.shape[3]))
    return [slice(start, start + rows) for start in range(0, picture.shape[2], rows)]


def _conv(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride=stride, padding=1)


def _halved(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(_conv(before, after, stride=2), nn.SiLU())


def _start_as_luminance(guide: nn.Sequential) -> None:
    """All hidden units see luminance above one of 16 thresholds; the first carries it to the output."""
    first, last = guide[0], guide[2]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    assert first.bias is not None
    assert last.bias is not None
    with torch.no_grad():
        first.weight.copy_(torch.tensor(LUMA).reshape(1, 3, 1, 1).expand_as(first.weight))
        first.bias.copy_(-torch.arange(16) / 16)
        last.weight.zero_()
        last.weight[0, 0] = GUIDE_SLOPE
        last.bias.fill_(-GUIDE_SLOPE / 2)
