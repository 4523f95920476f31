"""Bilateral filter based compositing."""

import numpy as np

from fusion_algos import ExposureStack
from fusion_algos.exposure_fusion import raman2009


def test_flat_exposures_count_alike():
    levels = [20, 90, 200]
    stack = ExposureStack([np.full((30, 30, 3), level, np.uint8) for level in levels], [1, 2, 4])
    # a coarse grid's linear interpolation between bins leaves a little of the distance to their centers
    np.testing.assert_allclose(raman2009.fuse(stack), np.mean(levels) / 255, atol=0.01)


def test_a_large_offset_is_the_plain_mean(bracket):
    images = bracket(3)
    fused = raman2009.fuse(ExposureStack(images, [1, 4, 16]), offset=1e4)
    np.testing.assert_allclose(fused, np.mean(images, axis=0) / 255, atol=1e-4)


def test_deviation_from_the_surroundings_counts():
    """A weak checkerboard in one exposure: it weighs 70/255 and its deviation, the flat one 70/255."""
    flat = np.full((40, 40, 3), 120, np.uint8)
    textured = flat.copy()
    textured[np.indices((40, 40)).sum(axis=0) % 2 == 0] = 130
    textured[0, 0], flat[0, 0] = 0, 255  # the range of the stack
    fused = raman2009.fuse(ExposureStack([flat, textured], [1, 2]), range_share=1.0)
    high = 255 * fused[20, 20, 0]
    deviation = 5 / 255  # 130 against the mean of both levels, 125
    expected = (120 * 70 / 255 + 130 * (70 / 255 + deviation)) / (2 * 70 / 255 + deviation)
    assert abs(high - expected) < 0.5
