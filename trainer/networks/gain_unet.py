"""A small U-Net at an eighth of the size that paints a log-gain and an offset: 3 kMAC per pixel.

Colours keep their detail because the network never paints them: it multiplies and adds. Every block is told the
exposure of the whole picture by feature-wise affine modulation (FiLM; Perez et al., AAAI 2018) from its thumbnail.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.inputs import Inputs
from trainer.networks.tone_curves import he_normal, mean_and_deviation, sample_strength

CELL = 8
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
    """y = x exp(s clamp(a, -3, 4)) + s b with a, b from a U-Net over 8x8 cells; 735 k parameters."""

    needs: ClassVar[frozenset[str]] = frozenset({"thumbnail", "strength"})
    multiple: ClassVar[int] = 32
    halo: ClassVar[int] = 192  # an output pixel depends on input at most 191 away

    def __init__(self) -> None:
        super().__init__()
        self.context = ThumbnailContext((48, 80, 112, 80, 48))
        self.entry = nn.Conv2d(3 * CELL * CELL, 48, 1)
        self.down1 = nn.Conv2d(48, 80, 2, stride=2)
        self.down2 = nn.Conv2d(80, 112, 2, stride=2)
        self.up2 = nn.Conv2d(112, 80, 1)
        self.up1 = nn.Conv2d(80, 48, 1)
        self.blocks = nn.ModuleList(Residual(width) for width in self.context.widths)
        self.head = nn.Conv2d(48, 6 * CELL * CELL, 1)
        self._initialise()

    def forward(self, inputs: Inputs) -> Tensor:
        """Nx3xHxW, not clamped, float32."""
        assert inputs.thumbnail is not None
        painted = self.gain_and_offset(inputs.data, inputs.thumbnail)
        strength = sample_strength(inputs.strength, inputs.data)
        with torch.autocast(inputs.data.device.type, enabled=False):
            log_gain, offset = painted.float().split(3, dim=1)
            return inputs.data * torch.exp(strength * log_gain.clamp(*LOG_GAINS)) + strength * offset

    @torch.no_grad()
    def _initialise(self) -> None:
        """Identity at first; the blocks and their modulation start gently, since they add up."""
        he_normal(self)
        for block in self.blocks:
            block.second.weight.mul_(0.5)
        self.context.mixed[-1].weight.mul_(0.3)
        nn.init.zeros_(self.head.weight)

    def gain_and_offset(self, picture: Tensor, thumbnail: Tensor) -> Tensor:
        """Nx6xHxW: log-gain and offset of each channel."""
        film = self.context(thumbnail)
        eighth = self.blocks[0](self.entry(functional.pixel_unshuffle(picture - 0.5, CELL)), *film[0])
        sixteenth = self.blocks[1](self.down1(eighth), *film[1])
        deepest = self.blocks[2](self.down2(sixteenth), *film[2])
        sixteenth = self.blocks[3](_doubled(self.up2(deepest)) + sixteenth, *film[3])
        eighth = self.blocks[4](_doubled(self.up1(sixteenth)) + eighth, *film[4])
        return functional.pixel_shuffle(self.head(eighth), CELL)


class ThumbnailContext(nn.Module):
    """Nx3x256x256 -> one (scale, shift) pair, NxC each, per modulated block."""

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
        self.mixed = nn.Sequential(nn.Linear(128, 64), nn.SiLU(), nn.Linear(64, 2 * sum(widths)))

    def forward(self, thumbnail: Tensor) -> list[tuple[Tensor, Tensor]]:
        """In the order of `widths`."""
        modulation = self.mixed(mean_and_deviation(self.encoder(thumbnail - 0.5)))
        parts = modulation.split([width for width in self.widths for _ in range(2)], dim=1)
        return list(zip(parts[::2], parts[1::2], strict=True))


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="nearest")
