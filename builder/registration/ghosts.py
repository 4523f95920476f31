"""What moved between the frames of a registered bracket.

Two exposures of a still scene are tied by one monotone curve. The curve is learnt from the frames
themselves (the typical level of a frame where the reference has a given level), so neither an
unknown camera response nor a wrong exposure time looks like motion; what departs from it block by
block moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.registration.proxy import BLOCK, block_deviation, block_mean, block_ncc, reduced
from builder.settings import AlignSettings

DARKEST, BRIGHTEST = 10, 250  # 8-bit levels between which a level says something about radiance
CURVE_SLACK_EV = 1.0  # how far a camera's curve may bend off the exposure ratio
LEAST_NCC = 0.5
UNLIKE_SIGMA = 2.0  # pixels; ripples as fine as the sampling look unlike in any two frames
LEAST_CLUSTER = 4  # blocks
VISIBLE_LEVELS = 6.0  # what JPEG and noise may do to a block, in levels of the darker frame
TEXTURED_LEVELS = 3.0  # standard deviation of a block after smoothing, in levels of the darker frame
LEAST_SHARE_COMPARED = 0.02  # of all blocks; below, a frame shares too little with another to be judged by it


@dataclass(frozen=True)
class GhostReport:
    """Where frames disagree with the reference.

    `per_frame`: share of the compared textured blocks that moved (0 for the reference; 0 where
    nothing can be compared); `score`: the largest. `verdict`: static, suspected or dynamic. `mask`:
    moved in any frame, one bool per 16x16 block of the proxy; `block_px`: such a block's side in
    pixels of the frames.
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
    smalls = [reduced(frame, settings.proxy_side) for frame in frames]
    order = sorted(range(len(frames)), key=lambda index: float(smalls[index].mean()))
    moved = np.zeros(block_mean(smalls[reference][..., 0]).shape, bool)
    per_frame = [0.0] * len(frames)
    for place, index in enumerate(order):
        if index == reference:
            continue
        inwards = order[place + 1] if place < order.index(reference) else order[place - 1]
        for other in (reference, inwards):
            differs, compared = compare_blocks(smalls[other], smalls[index], settings.ghost_ev)
            if compared.mean() >= LEAST_SHARE_COMPARED:
                per_frame[index] = float(differs.sum() / compared.sum())
                moved |= differs
                break
    score = max(per_frame)
    block_px = BLOCK * frames[reference].shape[1] / smalls[reference].shape[1]
    return GhostReport(score, tuple(per_frame), moved, block_px, _verdict(score, settings))


def _verdict(score: float, settings: AlignSettings) -> str:
    if score < settings.static_below:
        return "static"
    return "dynamic" if score > settings.dynamic_above else "suspected"


def compare_blocks(
    first: NDArray[np.uint8], second: NDArray[np.uint8], limit_ev: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which 16x16 blocks of two frames (HxWx3 uint8) differ, and which can be compared at all.

    Colours that clip or leave the gamut bend luma, so a difference in luma must show in every
    channel that has something to compare.
    """
    darker, brighter = sorted((first, second), key=lambda frame: float(frame.mean()))
    lumas = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (darker, brighter))
    differs, compared = _judge(*common_radiance(*lumas), limit_ev)
    differs = _in_clusters(differs & compared)
    for channel in zip(cv2.split(darker), cv2.split(brighter), strict=True):
        if not differs.any():
            break
        channel_differs, textured = _judge(*common_radiance(*channel), limit_ev)
        differs &= channel_differs | ~textured
    return _in_clusters(differs), compared


def _in_clusters(blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Only groups of LEAST_CLUSTER touching blocks or more: noise strikes alone, things do not."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(blocks.astype(np.uint8), connectivity=8)
    return blocks & (statistics[labels, cv2.CC_STAT_AREA] >= LEAST_CLUSTER)


def _judge(
    log_dark: NDArray[np.float32], log_bright: NDArray[np.float32], limit_ev: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which blocks of one channel differ, and which have texture."""
    tone_dark, tone_bright = (255 * np.exp2(log / 2.2) for log in (log_dark, log_bright))
    textured = np.maximum(block_deviation(tone_dark), block_deviation(tone_bright)) > TEXTURED_LEVELS
    brighter_now = np.abs(block_median(log_dark - log_bright)) > limit_ev
    visible = np.abs(block_median(tone_dark - tone_bright)) > VISIBLE_LEVELS
    soft_dark, soft_bright = (cv2.GaussianBlur(t, (0, 0), UNLIKE_SIGMA) for t in (tone_dark, tone_bright))
    unlike = block_ncc(soft_dark, soft_bright, TEXTURED_LEVELS) < LEAST_NCC
    return brighter_now & visible | unlike, textured


def block_median(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Medians of whole 16x16 blocks: an edge that is half a pixel off does not count as motion."""
    rows, columns = (max(1, side // BLOCK) for side in plane.shape)
    whole = plane[: rows * BLOCK, : columns * BLOCK]
    tiles = whole.reshape(rows, min(BLOCK, whole.shape[0]), columns, min(BLOCK, whole.shape[1]))
    return np.median(tiles, axis=(1, 3)).astype(np.float32)


def common_radiance(
    darker: NDArray[np.uint8], brighter: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
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
    joint = joint.reshape(256, 256).astype(float)
    joint[:DARKEST], joint[BRIGHTEST + 1 :] = (
        0,
        0,
    )  # what is clipped in the brighter says nothing of the curve
    count = joint.sum(axis=1)
    typical = (np.cumsum(joint, axis=1) < count[:, None] / 2).sum(axis=1).clip(0, 255)
    levels = np.flatnonzero(count >= max(30.0, 1e-5 * darker.size))
    if not len(levels):  # nothing in common: the brighter frame is clipped all over
        return np.full(256, log_radiance[BRIGHTEST])
    offset = np.interp(np.arange(256), levels, (log_radiance[typical] - log_radiance)[levels])
    return np.maximum.accumulate(log_radiance + offset)
