"""The planner: its simulated raters follow the model, its figures answer to the assumptions."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest

from study_app.statistics.planning import (
    WARNING,
    Assumptions,
    draw_answers,
    draw_strengths,
    first_verdict,
    plan,
)
from study_app.statistics.rule import PRESETS

EASY = Assumptions(gaps=((2.0, 1.0),))


def test_the_best_stands_as_far_out_as_assumed() -> None:
    rng = np.random.default_rng(1)
    places = Counter()
    for _ in range(200):
        strengths = draw_strengths(EASY, 1.1, rng)
        second, best = np.sort(strengths)[-2:]
        assert best - second == pytest.approx(1.1)
        places[int(strengths.argmax())] += 1
    assert len(places) == 13


def test_simulated_raters_pick_with_plackett_luce_chances() -> None:
    strengths = np.array([1.0, 0.0, -1.0, 0.5])
    answers = draw_answers(
        Assumptions(item_count=4, lapse=0.0, acceptable=0.8), strengths, 20_000, np.random.default_rng(2)
    )
    chances = np.exp(strengths) / np.exp(strengths).sum()
    firsts = np.bincount([answer.picks[0] for answer in answers], minlength=4) / len(answers)
    assert firsts == pytest.approx(chances, abs=0.015)  # sd 0.0035
    seconds = [answer.picks[1] for answer in answers if answer.picks[0] == 0]
    left = np.exp(strengths[1:]) / np.exp(strengths[1:]).sum()
    assert np.bincount(seconds, minlength=4)[1:] / len(seconds) == pytest.approx(left, abs=0.02)
    assert np.mean([bool(answer.acceptable) for answer in answers]) == pytest.approx(0.8, abs=0.01)


def test_a_lapse_is_a_blind_guess() -> None:
    strengths = np.array([3.0, 0.0, 0.0, 0.0])
    answers = draw_answers(Assumptions(item_count=4, lapse=1.0), strengths, 8000, np.random.default_rng(3))
    firsts = np.bincount([answer.picks[0] for answer in answers], minlength=4) / len(answers)
    assert firsts == pytest.approx(np.full(4, 0.25), abs=0.02)


def test_asking_stops_at_the_first_verdict() -> None:
    rule = PRESETS["standard"]
    answers = draw_answers(
        EASY, draw_strengths(EASY, 3.0, np.random.default_rng(4)), 30, np.random.default_rng(5)
    )
    look = first_verdict(rule, 13, answers)
    assert look.state == "accept"
    assert rule.minimum <= look.counted < 30
    assert first_verdict(rule, 13, answers[: look.counted - 1]).state == "continue"


def test_a_plan_adds_up() -> None:
    made = plan(Assumptions(scenes=200, gaps=((1.1, 3.0), (2.0, 1.0))), PRESETS["standard"], runs=30)
    (_, hard), (_, easy) = made.by_gap
    assert made.overall.raters_mean == pytest.approx((3 * hard.raters_mean + easy.raters_mean) / 4)
    assert made.overall.undecided == pytest.approx((3 * hard.undecided + easy.undecided) / 4)
    assert made.trials == pytest.approx(made.overall.raters_mean * 200, abs=1)
    assert made.hours == pytest.approx(made.trials / 60)
    assert made.people >= made.trials / 40
    assert hard.raters_mean > easy.raters_mean
    assert easy.raters_p90 <= hard.raters_p90 <= 30


def test_the_same_seed_gives_the_same_plan() -> None:
    first, again = (plan(EASY, PRESETS["quick"], runs=10, seed=7) for _ in range(2))
    assert first == again
    assert plan(EASY, PRESETS["quick"], runs=10, seed=8).by_gap != first.by_gap


def test_a_scene_needs_as_many_people_as_votes() -> None:
    small = plan(dataclasses.replace(EASY, scenes=2), PRESETS["most-votes"], runs=3)
    assert small.people == 15


def test_one_pick_takes_more_raters_than_three() -> None:
    three = plan(Assumptions(gaps=((1.1, 1.0),)), PRESETS["strict"], runs=40)
    one = plan(Assumptions(gaps=((1.1, 1.0),), picks=1), PRESETS["strict"], runs=40)
    assert one.overall.raters_mean > three.overall.raters_mean + 3


def test_most_votes_asks_a_fixed_number_and_errs_more() -> None:
    hard = Assumptions(gaps=((0.8, 1.0),))
    counted = plan(hard, PRESETS["most-votes"], runs=100)
    certain = plan(hard, PRESETS["standard"], runs=100)
    assert (counted.overall.raters_mean, counted.overall.raters_p90) == (15, 15)
    assert counted.overall.wrong is not None
    assert certain.overall.wrong is not None
    assert counted.overall.wrong > certain.overall.wrong + 0.05


def test_what_nobody_accepts_is_rejected_and_nothing_is_wrong() -> None:
    bad = plan(dataclasses.replace(EASY, acceptable=0.0), PRESETS["standard"], runs=5)
    assert (bad.overall.rejected, bad.overall.wrong, bad.overall.raters_mean) == (1.0, None, 8)


def test_a_plan_says_that_it_rests_on_assumptions() -> None:
    made = plan(EASY, PRESETS["quick"], runs=1)
    assert made.warning == WARNING
    assert "assumptions" in WARNING
    assert "pilot" in WARNING


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"item_count": 1}, "item_count is 1"),
        ({"item_count": 2}, "3 picks of 2 items"),
        ({"picks": 4}, "picks is 4"),
        ({"lapse": 1.2}, "lapse is 1.2"),
        ({"spread": float("nan")}, "spread is nan"),
        ({"gaps": ()}, "gaps are"),
        ({"gaps": ((1.0, 0.0),)}, "gaps are"),
        ({"gaps": ((-1.0, 1.0),)}, "gaps are"),
        ({"seconds_per_trial": 0}, "seconds_per_trial is 0"),
    ],
)
def test_impossible_assumptions_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Assumptions(**changed)


def test_no_runs() -> None:
    with pytest.raises(ValueError, match="runs is 0"):
        plan(EASY, PRESETS["quick"], runs=0)
