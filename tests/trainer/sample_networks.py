"""Small networks with known properties, by the manners of trainer.networks.Network."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.checkpoint import TrainedNetwork
from trainer.inputs import Inputs


class Same(nn.Module):
    """What comes in goes out."""

    needs: ClassVar[frozenset[str]] = frozenset()
    multiple: ClassVar[int] = 1
    halo: ClassVar[int] = 0

    def forward(self, inputs: Inputs) -> Tensor:
        return inputs.data.clone()


class Brighter(Same):
    """Adds a tenth."""

    def forward(self, inputs: Inputs) -> Tensor:
        return inputs.data + 0.1


class Decoding(Same):
    """Takes each picture for well exposed: its light is what sRGB says."""

    needs: ClassVar[frozenset[str]] = frozenset({"hdr"})

    def hdr(self, inputs: Inputs) -> Tensor:
        """The input's inverse tone curve."""
        data = inputs.data
        return torch.where(data <= 0.04045, data / 12.92, ((data + 0.055) / 1.055) ** 2.4)


class NotANumber(Same):
    def forward(self, inputs: Inputs) -> Tensor:
        return inputs.data * torch.nan


class Convolved(nn.Module):
    """Random: three convolutions on cells of 4x4 pixels, so 3 cells and the rest of its own are seen: 15 pixels."""

    needs: ClassVar[frozenset[str]] = frozenset()
    multiple: ClassVar[int] = 4
    halo: ClassVar[int] = 15

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        widths = (48, 8, 8, 48)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.1, generator=generator)

    def forward(self, inputs: Inputs) -> Tensor:
        cells = functional.pixel_unshuffle(inputs.data, 4)
        for layer in self.layers:
            cells = torch.tanh(layer(cells))
        return 0.5 + 0.5 * functional.pixel_shuffle(cells, 4)


class AllInputs(nn.Module):
    """Mixes all that a network may ask for, each so that a wrong one shows; has a strength of its own."""

    needs: ClassVar[frozenset[str]] = frozenset({"base", "thumbnail", "place", "strength"})
    multiple: ClassVar[int] = 2
    halo: ClassVar[int] = 0

    def forward(self, inputs: Inputs) -> Tensor:
        data = inputs.data
        top, left, height, width = inputs.place[0]
        rows = (torch.arange(data.shape[2]) + top)[:, None] / height
        columns = (torch.arange(data.shape[3]) + left)[None, :] / width
        change = 0.2 * rows * columns + 0.2 * inputs.base + 0.3 * inputs.detail
        change = change + 0.1 * inputs.thumbnail.mean(dim=(2, 3), keepdim=True)
        return data + inputs.strength[:, None, None, None] * change


def trained(network: nn.Module, name: str = "sample") -> TrainedNetwork:
    """As if it were read from a run folder."""
    return TrainedNetwork(network.eval(), name, Path("run"), "0123456789abcdef" * 4, 1, {})
