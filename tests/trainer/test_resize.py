"""Area averages and the bicubic third against sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.exported_dataset import noise
from trainer.preprocessing.resize import area_resized, short_side_resized, short_side_size, third_resized

# k(j/3)/3 of cubic convolution with a = -1/2, for j = 0 ... 5, worked out on paper:
# k(0) = 1, k(1/3) = 7/9, k(2/3) = 1/3, k(1) = 0, k(4/3) = -2/27, k(5/3) = -1/27
BY_HAND = (27 / 81, 21 / 81, 9 / 81, 0, -2 / 81, -1 / 81)


def gray(rows: np.ndarray) -> np.ndarray:
    return np.repeat(rows.astype(np.uint8)[..., None], 3, axis=2)


def test_a_single_bright_line_shows_the_weights_by_distance():
    picture = np.zeros((33, 33), np.uint8)
    picture[:, 16] = (
        243  # the centre of the sixth triple: the centres beside it are 3 away, where the kernel is 0
    )
    assert third_resized(gray(picture))[5, 3:8, 0].tolist() == [0, 0, 243 * 27 // 81, 0, 0]
    picture = np.zeros((33, 33), np.uint8)
    picture[:, 17] = 243  # one right of the centre: distances 1, -2, 4, -5
    result = third_resized(gray(picture))[5, :, 0]
    assert result[[5, 6]].tolist() == [243 * 21 // 81, 243 * 9 // 81]
    assert result[[4, 7]].tolist() == [0, 0]  # -2/81 and -1/81 of white are clipped


def test_negative_weights_darken_beside_an_edge():
    picture = np.full((30, 30), 100, np.uint8)
    picture[:, 17] = 181
    result = third_resized(gray(picture))[4, :, 0]
    assert result[[4, 5, 6, 7]].tolist() == [100 - 2, 100 + 21, 100 + 9, 100 - 1]


def test_overshoot_is_clipped():
    picture = np.zeros((30, 30), np.uint8)
    picture[:, 15:] = 255
    assert third_resized(gray(picture))[..., 0].max() == 255


def test_the_border_is_mirrored_with_its_own_pixel():
    """First output row by hand: x[-1] = x[0], x[-2] = x[1], ... around the centre 1."""
    column = np.array([10, 200, 30, 250, 5, 90, 120, 60, 33], np.uint8)
    picture = gray(np.repeat(column[:, None], 9, axis=1))
    taps = [column[3], column[2], column[1], column[0], *column[:7]]  # rows -4 ... 6
    weights = [*BY_HAND[:0:-1], *BY_HAND]
    expected = np.rint(np.dot(weights, np.array(taps, float)))
    assert third_resized(picture)[0, 1, 0] == expected


def test_the_whole_picture_against_a_plain_loop():
    picture = noise(3, 23, 31)
    assert np.array_equal(third_resized(picture), _plain(_plain(picture[:30, :21], 0), 1))


def _plain(picture: np.ndarray, axis: int) -> np.ndarray:
    """imresize's formula: x = 3 u + 1, weights k((x - i)/3) / sum, symmetric border, rounded and clipped."""

    def kernel(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    lines = np.moveaxis(picture, axis, 0).astype(float)
    count = len(lines)
    mirror = [*range(count), *range(count - 1, -1, -1)]
    result = []
    for centre in range(1, count, 3):
        weights = {i: kernel((centre - i) / 3) for i in range(centre - 6, centre + 7)}
        line = sum(weight * lines[mirror[i % (2 * count)]] for i, weight in weights.items())
        result.append(line / sum(weights.values()))
    rounded = np.clip(np.floor(np.array(result) + 0.5), 0, 255).astype(np.uint8)
    return np.moveaxis(rounded, 0, axis)


def test_a_constant_stays_and_odd_rows_are_dropped():
    result = third_resized(np.full((11, 7, 3), 77, np.uint8))
    assert result.shape == (3, 2, 3)
    assert (result == 77).all()


def test_a_picture_without_a_third_is_refused():
    with pytest.raises(ValueError, match="2x9 pixels has no third"):
        third_resized(noise(0, 2, 9))


def test_area_averages_blocks():
    picture = noise(1, 24, 16)
    blocks = picture.reshape(8, 2, 12, 2, 3).astype(float).mean(axis=(1, 3))
    result = area_resized(picture, 8, 12)
    assert result.dtype == np.uint8
    assert np.abs(result - blocks).max() <= 0.5


def test_area_keeps_the_mean_where_one_side_grows():
    """Rows shrink by 8 while columns grow by 2: no row may be skipped."""
    picture = np.zeros((64, 8, 3), np.float32)
    picture[::8] = 8
    result = area_resized(picture, 8, 16)
    assert result.shape == (8, 16, 3)
    assert np.allclose(result, 1)


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((100, 150), 50, (50, 75)),
        ((151, 100), 50, (76, 50)),
        ((40, 90), 50, (40, 90)),
        ((50, 90), 50, (50, 90)),
    ],
)
def test_short_side(size, short_side, expected):
    assert short_side_size(*size, short_side) == expected
    assert short_side_resized(noise(2, size[1], size[0]), short_side).shape[:2] == expected
