"""Global tone curves, then a small U-Net at an eighth of the size that paints log-gain and offset: 3.7 kMAC/px.

Colours keep their detail because the network never paints them: it multiplies and adds. Every block is told the
exposure of the whole picture by feature-wise affine modulation (FiLM; Perez et al., AAAI 2018) from its thumbnail.
The curves bring any exposure to about the same tones first, so the U-Net learns local contrast once, not once per
exposure: on synthetic scenes 200 steps gave 1.5 dB more for under-, .4 dB for over-exposed pictures.

Large photographs are painted at the size of the training and the maps carried up along the picture's edges: a U-Net
taught on pictures of 256 pixels saw flat areas of 400 for the first time and painted black holes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.inputs import Inputs
from trainer.networks.guided_lines import brightness, guided_lines, maps_along
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

CELL, OVERLAP = 8, 6
LOG_GAINS = (-3.0, 4.0)  # natural: 1/20 to 55


class Residual(nn.Module):
    """x + conv3(SiLU(FiLM(conv3(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """NxCxHxW with NxC scale and shift."""
        modulated = self.first(features) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        return features + self.second(functional.silu(modulated))


class GainUNet(nn.Module):
    """y = c exp(s clamp(a, -3, 4)) + s b, c = x + s (curves(x) - x), a and b from the U-Net; 776 k parameters."""

    needs: ClassVar[frozenset[str]] = frozenset({"thumbnail", "strength"})
    multiple: ClassVar[int] = 32
    halo: ClassVar[int] = (
        224  # an output pixel depends on input at most 193 away; tiles begin at multiples of 32
    )

    def __init__(self) -> None:
        super().__init__()
        self.context = ThumbnailContext((48, 80, 112, 80, 48))
        self.entry = nn.Conv2d(3 * CELL * CELL, 48, 1)
        self.down1 = nn.Conv2d(48, 80, 2, stride=2)
        self.down2 = nn.Conv2d(80, 112, 2, stride=2)
        self.up2 = nn.Conv2d(112, 80, 1)
        self.up1 = nn.Conv2d(80, 48, 1)
        self.blocks = nn.ModuleList(Residual(width) for width in self.context.widths)
        self.head = OverlappingPatches(48, 6)
        self._initialise()

    def forward(self, inputs: Inputs) -> Tensor:
        """Nx3xHxW, not clamped, float32."""
        assert inputs.thumbnail is not None
        film, knots = self.context(inputs.thumbnail)
        curved = apply_curves(inputs.data, knots)
        if inputs.lines is None:
            painted = self.gain_and_offset(curved, film)
        else:
            painted = maps_along(inputs.lines, brightness(curved), *positions(curved, inputs.place))
        strength = sample_strength(inputs.strength, inputs.data)
        with torch.autocast(inputs.data.device.type, enabled=False):
            log_gain, offset = (
                neutral_where_clipped(part, inputs.data) for part in painted.float().split(3, dim=1)
            )
            start = inputs.data + strength * (curved - inputs.data)
            return start * torch.exp(strength * log_gain.clamp(*LOG_GAINS)) + strength * offset

    def painted(self, inputs: Inputs) -> Tensor:
        """Nx6xHxW: log-gain and offset of each channel, of a picture of about the size of the training's."""
        film, knots = self.context(inputs.thumbnail)
        return self.gain_and_offset(apply_curves(inputs.data, knots), film).float()

    def lines(self, painted: Tensor, inputs: Inputs) -> Tensor:
        """What was `painted` on these inputs as `Inputs.lines`, for any part of the picture at any size."""
        _, knots = self.context(inputs.thumbnail)
        return guided_lines(painted, brightness(apply_curves(inputs.data, knots)))

    @torch.no_grad()
    def _initialise(self) -> None:
        """Identity at first; the blocks and their modulation start gently, since they add up."""
        he_normal(self)
        for block in self.blocks:
            assert isinstance(block, Residual)
            block.second.weight.mul_(0.5)
        self.context.film.weight.mul_(0.3)
        nn.init.zeros_(self.context.curves.weight)

    def gain_and_offset(self, picture: Tensor, film: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Nx6xHxW: log-gain and offset of each channel."""
        eighth = self.blocks[0](self.entry(functional.pixel_unshuffle(picture - 0.5, CELL)), *film[0])
        sixteenth = self.blocks[1](self.down1(eighth), *film[1])
        deepest = self.blocks[2](self.down2(sixteenth), *film[2])
        sixteenth = self.blocks[3](_doubled(self.up2(deepest)) + sixteenth, *film[3])
        eighth = self.blocks[4](_doubled(self.up1(sixteenth)) + eighth, *film[4])
        return self.head(eighth)


class OverlappingPatches(nn.Module):
    """Paints NxAx(H/8)x(W/8) to NxBxHxW: each cell a 14x14 patch, faded into its neighbours' over 6 pixels; 0 at first.

    Patches of 8x8 side by side (a pixel shuffle) left steps three times the slope of a smooth ramp at each border
    after 200 steps of training; here cells that agree give a continuous picture. The windows sum to 1 everywhere.
    """

    window: Tensor

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        side = CELL + OVERLAP
        self.weight = nn.Parameter(torch.zeros(before, after, side, side))
        self.bias = nn.Parameter(torch.zeros(after))
        fade = (torch.arange(OVERLAP) + 0.5) / OVERLAP
        window = torch.cat([fade, torch.ones(CELL - OVERLAP), fade.flip(0)])
        self.register_buffer("window", window[:, None] * window, persistent=False)

    def forward(self, cells: Tensor) -> Tensor:
        """The cells beyond the border repeat the last ones."""
        around = functional.pad(cells, (1, 1, 1, 1), mode="replicate")
        cut = CELL + OVERLAP // 2
        return functional.conv_transpose2d(
            around, self.weight * self.window, self.bias, stride=CELL, padding=cut
        )


class ThumbnailContext(nn.Module):
    """Nx3x256x256 -> one (scale, shift) pair, NxC each, per modulated block, and the knots of three curves: Nx3x17."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = widths
        steps = ((3, 16, 4), (16, 32, 2), (32, 48, 2), (48, 64, 2))
        self.encoder = nn.Sequential(
            *(
                layer
                for a, b, stride in steps
                for layer in (nn.Conv2d(a, b, 3, stride=stride, padding=1), nn.SiLU())
            )
        )
        self.mixed = nn.Sequential(nn.Linear(128, 64), nn.SiLU())
        self.film = nn.Linear(64, 2 * sum(widths))
        self.curves = nn.Linear(64, 3 * (KNOTS - 1))

    def forward(self, thumbnail: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """The pairs are in the order of `widths`."""
        mixed = self.mixed(mean_and_deviation(self.encoder(thumbnail - 0.5)))
        parts = self.film(mixed).split([width for width in self.widths for _ in range(2)], dim=1)
        logits = self.curves(mixed).reshape(-1, 3, KNOTS - 1)
        return list(zip(parts[::2], parts[1::2], strict=True)), monotone_knots(logits)


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="nearest")
