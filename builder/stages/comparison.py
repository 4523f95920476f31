"""What the study has to know about a scene's candidates as a whole: which look the same, where they differ,
which cannot be a reference.

All candidates together do not fit into memory (13 of 24 megapixels are 0.9 GB), so their stored files are read
side by side, once, in strips of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from builder.images import read_strips
from builder.stages.disagreement import JUDGED_SIDE, Point, disagreement_points, reduced
from builder.store import Product, Recipe, Store, library_versions

COMPARISON_REVISION = 1
LABEL = "comparison"
NEAR_DUPLICATE_DB = 45.0  # PSNR from which two pictures look the same
IDENTICAL_DB = 100.0  # stands for an infinite PSNR, which JSON cannot hold
CLIPPED_SHARE = 0.02  # of the picture, above which a candidate is no reference
CLIPPED = 1  # levels from black or white at which all channels of a candidate's pixel are clipped
HELD = 5  # levels from black and white beyond which an exposure holds the pixel
STRIP_ROWS = 64

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Comparison:
    """The facts about one scene's candidates, by key; this is what the sidecar holds."""

    pairwise_psnr: tuple[tuple[str, str, float], ...]  # dB, each pair once
    near_duplicates: tuple[tuple[str, ...], ...]  # groups of two and more
    disagreement_points: tuple[Point, ...]  # shares of width and height, the strongest first
    gate_failures: Mapping[str, tuple[str, ...]]  # sentences; keys without a failure are missing


def comparison_recipe(scene: str, alignment_key: str, candidate_keys: Sequence[str]) -> Recipe:
    """All that decides the comparison of these candidates: the gates look at the aligned exposures too."""
    return Recipe(
        "fused",
        scene,
        LABEL,
        (alignment_key, *candidate_keys),
        {
            "revision": COMPARISON_REVISION,
            "libraries": library_versions("numpy", "opencv-python-headless", "scipy"),
        },
    )


def compare_candidates(
    store: Store, recipe: Recipe, frames: Sequence[Picture], candidates: Mapping[str, Product]
) -> Product:
    """Compare stored candidates, given by key in display order, with each other and with the exposures."""
    height, width = frames[0].shape[:2]
    sizes = {key: (product.result["width"], product.result["height"]) for key, product in candidates.items()}
    fitting = [key for key, size in sizes.items() if size == (width, height)]
    rows = _strip_rows(width, height)
    files = [read_strips(store.root / candidates[key].path(".png"), rows) for key in fitting]
    found = compare(fitting, frames, zip(*files, strict=True), rows)
    wrong = {
        key: (f"its size is {size[0]}x{size[1]}, the scene's is {width}x{height}",)
        for key, size in sizes.items()
        if key not in fitting
    }
    return store.draft(recipe).finish(
        {**asdict(found), "gate_failures": {**found.gate_failures, **wrong}}, {}
    )


def compare(
    keys: Sequence[str], frames: Sequence[Picture], strips: Iterator[tuple[Picture, ...]], rows: int
) -> Comparison:
    """Compare pictures of the frames' size that come as strips of `rows` rows, one of each picture at a time."""
    height, width = frames[0].shape[:2]
    pairs = list(combinations(range(len(keys)), 2))
    errors = np.zeros(len(pairs))
    clipped = np.zeros(len(keys))
    small: list[tuple[Picture, ...]] = []
    for number, strip in enumerate(strips):
        held = _held_by_an_exposure([frame[number * rows : (number + 1) * rows] for frame in frames])
        clipped += [cv2.countNonZero(cv2.bitwise_and(_clipped(picture, CLIPPED), held)) for picture in strip]
        errors += [cv2.norm(strip[one], strip[other], cv2.NORM_L2SQR) for one, other in pairs]
        small.append(tuple(_shrunk(picture, _factor(width, height)) for picture in strip))
    pictures = [reduced(np.concatenate(parts)) for parts in zip(*small, strict=True)]
    means = errors / (height * width * 3)
    return Comparison(
        tuple((keys[i], keys[j], round(_psnr(mse), 3)) for (i, j), mse in zip(pairs, means, strict=True)),
        near_duplicates(keys, means),
        tuple(disagreement_points(pictures)),
        {
            key: (f"{share:.1%} of the picture is clipped where an exposure is not (2 % at most)",)
            for key, share in zip(keys, clipped / (height * width), strict=True)
            if share > CLIPPED_SHARE
        },
    )


def near_duplicates(keys: Sequence[str], errors: NDArray[np.float64]) -> tuple[tuple[str, ...], ...]:
    """Groups in which every picture looks like every other, from the mean squared errors of all pairs in order.

    Complete linkage: a chain in which only neighbours are alike is not one group.
    """
    if len(keys) < 2:
        return ()
    limit = 255.0**2 / 10 ** (NEAR_DUPLICATE_DB / 10)
    numbers = fcluster(linkage(errors, "complete"), limit, "distance")
    groups: dict[int, list[str]] = {}
    for key, number in zip(keys, numbers, strict=True):
        groups.setdefault(int(number), []).append(key)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _psnr(mse: float) -> float:
    return min(IDENTICAL_DB, 10 * math.log10(255.0**2 / mse)) if mse > 0 else IDENTICAL_DB


def _clipped(picture: Picture, margin: int) -> Picture:
    """255 where all channels are within `margin` levels of black, or all of white."""
    black = cv2.inRange(picture, (0, 0, 0), (margin, margin, margin))
    white = cv2.inRange(picture, (255 - margin,) * 3, (255, 255, 255))
    return np.asarray(cv2.bitwise_or(black, white), dtype=np.uint8)


def _held_by_an_exposure(frames: Sequence[Picture]) -> Picture:
    """255 where at least one exposure is neither black nor white."""
    lost = _clipped(frames[0], HELD)
    for frame in frames[1:]:
        lost = np.asarray(cv2.bitwise_and(lost, _clipped(frame, HELD)), dtype=np.uint8)
    return np.asarray(cv2.bitwise_not(lost), dtype=np.uint8)


def _factor(width: int, height: int) -> int:
    """How many pixels of a side become one when strips are shrunk; `reduced` does the rest."""
    return max(1, max(width, height) // JUDGED_SIDE)


def _strip_rows(width: int, height: int) -> int:
    factor = _factor(width, height)
    return max(1, STRIP_ROWS // factor) * factor


def _shrunk(strip: Picture, factor: int) -> Picture:
    """Means of factor x factor pixels; a rest of rows or columns (a thousandth of the picture) is left out."""
    if factor == 1:
        return strip.copy()
    height, width = strip.shape[0] // factor, strip.shape[1] // factor
    if height == 0:
        return np.empty((0, width, 3), np.uint8)
    whole = strip[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
