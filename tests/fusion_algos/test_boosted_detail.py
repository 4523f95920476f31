"""The boosted detail against a pyramid built around every pixel, as the published program does."""

import numpy as np
import pytest

from fusion_algos import boosted_detail
from fusion_algos.boosted_detail import DetailKernel, add_boosted_detail

TAPS = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
ROUNDING = 2e-4  # of the logarithm and the tanh, which are short series


def smoothed(plane):
    """Filter by the taps on both axes; what lies outside the plane leaves its weight to the rest."""
    for axis in (0, 1):
        plane = np.apply_along_axis(np.convolve, axis, plane, TAPS, "same")
    return plane


def up_down(plane):
    ones, spread = np.ones_like(plane), np.zeros_like(plane)
    spread[::2, ::2] = (smoothed(plane) / smoothed(ones))[::2, ::2]
    ones[1::2] = 0
    ones[:, 1::2] = 0
    return smoothed(spread) / smoothed(ones)


def defined_detail(image, smooth, guidance):
    detail = np.zeros(image.shape)
    for y, x in np.ndindex(guidance.shape):
        difference = image - smooth[y, x]
        d = np.linalg.norm(difference, axis=2)
        n = 0.2**guidance
        z = np.clip((0.4 * d - 0.01) / 0.01, 0, 1)
        t = z**2 * (z - 2) ** 2
        boosted = t * d**n / (d**n + 0.5**n) + (1 - t) * d
        remapped = smooth[y, x] + difference * (boosted / np.maximum(d, 1e-12))[..., np.newaxis]
        for c in range(3):
            detail[y, x, c] = remapped[y, x, c] - up_down(remapped[..., c])[y, x]
    return detail


@pytest.fixture
def planes():
    rng = np.random.default_rng(5)
    image, smooth = rng.random((2, 12, 15, 3), np.float32)
    image[:, 8:] = image[:1, 8:9]  # a flat part, whose differences from `smooth` are small
    smooth[:, 8:] = image[:, 8:] + 0.03 * smooth[:, 8:]
    return image, smooth, rng.random((12, 15), np.float32), rng.random((12, 15), np.float32)


def test_detail_is_its_definition(planes):
    image, smooth, guidance, gain = planes
    total = np.zeros_like(image)
    add_boosted_detail(image, smooth, guidance, gain, DetailKernel.of_size(12, 15), slice(0, 12), total)
    expected = gain[..., np.newaxis] * defined_detail(image, smooth, guidance)
    np.testing.assert_allclose(total, expected, atol=ROUNDING)
    assert np.abs(expected).max() > 0.3


def test_strips_give_the_same_detail(planes):
    image, smooth, guidance, gain = planes
    kernel = DetailKernel.of_size(12, 15)
    whole, parts = np.zeros_like(image), np.zeros_like(image)
    add_boosted_detail(image, smooth, guidance, gain, kernel, slice(0, 12), whole)
    for first, last in ((0, 6), (6, 12)):
        near, rows = slice(max(0, first - 4), min(12, last + 4)), slice(first, last)
        add_boosted_detail(image[near], smooth[rows], guidance[near], gain[rows], kernel, rows, parts)
    np.testing.assert_array_equal(parts, whole)


def test_wide_rows_mirror_like_narrow_ones():
    """Rows of more than one block: an odd width keeps the same columns in the mirror."""
    rng, width = np.random.default_rng(6), 2 * boosted_detail.BLOCK + 77
    image, smooth = rng.random((2, 6, width, 3), np.float32)
    guidance, gain = rng.random((2, 6, width), np.float32)
    total, mirrored = np.zeros_like(image), np.zeros_like(image)
    kernel = DetailKernel.of_size(6, width)
    add_boosted_detail(image, smooth, guidance, gain, kernel, slice(0, 6), total)
    planes = (np.ascontiguousarray(plane[:, ::-1]) for plane in (image, smooth, guidance, gain))
    add_boosted_detail(*planes, kernel, slice(0, 6), mirrored)
    np.testing.assert_allclose(mirrored[:, ::-1], total, atol=1e-5)
    assert np.abs(total).mean() > 0.05


def test_no_gain_no_detail(planes):
    image, smooth, guidance, gain = planes
    gain[3:9, 2:7] = 0
    total = np.zeros_like(image)
    add_boosted_detail(image, smooth, guidance, gain, DetailKernel.of_size(12, 15), slice(0, 12), total)
    assert not total[3:9, 2:7].any()
    assert total[:3].all()


def test_small_taps_of_large_images_matter_little(planes, monkeypatch):
    image, smooth, guidance, gain = planes
    exact, thinned = np.zeros_like(image), np.zeros_like(image)
    add_boosted_detail(image, smooth, guidance, gain, DetailKernel.of_size(12, 15), slice(0, 12), exact)
    monkeypatch.setattr(boosted_detail, "LARGE", 0)
    add_boosted_detail(image, smooth, guidance, gain, DetailKernel.of_size(12, 15), slice(0, 12), thinned)
    assert 0 < np.abs(exact - thinned).mean() < 2 / 255


@pytest.mark.parametrize("length", [1, 2, 3, 16, 17])
def test_taps_keep_a_constant(length):
    taps = boosted_detail._taps_along(length)
    np.testing.assert_allclose(taps.sum(axis=1), 1, rtol=1e-6)
    for offset in range(9):
        place = np.arange(length) + offset - 4
        assert not taps[(place < 0) | (place >= length), offset].any()
