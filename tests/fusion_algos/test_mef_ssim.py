"""MEF-SSIM against a plain loop over patches, and what it must say about simple pictures."""

import math

import cv2
import numpy as np
import pytest

from fusion_algos import mef_ssim as module
from fusion_algos.mef_ssim import gray_plane, mef_ssim, score_many
from fusion_algos.stack import ExposureStack

EPS = np.finfo(float).eps
TOLERANCE = 1e-5  # float32 Gaussian moments


def gray_of(image):
    return np.floor(image.astype(float) @ [0.298936, 0.587043, 0.114021] + 0.5)


def patch_quality(patches, fused, window):
    """S of one position: patches K x 11 x 11, fused 11 x 11."""
    deviations = patches - patches.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt((deviations**2).sum(axis=(1, 2)))
    c = norms + 0.001
    consistency = (np.sqrt((deviations.sum(axis=0) ** 2).sum()) + EPS) / (norms.sum() + EPS)
    power = min(10, math.tan(math.pi / 2 * min(consistency, 1 - EPS)))
    weights = (c / 11) ** power + EPS
    weights /= weights.sum()
    structure = (weights / c)[:, None, None] * deviations
    structure = structure.sum(axis=0)
    norm = np.sqrt((structure**2).sum())
    desired = c.max() * structure / norm if norm > 0 else structure

    def moment(a, b):
        return (window * a * b).sum() - (window * a).sum() * (window * b).sum()

    constant = (0.03 * 255) ** 2
    spread = moment(desired, desired) + moment(fused, fused)
    return (2 * moment(desired, fused) + constant) / (spread + constant)


def loop_score(images, fused):
    distance = np.arange(11) - 5
    window = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * 1.5**2))
    window /= window.sum()
    sources, y = np.stack([gray_of(image) for image in images]), gray_of(fused)
    qualities = []
    while min(y.shape) >= 11 and len(qualities) < 3:
        height, width = y.shape[0] - 10, y.shape[1] - 10
        positions = [(slice(i, i + 11), slice(j, j + 11)) for i in range(height) for j in range(width)]
        values = [patch_quality(sources[(slice(None), *p)], y[p], window) for p in positions]
        qualities.append(max(np.mean(values), 0))
        sources, y = np.stack([halved(plane) for plane in sources]), halved(y)
    exponents = np.array([0.0448, 0.2856, 0.3001])[: len(qualities)]
    return float(np.prod(np.power(qualities, exponents / exponents.sum())))


def halved(plane):
    padded = np.pad(plane, ((0, 1), (0, 1)), mode="symmetric")
    return ((padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]) / 4)[::2, ::2]


@pytest.mark.parametrize("size", [(44, 47), (61, 50), (30, 23), (12, 11)])
@pytest.mark.parametrize("count", [2, 4])
def test_equals_the_loop_over_patches(bracket, size, count):
    images = bracket(count, *size)
    images[0][:15, :15] = 0  # flat windows
    images[-1][-14:, -14:] = 255
    fused = np.mean(images, axis=0).astype(np.uint8)
    assert mef_ssim(ExposureStack(images, range(1, count + 1)), fused) == pytest.approx(
        loop_score(images, fused), abs=TOLERANCE
    )


def test_tiles_do_not_show(bracket, monkeypatch):
    stack = ExposureStack(bracket(3, 60, 150), [1, 4, 16])
    whole = mef_ssim(stack, stack.images[1])
    monkeypatch.setattr(module, "TILE_VALUES", 1)
    assert mef_ssim(stack, stack.images[1]) == pytest.approx(whole, abs=1e-12)


def test_the_number_of_threads_changes_no_bit(bracket, monkeypatch, threads_restored):
    monkeypatch.setattr(module, "TILE_VALUES", 1)
    stack, scores = ExposureStack(bracket(3, 60, 150), [1, 4, 16]), set()
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        scores.add(mef_ssim(stack, stack.images[1]))
    assert len(scores) == 1


def test_identical_exposures_fused_to_themselves_are_perfect(bracket):
    image = bracket(3)[1]
    assert mef_ssim(ExposureStack([image] * 3, [1, 2, 3]), image) == pytest.approx(1, abs=1e-4)


def test_an_inverted_picture_scores_0(bracket):
    image = bracket(3)[1]
    assert mef_ssim(ExposureStack([image] * 3, [1, 2, 3]), 255 - image) < 0.05


def test_blur_costs(bracket):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    sharp = stack.images[1]
    flat = np.full_like(sharp, 128)
    assert mef_ssim(stack, flat) < mef_ssim(stack, sharp)


def test_brightness_does_not_matter(bracket):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    darker = stack.images[1] // 2
    assert mef_ssim(stack, darker + 50) == pytest.approx(
        mef_ssim(stack, darker), abs=2e-3
    )  # rounding of gray


def test_float_results_are_rounded_to_8_bit_first(bracket):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    image = stack.images[1]
    nearly = np.clip((image + np.float32(0.4)) / 255, 0, 1).astype(np.float32)
    assert mef_ssim(stack, nearly) == mef_ssim(stack, image)


def test_float_stacks_score_as_8_bit_ones(bracket):
    images = bracket(3)
    floats = ExposureStack([image / np.float32(255) for image in images], [1, 4, 16])
    assert mef_ssim(floats, images[1]) == mef_ssim(ExposureStack(images, [1, 4, 16]), images[1])


def test_many_pictures_score_as_each_alone(bracket):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    together = score_many(stack, [gray_plane(image) for image in stack.images])
    assert together == pytest.approx([mef_ssim(stack, image) for image in stack.images], abs=1e-12)


def test_no_picture_no_score(bracket):
    assert score_many(ExposureStack(bracket(3)), []) == []


@pytest.mark.parametrize("height", [1, 2, 17])
def test_strips_do_not_show(bracket, monkeypatch, height):
    stack = ExposureStack(bracket(3, 61, 50), [1, 4, 16])
    planes = [gray_plane(image) for image in stack.images]
    whole = score_many(stack, planes)
    monkeypatch.setattr(module, "STRIP_PIXELS", height * 50)
    assert score_many(stack, planes) == pytest.approx(whole, abs=1e-12)


def test_undefined_below_the_window(bracket):
    images = bracket(2, 10, 40)
    assert mef_ssim(ExposureStack(images, [1, 2]), images[0]) is None


def test_flat_pictures_are_perfect():
    flat = [np.full((50, 50, 3), level, np.uint8) for level in (10, 200)]
    assert mef_ssim(ExposureStack(flat), flat[0]) == pytest.approx(1, abs=TOLERANCE)


def test_another_size_is_refused(bracket):
    stack = ExposureStack(bracket(2), [1, 4])
    with pytest.raises(ValueError, match=r"the fused image has shape \(4, 4, 3\), its stack \(48, 64, 3\)"):
        mef_ssim(stack, np.zeros((4, 4, 3), np.uint8))


def test_another_plane_is_refused(bracket):
    stack = ExposureStack(bracket(2), [1, 4])
    with pytest.raises(ValueError, match=r"a fused gray plane is uint8 \(4, 4\); give uint8 \(48, 64\)"):
        score_many(stack, [np.zeros((4, 4), np.uint8)])


def test_another_type_is_refused(bracket):
    stack = ExposureStack(bracket(2), [1, 4])
    with pytest.raises(ValueError, match="the fused image has type float64; give uint8, or float32"):
        mef_ssim(stack, np.zeros((48, 64, 3)))
