"""Rater checks: honest raters pass, guessers and hasty ones are proposed, one reason is not enough."""

from __future__ import annotations

import numpy as np
import pytest

from study_app.statistics.planning import Assumptions, draw_answers, draw_strengths
from study_app.statistics.ranking import Ballot, fit_strengths
from study_app.statistics.screening import (
    OUTLIER_D,
    Conduct,
    RatedScene,
    check_raters,
    conduct_reasons,
    mean_likelihoods,
    outlyingness,
)

GUESSER = 99


def _scenes(seed: int, *, raters: int = 19, scenes: int = 12, guesser: bool = True) -> list[RatedScene]:
    """Honest raters by Plackett-Luce; rater 99 guesses."""
    rng = np.random.default_rng(seed)
    honest, blind = Assumptions(), Assumptions(lapse=1.0)
    made = []
    for _ in range(scenes):
        strengths = draw_strengths(honest, 1.1, rng)
        ballots = {
            rater: Ballot(answer.picks)
            for rater, answer in enumerate(draw_answers(honest, strengths, raters, rng))
        }
        if guesser:
            ballots[GUESSER] = Ballot(draw_answers(blind, strengths, 1, rng)[0].picks)
        made.append(RatedScene(13, ballots))
    return made


def test_the_likelihood_follows_its_formula() -> None:
    others = {1: Ballot((0,)), 2: Ballot((0, 1)), 3: Ballot((2,))}
    scene = RatedScene(4, {**others, 7: Ballot((1, 0))})
    strengths, _ = fit_strengths(4, others.values())
    p = np.exp(strengths) / np.exp(strengths).sum()
    expected = np.log(p[1]) - (p * np.log(p)).sum()
    assert mean_likelihoods([scene])[7] == pytest.approx(expected)


def test_scenes_are_averaged_and_lonely_ones_say_nothing() -> None:
    first = RatedScene(4, {1: Ballot((0,)), 2: Ballot((0,))})
    second = RatedScene(4, {1: Ballot((0,)), 2: Ballot((3,))})
    both = mean_likelihoods([first, second])
    alone = [mean_likelihoods([scene])[1] for scene in (first, second)]
    assert both[1] == pytest.approx(np.mean(alone))
    assert mean_likelihoods([RatedScene(4, {1: Ballot((0,))})]) == {}


def test_items_not_shown_take_no_part() -> None:
    scene = RatedScene(4, {1: Ballot((0,)), 2: Ballot((0,)), 3: Ballot((2,), shown=(2, 3))})
    # Items 2 and 3 were never picked by the others: one half each, so log p equals its expectation.
    assert mean_likelihoods([scene])[3] == pytest.approx(0, abs=1e-12)


def test_outlyingness_in_interquartile_ranges() -> None:
    likelihoods = dict(enumerate([-9.0, 1, 2, 3, 4, 5, 6, 7, 8]))
    first, third = 2, 6
    assert outlyingness(likelihoods)[0] == pytest.approx((first + 9) / (third - first))
    assert outlyingness(likelihoods)[8] == pytest.approx((first - 8) / (third - first))
    assert outlyingness(dict.fromkeys(range(7), 0.0)) == {}
    same = outlyingness({**dict.fromkeys(range(9), 0.5), 9: 0.1})
    assert (same[0], same[9]) == (0.0, float("inf"))


@pytest.mark.parametrize("seed", range(3))
def test_a_guesser_stands_out(seed: int) -> None:
    """After 40 scenes; honest raters are noisy too, so 10 scenes show two guessers of three."""
    checks = {check.rater: check for check in check_raters(_scenes(seed, scenes=40), {})}
    distance = checks[GUESSER].outlyingness
    assert distance is not None
    assert distance > OUTLIER_D
    assert [reason.check for reason in checks[GUESSER].reasons] == ["outlier"]
    assert not checks[GUESSER].proposes_exclusion  # one reason alone
    honest = [check for rater, check in checks.items() if rater != GUESSER]
    assert sum(bool(check.reasons) for check in honest) <= 1


def test_honest_raters_have_likelihoods_about_zero() -> None:
    likelihoods = mean_likelihoods(_scenes(8, guesser=False, scenes=20))
    assert np.mean(list(likelihoods.values())) == pytest.approx(0, abs=0.15)


def test_too_little_to_tell() -> None:
    few_scenes = check_raters(_scenes(1, scenes=4), {})
    few_raters = check_raters(_scenes(1, raters=6), {})
    for checks in (few_scenes, few_raters):
        assert [check.outlyingness for check in checks] == [None] * len(checks)
        assert all(check.likelihood is not None for check in checks)


def test_order_of_scenes_and_raters_does_not_matter() -> None:
    scenes = _scenes(5)
    turned = [RatedScene(one.item_count, dict(reversed(one.ballots.items()))) for one in scenes]
    assert check_raters(turned, {}) == check_raters(scenes, {})


def test_two_reasons_propose_exclusion() -> None:
    hasty = Conduct(seconds=(2.0,) * 12)
    checks = {
        check.rater: check
        for check in check_raters(_scenes(2, scenes=40), {GUESSER: hasty, 3: hasty, 500: hasty})
    }
    assert [reason.check for reason in checks[GUESSER].reasons] == ["outlier", "haste"]
    assert checks[GUESSER].proposes_exclusion
    assert not checks[3].proposes_exclusion
    assert (checks[500].scenes, checks[500].likelihood) == (0, None)


@pytest.mark.parametrize(
    ("conduct", "found"),
    [
        (Conduct(), []),
        (Conduct(gold=(False,)), []),  # one slip
        (Conduct(gold=(True, False)), ["gold"]),
        (Conduct(gold=(True, True, False)), []),
        (Conduct(repeats=((1, 2, 13),) * 2), []),
        (Conduct(repeats=((1, 2, 13),) * 3), ["repeats"]),
        (Conduct(repeats=((1, 2, 13), (3, 3, 13), (4, 5, 13))), []),
        (Conduct(seconds=(1.0,) * 4), []),
        (Conduct(seconds=(4.9,) * 5), ["haste"]),
        (Conduct(seconds=(1.0, 1.0, 5.0, 9.0, 9.0)), []),
        (Conduct(positions=(0, 0, 0, 0)), []),
        (Conduct(positions=(0, 0, 0, 1, 2)), []),  # exactly 60 %
        (Conduct(positions=(0, 0, 0, 0, 2)), ["position"]),
        (Conduct(gold=(False, False), positions=(6,) * 20), ["gold", "position"]),
    ],
)
def test_each_check_has_its_limit(conduct: Conduct, found: list[str]) -> None:
    assert [reason.check for reason in conduct_reasons(conduct)] == found


def test_reasons_are_sentences_for_people() -> None:
    texts = [reason.text for reason in conduct_reasons(Conduct(gold=(False, False), positions=(6,) * 20))]
    assert texts == ["0 of 2 gold trials right", "20 of 20 first picks at position 7"]
