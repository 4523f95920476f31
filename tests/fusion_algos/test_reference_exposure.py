"""The reference of a moving scene and the matching of histograms."""

import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.reference_exposure import histograms, least_clipped, matching_levels


def test_of_three_the_middle():
    images = [np.full((20, 20, 3), level, np.uint8) for level in (90, 0, 255)]
    assert least_clipped(ExposureStack(images, [1, 2, 3]), 0.01, 0.99) == 1


def test_the_fewest_clipped_patches():
    images = [np.full((20, 20, 3), 100, np.uint8) for _ in range(4)]
    for k, columns in enumerate((10, 3, 2, 9)):
        images[k][:, :columns] = 0 if k < 2 else 255
    assert least_clipped(ExposureStack(images, [1, 2, 4, 8]), 0.01, 0.99) == 2


def test_of_equals_the_one_in_the_middle():
    images = [np.full((20, 20, 3), 100, np.uint8)] * 5
    assert least_clipped(ExposureStack(images, [1, 2, 4, 8, 16]), 0.01, 0.99) == 2


@pytest.mark.parametrize("shape", [(40, 50, 3), (40, 50, 1)])
def test_matching_gives_the_histogram_of_the_target(shape):
    rng = np.random.default_rng(4)
    source = rng.integers(0, 200, shape, dtype=np.uint8)
    target = (source // 3 + 20).astype(np.uint8)  # a monotone change: matching must find it
    table = matching_levels(histograms(source), histograms(target))
    for channel in range(shape[2]):
        matched = table[source[..., channel], channel].astype(int)
        assert np.abs(matched - target[..., channel]).max() <= 1  # levels that the target joins


def test_histograms_count_every_channel():
    values = np.zeros((4, 5, 3), np.uint8)
    values[..., 1] = 7
    counts = histograms(values)
    assert counts.shape == (3, 256)
    assert counts[0, 0] == counts[1, 7] == counts[2, 0] == 20
    assert counts.sum() == 60


def test_no_level_is_spread_over_more_than_asked():
    rng = np.random.default_rng(5)
    source = rng.integers(100, 110, (40, 50, 1), dtype=np.uint8)
    target = ((source - 100) * 20).astype(np.uint8)
    counts = histograms(source), histograms(target)
    steep, flat = matching_levels(*counts), matching_levels(*counts, 4)
    median = int(np.median(source))
    assert flat[median] == steep[median]
    assert np.diff(steep[100:110, 0].astype(int)).max() == 20
    np.testing.assert_array_equal(np.diff(flat[100:110, 0].astype(int)), 4)
