"""Points of disagreement: the places of a scene at which its candidates differ most, equal for all raters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

JUDGED_SIDE = 1024  # pixels of the long side at which pictures are compared
CELL = 32  # of these pixels
POINTS = 5
LEAST_DISTANCE = 0.12  # of the diagonal, between two points
BORDER = 0.02  # of width and height, in which no point lies

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]
Point = tuple[float, float]  # shares of width and height


@dataclass(frozen=True)
class Cells:
    """A picture in cells of CELL pixels (a rest of less than half a cell belongs to its neighbour)."""

    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    height: int
    width: int

    @classmethod
    def of(cls, plane: NDArray[np.floating]) -> Cells:
        """The cells of an HxW plane."""
        height, width = plane.shape
        return cls(_edges(height), _edges(width), height, width)

    def means(self, plane: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mean of an HxW plane in each cell."""
        sums = np.add.reduceat(np.add.reduceat(plane, self.tops, 0, np.float64), self.lefts, 1)
        areas = np.outer(np.diff([*self.tops, self.height]), np.diff([*self.lefts, self.width]))
        return sums / areas

    def deviations(self, plane: NDArray[np.floating]) -> NDArray[np.float64]:
        """Standard deviation of an HxW plane in each cell."""
        variance = self.means(np.square(plane, dtype=np.float64)) - self.means(plane) ** 2
        return np.sqrt(np.maximum(variance, 0))

    def centre(self, row: int, column: int) -> Point:
        """Centre of a cell, as shares of width and height."""
        y = (self.tops[row] + [*self.tops, self.height][row + 1]) / 2
        x = (self.lefts[column] + [*self.lefts, self.width][column + 1]) / 2
        return x / self.width, y / self.height

    def peaks(self, scores: NDArray[np.float64], count: int) -> list[Point]:
        """Centres of the highest local maxima above 0, off the border and apart from each other."""
        inner = np.where(self._is_inner(), scores, 0.0)
        found = np.argwhere((inner > 0) & (inner == maximum_filter(inner, 3, mode="constant")))
        ranked = sorted((-inner[row, column], int(row), int(column)) for row, column in found)
        chosen: list[Point] = []
        for _, row, column in ranked:
            point = self.centre(row, column)
            if len(chosen) < count and all(self._are_apart(point, other) for other in chosen):
                chosen.append(point)
        return chosen

    def _is_inner(self) -> NDArray[np.bool_]:
        xs = np.array([self.centre(0, column)[0] for column in range(len(self.lefts))])
        ys = np.array([self.centre(row, 0)[1] for row in range(len(self.tops))])
        across, down = (np.minimum(shares, 1 - shares) >= BORDER for shares in (xs, ys))
        return np.logical_and.outer(down, across)

    def _are_apart(self, one: Point, other: Point) -> bool:
        distance = math.hypot((one[0] - other[0]) * self.width, (one[1] - other[1]) * self.height)
        return distance >= LEAST_DISTANCE * math.hypot(self.width, self.height)


def _edges(length: int) -> tuple[int, ...]:
    count = max(1, (length + CELL // 2) // CELL)
    return tuple(range(0, count * CELL, CELL))


def disagreement_points(pictures: Sequence[Picture]) -> list[Point]:
    """At most five places at which HxWx3 pictures of equal size differ most, the strongest first.

    The pictures have JUDGED_SIDE pixels or less. What counts in a cell is the variance over the pictures of
    its mean and of its standard deviation in L*, each picture's median taken off: a brighter picture alone
    is no disagreement.
    """
    if len(pictures) < 2:
        return []
    planes = [lightness(picture) for picture in pictures]
    cells = Cells.of(planes[0])
    means = np.array([cells.means(plane - np.median(plane)) for plane in planes])
    deviations = np.array([cells.deviations(plane) for plane in planes])
    scores = means.var(axis=0) + deviations.var(axis=0)
    return [(round(x, 4), round(y, 4)) for x, y in cells.peaks(np.where(scores > 1e-6, scores, 0.0), POINTS)]


def lightness(picture: Picture) -> Plane:
    """L* (0 to 100) of an HxWx3 sRGB picture."""
    return lab(picture)[..., 0]


def lab(picture: Picture) -> Plane:
    """CIE L*a*b* of an HxWx3 sRGB picture, HxWx3 float32."""
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab))


def reduced(picture: Picture) -> Picture:
    """The picture with JUDGED_SIDE pixels on its long side, or as it is if it has fewer."""
    height, width = picture.shape[:2]
    scale = JUDGED_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
