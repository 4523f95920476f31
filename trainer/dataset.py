"""Batches whose content is a pure function of (seed, step, slot): workers, restarts and ranks change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from builder.dataset.finished import Pair
from trainer.frame_cache import FrameCache
from trainer.inputs import Batch
from trainer.settings import DataSettings


def training_batches(
    cache: FrameCache,
    pairs: Sequence[Pair],
    settings: DataSettings,
    *,
    needs: frozenset[str],
    seed: int,
    first_step: int,
    steps: int,
    batch: int,
    rank: int = 0,
    ranks: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Batches of steps first_step, ..., steps - 1; this rank's slots of the global batch of `batch` samples."""
    raise NotImplementedError


def whole_pictures(
    cache: FrameCache, pairs: Sequence[Pair], settings: DataSettings, *, needs: frozenset[str], multiple: int
) -> Iterator[Batch]:
    """One batch of one whole prepared frame per pair, in order, padded by reflection to `multiple` with its mask."""
    raise NotImplementedError
