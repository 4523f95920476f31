"""Agreement: published examples, another library's test, and the limits of each coefficient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare, friedmanchisquare, rankdata

from study_app.statistics.agreement import kendall_w, krippendorff_alpha, position_bias, repeat_agreement

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), example C: 4 observers, 12 units
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def test_alpha_of_the_published_example() -> None:
    units = list(zip(*OBSERVERS, strict=True))
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(units[::-1]) == krippendorff_alpha(units)


def test_alpha_of_the_published_example_of_two_observers() -> None:
    """Example B of the same paper: 2 observers, 12 units, nominal: 0.692."""
    first, second = "aabbdcccedda", "babbbccceddd"
    assert krippendorff_alpha(list(zip(first, second, strict=True))) == pytest.approx(0.692, abs=5e-4)


def test_limits_of_alpha() -> None:
    assert krippendorff_alpha([("x", "x"), ("y", "y", "y")]) == 1
    assert krippendorff_alpha([("x", "x"), ("x", "x")]) is None  # nothing varies
    assert krippendorff_alpha([("x",), ("y", None)]) is None  # nobody to compare with
    assert krippendorff_alpha([]) is None
    rng = np.random.default_rng(1)
    guesses = rng.integers(0, 13, (400, 8)).tolist()
    assert krippendorff_alpha(guesses) == pytest.approx(0, abs=0.01)


def test_w_of_full_rankings_is_the_friedman_test() -> None:
    """W = chi-square / (m (n - 1)), for complete rankings without ties and, with ties, for scores."""
    rankings = [(0, 1, 2, 3), (1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2), (3, 1, 0, 2)]
    scores = [[ranking.index(item) for ranking in rankings] for item in range(4)]
    expected = friedmanchisquare(*scores).statistic / (5 * 3)
    assert kendall_w(4, rankings) == pytest.approx(expected)


def test_w_corrects_for_unranked_items() -> None:
    rankings = [(0, 1), (1, 0), (0, 2), (0,), (3, 1, 0)]
    ranks = [[len(one) if i not in one else one.index(i) for i in range(6)] for one in rankings]
    by_rater = np.array([rankdata(one) for one in ranks])
    assert by_rater[0].tolist() == [1, 2, 4.5, 4.5, 4.5, 4.5]
    expected = friedmanchisquare(*by_rater.T).statistic / (5 * 5)
    assert kendall_w(6, rankings) == pytest.approx(expected)


def test_limits_of_w() -> None:
    assert kendall_w(13, [(4, 5, 6)] * 7) == pytest.approx(1)
    assert kendall_w(3, [(0, 1, 2), (2, 1, 0)]) == pytest.approx(0)
    assert kendall_w(13, [(4,)]) is None
    assert kendall_w(1, [(0,), (0,)]) is None
    assert kendall_w(5, [(), ()]) is None
    with pytest.raises(ValueError, match=r"ranking \(3, 3\)"):
        kendall_w(5, [(3, 3), (1,)])


def test_repeats() -> None:
    agreement = repeat_agreement([(4, 4, 13), (4, 5, 13), (2, 2, 10), (0, 1, 2)])
    assert (agreement.pairs, agreement.same, agreement.share) == (4, 2, 0.5)
    assert agreement.by_chance == pytest.approx(2 / 13 + 1 / 10 + 1 / 2)
    assert not agreement.is_at_chance
    assert repeat_agreement([(4, 5, 13)] * 3).is_at_chance
    assert repeat_agreement([]).share is None
    assert not repeat_agreement([]).is_at_chance


def test_position_bias_is_the_chi_square_test() -> None:
    positions = [0] * 30 + [1] * 20 + [2] * 10
    bias = position_bias([(position, 3) for position in positions])
    assert bias is not None
    expected = chisquare([30, 20, 10])
    assert bias.observed == (30, 20, 10)
    assert bias.expected == pytest.approx((20, 20, 20))
    assert (bias.statistic, bias.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert bias.is_suspect


def test_positions_beyond_a_small_scene_expect_less() -> None:
    bias = position_bias([(0, 2)] * 4 + [(3, 4)] * 4)
    assert bias is not None
    assert bias.expected == pytest.approx((3, 3, 1, 1))
    assert sum(bias.expected) == sum(bias.observed)


def test_unbiased_raters_are_not_suspected_and_biased_ones_are() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(9, 14, 2000).tolist()
    fair = position_bias([(int(rng.integers(0, size)), size) for size in sizes])
    leaning = position_bias(
        [(0 if rng.random() < 0.05 else int(rng.integers(0, size)), size) for size in sizes]
    )
    assert fair is not None
    assert leaning is not None
    assert not fair.is_suspect
    assert leaning.is_suspect


def test_no_positions_to_compare() -> None:
    assert position_bias([]) is None
    assert position_bias([(0, 1)]) is None
    with pytest.raises(ValueError, match="position 3 of a trial with 3 items"):
        position_bias([(3, 3)])
