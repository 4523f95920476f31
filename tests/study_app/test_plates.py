"""The dot plates: colours that coincide for a dichromat and differ for a normal eye, and what counts as passed.

The dichromats are simulated with the published full-severity matrices of Machado, Oliveira and Fernandes (2009),
Table 1 (linear RGB). Differences are CIE 1976 Delta E*ab (D65): simpler and, for these colours, stricter at the small
end than CIEDE2000.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from study_app.rater_pages import plates

MACHADO = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def decode(encoded):
    share = np.asarray(encoded) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(linear):
    ratio = np.asarray(linear) @ SRGB_TO_XYZ.T / SRGB_TO_XYZ.sum(axis=1)
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def difference(one, other):
    return np.linalg.norm(lab(one) - lab(other), axis=-1)


def seen_by(kind, linear):
    return np.clip(np.asarray(linear) @ np.array(MACHADO[kind]).T, 0, 1)


def dot_colours(number, digit, seed):
    """Linear colours at the dots' centres as drawn (8 bit), and which dots lie in the digit."""
    picture = plates.draw(number, digit, seed)
    dots = plates._dots(number)
    return decode(picture[dots[:, 1].astype(int), dots[:, 0].astype(int)]), plates._is_inside(dots, digit)


def test_the_difference_measure_agrees_with_a_published_value():
    """sRGB red is L*a*b* = 53.24, 80.09, 67.20 (D65); white to black is 100."""
    np.testing.assert_allclose(lab((1.0, 0.0, 0.0)), (53.24, 80.09, 67.20), atol=0.01)
    assert difference((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)) == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize("kind", ["protan", "deutan"])
@pytest.mark.parametrize("step", plates.STEPS)
def test_digit_and_ground_coincide_for_the_dichromat_only(kind, step):
    palette = plates.PALETTES[kind]
    digit, ground = np.array(palette.digit) * step, np.array(palette.ground) * step
    assert min(*digit, *ground) >= 0
    assert max(*digit, *ground) <= 1
    assert difference(seen_by(kind, digit), seen_by(kind, ground)) < 3
    assert difference(digit, ground) > 20


@pytest.mark.parametrize(("number", "kind"), list(enumerate(plates.SEQUENCE)))
def test_the_drawn_plate_hides_its_digit_from_the_dichromat_only(number, kind):
    colours, inside = dot_colours(number, "5", seed=11)
    assert difference(colours[inside].mean(axis=0), colours[~inside].mean(axis=0)) > 20
    for blind in MACHADO:
        seen = seen_by(blind, colours)
        apart = difference(seen[inside].mean(axis=0), seen[~inside].mean(axis=0))
        if kind == "control":
            assert apart > 20, "everybody sees a control"
        elif kind == blind:
            assert apart < 3


@pytest.mark.parametrize("number", [1, 2])
def test_lightness_does_not_give_the_digit_away(number):
    """The lightness of digit dots and ground dots overlaps: their means differ by less than their spread."""
    colours, inside = dot_colours(number, "3", seed=5)
    lightness = lab(colours)[:, 0]
    spread = lightness[~inside].std()
    assert spread > 3
    assert abs(lightness[inside].mean() - lightness[~inside].mean()) < spread


@pytest.mark.parametrize("digit", plates.DIGITS)
def test_a_digit_is_drawn_large_and_in_the_middle(digit):
    dots = plates._dots(0)
    inside = dots[plates._is_inside(dots, digit)]
    assert len(inside) > 60
    width, height = np.ptp(inside[:, :2], axis=0) / plates.SIZE
    assert 0.4 < height < 0.7
    assert width > 0.25
    middle = (inside[:, :2].max(axis=0) + inside[:, :2].min(axis=0)) / 2 / plates.SIZE
    np.testing.assert_allclose(middle, 0.5, atol=0.06)


def test_dots_neither_touch_nor_leave_the_plate():
    dots = plates._dots(3)
    gaps = np.hypot(dots[:, None, 0] - dots[None, :, 0], dots[:, None, 1] - dots[None, :, 1])
    gaps -= dots[:, None, 2] + dots[None, :, 2]
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 0
    reach = np.hypot(dots[:, 0] - plates.SIZE / 2, dots[:, 1] - plates.SIZE / 2) + dots[:, 2]
    assert reach.max() < plates.SIZE / 2


def test_a_plate_is_the_same_for_the_same_seed_only():
    first = plates.draw(1, "4", seed=3)
    np.testing.assert_array_equal(first, plates.draw(1, "4", seed=3))
    assert (first != plates.draw(1, "4", seed=4)).any()
    assert first.shape == (plates.SIZE, plates.SIZE, 3)
    assert first.dtype == np.uint8


def test_two_controls_and_two_plates_of_each_kind():
    assert sorted(plates.SEQUENCE) == ["control"] * 2 + ["deutan"] * 2 + ["protan"] * 2
    assert plates.SEQUENCE[0] == "control", "the first shows how it works"


def test_digits_follow_from_the_seed_and_vary():
    assert plates.digits(8) == plates.digits(8)
    drawn = [plates.digits(seed) for seed in range(60)]
    assert {digit for answer in drawn for digit in answer} == set(plates.DIGITS)
    assert all(len(answer) == len(plates.SEQUENCE) for answer in drawn)
    assert all(one != other for answer in drawn for one, other in pairwise(answer))


@pytest.mark.parametrize(
    ("wrong", "passed"),
    [
        ((), True),
        ((1,), True),
        ((5,), True),
        ((0,), False),
        ((3,), False),
        ((2, 4), False),  # both protan plates
        ((1, 5), False),  # both deutan plates
        ((1, 2, 4, 5), False),
    ],
)
def test_passed(wrong, passed):
    correct = tuple(number not in wrong for number in range(len(plates.SEQUENCE)))
    assert plates.passed(correct) is passed
