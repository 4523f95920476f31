"""Fitting the motion of a whole frame to the motion of its corners.

Camera motion between two frames is, from simple to rich: none, a translation, a similarity, an
affinity or a homography. Rich models bend towards noise, so the simplest is taken that predicts
held-out corners as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]  # N x 2, (x, y)
Mask = NDArray[np.bool_]

CELLS = 4  # a frame is cut in CELLS x CELLS cells to judge spread and to hold corners out
OUTLIER_PX = 1.0  # corners farther off count as this far: they moved on their own or were tracked wrongly
NEVER_OUTLIER_PX = 0.3  # what tracking itself may err
SIMPLER_WITHIN = 1.03, 0.01  # factor and pixels by which a simpler model may predict worse


@dataclass(frozen=True)
class MotionModel:
    """A family of motions and the corners that it takes to fit one: how many, in how many cells."""

    name: str
    corners: int
    cells: int


MODELS = (  # in order of complexity
    MotionModel("identity", 0, 0),
    MotionModel("translation", 8, 1),
    MotionModel("similarity", 30, 4),
    MotionModel("affine", 60, 7),
    MotionModel("homography", 80, 8),
)
MODEL_NAMES = tuple(model.name for model in MODELS)


@dataclass(frozen=True)
class Fit:
    """A fitted motion: 3x3 matrix from source to target, and which corners agree with it (bool, N)."""

    name: str
    matrix: Matrix
    agreeing: Mask


def apply(matrix: Matrix, points: Points) -> Points:
    """Map N x 2 points by a 3x3 matrix."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]


def translation(x: float, y: float) -> Matrix:
    """The 3x3 matrix that adds (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def frame_corners(shape: tuple[int, ...]) -> Points:
    """The four corners and the centre of a frame of shape (height, width), N x 2."""
    bottom, right = shape[0] - 1.0, shape[1] - 1.0
    return np.array([[0, 0], [right, 0], [0, bottom], [right, bottom], [right / 2, bottom / 2]])


def largest_shift(matrix: Matrix, shape: tuple[int, ...]) -> float:
    """How far the corner or centre that moves most is moved, in pixels."""
    places = frame_corners(shape)
    return float(np.linalg.norm(apply(matrix, places) - places, axis=1).max())


def cell_of(points: Points, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Number of the cell, 0 .. CELLS^2 - 1, in which each point lies."""
    column_row = (points * CELLS / (shape[1], shape[0])).astype(np.int64).clip(0, CELLS - 1)
    return column_row[:, 1] * CELLS + column_row[:, 0]


def is_sane(matrix: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether one tripod or pair of hands can do that: shift < 30 % of the diagonal, scale 0.5 to 2."""
    places = frame_corners(shape)
    if np.any(np.column_stack([places, np.ones(5)]) @ matrix[2] <= 0):
        return False
    shift = np.linalg.norm(apply(matrix, places[4:]) - places[4:])
    return bool(shift < 0.3 * float(np.hypot(shape[0], shape[1])) and 0.5 < scale_of(matrix) < 2)


def scale_of(matrix: Matrix) -> float:
    """Linear magnification of a near-affine 3x3 matrix."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2] / matrix[2, 2]))))


def rotation_of(matrix: Matrix) -> float:
    """Rotation of a near-affine 3x3 matrix in degrees."""
    return float(np.degrees(np.arctan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1])))


def best_model(source: Points, target: Points, start: Matrix, shape: tuple[int, ...]) -> Fit:
    """Fit the simplest model that predicts held-out corners about as well as the best one does.

    `source` and `target` are N x 2 positions of the same corners, N >= 8; `start` is the motion as
    known so far.
    """
    cells = cell_of(source, shape)
    near = _agreeing_at_start(source, target, start)
    models = [m for m in MODELS if near.sum() >= m.corners and len(np.unique(cells[near])) >= m.cells]
    held_out = (cells + cells // CELLS) % 2 == 1  # a chequerboard: prediction must bridge whole cells
    errors = [_prediction_error(model, source, target, near, held_out) for model in models]
    allowed = min(errors) * SIMPLER_WITHIN[0] + SIMPLER_WITHIN[1]
    model = next(m for m, error in zip(models, errors, strict=True) if error <= allowed)
    matrix, agreeing = _fit_robustly(model, source, target, near)
    return Fit(model.name, matrix, agreeing)


def _prediction_error(
    model: MotionModel, source: Points, target: Points, near: Mask, held_out: Mask
) -> float:
    """Mean distance, outliers capped, of corners from where a fit to the other cells puts them."""
    enough = max(model.corners / 4, 4)
    capped = []
    for fold in (held_out, ~held_out):
        known = near & ~fold
        if fold.any() and (known.sum() >= enough or model is MODELS[0]):
            matrix = np.eye(3)
            if known.sum() >= enough:
                matrix, _ = _fit_robustly(model, source[~fold], target[~fold], known[~fold])
            capped.append(np.minimum(_distance(matrix, source[fold], target[fold]), OUTLIER_PX))
    if (
        not capped
    ):  # all corners in one kind of cell: nothing to hold out, their number has limited the models
        matrix, _ = _fit_robustly(model, source, target, near)
        capped.append(np.minimum(_distance(matrix, source, target), OUTLIER_PX))
    return float(np.concatenate(capped).mean())


def _fit_robustly(model: MotionModel, source: Points, target: Points, near: Mask) -> tuple[Matrix, Mask]:
    """Least squares on the corners that agree, and again on those that agree with that."""
    agreeing = near
    matrix = _least_squares(model.name, source[agreeing], target[agreeing])
    for _ in range(6):
        distance = _distance(matrix, source, target)
        limit = max(NEVER_OUTLIER_PX, 3 * float(np.median(distance[agreeing])))
        previous, agreeing = agreeing, distance <= min(limit, OUTLIER_PX)
        if np.array_equal(previous, agreeing) or agreeing.sum() < max(4, model.corners / 4):
            break
        matrix = _least_squares(model.name, source[agreeing], target[agreeing])
    return matrix, _distance(matrix, source, target) <= OUTLIER_PX


def _agreeing_at_start(source: Points, target: Points, start: Matrix) -> Mask:
    """Corners that move like the typical one (median), seen from where `start` puts them."""
    offset = target - apply(start, source)
    distance = np.linalg.norm(offset - np.median(offset, axis=0), axis=1)
    return distance <= max(OUTLIER_PX, 3 * float(np.median(distance)))


def _distance(matrix: Matrix, source: Points, target: Points) -> Points:
    return np.linalg.norm(apply(matrix, source) - target, axis=1)


def _least_squares(name: str, source: Points, target: Points) -> Matrix:
    """The 3x3 matrix of one family that takes N source points nearest to their targets."""
    if name == "identity":
        return np.eye(3)
    if name == "translation":
        return translation(*(target - source).mean(axis=0))
    if name == "similarity":
        return _similarity(source, target)
    if name == "affine":
        homogeneous = np.column_stack([source, np.ones(len(source))])
        solution = np.linalg.lstsq(homogeneous, target, rcond=None)[0]
        return np.vstack([solution.T, [0.0, 0.0, 1.0]])
    return cv2.findHomography(source, target, 0)[0]


def _similarity(source: Points, target: Points) -> Matrix:
    """Rotation, scale and shift by complex least squares: target = factor * source + shift."""
    here, there = (points @ np.array([1, 1j]) for points in (source, target))
    from_mean, to_mean = here - here.mean(), there - there.mean()
    factor = np.vdot(from_mean, to_mean) / max(np.vdot(from_mean, from_mean).real, 1e-12)
    shift = there.mean() - factor * here.mean()
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag], [0, 0, 1]]
    )
