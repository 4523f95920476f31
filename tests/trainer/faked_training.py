"""A two-layer network with all that makes resuming hard, and data that are a function of the step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from builder.dataset.finished import Pair
from trainer.inputs import Batch, Inputs
from trainer.settings import Settings, load_settings

SIDE = 12
NAME = f"{__name__}:TinyNetwork"
EVS = (-2.0, 0.0, 2.0)


class TinyNetwork(nn.Module):
    """Batch norm has buffers to average, dropout draws random numbers."""

    needs: ClassVar[frozenset[str]] = frozenset()
    multiple, halo = 1, 2

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.2),
            nn.Conv2d(width, 3, 3, padding=1),
        )  # fmt: skip

    def forward(self, inputs: Inputs) -> Tensor:
        """Input plus what the layers add."""
        return inputs.data + self.layers(inputs.data)


def pair(row: int) -> Pair:
    """Three exposures to a scene."""
    scene, position = divmod(row, len(EVS))
    name = f"scene{scene}"
    return Pair(
        "train", name, name, scene, f"train/inputs/{name}/{position + 1}.png", f"train/references/{name}.png",
        EVS[position], None, None, None, SIDE, SIDE, "a" * 64, "b" * 64, "mertens2009", 0.1, 0.0, "accept", "",
    )  # fmt: skip


@dataclass
class FakeData:
    """Gamma curves to undo. Steps in `spoilt` hold a NaN (as often as said), a number in the batch beside it."""

    settings: Settings
    sha256: str = "c" * 64
    spoilt: dict[int, int] = field(default_factory=dict)  # step -> how many times more

    def pair(self, row: int) -> Pair:
        return pair(row)

    def training(self, first_step: int) -> Iterator[Batch]:
        for step in range(first_step, self.settings.optimization.steps):
            batch = made_batch(step, self.settings.optimization.batch)
            if self.spoilt.get(step, 0) > 0:
                self.spoilt[step] -= 1
                batch.inputs.data[0, 0, 0, 0] = float("nan")
            yield batch

    def validation(self) -> Iterator[Batch]:
        for row in range(6):
            yield made_batch(1000, 1, row)


def made_batch(step: int, count: int, row: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(step)
    reference = torch.rand((count, 3, SIDE, SIDE), generator=generator)
    exponent = {-2.0: 2.0, 0.0: 1.0, 2.0: 0.5}[EVS[row % 3]]
    rows = tuple(range(row, row + count))
    return Batch(Inputs(reference**exponent), reference, torch.full((count,), EVS[row % 3]), rows)


def tiny_settings(*assignments: str) -> Settings:
    """Twenty steps in less than a second."""
    common = [
        "losses.charbonnier=0", "losses.ssim_std=0", "losses.mse=1", "optimization.rate=1e-2", "optimization.steps=20",
        "optimization.warmup=2", "optimization.batch=4", "run.device=cpu", "run.threads=1", "run.workers=0",
        "run.log_every=3", "run.validate_every=10", "run.checkpoint_every=5", "run.strips=1", "data.crop=16",
    ]  # fmt: skip
    return load_settings(None, None, {}, [*common, *assignments], NAME)
