"""PSNR of whole validation pictures by kind, beside doing nothing and the best single gamma."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainer.exposure_kinds import KINDS, kind_of
from trainer.inputs import Batch
from trainer.metrics.per_pixel import HIGHEST_PSNR
from trainer.training.data import TrainingData
from trainer.training.processes import Processes

EXPONENTS = tuple(2.0 ** (number / 8) for number in range(-24, 25))  # 1/8 ... 8
SEARCH_STRIDE = 4  # every fourth pixel, both ways, finds the exponent


@dataclass(frozen=True)
class KindScore:
    """Mean PSNR in dB over pictures of a scene, then over scenes."""

    psnr: float
    identity: float
    gamma: float  # of input ** exponent
    exponent: float  # the best single one for this kind, on these pictures
    pictures: int


@dataclass(frozen=True)
class Validation:
    """Scores by kind of exposure; kinds without pictures are left out."""

    kinds: Mapping[str, KindScore]

    @property
    def score(self) -> float:
        """What the best checkpoint has most of: the mean PSNR of under- and over-exposed pictures."""
        wanted = [self.kinds[kind].psnr for kind in ("under", "over") if kind in self.kinds]
        found = wanted or [one.psnr for one in self.kinds.values()]
        return sum(found) / len(found)

    def as_document(self) -> dict[str, Any]:
        """Plain values for the log."""
        return {kind: asdict(one) for kind, one in self.kinds.items()}


def best_exponents(data: TrainingData, processes: Processes, well_ev: float) -> dict[str, float]:
    """For each kind the exponent of EXPONENTS with the highest mean PSNR of input ** exponent."""
    found = []
    for batch in data.validation():
        batch = batch.to(processes.device)
        step = (..., slice(None, None, SEARCH_STRIDE), slice(None, None, SEARCH_STRIDE))
        mask = None if batch.mask is None else batch.mask[step]
        scores = [psnr(batch.inputs.data[step] ** one, batch.reference[step], mask) for one in EXPONENTS]
        found.append((*_scene_and_kind(batch, data, well_ev), scores))
    every = [one for part in processes.gathered(found) for one in part]
    return {
        kind: max(zip(_mean_by_scene(every, kind), EXPONENTS, strict=True))[1]
        for kind in KINDS
        if any(one[1] == kind for one in every)
    }


@torch.no_grad()
def validate(
    network: nn.Module,
    data: TrainingData,
    processes: Processes,
    exponents: Mapping[str, float],
    well_ev: float,
    on_picture: Callable[[Batch, Tensor], Any] = lambda batch, output: None,
) -> Validation:
    """Scores of a network in eval mode on the whole validation split; `on_picture` sees each output, in [0, 1]."""
    found = []
    for batch in data.validation():
        batch = batch.to(processes.device)
        scene, kind = _scene_and_kind(batch, data, well_ev)
        output = network(batch.inputs).float().clamp(0, 1)
        pictures = (output, batch.inputs.data, batch.inputs.data ** exponents[kind])
        found.append((scene, kind, [psnr(one, batch.reference, batch.mask) for one in pictures]))
        on_picture(batch, output)
    every = [one for part in processes.gathered(found) for one in part]
    return Validation(
        {kind: _kind_score(every, kind, exponents[kind]) for kind in KINDS if kind in exponents}
    )


def psnr(output: Tensor, reference: Tensor, mask: Tensor | None) -> float:
    """In dB, peak 1, of NxCxHxW where Nx1xHxW `mask` is 1; HIGHEST_PSNR at most."""
    squared = (output.double() - reference.double()).square()
    if mask is None:
        mean = float(squared.mean())
    else:
        mean = float((squared * mask).sum() / (mask.double().sum() * squared.shape[1]))
    return HIGHEST_PSNR if mean == 0 else min(HIGHEST_PSNR, -10 * math.log10(mean))


def _scene_and_kind(batch: Batch, data: TrainingData, well_ev: float) -> tuple[str, str]:
    pair = data.pair(batch.rows[0])
    return pair.scene, kind_of(pair.relative_ev, well_ev)


def _kind_score(found: Iterable[tuple[str, str, list[float]]], kind: str, exponent: float) -> KindScore:
    found = list(found)
    own, identity, gamma = _mean_by_scene(found, kind)
    return KindScore(own, identity, gamma, exponent, sum(one[1] == kind for one in found))


def _mean_by_scene(found: Iterable[tuple[str, str, list[float]]], kind: str) -> list[float]:
    """Each number's mean over pictures of a scene, then over scenes: many exposures do not make a scene count more."""
    scenes = defaultdict(list)
    for scene, its_kind, numbers in found:
        if its_kind == kind:
            scenes[scene].append(numbers)
    means = [
        [sum(column) / len(rows) for column in zip(*rows, strict=True)] for _, rows in sorted(scenes.items())
    ]
    return [sum(column) / len(means) for column in zip(*means, strict=True)]
