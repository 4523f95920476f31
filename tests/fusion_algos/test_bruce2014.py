"""ExpoBlend: the entropy against its definition, the stretch, and the coarse grid of large images."""

import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.stack_hdr import bruce2014


def defined_entropy(image, radius):
    """Entropy in bits of round(255 L), L = Rec.709 luminance of ln(1 + x), in disks, symmetric border."""
    levels = np.floor(255 * (np.log1p(image / 255.0) @ [0.2126, 0.7152, 0.0722]) + 0.5).astype(int)
    padded = np.pad(levels, radius, mode="symmetric")
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = x**2 + y**2 <= radius**2
    entropy = np.empty(levels.shape)
    for i, j in np.ndindex(levels.shape):
        share = np.bincount(padded[i : i + 2 * radius + 1, j : j + 2 * radius + 1][disk]) / disk.sum()
        entropy[i, j] = -(share[share > 0] * np.log2(share[share > 0])).sum()
    return entropy


@pytest.mark.parametrize("radius", [3, 29])
def test_entropy_is_its_definition(bracket, radius):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    for k, image in enumerate(stack.images):
        difference = np.abs(bruce2014._entropy(stack, k, radius) - defined_entropy(image, radius))
        # A few levels lie so near to a half that float32 rounds them the other way.
        assert (difference > 1e-3).mean() < 0.01 if radius == 3 else difference.max() < 0.01


def test_the_blend_is_its_definition(bracket):
    images = bracket(3)
    entropy = np.stack([defined_entropy(image, 29) for image in images])
    weights = np.exp(6 * entropy / (entropy.sum(axis=0) + 1e-12))
    weights /= weights.sum(axis=0)
    blend = np.exp(sum(w[..., None] * np.log1p(x / 255) for w, x in zip(weights, images, strict=True)))
    expected = (blend - blend.min()) / (blend.max() - blend.min())
    found = bruce2014.fuse(ExposureStack(images, [1, 4, 16]))
    np.testing.assert_allclose(found, expected, atol=2e-3)  # levels that float32 rounds the other way


def test_the_result_uses_the_whole_range(bracket):
    fused = bruce2014.fuse(ExposureStack(bracket(3), [1, 4, 16]))
    assert fused.min() == 0
    assert fused.max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("step", [2, 4])
def test_the_coarse_grid_changes_little(bracket, monkeypatch, step):
    stack = ExposureStack(bracket(3, 300, 403), [1, 4, 16])
    exact = bruce2014.fuse(stack)
    monkeypatch.setattr(bruce2014, "_grid_step", lambda pixels: step)
    difference = np.abs(bruce2014.fuse(stack) - exact)
    assert 0 < difference.mean() < 0.5 / 255
    assert difference.max() < 4 / 255


@pytest.mark.parametrize(("pixels", "step"), [(512 * 340, 1), (1_000_000, 2), (12_000_000, 4)])
def test_grid_of_large_images(pixels, step):
    assert bruce2014._grid_step(pixels) == step
