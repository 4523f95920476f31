"""What a training asks of its data, and that data from an exported dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from builder.dataset.finished import Pair
from trainer.dataset.batches import training_batches, whole_pictures
from trainer.dataset.frame_cache import FrameCache, Preparation, prepare
from trainer.dataset.manifest import Dataset
from trainer.inputs import Batch
from trainer.settings import Settings, SettingsError
from trainer.training.processes import Processes


class TrainingData(Protocol):
    """Batches as functions of the step, so that a run can go on anywhere."""

    @property
    def sha256(self) -> str:
        """The name of the dataset: of its manifest."""

    def pair(self, row: int) -> Pair:
        """The pair that `rows` of batches name."""

    def training(self, first_step: int) -> Iterator[Batch]:
        """This process's share of the batches of steps first_step, first_step + 1, ..."""

    def validation(self) -> Iterator[Batch]:
        """This process's share of the validation pictures, whole, one to a batch, scene by scene."""


@dataclass(frozen=True)
class DatasetBatches:
    """Training data from the prepared frames of an exported dataset."""

    dataset: Dataset
    cache: FrameCache
    settings: Settings
    needs: frozenset[str]
    multiple: int
    processes: Processes

    @property
    def sha256(self) -> str:
        """Of the manifest."""
        return self.dataset.sha256

    def pair(self, row: int) -> Pair:
        """A row of the manifest."""
        return self.dataset.pairs[row]

    def training(self, first_step: int) -> Iterator[Batch]:
        """To the end of the run."""
        run, optimization = self.settings.run, self.settings.optimization
        return training_batches(
            self.cache, self.dataset.split("train"), self.settings.data,
            needs=self.needs, seed=run.seed, first_step=first_step, steps=optimization.steps,
            batch=optimization.batch, rank=self.processes.rank, ranks=self.processes.ranks,
            workers=run.workers, pin_memory=self.processes.device.type == "cuda",
        )  # fmt: skip

    def validation(self) -> Iterator[Batch]:
        """Every `ranks`-th scene."""
        mine = shared_by_scene(self.dataset.split("val"), self.processes.rank, self.processes.ranks)
        return whole_pictures(self.cache, mine, self.settings.data, needs=self.needs, multiple=self.multiple)


def shared_by_scene(pairs: Sequence[Pair], rank: int, ranks: int) -> list[Pair]:
    """The pairs of every `ranks`-th scene."""
    scenes = {scene: number for number, scene in enumerate(dict.fromkeys(pair.scene for pair in pairs))}
    return [pair for pair in pairs if scenes[pair.scene] % ranks == rank]


def prepared(
    dataset: Dataset,
    settings: Settings,
    folder: Path,
    processes: Processes,
    *,
    needs: frozenset[str],
    multiple: int,
    on_progress: Callable[[int, int], Any] = lambda done, total: None,
) -> DatasetBatches:
    """Make the frame cache (the first process does), then open it everywhere. DatasetError for unusable data."""
    if settings.data.crop % multiple:
        raise SettingsError(
            f"data.crop: {settings.data.crop} px; {settings.network} wants a multiple of {multiple}"
        )
    pairs = [*dataset.split("train"), *dataset.split("val")]
    preparation = Preparation(
        settings.data.resize, settings.data.short_side, base="base" in needs, hdr="hdr" in needs
    )
    if not processes.is_first:
        processes.wait()
    cache = prepare(dataset, pairs, preparation, folder, jobs=_jobs(), on_progress=on_progress)
    if processes.is_first:
        processes.wait()
    return DatasetBatches(dataset, cache, settings, needs, multiple, processes)


def _jobs() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
