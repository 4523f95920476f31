"""A coarse grid over an image: square cells whose means stand for wide windows, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.row_strips import over_strips
from fusion_algos.row_windows import enlarged_rows

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Cells:
    """Cells of `step` x `step` pixels from the top left corner of an image; the last ones may reach beyond it."""

    step: int
    height: int  # of the image
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return -(-self.height // self.step), -(-self.width // self.step)

    def over_strips(self, work: Callable[[slice], None]) -> None:
        """Call `work` for strips of rows of cells, as `row_strips.over_strips`."""
        rows, columns = self.shape
        over_strips(rows, columns * self.step**2, work)

    def pixel_rows(self, rows: slice) -> slice:
        """Rows of the image that lie in these rows of cells."""
        return slice(rows.start * self.step, min(rows.stop * self.step, self.height))

    def means(self, strip: Plane) -> Plane:
        """Means over the cells of some whole rows of them: float32 HxW or HxWxC, width as the image's."""
        rows = -(-len(strip) // self.step)
        below, right = rows * self.step - len(strip), self.shape[1] * self.step - self.width
        padded = cv2.copyMakeBorder(strip, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return cv2.resize(padded, (self.shape[1], rows), interpolation=cv2.INTER_AREA)

    def enlarged(self, coarse: Plane, rows: slice) -> Plane:
        """Values at some rows of pixels, interpolated bilinearly between the centers of cells (HxW or HxWxC)."""
        size = (self.shape[0] * self.step, self.shape[1] * self.step)
        return enlarged_rows(coarse, rows, size)[:, : self.width]
