"""Where an exposure shows something else than a reference of the same scene does."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.intensity_mapping import Curves, mapping_curves, re_exposed

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

# Levels of the reference beyond which it says nothing of a darker (brighter) exposure, and beyond which it
# still says that the other one must be bright (dark) there.
WHITE, NEARLY_WHITE = 250, 230
BLACK, NEARLY_BLACK = 5, 25
DIFFERENCE = 0.08 * 255  # of the mean over a window, in levels of the other exposure: Sen et al. 2012
NOISE = 2.0  # levels of noise in the reference, which a steep curve enlarges
WINDOW = 7  # pixels
SMALLEST = 40  # pixels of motion in one piece; noise strikes alone, things do not
TOUCHED = 0.1  # share of a clipped region in motion from which the whole region is doubted


@dataclass(frozen=True)
class Motion:
    """How an exposure relates to a reference, HxW each.

    `moved`: the exposure must not be used there; `blind`: the reference is clipped in the exposure's
    direction, so that only other exposures know what belongs there. `to_source`, `to_reference`: intensity
    mapping functions of levels between the two.
    """

    moved: Mask
    blind: Mask
    to_source: Curves
    to_reference: Curves

    @property
    def source_is_brighter(self) -> bool:
        """Whether the mapping lifts the middle of the scale."""
        return bool(self.to_source[128].mean() > 128)


def find_motion(reference: Bytes, source: Bytes) -> Motion:
    """Compare two HxWx3 uint8 exposures by means of the mapping between their levels.

    Where the reference is clipped it bounds the source from one side only.
    """
    to_source, to_reference = mapping_curves(reference, source), mapping_curves(source, reference)
    motion = Motion(np.zeros(source.shape[:2], bool), _blind(reference, to_source), to_source, to_reference)
    seeds = _opened(_excess(reference, source, motion) > 0)
    if not seeds.any():
        return motion
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * WINDOW + 1, 2 * WINDOW + 1))
    moved = cv2.dilate(seeds.view(np.uint8), ellipse).view(bool)
    return Motion(moved | _doubted(motion.blind, moved), motion.blind, to_source, to_reference)


def _blind(reference: Bytes, to_source: Curves) -> Mask:
    """All channels black, or two of them white: a dark color's one visible channel says enough of it."""
    if to_source[128].mean() > 128:
        return (reference <= BLACK).all(axis=2)
    return np.count_nonzero(reference >= WHITE, axis=2) >= 2


def _excess(reference: Bytes, source: Bytes, motion: Motion) -> NDArray[np.float32]:
    """How far the windowed difference exceeds what noise may do, in levels of the source: HxW."""
    difference = re_exposed(reference, motion.to_source) - source
    slope = np.abs(np.gradient(motion.to_source, axis=0)).astype(np.float32)
    allowed = re_exposed(reference, DIFFERENCE + NOISE * np.maximum(slope - 1, 0))
    _bound_where_clipped(difference, reference, source, motion)
    mean = cv2.blur(difference, (WINDOW, WINDOW))
    return (np.abs(mean) - cv2.blur(allowed, (WINDOW, WINDOW))).max(axis=2)


def _bound_where_clipped(
    difference: NDArray[np.float32], reference: Bytes, source: Bytes, motion: Motion
) -> None:
    if motion.source_is_brighter:
        clipped = reference <= BLACK
        bound = motion.to_source[NEARLY_BLACK]
        beyond = np.minimum(bound - source, 0)
    else:
        clipped = reference >= WHITE
        bound = motion.to_source[NEARLY_WHITE]
        beyond = np.maximum(bound - source, 0)
    np.copyto(difference, beyond, where=clipped, casting="same_kind")


def _opened(mask: Mask) -> Mask:
    """Without thin lines (what misalignment and resampling leave at edges) and small spots."""
    square = np.ones((3, 3), np.uint8)
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, square)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    large = statistics[:, cv2.CC_STAT_AREA] >= SMALLEST
    large[0] = False
    return large[labels]


def _doubted(blind: Mask, moved: Mask) -> Mask:
    """The blind regions of which a good share moved: what is left of them may be the moved thing too."""
    count, labels = cv2.connectedComponents(blind.view(np.uint8), connectivity=8)
    area = np.bincount(labels.ravel(), minlength=count)
    touched = np.bincount(labels[moved], minlength=count)
    doubted = touched > TOUCHED * area
    doubted[0] = False
    return doubted[labels]
