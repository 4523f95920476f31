"""What moved between the frames of a registered bracket.

A ghost is content that one frame has at a place and another has not. Frames of a still scene differ
as well, so three things are taken out before a difference counts:

- exposure and response: one monotone curve per channel, learnt from the two frames;
- nearness: a value that the other frame has within TOLERANCE_PX is no ghost. That covers what
  registration leaves, parallax, fluttering leaves and ripples, and defocus (a mean lies between its terms);
- structure: where one frame is locally a linear function of the other (R^2 near 1, as in the guided
  filter of He et al. 2013), or both are flat, they show the same thing. That covers a phone's local tone
  mapping, vignetting, flare and veils; it leaves the contours of what came or went, the ghost's too.

What is left and exceeds a stop (`ghost_ev`) stands out in any fusion. All is judged at JUDGED_SIDE
pixels: how large a ghost is in the picture counts, not how many pixels the camera has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from builder.registration.proxy import reduced
from builder.settings import AlignSettings
from fusion_algos.edge_filters import box_mean

Plane = NDArray[np.float32]  # HxW
Mask = NDArray[np.bool_]  # HxW

JUDGED_SIDE = 600  # pixels of the long side
BLOCK = 8  # of these pixels
MOVED_SHARE = 1 / 8  # of a block's pixels that make it a moved one
FAINT_SHARE = 1 / 4  # of `ghost_ev`, down to which a difference belongs to a ghost that it touches
DARKEST, BRIGHTEST = 10, 250  # 8-bit levels between which a level says something about radiance
NOISE_SIGMA = 0.8  # pixels
TOLERANCE_PX = 2
SURROUNDINGS_RADIUS = 12  # pixels; around each, both frames are compared in structure
FLAT_EV2 = 0.1  # EV^2, a variance below which there is no structure to speak of
LEAST_SHARE_COMPARED = (
    0.02  # of the picture; below, a frame shares too little with another to be judged by it
)


@dataclass(frozen=True)
class GhostReport:
    """Where frames disagree with the reference.

    `per_frame`: share of the picture whose content differs by more than `ghost_ev` (0 for the
    reference; 0 where nothing can be compared); `score`: the largest. `verdict`: static, suspected or
    dynamic. `mask`: what moved in any frame, with its fainter parts, one bool per block; `block_px`: a
    block's side in pixels of the frames.
    """

    score: float
    per_frame: tuple[float, ...]
    mask: NDArray[np.bool_]
    block_px: float
    verdict: str


def measure_ghosts(
    frames: Sequence[NDArray[np.uint8]], reference: int, settings: AlignSettings
) -> GhostReport:
    """Compare each registered frame (HxWx3 uint8) with the reference, or with its neighbour in
    exposure where those two share too little.
    """
    smalls = [reduced(frame, min(JUDGED_SIDE, settings.proxy_side)) for frame in frames]
    order = sorted(range(len(frames)), key=lambda index: float(smalls[index].mean()))
    moved = np.zeros_like(_moved_blocks(np.zeros(smalls[reference].shape[:2], bool)))
    per_frame = [0.0] * len(frames)
    for place, index in enumerate(order):
        if index == reference:
            continue
        inwards = order[place + 1] if place < order.index(reference) else order[place - 1]
        for other in (reference, inwards):
            excess, compared = unexplained_ev(smalls[other], smalls[index])
            if compared.mean() >= LEAST_SHARE_COMPARED:
                per_frame[index] = float((excess > settings.ghost_ev).mean())
                moved |= _moved_blocks(_grown(excess, settings.ghost_ev))
                break
    score = max(per_frame)
    block_px = BLOCK * frames[reference].shape[1] / smalls[reference].shape[1]
    return GhostReport(score, tuple(per_frame), moved, block_px, _verdict(score, settings))


def _verdict(score: float, settings: AlignSettings) -> str:
    if score < settings.static_below:
        return "static"
    return "dynamic" if score > settings.dynamic_above else "suspected"


def _grown(excess: Plane, limit_ev: float) -> Mask:
    """Regions of faint difference that hold a strong one: a figure is not as unlike its ground all over."""
    _, labels = cv2.connectedComponents((excess > FAINT_SHARE * limit_ev).astype(np.uint8), connectivity=8)
    strong = np.zeros(labels.max() + 1, bool)
    strong[labels[excess > limit_ev]] = True
    return strong[labels]


def _moved_blocks(moved: Mask) -> Mask:
    """Whole 8x8 blocks that moved; a smaller picture is one block."""
    rows, columns = (max(1, side // BLOCK) for side in moved.shape)
    whole = moved[: rows * BLOCK, : columns * BLOCK].astype(np.float32)
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA) >= MOVED_SHARE


def unexplained_ev(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[Plane, Mask]:
    """How far, in EV, two frames (HxWx3 uint8) differ in content, and where they can be compared.

    The median of the channels: one channel alone bends where colours leave the gamut, and two may
    see a red thing before a grey one.
    """
    darker, brighter = sorted((first, second), key=lambda frame: float(frame.mean()))
    excesses, compared = [], np.zeros(first.shape[:2], bool)
    for channels in zip(cv2.split(darker), cv2.split(brighter), strict=True):
        logs = common_radiance(*channels)
        compared |= _within_range(*logs)
        excesses.append(_difference_in_content(*logs))
    compared &= ~(_without_content(first) | _without_content(second))
    return np.where(compared, np.median(excesses, axis=0), 0).astype(np.float32), compared


def _within_range(log_dark: Plane, log_bright: Plane) -> Mask:
    """Where one of the two, at least, is not clipped."""
    lowest, highest = min(log_dark.min(), log_bright.min()), max(log_dark.max(), log_bright.max())
    return (np.maximum(log_dark, log_bright) > lowest) & (np.minimum(log_dark, log_bright) < highest)


def _without_content(frame: NDArray[np.uint8]) -> Mask:
    """At and next to pure colours (0 and 255 only, and not black or white): the fill of a scan's border."""
    pure = ((frame == 0) | (frame == 255)).all(axis=2) & (frame.max(axis=2) != frame.min(axis=2))
    side = 4 * TOLERANCE_PX + 1
    return cv2.dilate(pure.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _difference_in_content(log_dark: Plane, log_bright: Plane) -> Plane:
    """The difference of two log radiances, in EV, that neither nearness nor structure in common accounts for.

    The square lets structure that is half in common, as local tone mapping leaves it, count a quarter.
    """
    one, other = (cv2.GaussianBlur(log, (0, 0), NOISE_SIGMA) for log in (log_dark, log_bright))
    outside = np.minimum(_outside_range(one, other), _outside_range(other, one))
    return outside * np.square(_unexplained_share(one, other)) if outside.any() else outside


def _unexplained_share(one: Plane, other: Plane) -> Plane:
    """Share of the variance around each pixel, of either plane, that a line of the other does not explain.

    1 - R^2 = (var x - cov^2 / (var y + eps)) / (var x + eps), the larger one of both ways; 0 where both are flat.
    """
    one, other = one - one.mean(), other - one.mean()  # small numbers, so that moments lose little
    mean_one, mean_other = (box_mean(plane, SURROUNDINGS_RADIUS) for plane in (one, other))
    covariance = box_mean(one * other, SURROUNDINGS_RADIUS) - mean_one * mean_other
    variances = [
        np.maximum(box_mean(np.square(plane), SURROUNDINGS_RADIUS) - np.square(mean), 0)
        for plane, mean in ((one, mean_one), (other, mean_other))
    ]
    shares = [
        (own - np.square(covariance) / (of_other + FLAT_EV2)) / (own + FLAT_EV2)
        for own, of_other in (variances, variances[::-1])
    ]
    return np.clip(np.maximum(*shares), 0, 1)


def _outside_range(plane: Plane, other: Plane) -> Plane:
    """How far values lie outside of what `other` has within TOLERANCE_PX of them; 0 inside."""
    window = np.ones((2 * TOLERANCE_PX + 1, 2 * TOLERANCE_PX + 1), np.uint8)
    above = plane - cv2.dilate(other, window)
    below = cv2.erode(other, window) - plane
    return np.maximum(np.maximum(above, below), 0)


def common_radiance(darker: NDArray[np.uint8], brighter: NDArray[np.uint8]) -> tuple[Plane, Plane]:
    """Log2 radiance of both in units of the darker white, clipped where either is clipped (HxW float32)."""
    log_radiance = np.log2(_linear(np.arange(256)))
    curve = _response_between(darker, brighter, log_radiance)
    lowest = max(log_radiance[DARKEST], curve[DARKEST])
    highest = max(min(log_radiance[BRIGHTEST], curve[BRIGHTEST]), lowest)
    tables = [np.clip(table, lowest, highest).astype(np.float32) for table in (log_radiance, curve)]
    return cv2.LUT(darker, tables[0]), cv2.LUT(brighter, tables[1])


def _linear(levels: NDArray) -> NDArray[np.float64]:
    """IEC 61966-2-1 decoding of 8-bit levels; half a level stands for zero."""
    encoded = np.maximum(levels, 0.5) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _response_between(
    darker: NDArray[np.uint8], brighter: NDArray[np.uint8], log_radiance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Typical log2 radiance in the darker frame for each of 256 levels of the brighter, made monotone."""
    joint = np.bincount(brighter.ravel().astype(np.int64) * 256 + darker.ravel(), minlength=65536)
    joint = joint.reshape(256, 256)
    count = joint.sum(axis=1)
    count[:DARKEST] = count[BRIGHTEST + 1 :] = 0  # what is clipped in the brighter says nothing of the curve
    levels = np.flatnonzero(count >= max(30.0, 1e-5 * darker.size))
    if not len(levels):  # nothing in common: the brighter frame is clipped all over
        return np.full(256, log_radiance[BRIGHTEST])
    typical = (np.cumsum(joint, axis=1) < count[:, None] / 2).sum(axis=1).clip(0, 255)
    rising = isotonic_regression(log_radiance[typical][levels], weights=count[levels]).x
    offset = np.interp(np.arange(256), levels, rising - log_radiance[levels])
    return np.maximum.accumulate(log_radiance + offset)
