"""Multi-scale fusion with edge-aware weights."""

import numpy as np

from fusion_algos import ExposureStack
from fusion_algos.exposure_fusion import kou2017
from fusion_algos.exposure_fusion.mertens2009 import quality


def test_weights_are_mertens_times_the_squared_mean_luma(bracket):
    images = bracket(3)
    found = kou2017._Weights(stack := ExposureStack(images, [1, 4, 16]))
    mertens = np.stack([quality(image).astype(np.float64) + 1e-12 for image in images])
    mertens /= mertens.sum(axis=0)
    means = [(image @ [0.2989, 0.5870, 0.1140]).mean() / 255 for image in images]
    expected = mertens * np.square(means)[:, np.newaxis, np.newaxis] + 1e-12
    expected /= expected.sum(axis=0)
    for k in range(len(stack)):
        np.testing.assert_allclose(found.normalised(k), expected[k], rtol=1e-4, atol=1e-6)


def test_brighter_exposures_count_more_where_nothing_else_decides():
    """Flat exposures: equal Mertens weights, so that the mean is weighted by the squared levels."""
    levels = np.array([50, 100, 200])
    stack = ExposureStack([np.full((64, 64, 3), level, np.uint8) for level in levels], [1, 2, 4])
    expected = (levels**3).sum() / (levels**2).sum() / 255
    np.testing.assert_allclose(kou2017.fuse(stack), expected, atol=1e-4)


def test_an_edge_is_kept_where_the_wide_filter_would_blur_it(bracket):
    """Flat halves that differ: the weights follow the guide's edge within the window's reach."""
    rng = np.random.default_rng(8)
    dark = rng.integers(1, 20, (64, 64, 3), dtype=np.uint8)
    dark[:, 32:] += 100
    bright = np.minimum(dark.astype(int) * 8, 255).astype(np.uint8)
    fused = kou2017.fuse(ExposureStack([dark, bright], [1, 8]))
    assert fused[:, 34:].mean() < 0.75  # the bright exposure is white there
    assert fused[:, :30].mean() > 0.2  # and shows the left half
