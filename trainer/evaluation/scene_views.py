"""The pictures of a scene as every method sees them: read, 8 bits, at one size, exposures beside their reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.dataset.finished import Pair
from builder.images import read_image
from trainer.classical.exposure import Exposure
from trainer.exposure_kinds import ITSELF, kind_of
from trainer.preprocessing.eight_bits import eight_bits
from trainer.preprocessing.resize import short_side_resized

Picture8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Protocol:
    """How pictures are shown to methods. short_side: None = native size."""

    folder: Path
    short_side: int | None = 1024
    well_ev: float = 0.5


@dataclass(frozen=True, eq=False)
class View:
    """One picture to be enhanced, with its names for the tables."""

    input: str
    kind: str
    exposure: Exposure


def scenes_of(pairs: Iterable[Pair]) -> list[tuple[Pair, ...]]:
    """The pairs of each scene, scenes in order of their names."""
    ordered = sorted(pairs, key=lambda pair: (pair.scene, pair.input))
    return [tuple(group) for _, group in groupby(ordered, key=lambda pair: pair.scene)]


def read_picture(protocol: Protocol, path: str) -> Picture8:
    """A picture of the dataset, 8 bits, at the size of the protocol; UnreadableImage if damaged."""
    picture = eight_bits(read_image(protocol.folder / path))
    return picture if protocol.short_side is None else short_side_resized(picture, protocol.short_side)


def read_views(protocol: Protocol, pairs: Sequence[Pair]) -> list[View]:
    """The exposures of a scene, and last its reference as an input of its own."""
    reference = read_picture(protocol, pairs[0].reference)
    views = [
        View(
            pair.input,
            kind_of(pair.relative_ev, protocol.well_ev),
            Exposure(read_picture(protocol, pair.input), reference, pair.relative_ev),
        )
        for pair in pairs
    ]
    return [*views, View(pairs[0].reference, ITSELF, Exposure(reference, reference, 0.0))]


def training_exposures(protocol: Protocol, pairs: Sequence[Pair], *, jobs: int) -> Iterator[Exposure]:
    """Exposures with their references, decoded by threads a few scenes ahead; UnreadableImage if one is damaged."""

    def exposures(scene: tuple[Pair, ...]) -> list[Exposure]:
        return [view.exposure for view in read_views(protocol, scene) if view.kind != ITSELF]

    scenes = iter(scenes_of(pairs))
    with ThreadPoolExecutor(jobs) as threads:
        while batch := list(islice(scenes, 2 * jobs)):
            for read in threads.map(exposures, batch):
                yield from read
