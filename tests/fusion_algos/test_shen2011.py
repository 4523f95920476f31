"""Generalized random walks: the linear system, the grid of large images, guided weights."""

import numpy as np
from scipy.special import erf

from fusion_algos import ExposureStack
from fusion_algos.cells import Cells
from fusion_algos.color import luma_601
from fusion_algos.exposure_fusion import shen2011


def defined_probabilities(attractions, mean, smoothness, scale):
    """Dense solution of (smoothness L + diag(sum y)) p_k = y_k."""
    height, width = mean.shape[:2]
    system = np.zeros((height * width,) * 2)
    for y, x in np.ndindex(height, width):
        for v, u in ((y + 1, x), (y, x + 1)):
            if v < height and u < width:
                i, j = y * width + x, v * width + u
                w = smoothness * np.exp(-np.linalg.norm(mean[y, x] - mean[v, u]) / scale)
                system[[i, j], [j, i]] -= w
                system[[i, j], [i, j]] += w
    exits = [plane.ravel() + 1e-8 for plane in attractions]
    system[np.diag_indices_from(system)] += sum(exits)
    return [np.linalg.solve(system, e).reshape(height, width) for e in exits]


def test_probabilities_solve_their_system():
    rng = np.random.default_rng(3)
    attractions = list(rng.random((3, 9, 11), np.float32) ** 3)
    mean = rng.random((9, 11, 3), np.float32)
    found = shen2011._probabilities(attractions, mean, 12.0, 0.3)
    expected = defined_probabilities(attractions, mean.astype(np.float64), 12.0, 0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.sum(found, axis=0), 1, atol=1e-6)


def test_attraction_is_its_definition(bracket):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    attractions, mean = shen2011._cell_terms(stack, Cells(1, *stack.shape[:2]), 0.1)
    for k, attraction in enumerate(attractions):
        luma = np.pad(luma_601(stack.image(k)).astype(np.float64), 1, mode="edge")
        neighbours = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
        center = luma[1:-1, 1:-1]
        expected = (1 - (2 * center - 1) ** 2) * erf(np.abs(neighbours - 4 * center) / 0.1) ** 3
        np.testing.assert_allclose(attraction, expected, atol=1e-5)
    np.testing.assert_allclose(mean, np.mean(stack.images, axis=0) / 255, atol=1e-6)


def test_cells_are_means_of_pixels(bracket):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    fine, coarse = (shen2011._cell_terms(stack, Cells(step, *stack.shape[:2]), 0.1) for step in (1, 4))
    for full, cells in ((fine[0][1], coarse[0][1]), (fine[1], coarse[1])):
        blocks = full.reshape(12, 4, 16, 4, -1).mean(axis=(1, 3))
        np.testing.assert_allclose(cells.reshape(blocks.shape), blocks, atol=1e-5)


def test_every_half_comes_from_the_exposure_that_shows_it():
    rng = np.random.default_rng(6)
    texture = rng.integers(40, 216, (60, 80, 3), dtype=np.uint8)
    left, right = texture.copy(), texture.copy()
    left[:, 40:] = 255
    right[:, :40] = 0
    fused = shen2011.fuse(ExposureStack([right, left], [1, 4]))
    far = np.abs(np.arange(80) - 39.5) > 20
    assert np.abs(fused - texture / 255)[:, far].mean() < 0.05


def test_the_grid_of_large_images_changes_little(bracket, monkeypatch):
    stack = ExposureStack(bracket(3, 150, 203), [1, 4, 16])
    exact = shen2011.fuse(stack)
    monkeypatch.setattr(shen2011, "GRID_PIXELS", 150 * 203 // 4)
    difference = np.abs(shen2011.fuse(stack) - exact)
    assert 0 < difference.mean() < 3 / 255
