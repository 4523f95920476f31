"""Just noticeable difference against its definition."""

import numpy as np
import pytest
from scipy.ndimage import convolve, correlate, gaussian_filter

from fusion_algos import ExposureStack
from fusion_algos.noticeable_difference import edge_level, noticeable_difference

ROUNDING = 1e-4


def defined_difference(luma, radius=6):
    mask = np.ones((5, 5))
    mask[1:4, 1:4] = [[2, 2, 2], [2, 0, 2], [2, 2, 2]]
    bg = correlate(luma, mask, mode="constant") / 32
    level = np.zeros((5, 5))
    level[1], level[3] = [1, 3, 8, 3, 1], [-1, -3, -8, -3, -1]
    diagonal = np.array(
        [[0, 0, 1, 0, 0], [0, 8, 3, 0, 0], [1, 3, 0, -3, -1], [0, 0, -3, -8, 0], [0, 0, -1, 0, 0]]
    )
    filters = (level, level.T, diagonal, diagonal[:, ::-1])
    g = np.max([np.abs(correlate(luma, f, mode="constant")) for f in filters], axis=0) / 16
    sigma = {"sigma": 2**0.5, "mode": "nearest", "radius": 6}
    slope = np.hypot(
        gaussian_filter(luma, order=(1, 0), **sigma), gaussian_filter(luma, order=(0, 1), **sigma)
    )
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    near_edge = convolve(
        (slope > 0.5 * slope.max()).astype(int), (x**2 + y**2 <= 36).astype(int), mode="constant"
    )
    g *= gaussian_filter(1 - 0.95 * (near_edge > 0), 0.8, mode="constant", radius=3)
    light = np.where(bg <= 127, 17 * (1 - np.sqrt(bg / 127)) + 3, 3 / 128 * (bg - 127) + 3)
    texture = g * (0.0001 * bg + 0.115) + 0.5 - 0.01 * bg
    return (light + texture - 0.3 * np.minimum(light, texture)) * 10 / 255


def test_it_is_its_definition(bracket):
    images = bracket(2, 60, 70)
    stack = ExposureStack(images, [1, 4])
    for k, image in enumerate(stack.images):
        luma = np.floor(image.astype(np.float64) @ [0.2989, 0.5870, 0.1140] + 0.5)
        found = noticeable_difference(stack, k, edge_level(stack, k), slice(0, 60))
        # A gradient that lies all but on the edge level may fall on its other side.
        assert (np.abs(found - defined_difference(luma)) < ROUNDING).mean() > 0.98


def test_rows_of_it_are_those_of_the_whole(bracket):
    stack = ExposureStack(bracket(2, 60, 70), [1, 4])
    level = edge_level(stack, 1)
    whole = noticeable_difference(stack, 1, level, slice(0, 60))
    np.testing.assert_allclose(noticeable_difference(stack, 1, level, slice(20, 31)), whole[20:31], atol=1e-6)


@pytest.mark.parametrize("gray", [0, 60, 127, 255])
def test_flat_images_have_no_edges_and_some_difference(gray):
    stack = ExposureStack([np.full((40, 40, 3), gray, np.uint8)] * 2)
    difference = noticeable_difference(stack, 0, edge_level(stack, 0), slice(10, 30))[:, 10:30]
    light = 17 * (1 - (gray / 127) ** 0.5) + 3 if gray <= 127 else 3 / 128 * (gray - 127) + 3
    texture = 0.5 - 0.01 * gray
    np.testing.assert_allclose(difference, (light + texture - 0.3 * min(light, texture)) / 25.5, rtol=1e-4)
