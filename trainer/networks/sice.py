"""The three networks of SICE (Cai, Gu, Zhang, IEEE TIP 27(4), 2018), as in the released prototxt files.

All convolutions are 3x3 with bias, stride 1 and zeros around; layers bear the names of the release. `width` is the
number of channels between layers: 64 as published, less for experiments on small machines.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.inputs import Inputs

CELL = 4  # side in pixels of the cells on which SicePerPixel works


class SiceResidual(nn.Module):
    """Model 1: data + g17(...g6(gA5(...gA1(data)))), 17 convolutions."""

    needs: ClassVar[frozenset[str]] = frozenset()
    multiple: ClassVar[int] = 1
    halo: ClassVar[int] = 17

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        names = [f"gA{i}" for i in range(1, 6)] + [f"g{i}" for i in range(6, 18)]
        self.layers = _chain(names, 3, width, 3, linear=("gA5", "g17"))

    def forward(self, inputs: Inputs) -> Tensor:
        """Nx3xHxW."""
        return inputs.data + self.layers(inputs.data)


class _TwoBranches(nn.Module):
    """What Models 2 and 3 share: a branch for RGB + base, one for RGB + detail, joined by g6, then g7 to g11."""

    needs: ClassVar[frozenset[str]] = frozenset({"base"})

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.base_branch = _chain([f"gA{i}" for i in range(1, 6)], inputs, width, width, linear=("gA5",))
        self.detail_branch = _chain([f"gB{i}" for i in range(1, 6)], inputs, width, width, linear=("gB5",))
        self.g6 = _convolution(2 * width, width)
        self.joined = _chain([f"g{i}" for i in range(7, 12)], width, width, width, linear=())

    def features(self, with_base: Tensor, with_detail: Tensor) -> Tensor:
        """Output of g11. g6 is the sum over both halves of its kernel: the branches are not copied together."""
        of_base, of_detail = self.base_branch(with_base), self.detail_branch(with_detail)
        halves = self.g6.weight.split(of_base.shape[1], dim=1)
        joined = functional.conv2d(of_base, halves[0], self.g6.bias, padding=1)
        return self.joined(joined + functional.conv2d(of_detail, halves[1], padding=1))


class SiceTwoStage(_TwoBranches):
    """Model 2: data + g12 of both branches."""

    multiple: ClassVar[int] = 1
    halo: ClassVar[int] = 12

    def __init__(self, *, width: int = 64) -> None:
        super().__init__(4, width)
        self.g12 = _convolution(width, 3)

    def forward(self, inputs: Inputs) -> Tensor:
        """Nx3xHxW."""
        return inputs.data + self.g12(self.features(*_with_base_and_detail(inputs)))


class SicePerPixel(_TwoBranches):
    """Model 3: both branches on cells of 4x4 pixels; they give a factor for each pixel and channel."""

    multiple: ClassVar[int] = CELL
    halo: ClassVar[int] = 13 * CELL - 1  # 12 cells, from the far side of its own

    def __init__(self, *, width: int = 64) -> None:
        super().__init__(4 * CELL**2, width)
        self.rir = _convolution(width, 3 * CELL**2)

    def forward(self, inputs: Inputs) -> Tensor:
        """Nx3xHxW; a pixel that is 0 stays 0."""
        cells = [functional.pixel_unshuffle(one, CELL) for one in _with_base_and_detail(inputs)]
        return functional.pixel_shuffle(self.rir(self.features(*cells)), CELL) * inputs.data


def _with_base_and_detail(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """RGB + base and RGB + detail, Nx4xHxW each."""
    if inputs.base is None or inputs.detail is None:
        raise ValueError(
            "this network needs the base and detail of its input (trainer.preprocessing.base_detail)"
        )
    return torch.cat([inputs.data, inputs.base], 1), torch.cat([inputs.data, inputs.detail], 1)


def _chain(
    names: Sequence[str], first: int, width: int, last: int, *, linear: Sequence[str]
) -> nn.Sequential:
    """Convolutions first > width > ... > width > last, a ReLU after each that is not `linear`."""
    channels = [first, *[width] * (len(names) - 1), last]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, before, after in zip(names, channels[:-1], channels[1:], strict=True):
        layers[name] = _convolution(before, after)
        if name not in linear:
            layers[f"relu_{name}"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def _convolution(before: int, after: int) -> nn.Conv2d:
    """3x3, He et al. (2015): normal with variance 2 / fan-in; bias 0."""
    if before < 1 or after < 1:
        raise ValueError(f"the width of a network must be at least 1, found {min(before, after)}")
    layer = nn.Conv2d(before, after, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
