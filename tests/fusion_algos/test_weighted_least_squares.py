from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve

from fusion_algos.weighted_least_squares import smoothed, solve_weighted_laplacian


def direct_solution(right_side, down, right):
    height, width = right_side.shape
    number = np.arange(height * width).reshape(height, width)
    p = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    q = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    a = np.concatenate([down.ravel(), right.ravel()])
    edges = coo_array((-a, (p, q)), shape=(number.size,) * 2)
    matrix = edges + edges.T
    matrix = matrix + diags_array(1 - matrix.sum(axis=0))
    return spsolve(matrix.tocsc(), right_side.ravel()).reshape(height, width)


def weights_of(luminance):
    logarithm = np.log(luminance + 2.0**-52)
    return tuple(2 / (np.diff(logarithm, axis=axis) ** 2 + 1e-4) for axis in (0, 1))


def scenes():
    """64x64: what is hard for a grid: noise of few levels, black specks in flat regions, lines, one step, a ramp."""
    generator = np.random.default_rng(2018)
    rows, columns = np.mgrid[:64, :64]
    flat = np.where(columns < 31, 1.0, 0.25)
    return {
        "few dark levels": generator.integers(0, 4, (64, 64)) / 255,
        "noise": generator.integers(0, 256, (64, 64)) / 255,
        "specks in flat regions": flat * (generator.random((64, 64)) > 0.1),
        "diagonal lines": np.where((rows + columns) % 5 < 2, 0.0, 0.8),
        "ramp": (rows + 2 * columns) // 3 / 63,
        "black": np.zeros((64, 64)),
    }


SCENES = scenes()


@pytest.mark.parametrize("scene", SCENES)
def test_equals_a_direct_solution(scene):
    luminance = SCENES[scene]
    down, right = weights_of(luminance)
    found = solve_weighted_laplacian(luminance, down, right)
    assert found.dtype == np.float64
    assert np.abs(found - direct_solution(luminance, down, right)).max() <= 1e-4
    assert found.mean() == pytest.approx(luminance.mean(), abs=1e-12)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_the_error_is_about_the_tolerance_at_most(tolerance):
    luminance = SCENES["noise"]
    down, right = weights_of(luminance)
    found = solve_weighted_laplacian(luminance, down, right, tolerance=tolerance)
    assert np.abs(found - direct_solution(luminance, down, right)).max() <= tolerance


def test_weights_of_any_kind_and_another_right_side():
    generator = np.random.default_rng(7)
    down, right = 10 ** generator.uniform(-9, 6, (22, 31)), 10 ** generator.uniform(-9, 6, (23, 30))
    down[generator.random(down.shape) < 0.3] = 0
    right_side = generator.normal(0, 1, (23, 31))
    found = solve_weighted_laplacian(right_side, down, right, tolerance=1e-6)
    assert np.abs(found - direct_solution(right_side, down, right)).max() <= 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_lines_and_single_pixels(size):
    luminance = np.random.default_rng(1).random(size)
    down, right = weights_of(luminance)
    found = solve_weighted_laplacian(luminance, down, right)
    assert np.abs(found - direct_solution(luminance, down, right)).max() <= 1e-4


def test_without_weights_nothing_changes():
    right_side = np.random.default_rng(1).random((20, 30))
    found = solve_weighted_laplacian(right_side, np.zeros((19, 30)), np.zeros((20, 29)))
    assert np.allclose(found, right_side, rtol=0, atol=1e-15)


def test_golden_values():
    rows, columns = np.mgrid[:6, :8]
    luminance = ((7 * rows + 3 * columns) % 17) / 16
    base = smoothed(luminance, amount=2, alpha=2)
    assert base[0, 0] == pytest.approx(0.00181990930, abs=1e-9)
    assert base[3, 4] == pytest.approx(0.577121636, abs=1e-9)
    assert base[5, 7] == pytest.approx(0.422475679, abs=1e-9)
    assert base.mean() == pytest.approx(luminance.mean(), abs=1e-15)


def test_the_inputs_stay_as_they_are():
    luminance = SCENES["ramp"].copy()
    down, right = weights_of(luminance)
    copies = luminance.copy(), down.copy(), right.copy()
    solve_weighted_laplacian(luminance, down, right)
    assert all(np.array_equal(one, copy) for one, copy in zip((luminance, down, right), copies, strict=True))


@pytest.mark.parametrize(
    ("altered", "message"),
    [
        ({"down": np.ones((4, 6))}, r"weights of \(4, 6\)"),
        ({"right": np.full((4, 5), -1.0)}, "a weight is below 0"),
        ({"down": np.full((3, 6), np.inf)}, "not finite"),
        ({"right_side": np.full((4, 6), np.nan)}, "a right side is .*not finite"),
    ],
)
def test_what_cannot_be_solved_is_refused(altered, message):
    planes = {"right_side": np.ones((4, 6)), "down": np.ones((3, 6)), "right": np.ones((4, 5))} | altered
    with pytest.raises(ValueError, match=message):
        solve_weighted_laplacian(**planes)
