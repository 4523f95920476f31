"""Whole frames, decoded and resized once: memory-mapped shards in a folder that can be deleted at any time."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.dataset.finished import Pair
from trainer.dataset.frame_preparation import Preparation, Source, prepared, sources_of
from trainer.dataset.frame_shards import (
    INDEX,
    LIGHT,
    SHARD_BYTES,
    Arrays,
    Shard,
    Stored,
    arrays_in,
    damage_of,
    mapped,
    only_builder,
    read_index,
    remove_shard,
    saying_what_is_needed,
    shard_name,
    write_shard,
)
from trainer.dataset.manifest import Dataset, DatasetError
from trainer.dataset.merged_light import lights_of

__all__ = ["Frame", "FrameCache", "Preparation", "prepare"]

SHARDS_PER_JOB = 4  # so that all jobs end at about the same time


@dataclass(frozen=True)
class Frame:
    """One prepared picture, read from the map when indexed."""

    pixels: NDArray[np.uint8]  # HxWx3
    base: NDArray[np.uint16] | None  # HxW, 65535 = 1
    luminance_peak: int  # the largest grey level: luminance = gray / peak
    thumbnail: NDArray[np.uint8]  # 256x256x3
    hdr: NDArray[np.float16] | None  # HxWx3, ln(E + 1/255)


class FrameCache:
    """Prepared frames by path in the dataset; safe to open from several processes."""

    def __init__(
        self, shards: Sequence[Shard], dataset: Dataset, preparation: Preparation, lights: Mapping[str, str]
    ) -> None:
        """lights: SHA-256 of the linear picture by scene."""
        self._shards = tuple(shards)
        self._places = {one.key: (number, one) for number, shard in enumerate(shards) for one in shard.stored}
        self._rows = {pair.input: row for row, pair in enumerate(dataset.pairs)}
        self._preparation = preparation
        self._lights = dict(lights)
        self._maps: dict[int, NDArray[np.uint8]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Other processes map the files themselves."""
        return self.__dict__ | {"_maps": {}}

    def input(self, pair: Pair) -> Frame:
        """The exposure of a pair. KeyError if it was not prepared."""
        return self._frame(pair.input_sha256, pair.scene)

    def reference(self, pair: Pair) -> Frame:
        """The reference of a pair. KeyError if it was not prepared."""
        return self._frame(pair.reference_sha256, pair.scene)

    def size(self, pair: Pair) -> tuple[int, int]:
        """(height, width) of the prepared frames of a pair."""
        one = self._stored(pair.input_sha256)
        return one.height, one.width

    def row(self, pair: Pair) -> int:
        """Index of a pair in the dataset's `pairs`."""
        return self._rows[pair.input]

    def has_hdr(self, pair: Pair) -> bool:
        """Whether the scene's linear picture is here."""
        return pair.scene in self._lights

    def bits(self, sha256: str) -> int:
        """Per channel, of the file that a frame was made of."""
        return self._stored(sha256).bits

    def _stored(self, sha256: str) -> Stored:
        return self._places[self._preparation.key(self._preparation.kind, sha256)][1]

    def _frame(self, sha256: str, scene: str) -> Frame:
        stored = self._stored(sha256)
        arrays = self._arrays(stored.key)
        light = self._lights.get(scene)
        return Frame(
            arrays["pixels"],
            arrays.get("base"),
            stored.luminance_peak,
            arrays["thumbnail"],
            self._arrays(self._preparation.key(LIGHT, light))["hdr"] if light else None,
        )

    def _arrays(self, key: str) -> dict[str, NDArray[Any]]:
        number, stored = self._places[key]
        if number not in self._maps:
            self._maps[number] = mapped(self._shards[number])
        return arrays_in(self._maps[number], stored)


def prepare(
    dataset: Dataset,
    pairs: Sequence[Pair],
    preparation: Preparation,
    folder: Path,
    *,
    jobs: int,
    on_progress: Callable[[int, int], Any] = lambda done, total: None,
) -> FrameCache:
    """Make what is missing or damaged, then open. Atomic per shard; DatasetError for unreadable or differing frames.

    CannotWrite with the bytes needed if the disk is full. Several processes may call this at once: one makes, all open.
    """
    if folder.resolve().is_relative_to(dataset.folder.resolve()):
        raise ValueError(
            f"{folder}: a dataset is never written to; choose a folder outside of it for the cache"
        )
    lights = lights_of(dataset, pairs) if preparation.hdr else {}
    sources = sources_of(pairs, preparation, lights)
    shards = _whole_shards(folder, set(sources), jobs)
    missing = _missing(sources, shards)
    if missing:
        needed = sum(source.stored_bytes for source in missing)
        with saying_what_is_needed(folder, needed), only_builder(folder):
            shards = _whole_shards(folder, set(sources), jobs, remove_damaged=True)
            missing = _missing(sources, shards)
            shards += _Builder(dataset.folder, preparation, folder, len(missing), on_progress).build(
                missing, jobs
            )
    cache = FrameCache(shards, dataset, preparation, lights)
    _require_one_depth(cache, pairs)
    return cache


def _missing(sources: Mapping[str, Source], shards: Sequence[Shard]) -> list[Source]:
    present = {one.key for shard in shards for one in shard.stored}
    return [source for key, source in sources.items() if key not in present]


def _whole_shards(folder: Path, wanted: set[str], jobs: int, *, remove_damaged: bool = False) -> list[Shard]:
    """The undamaged shards that hold something wanted: sizes and checksums are verified here, once per opening."""

    def verified(index: Path) -> Shard | None:
        found = read_index(index)
        if found and wanted.isdisjoint(one.key for one in found[0].stored):
            return None
        if found and not damage_of(*found):
            return found[0]
        if remove_damaged:
            remove_shard(index)
        return None

    with ThreadPoolExecutor(max(1, jobs)) as threads:
        return [shard for shard in threads.map(verified, sorted(folder.glob(f"*{INDEX}"))) if shard]


class _Builder:
    """Makes shards, several at a time in threads: decoders, filters and hashes let others run."""

    def __init__(
        self,
        dataset: Path,
        preparation: Preparation,
        folder: Path,
        total: int,
        on_progress: Callable[[int, int], Any],
    ) -> None:
        self._dataset = dataset
        self._preparation = preparation
        self._folder = folder
        self._total = total
        self._on_progress = on_progress
        self._done = 0
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._faults: list[str] = []

    def build(self, sources: Sequence[Source], jobs: int) -> list[Shard]:
        """All shards of these sources. OSError if the disk refuses, DatasetError naming all unusable frames."""
        needed = sum(source.stored_bytes for source in sources)
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        threads = ThreadPoolExecutor(max(1, jobs))
        try:
            groups = _grouped(sources, min(SHARD_BYTES, needed // (SHARDS_PER_JOB * max(1, jobs))))
            futures = [threads.submit(self._write, group) for group in groups]
            shards = [shard for future in futures if (shard := future.result())]
        finally:
            self._stop.set()
            threads.shutdown(cancel_futures=True)
        if self._faults:
            faults = "\n  ".join(sorted(self._faults))
            raise DatasetError(f"{self._dataset}: frames that cannot be used:\n  {faults}")
        return shards

    def _write(self, group: Sequence[Source]) -> Shard | None:
        """The shard of a group; None, and no file, if one of its frames cannot be used."""
        name = shard_name(source.stored for source in group)
        try:
            return write_shard(self._folder, name, self._pictures(group))
        except DatasetError:
            return None

    def _pictures(self, group: Sequence[Source]) -> Iterator[tuple[Stored, Arrays]]:
        """One prepared picture after the other; DatasetError after the last if one could not be used."""
        faults = []
        for source in group:
            if self._stop.is_set():
                raise CancelledError
            try:
                yield prepared(self._dataset, source, self._preparation)
            except (ValueError, ArithmeticError) as error:  # the latter: a base without solution
                faults.append(f"scene {source.scene!r}, {source.path}: {error}")
            self._count()
        if faults:
            self._faults += faults
            raise DatasetError(faults[0])

    def _count(self) -> None:
        with self._counting:
            self._done += 1
            self._on_progress(self._done, self._total)


def _grouped(sources: Sequence[Source], limit: int) -> Iterator[list[Source]]:
    """Sources in their order, in groups of at most `limit` bytes, or of one."""
    group: list[Source] = []
    size = 0
    for source in sources:
        if group and size + source.stored_bytes > limit:
            yield group
            group, size = [], 0
        group.append(source)
        size += source.stored_bytes
    if group:
        yield group


def _require_one_depth(cache: FrameCache, pairs: Sequence[Pair]) -> None:
    """DatasetError that names the scenes whose inputs and references have different depths."""
    faults = [
        f"scene {pair.scene!r}, {pair.input}: {own} bits per channel, its reference has {other}"
        for pair in pairs
        for own, other in [(cache.bits(pair.input_sha256), cache.bits(pair.reference_sha256))]
        if own != other
    ]
    if faults:
        lines = "\n  ".join(faults)
        raise DatasetError(
            f"pairs of mixed depth:\n  {lines}\nExport them again with one depth, or leave them out"
        )
