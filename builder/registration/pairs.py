"""Registration of two exposures of one view: which pixel of one is which pixel of the other.

Motion is measured at corners (pyramidal Lucas-Kanade, Bouguet 2001), tracked there and back, and
explained by the simplest motion model that serves. Starting points: median threshold bitmaps (Ward
2003), phase correlation (Kuglin and Hines 1975) and, where those fail, SIFT (Lowe 2004).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from builder.registration.motion_model import (
    CELLS,
    Matrix,
    Points,
    apply,
    best_model,
    cell_of,
    frame_corners,
    is_sane,
    translation,
)
from builder.registration.proxy import Pair, covered, mean_ncc, warp_proxy

CORNERS = 1500
TRACK_WINDOW = (21, 21)
ROUND_TRIP_PX = 0.4  # a corner tracked there and back must return this close
GOOD_NCC = 0.7  # of blocks on average: no other start can do much better
NEARBY_PX = 3.0  # starts this near lead to the same place
SETTLED_PX = 0.02  # a fit that moves no corner more than this is final


@dataclass(frozen=True)
class PairFit:
    """How one frame lies on another: `matrix` (3x3) maps pixels of the fixed proxy to the moving one."""

    matrix: Matrix
    model: str
    corners: int  # that agree with the model
    agreement: float  # their share of all tracked corners
    cells: int  # of CELLS^2, in which they lie

    @classmethod
    def still(cls) -> PairFit:
        """No motion, found by looking at nothing."""
        return cls(np.eye(3), "identity", 0, 1.0, 0)

    @property
    def trustworthy(self) -> bool:
        """Enough corners agree that chance is out of the question."""
        return self.corners >= 12 and self.agreement >= 0.3

    @property
    def well_spread(self) -> bool:
        """Corners tie the frame down all over, so no detour over a third frame can do better."""
        return self.trustworthy and self.corners >= 120 and self.cells >= 8


def register(pair: Pair, guesses: tuple[Matrix, ...]) -> PairFit | None:
    """Find how `moving` lies on `fixed`, from guesses and coarse shifts on; None if nothing is believable.

    Likely starts go first; the first that leads to good agreement is taken, for what passes through the
    picture can make a wrong start look likely.
    """
    starts = sorted((*guesses, *coarse_shifts(pair)), key=lambda start: -_quick_score(pair, start))
    best, best_ncc = None, -1.0
    for index, start in enumerate(starts):
        if any(_nearby(start, tried, pair.shape) for tried in starts[:index]):
            continue
        fit = _refine(pair, start)
        if fit is not None and _believable(pair, fit):
            ncc = mean_ncc(pair, fit.matrix) or 0.0
            best, best_ncc = max((best, best_ncc), (fit, ncc), key=lambda scored: scored[1])
        if best_ncc >= GOOD_NCC:
            break
    return best


def _nearby(start: Matrix, other: Matrix, shape: tuple[int, int]) -> bool:
    places = frame_corners(shape)
    return bool(np.abs(apply(start, places) - apply(other, places)).max() < NEARBY_PX)


def register_by_features(pair: Pair) -> PairFit | None:
    """The same for motions too large to be tracked: starting from matched SIFT features."""
    refined = (_refine(pair, start) for start in feature_matches(pair))
    return next((fit for fit in refined if fit is not None and _believable(pair, fit)), None)


def _believable(pair: Pair, fit: PairFit) -> bool:
    """Corners agree, hands can do it, blocks agree no worse than unaligned (0.01: cost of resampling)."""
    if not fit.trustworthy or not is_sane(fit.matrix, pair.shape):
        return False
    before, after = mean_ncc(pair, np.eye(3)), mean_ncc(pair, fit.matrix)
    return after is not None and (before is None or after >= before - 0.01)


def _quick_score(pair: Pair, matrix: Matrix) -> float:
    """Correlation of detail at quarter size."""
    moved = warp_proxy(pair.moving_detail, matrix, pair.shape)
    inside = covered(matrix, pair.shape)[::4, ::4] > 0
    if inside.mean() < 0.3:
        return -1.0
    first, second = (
        cv2.blur(detail, (5, 5))[::4, ::4][inside].astype(np.float32) - 128
        for detail in (pair.fixed_detail, moved)
    )
    return float((first @ second) / max(np.sqrt((first @ first) * (second @ second)), 1e-6))


def coarse_shifts(pair: Pair) -> Iterator[Matrix]:
    """Whole-frame translations worth trying: by median threshold bitmaps and by phase correlation."""
    if min(pair.shape) < 64:
        return
    fixed, moving = (
        cv2.resize(detail, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for detail in (pair.fixed_detail, pair.moving_detail)
    )
    window = cv2.createHanningWindow(fixed.shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(fixed.astype(np.float32) - 128, moving.astype(np.float32) - 128, window)
    yield translation(2 * x, 2 * y)
    tones = [np.clip(tone, 0, 255).astype(np.uint8) for tone in (pair.fixed_tone, pair.moving_tone)]
    halves = [cv2.resize(tone, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for tone in tones]
    bits = min(6, int(np.log2(min(fixed.shape))) - 3)  # each bit halves the picture
    back = cv2.createAlignMTB(bits, 4, False).calculateShift(halves[0], halves[1])
    yield translation(-2.0 * back[0], -2.0 * back[1])


def feature_matches(pair: Pair) -> Iterator[Matrix]:
    """SIFT matches (ratio 0.75, mutual) explained by RANSAC: homography, then affine, then translation."""
    sift = cv2.SIFT.create(2500)
    keys_1, words_1 = sift.detectAndCompute(pair.fixed_detail, None)
    keys_2, words_2 = sift.detectAndCompute(pair.moving_detail, None)
    if words_1 is None or words_2 is None or min(len(keys_1), len(keys_2)) < 8:
        return
    back = _distinct(words_2, words_1)
    pairs = [(a, b) for a, b in _distinct(words_1, words_2).items() if back.get(b) == a]
    if len(pairs) < 8:
        return
    source = np.array([keys_1[a].pt for a, _ in pairs], np.float64)
    target = np.array([keys_2[b].pt for _, b in pairs], np.float64)
    homography, _ = cv2.findHomography(source, target, cv2.RANSAC, 3.0)
    if homography is not None:
        yield homography
    affine, _ = cv2.estimateAffine2D(source, target, ransacReprojThreshold=3.0)
    if affine is not None:
        yield np.vstack([affine, [0, 0, 1]])
    yield translation(*np.median(target - source, axis=0))


def _distinct(words: np.ndarray, others: np.ndarray) -> dict[int, int]:
    """Index of the nearest other word, for words whose second nearest is clearly farther (Lowe 2004)."""
    found = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words, others, k=2)
    clear = (pair[0] for pair in found if len(pair) == 2 and pair[0].distance < 0.75 * pair[1].distance)
    return {match.queryIdx: match.trainIdx for match in clear}


def _refine(pair: Pair, start: Matrix) -> PairFit | None:
    """Track and fit until the fit no longer moves."""
    matrix = start
    result = None
    for _ in range(4):
        places, found = track(pair, matrix)
        if len(places) < 8:
            return None
        fit = best_model(places, found, matrix, pair.shape)
        cells = len(np.unique(cell_of(places[fit.agreeing], pair.shape)))
        result = PairFit(fit.matrix, fit.name, int(fit.agreeing.sum()), float(fit.agreeing.mean()), cells)
        moved = np.abs(apply(fit.matrix, places) - apply(matrix, places)).max()
        matrix = fit.matrix
        if moved < SETTLED_PX:
            break
    return result


def track(pair: Pair, matrix: Matrix) -> tuple[Points, Points]:
    """Corners of `fixed` (N x 2) and where they are in `moving`, sought around where `matrix` puts them."""
    spacing = max(5, round(max(pair.shape) / 150))
    inside = covered(matrix, pair.shape)
    corners = cv2.goodFeaturesToTrack(pair.fixed_detail, CORNERS, 0.02, spacing, mask=inside)
    if corners is None:
        return np.empty((0, 2)), np.empty((0, 2))
    warped = warp_proxy(pair.moving_detail, matrix, pair.shape)
    there, seen = _follow(pair.fixed_detail, warped, corners)
    back, seen_back = _follow(warped, pair.fixed_detail, there)
    kept = seen & seen_back & (np.linalg.norm(back - corners, axis=2).ravel() < ROUND_TRIP_PX)
    return corners[kept, 0].astype(np.float64), apply(matrix, there[kept, 0].astype(np.float64))


def _follow(image: np.ndarray, other: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found, seen, _ = cv2.calcOpticalFlowPyrLK(image, other, corners, None, winSize=TRACK_WINDOW, maxLevel=4)
    return found, seen.ravel() > 0


def misplacement(pair: Pair, matrix: Matrix) -> float | None:
    """Root mean square over cells of the median offset, in proxy pixels, that tracking finds after
    alignment.

    Medians per cell take out tracking noise and things that moved; what stays is the misfit of the
    motion model.
    """
    places, found = track(pair, matrix)
    if len(places) < 8:
        return None
    back: Matrix = np.linalg.inv(matrix).astype(np.float64)
    offsets = apply(back, found) - places
    cells = cell_of(places, pair.shape)
    groups = [offsets[cells == cell] for cell in range(CELLS * CELLS)]
    medians = [np.median(group, axis=0) for group in groups if len(group) >= 8]
    medians = medians or [np.median(offsets, axis=0)]
    return float(np.sqrt(np.mean(np.sum(np.square(medians), axis=1))))
