"""Where an exposure shows something else than a reference of the same scene does."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.intensity_mapping import LEAST_COUNT, Curves, mapping_curves, re_exposed

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

# Levels of the reference beyond which it says nothing of a darker (brighter) exposure, and beyond which it
# still says that the other one must be bright (dark) there.
WHITE, NEARLY_WHITE = 250, 230
SOME_WHITE = 240  # a pixel with such a channel may be clipped in all that are nearly white
BLACK, NEARLY_BLACK = 5, 25
DIFFERENCE = 0.08 * 255  # of the mean over a window, in levels of the other exposure: Sen et al. 2012
NOISE = 2.0  # levels of noise in the reference, which a steep curve enlarges
WINDOW = 7  # pixels
ALONE = 3.5  # times the difference that one channel must show if others do not
WEAK = 0.5  # share of the difference that motion needs which touches stronger motion
SMALLEST = 40  # pixels of motion in one piece; noise strikes alone, things do not
TOUCHED = 0.25  # share of a clipped region's outline in motion from which the whole region is doubted


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


def find_motion(reference: Bytes, source: Bytes) -> Motion:
    """Compare two HxWx3 uint8 exposures by means of the mapping between their levels.

    Where the reference is clipped it bounds the source from one side only.
    """
    to_source, to_reference = mapping_curves(reference, source), mapping_curves(source, reference)
    moved, blind = _large_pieces(_difference(reference, source, to_source)), _blind(reference, to_source)
    moved = _widened(moved)
    return Motion(moved | _doubted(blind, moved), blind, _bounded(to_source), to_reference)


def _bounded(to_source: Curves) -> Curves:
    """The mapping with white levels treated as the last that is not clipped: all that a white channel tells.

    What clipped pixels typically are in the source is the sky or a lamp; a leaf of which one channel is clipped
    would take that channel's level, and with it a wrong hue. Black levels are read as they are: nothing dark lies
    far beyond the curve, and the bound would gray a red sleeve whose green and blue are black.
    """
    if _is_brighter(to_source):
        return to_source
    bounded = to_source.copy()
    bounded[WHITE:] = bounded[WHITE - 1]
    return bounded


def _blind(reference: Bytes, to_source: Curves) -> Mask:
    """All channels black, or two of them white: a dark color's one visible channel says enough of it."""
    clipped = _clipped(reference, to_source).view(np.uint8)
    count = clipped[..., 0] + clipped[..., 1] + clipped[..., 2]
    return count >= (3 if _is_brighter(to_source) else 2)


def _is_brighter(to_source: Curves) -> bool:
    """Whether the mapping lifts the middle of the scale."""
    return bool(to_source[128].mean() > 128)


def _clipped(reference: Bytes, to_source: Curves) -> Mask:
    """Which values of the reference say nothing of the source: HxWx3."""
    return reference <= BLACK if _is_brighter(to_source) else reference >= WHITE


def _clipped_with_others(reference: Bytes) -> Mask:
    """White and nearly white values of pixels that have a whiter one: some cameras' white stays below 255."""
    largest = reference.max(axis=2, keepdims=True)
    clipped: Mask = (reference >= WHITE) | ((reference >= NEARLY_WHITE) & (largest >= SOME_WHITE))
    return clipped


def _difference(reference: Bytes, source: Bytes, to_source: Curves) -> NDArray[np.float32]:
    """The windowed difference over what noise may do, HxW: 1 is motion in two channels, or ALONE times in one.

    One channel alone differs in static scenes too: a camera maps colors out of its gamut by rules of its own, and
    where two are white it whitens the third.
    """
    clipped = _clipped(reference, to_source)
    if not _is_brighter(to_source):
        clipped = _clipped_with_others(reference)
    difference = re_exposed(reference, to_source) - source
    np.copyto(difference, _beyond_bound(reference, source, to_source), where=clipped)
    steepness = np.maximum(np.gradient(to_source, axis=0) - 1, 0)
    allowed = re_exposed(reference, (DIFFERENCE + NOISE * steepness).astype(np.float32))
    window = (WINDOW, WINDOW)
    excess = np.abs(cv2.blur(difference, window)) / cv2.blur(allowed, window)
    comparable = ~clipped | (excess > 1)
    second, largest = np.sort(excess, axis=2)[..., 1:].transpose(2, 0, 1)
    several = comparable.sum(axis=2) > 1
    if not _is_brighter(to_source):
        several |= clipped.sum(axis=2) > 1
    alone = np.where(several, np.float32(ALONE), np.float32(1))
    return np.maximum(second, largest / alone)


def _beyond_bound(reference: Bytes, source: Bytes, to_source: Curves) -> NDArray[np.float32]:
    """How far the source is darker (brighter) than what is clipped to white (black) in the reference may be.

    The bound is what the brightest (darkest) level maps to that is far enough from clipping and in use, for
    white raised in proportion: over a gap the curve would follow the clipped pixels themselves.
    """
    bounds = np.empty(3, np.float32)
    for c in range(3):
        used = np.bincount(reference[..., c].ravel(), minlength=256) >= LEAST_COUNT
        if _is_brighter(to_source):
            level = NEARLY_BLACK + np.flatnonzero(used[NEARLY_BLACK:])[:1]
            bounds[c] = to_source[level, c].min(initial=255)
        else:
            level = np.flatnonzero(used[: NEARLY_WHITE + 1])[-1:]
            bounds[c] = (to_source[level, c] * NEARLY_WHITE / np.maximum(level, 1)).max(initial=0)
    beyond = bounds - source
    return np.minimum(beyond, 0) if _is_brighter(to_source) else np.maximum(beyond, 0)


def _large_pieces(difference: NDArray[np.float32]) -> Mask:
    """Pieces of weak motion that hold some strong one: hysteresis, as things do not move in part.

    Thin lines (what misalignment and resampling leave at edges) and small spots do not count.
    """
    weak, strong = (_opened(difference > least) for least in (WEAK, 1.0))
    count, labels = cv2.connectedComponents(weak.view(np.uint8), connectivity=8)
    held = np.bincount(labels[strong], minlength=count) >= SMALLEST
    held[0] = False
    return held[labels]


def _widened(moved: Mask) -> Mask:
    """With a margin, and with what lies between parts of a thing that happened to look like its background."""
    margin, gap = (
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        for radius in (WINDOW, 2 * WINDOW)
    )
    wide = cv2.dilate(moved.view(np.uint8), margin)
    return cv2.morphologyEx(wide, cv2.MORPH_CLOSE, gap).view(bool)


def _opened(mask: Mask) -> Mask:
    return cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).view(bool)


def _doubted(blind: Mask, moved: Mask) -> Mask:
    """The blind regions whose outline moved for a good part: what they enclose may have moved with it."""
    count, labels = cv2.connectedComponents(blind.view(np.uint8), connectivity=8)
    outline = blind & ~cv2.erode(blind.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    length = np.bincount(labels[outline], minlength=count)
    touched = np.bincount(labels[outline & moved], minlength=count)
    doubted = touched > TOUCHED * length
    doubted[0] = False
    return doubted[labels]
