"""Rows with their neighbours, and rows of an enlarged plane."""

import cv2
import numpy as np
import pytest

from fusion_algos.row_windows import enlarged_rows, over_tall_strips, with_halo


@pytest.mark.parametrize(
    ("rows", "outer", "inner"),
    [
        (slice(10, 20), slice(7, 23), slice(3, 13)),
        (slice(0, 5), slice(0, 8), slice(0, 5)),
        (slice(28, 30), slice(25, 30), slice(3, 5)),
        (slice(1, 30), slice(0, 30), slice(1, 30)),
    ],
)
def test_halo_stops_at_the_image(rows, outer, inner):
    assert with_halo(rows, 30, 3) == (outer, inner)


def test_tall_strips_cover_the_image_once():
    seen = np.zeros(5000, int)

    def work(rows):
        seen[rows] += 1

    over_tall_strips(5000, 3000, work)
    assert (seen == 1).all()


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("size", [(30, 44), (31, 43), (8, 11)])
def test_enlarged_rows_are_those_of_the_enlarged_plane(size, channels):
    coarse = np.random.default_rng(2).random((8, 11, *channels), np.float32)
    whole = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(enlarged_rows(coarse, slice(0, size[0]), size), whole, atol=1e-5)
    np.testing.assert_allclose(enlarged_rows(coarse, slice(3, 7), size), whole[3:7], atol=1e-5)
