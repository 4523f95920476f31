"""Exposure fusion: per-pixel quality weights blended in a Laplacian pyramid."""

import cv2
import numpy as np
import numpy.typing as npt

from fusion_algos.algorithm import algorithm
from fusion_algos.color import luma_601
from fusion_algos.pyramids import add_blended, collapse, empty_pyramid, level_count
from fusion_algos.stack import ExposureStack

Plane = npt.NDArray[np.float32]

LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
WELL_EXPOSED_SIGMA = 0.2
SMALLEST_WEIGHT = np.float32(1e-12)


@algorithm(
    title="Exposure fusion",
    cite="Mertens, Kautz, Van Reeth: Exposure fusion: a simple and practical alternative to high dynamic range "
    "photography. Computer Graphics Forum 28(1), 161-171, 2009",
    revision=1,
)
def fuse(stack: ExposureStack) -> Plane:
    """Blend the exposures by contrast x saturation x well-exposedness, level by level of a Laplacian pyramid."""
    total = np.zeros(stack.shape[:2], np.float32)
    for k in range(len(stack)):
        total += quality(stack.image(k))
        total += SMALLEST_WEIGHT
    blended = empty_pyramid(stack.shape, level_count(stack.height, stack.width))
    for k in range(len(stack)):
        image = stack.image(k)
        add_blended(blended, image, (quality(image) + SMALLEST_WEIGHT) / total)
    return np.clip(collapse(blended), 0, 1)


def quality(image: Plane) -> Plane:
    """Contrast x saturation x well-exposedness (HxW, not normalised) of an HxWx3 float32 RGB image in [0, 1]."""
    contrast = np.abs(cv2.filter2D(luma_601(image), -1, LAPLACIAN, borderType=cv2.BORDER_REPLICATE))
    red, green, blue = cv2.split(image)
    # The variance of three values is a ninth of the sum of their squared differences: exactly 0 where they are equal.
    saturation = np.sqrt((red - green) ** 2 + (green - blue) ** 2 + (blue - red) ** 2) / 3
    distance = (red - 0.5) ** 2 + (green - 0.5) ** 2 + (blue - 0.5) ** 2
    return contrast * saturation * np.exp(distance / np.float32(-2 * WELL_EXPOSED_SIGMA**2))
