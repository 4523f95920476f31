"""Filters against their definition written as plain loops in float64."""

import numpy as np
import pytest

from fusion_algos import row_strips
from fusion_algos.edge_filters import bilateral_grid, box_mean, gradient_guided_filter, guided_filter

ROUNDING = 3e-5  # float32 moments over eps = 1e-4 and more


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def windows(plane, radius):
    """The part of each (2 radius + 1)^2 window inside the plane."""
    for i in range(plane.shape[0]):
        for j in range(plane.shape[1]):
            rows = slice(max(i - radius, 0), i + radius + 1)
            yield i, j, plane[rows, max(j - radius, 0) : j + radius + 1]


def defined_mean(plane, radius):
    mean = np.empty(plane.shape)
    for i, j, window in windows(plane.astype(np.float64), radius):
        mean[i, j] = window.mean()
    return mean


def defined_variance(plane, radius):
    return np.array([w.var() for _, _, w in windows(plane.astype(np.float64), radius)]).reshape(plane.shape)


def defined_covariance(guide, source, radius):
    products = defined_mean(guide.astype(np.float64) * source, radius)
    return products - defined_mean(guide, radius) * defined_mean(source, radius)


def averaged_lines(slope, guide, source, radius):
    offset = defined_mean(source, radius) - slope * defined_mean(guide, radius)
    return defined_mean(slope, radius) * guide + defined_mean(offset, radius)


@pytest.mark.parametrize("radius", [1, 4, 30])
def test_box_mean_counts_only_what_is_inside(rng, radius):
    plane = rng.random((17, 12), np.float32)
    np.testing.assert_allclose(box_mean(plane, radius), defined_mean(plane, radius), rtol=1e-5)


@pytest.mark.parametrize(("radius", "eps"), [(2, 1e-4), (5, 0.3)])
def test_guided_filter_is_its_definition(rng, radius, eps):
    guide, source = rng.random((2, 15, 21), np.float32)
    slope = defined_covariance(guide, source, radius) / (defined_variance(guide, radius) + eps)
    expected = averaged_lines(slope, guide, source, radius)
    np.testing.assert_allclose(guided_filter(guide, source, radius, eps), expected, atol=ROUNDING)


@pytest.mark.parametrize("offset", [0, 0.9])
def test_guided_filter_keeps_weak_edges_at_a_tiny_eps(offset):
    """eps 1e-6 against an edge of one 8-bit level: moments that are not centered lose it in float32."""
    step = np.zeros((40, 40), np.float32)
    step[:, 20:] = 1
    guide = (offset + step / 255).astype(np.float32)
    slope = defined_covariance(guide, step, 7) / (defined_variance(guide, 7) + 1e-6)
    expected = averaged_lines(slope, guide, step, 7)
    np.testing.assert_allclose(guided_filter(guide, step, 7, 1e-6), expected, atol=0.01)


def test_gradient_guided_filter_is_its_definition(rng):
    guide, source = rng.random((2, 15, 21), np.float32)
    radius, eps, delta = 4, 1 / 1024, 1e-6
    variance = defined_variance(guide, radius)
    chi = np.sqrt(defined_variance(guide, 1) * variance)
    gamma_large = (chi + delta) * (1 / (chi + delta)).mean()
    gamma = 1 - 1 / (1 + np.exp(4 / (chi.mean() - chi.min()) * (chi - chi.mean())))
    slope = defined_covariance(guide, source, radius) + eps / gamma_large * gamma
    slope /= variance + eps / gamma_large
    expected = averaged_lines(slope, guide, source, radius)
    np.testing.assert_allclose(gradient_guided_filter(guide, source, radius, eps), expected, atol=ROUNDING)


def test_gradient_guided_filter_takes_its_means_over_the_whole_plane(rng, monkeypatch):
    guide = rng.random((70, 40), np.float32)
    guide[35:] *= 0.1
    whole = gradient_guided_filter(guide, guide, 4, 0.01)
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 20)
    np.testing.assert_allclose(gradient_guided_filter(guide, guide, 4, 0.01), whole, atol=ROUNDING)


def test_a_flat_guide_gives_smooth_finite_values(rng):
    flat, source = np.full((20, 20), 0.5, np.float32), rng.random((20, 20), np.float32)
    expected = defined_mean(defined_mean(source, 3), 3)
    np.testing.assert_allclose(guided_filter(flat, source, 3, 0.1), expected, atol=ROUNDING)
    np.testing.assert_allclose(gradient_guided_filter(flat, source, 3, 0.1), expected, atol=ROUNDING)


def defined_grid_filter(plane, spatial_step, range_step, lowest):
    """Every cell's smoothed sum and count by brute force, then trilinear interpolation."""
    position = [
        (y / spatial_step, x / spatial_step, (plane[y, x] - lowest) / range_step)
        for y, x in np.ndindex(plane.shape)
    ]
    nearest, values = np.floor(np.array(position) + 0.5), plane.ravel().astype(np.float64)

    def cell(node):
        distance = nearest - node
        weight = np.exp(-(distance**2).sum(axis=1) / 2) * (np.abs(distance) <= 1).all(axis=1)
        return weight @ values / weight.sum() if weight.sum() else 0.0

    filtered = []
    for place in position:
        base = np.floor(place)
        total = 0.0
        for corner in np.ndindex(2, 2, 2):
            share = np.prod(np.where(corner, place - base, 1 - (place - base)))
            total += share * cell(base + corner) if share else 0.0
        filtered.append(total)
    return np.reshape(filtered, plane.shape)


def test_bilateral_grid_is_its_definition(rng):
    plane = rng.random((9, 14), np.float32)
    whole = bilateral_grid(
        [(0, plane)], plane.shape, spatial_step=4.5, range_step=0.13, value_range=(0.0, 1.0)
    )
    expected = defined_grid_filter(plane, 4.5, 0.13, 0.0)
    np.testing.assert_allclose(whole.read(plane), expected, atol=1e-6)
    strips = bilateral_grid(
        [(0, plane[:4]), (4, plane[4:])],
        plane.shape,
        spatial_step=4.5,
        range_step=0.13,
        value_range=(0.0, 1.0),
    )
    np.testing.assert_array_equal(strips.cells, whole.cells)
    np.testing.assert_array_equal(whole.read(plane[3:], first_row=3), whole.read(plane)[3:])


def test_bilateral_grid_keeps_a_constant():
    plane = np.full((10, 10), 0.4, np.float32)
    grid = bilateral_grid([(0, plane)], (10, 10), spatial_step=10, range_step=1e-6, value_range=(0.4, 0.4))
    np.testing.assert_allclose(grid.read(plane), plane, rtol=1e-6)
