"""Scenes that show the same view: by a perceptual hash, by the camera's own facts, by equal files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

HASH_SIDE, HASH_PIXELS = 8, 32
SAME_VIEW = 6  # bits of 64
MAYBE_SAME_VIEW = 12  # and one more reason
SAME_TIME_SECONDS = 600.0
SAME_PLACE_METRES = 100.0
EARTH_METRES = 6_371_000.0


@dataclass(frozen=True)
class Circumstances:
    """What a camera says about when and where; never published."""

    body: str
    captured_at: datetime | None
    position: tuple[float, float] | None  # degrees north and east


def perceptual_hash(picture: NDArray[np.uint8]) -> int:
    """64 bits of a picture HxWx3: signs of its 8x8 lowest frequencies of brightness against their median.

    After Zauner, Implementation and benchmarking of perceptual image hash functions, 2010 (pHash).
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (HASH_PIXELS, HASH_PIXELS), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:HASH_SIDE, :HASH_SIDE].ravel()
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def hash_distance(one: int, other: int) -> int:
    """Number of different bits."""
    return (one ^ other).bit_count()


def near_pairs(hashes: Sequence[int], farthest: int = MAYBE_SAME_VIEW) -> Iterator[tuple[int, int, int]]:
    """(i, j, distance) of all pairs i < j that differ by at most `farthest` bits."""
    bits = np.array(hashes, np.uint64)
    for i in range(len(bits) - 1):
        distances = np.bitwise_count(bits[i + 1 :] ^ bits[i])
        for offset in np.flatnonzero(distances <= farthest):
            yield i, i + 1 + int(offset), int(distances[offset])


def same_views(hashes: Sequence[int], circumstances: Callable[[int], Circumstances]) -> list[tuple[int, int]]:
    """Pairs of pictures that show the same view; `circumstances` is asked only where the hash is not enough."""
    return [
        (i, j)
        for i, j, distance in near_pairs(hashes)
        if distance <= SAME_VIEW or is_same_occasion(circumstances(i), circumstances(j))
    ]


def is_same_occasion(one: Circumstances, other: Circumstances) -> bool:
    """The same camera within ten minutes, or within a hundred metres."""
    if one.position and other.position and metres_between(one.position, other.position) <= SAME_PLACE_METRES:
        return True
    if one.captured_at is None or other.captured_at is None or one.body != other.body:
        return False
    return abs((one.captured_at - other.captured_at).total_seconds()) <= SAME_TIME_SECONDS


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two positions in degrees (haversine)."""
    north, north_other = math.radians(one[0]), math.radians(other[0])
    east = math.radians(other[1] - one[1])
    chord = math.sin((north_other - north) / 2) ** 2
    chord += math.cos(north) * math.cos(north_other) * math.sin(east / 2) ** 2
    return 2 * EARTH_METRES * math.asin(math.sqrt(min(1.0, chord)))
