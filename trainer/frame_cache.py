"""Whole frames, decoded and resized once: memory-mapped shards in a folder that can be deleted at any time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.dataset.finished import Pair
from trainer.manifest import Dataset


@dataclass(frozen=True)
class Preparation:
    """What is done to whole frames before crops are taken; part of the cache's key.

    resize: "short_side" (area, to `short_side`, never enlarged), "third" (the seed's: cropped to multiples of 3, bicubic
    1/3 rounded to 8 bits) or "none". base: the WLS base is made too. hdr: the linear picture too.
    """

    resize: str = "short_side"
    short_side: int = 512
    base: bool = False
    hdr: bool = False


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

    def input(self, pair: Pair) -> Frame: ...
    def reference(self, pair: Pair) -> Frame: ...


def prepare(
    dataset: Dataset,
    pairs: Sequence[Pair],
    preparation: Preparation,
    folder: Path,
    *,
    jobs: int,
    on_progress: Callable[[int, int], Any] = lambda done, total: None,
) -> FrameCache:
    """Make what is missing or damaged, then open. Atomic per shard; DatasetError for unreadable or differing frames."""
    raise NotImplementedError
