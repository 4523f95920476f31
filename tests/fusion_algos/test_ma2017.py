"""Structural patch decomposition against its definition patch by patch, and its treatment of movement."""

import tracemalloc

import cv2
import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.exposure_fusion import ma2017, mertens2009
from fusion_algos.reference_exposure import least_clipped
from tests.fusion_algos.moving_square import moving_square


def fused_by_definition(images, size=21, stride=2):
    """One fused patch at a time, in float64; images HxWx3 uint8."""
    x = np.stack(images) / 255
    height, width = x.shape[1:3]
    total, count = np.zeros(x.shape[1:]), np.zeros((height, width, 1))
    exposedness = np.exp(-((x.mean(axis=(1, 2, 3)) - 0.5) ** 2) / (2 * 0.2**2))
    for top in sorted({*range(0, height - size + 1, stride), height - size}):
        for left in sorted({*range(0, width - size + 1, stride), width - size}):
            place = slice(top, top + size), slice(left, left + size)
            patches = x[:, *place].reshape(len(x), -1)
            means = patches.mean(axis=1)
            strengths = np.linalg.norm(patches - means[:, np.newaxis], axis=1) + 0.001
            weights = strengths**4 + 0.001
            structure = ((weights / weights.sum() / strengths)[:, np.newaxis] * (patches.T - means).T).sum(
                axis=0
            )
            norm = np.linalg.norm(structure)
            unit = structure / norm if norm else structure
            mean_weights = exposedness * np.exp(-((means - 0.5) ** 2) / (2 * 0.5**2))
            patch = strengths.max() * unit + (mean_weights * means).sum() / mean_weights.sum()
            total[place] += patch.reshape(size, size, 3)
            count[place] += 1
    return np.clip(total / count, 0, 1)


@pytest.mark.parametrize("size", [(48, 64), (45, 40), (21, 34)])
def test_is_the_definition(bracket, size):
    images = bracket(4, *size)
    found = ma2017.fuse(ExposureStack(images, [1, 4, 16, 64]))
    np.testing.assert_allclose(
        found, fused_by_definition(images), atol=2e-5
    )  # float32 factors up to about 50


def test_patches_fit_a_small_image(bracket):
    images = bracket(3, 16, 19)
    found = ma2017.fuse(ExposureStack(images, [1, 4, 16]))
    np.testing.assert_allclose(found, fused_by_definition(images, size=16), atol=2e-5)


def test_large_patches_need_wider_sums(bracket):
    """Beyond 86 pixels a side the products' sums leave the integers that float32 holds."""
    images = bracket(2, 140, 130)
    found = ma2017.fuse(ExposureStack(images, [1, 4]), radius_scale=5.0)
    np.testing.assert_allclose(found, fused_by_definition(images, size=101, stride=10), atol=2e-5)


def test_floats_are_exact_to_16_bit(bracket):
    images = bracket(3)
    floats = [image / np.float32(255) for image in images]
    np.testing.assert_allclose(
        ma2017.fuse(ExposureStack(floats, [1, 4, 16])),
        ma2017.fuse(ExposureStack(images, [1, 4, 16])),
        atol=1e-6,
    )


def test_of_many_large_exposures_the_sum_of_structures_is_not_normalised(bracket, monkeypatch):
    stack = ExposureStack(bracket(12, 90, 80), np.arange(12) + 1.0)
    normalised = ma2017.fuse(stack)
    monkeypatch.setattr(ma2017, "PAIRS_PIXELS", 0)
    difference = np.abs(ma2017.fuse(stack) - normalised)
    assert 1e-4 < difference.mean() < 0.02
    few = ExposureStack(bracket(3), [1, 4, 16])
    np.testing.assert_array_equal(ma2017.fuse(few), ma2017.fuse(few))


def test_memory_hardly_grows_with_the_number_of_exposures(bracket, monkeypatch):
    monkeypatch.setattr(ma2017, "PAIRS_PIXELS", 0)
    cv2_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    images = bracket(3, 600, 600)

    def peak(count):
        stack = ExposureStack((images * 10)[:count], np.arange(count) + 1.0)
        ma2017.fuse(stack)
        tracemalloc.start()
        ma2017.fuse(stack)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    monkeypatch.setattr(ma2017, "STRIP_EXPOSURES", 8)  # many strips, so that they do not hold the whole image
    try:
        assert peak(30) < 2 * peak(3)
    finally:
        cv2.setNumThreads(cv2_threads)


def ghost_energy(fused, target, mask):
    """Mean difference, where something moved, from the plain fusion of the bracket in which nothing does."""
    return np.abs(fused - target)[mask].mean()


@pytest.mark.parametrize("count", [3, 5])
def test_a_moving_square_leaves_no_ghost(count):
    scene = moving_square(count)
    stack = ExposureStack(scene.moving(), scene.seconds)
    still = ExposureStack(scene.at_rest(least_clipped(stack, 0.01, 0.99)), scene.seconds)
    mask = np.any(scene.masks, axis=0)
    # The plain fusions of the still bracket are the targets: neither a constant nor the reference alone is near.
    mertens = ghost_energy(mertens2009.fuse(stack), mertens2009.fuse(still), mask)
    plain = ghost_energy(ma2017.fuse(stack), ma2017.fuse(still), mask)
    deghosted = ghost_energy(ma2017.fuse(stack, deghost=True), ma2017.fuse(still), mask)
    assert deghosted < mertens / 4
    assert deghosted < plain / 4


def test_deghosting_keeps_what_does_not_move():
    scene = moving_square(5)
    still = ExposureStack(scene.at_rest(2), scene.seconds)
    assert np.abs(ma2017.fuse(still, deghost=True) - ma2017.fuse(still)).mean() < 0.01


def test_nothing_that_only_a_darker_exposure_shows_leaks_into_a_clipped_sky():
    """A disk that stands before a sky, white in the reference, in the darkest exposure only."""
    y, x = np.mgrid[0:160, 0:160]
    sky = np.repeat((200 + 20 * np.sin(x / 9) * np.cos(y / 7))[..., np.newaxis], 3, axis=2).astype(np.uint8)
    ground = y[..., np.newaxis] > 110
    white = np.full_like(sky, 255)
    images = [np.where(ground, np.uint8(20), sky)]
    images += [np.where(ground, np.uint8(level), white) for level in (90, 180)]
    still = ma2017.fuse(ExposureStack(images, [1, 4, 16]), deghost=True)
    images[0][(y - 50) ** 2 + (x - 80) ** 2 < 30**2] = 5
    fused = ma2017.fuse(ExposureStack(images, [1, 4, 16]), deghost=True)
    assert fused[:80].min() > still[:80].min() - 0.02


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_deghosting_survives_what_plain_fusion_survives(bracket, dtype):
    scale = 1 if dtype == np.uint8 else np.float32(255)
    images = [*bracket(2, 30, 26), np.zeros((30, 26, 3)), np.full((30, 26, 3), 255), np.full((30, 26, 3), 90)]
    fused = ma2017.fuse(ExposureStack([(image / scale).astype(dtype) for image in images]), deghost=True)
    assert np.isfinite(fused).all()
    flat = [np.full((16, 16, 3), level, np.uint8) for level in (0, 0, 255, 255)]
    assert np.ptp(ma2017.fuse(ExposureStack(flat), deghost=True)) < 1e-3


def test_an_opening_takes_away_what_no_disk_fits_into():
    mask = np.zeros((60, 80), bool)
    mask[5:50, 5:50] = True
    mask[20:24, 60:64] = True
    opened = ma2017._opened(mask, 10.0)
    assert not opened[:, 55:].any()
    assert opened[15:40, 5:50].all()
    assert not opened[5, 5]  # a corner is rounder than the square's
    assert not (opened & ~mask).any()
    everything = np.ones((20, 20), bool)
    assert ma2017._opened(everything, 10.0).all()
    assert not ma2017._opened(~everything, 10.0).any()
