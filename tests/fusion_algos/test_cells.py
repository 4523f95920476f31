"""The coarse grid: means of cells, and planes interpolated between their centers."""

import numpy as np
import pytest

from fusion_algos import row_strips
from fusion_algos.cells import Cells


@pytest.mark.parametrize(("step", "height", "width", "shape"), [(3, 9, 12, (3, 4)), (3, 10, 11, (4, 4))])
def test_shape(step, height, width, shape):
    assert Cells(step, height, width).shape == shape


@pytest.mark.parametrize("channels", [(), (3,)])
def test_means_are_those_of_each_cell(channels):
    plane = np.random.default_rng(3).random((12, 20, *channels), np.float32)
    expected = plane.reshape(3, 4, 5, 4, *channels).mean(axis=(1, 3))
    np.testing.assert_allclose(Cells(4, 12, 20).means(plane), expected, atol=1e-6)


def test_the_last_cells_repeat_the_edge():
    plane = np.arange(5, dtype=np.float32) * np.ones((4, 1), np.float32)
    np.testing.assert_allclose(Cells(4, 4, 5).means(plane), [[1.5, 4]])


def test_strips_cover_all_pixels_once(monkeypatch):
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 1)
    cells, seen = Cells(7, 100, 30), np.zeros(100, int)

    def work(rows):
        seen[cells.pixel_rows(rows)] += 1

    cells.over_strips(work)
    assert (seen == 1).all()


@pytest.mark.parametrize(("height", "width"), [(60, 80), (58, 75)])
def test_a_ramp_comes_back_between_the_outer_centers(height, width):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cells, ramp = Cells(5, height, width), 2 * x - y
    found = cells.enlarged(cells.means(ramp), slice(10, 50))
    assert found.shape == (40, width)
    np.testing.assert_allclose(found[:, 5:70], ramp[10:50, 5:70], atol=1e-3)
