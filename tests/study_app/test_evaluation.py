"""The rule: golden probabilities, each state of the table in its order, purity, and calibration."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from scipy.stats import beta

from study_app.statistics import planning
from study_app.statistics.evaluation import Answer, Evaluation, chance_acceptable, evaluate, looks
from study_app.statistics.rule import PRESETS

STANDARD = PRESETS["standard"]
MOST_VOTES = PRESETS["most-votes"]


def _answers(*groups: tuple[int, tuple[int, ...], bool]) -> list[Answer]:
    """(how many, picks, acceptable) groups, numbered one after the other."""
    every = [(picks, accept) for times, picks, accept in groups for _ in range(times)]
    return [Answer(number, "choice", *one) for number, one in enumerate(every, start=1)]


def _others(first_id: int, *kinds: str) -> list[Answer]:
    return [Answer(number, kind) for number, kind in enumerate(kinds, start=first_id)]


def _random_answers(seed: int, count: int) -> list[Answer]:
    rng = random.Random(seed)
    answers = []
    for number in range(1, count + 1):
        kind = rng.choices(["choice", "cannot_tell", "technical"], [20, 1, 1])[0]
        if kind == "choice":
            favourite = [0] if rng.random() < 0.5 else []
            rest = rng.sample(range(1, 13), 3)
            picks = tuple((favourite + rest)[: rng.randint(1, 3)])
            answers.append(Answer(number, kind, picks, rng.random() < 0.8))
        else:
            answers.append(Answer(number, kind))
    return answers


# --- acceptability


@pytest.mark.parametrize(
    ("yes", "total", "chance"), [(3, 3, 0.938), (4, 5, 0.891), (5, 6, 0.938), (6, 8, 0.910)]
)
def test_golden_acceptability(yes: int, total: int, chance: float) -> None:
    assert chance_acceptable(yes, total) == pytest.approx(chance, abs=5e-4)


def test_acceptability_is_the_beta_distribution() -> None:
    for total in range(31):
        for yes in range(total + 1):
            assert chance_acceptable(yes, total) == pytest.approx(beta.sf(0.5, 1 + yes, 1 + total - yes))


# --- the states, in the order of the table


def _state(*groups: tuple[int, tuple[int, ...], bool], extra: list[Answer] | None = None) -> Evaluation:
    return evaluate(STANDARD, 13, _answers(*groups) + (extra or []))


def test_nothing_is_said_before_the_minimum() -> None:
    assert _state((7, (4,), True)).state == "continue"
    assert _state((7, (4,), False)).state == "continue"
    assert _state().state == "continue"


def test_accept_at_the_minimum() -> None:
    look = _state((8, (4,), True))
    assert (look.state, look.leader, look.counted, look.vote_id) == ("accept", 4, 8, 8)
    assert look.p_best[4] == pytest.approx(0.953, abs=0.01)
    assert look.mean[4] == pytest.approx(3.5799, abs=5e-5)
    assert look.first_picks == (0, 0, 0, 0, 8) + (0,) * 8
    assert look.acceptable_by_supporters == look.acceptable_by_all == (8, 8)
    assert look.co_best == ()
    assert "P(best) 0.95" in look.reason


def test_reject_comes_before_accept() -> None:
    assert _state((8, (4,), False)).state == "reject"


def test_reject_by_all_though_the_supporters_like_it() -> None:
    look = _state((4, (4,), True), (2, (5,), False), (2, (6,), False), (4, (7,), False))
    assert look.acceptable_by_all == (4, 12)
    assert chance_acceptable(8, 12) == pytest.approx(0.867, abs=1e-3)
    assert look.state == "continue"
    assert _state((4, (4,), True), (2, (5,), False), (3, (6,), False), (4, (7,), False)).state == "reject"


def test_reject_by_the_supporters_alone() -> None:
    look = _state((9, (4,), False), (9, (5,), True), (3, (4,), False))
    assert look.leader == 4
    assert look.acceptable_by_all == (9, 21)
    assert look.state == "reject"
    assert "12 of 12 of those who put the leader first" in look.reason


def test_no_verdict_without_enough_acceptance() -> None:
    look = _state((9, (4,), True), (6, (4,), False))
    assert look.p_best[4] > 0.95
    assert chance_acceptable(9, 15) < 0.9
    assert look.state == "continue"


def test_accept_equivalent_keeps_the_items_that_are_as_good() -> None:
    patient = dataclasses.replace(STANDARD, cap=200)
    look = evaluate(patient, 13, _answers((40, (4, 5), True), (40, (5, 4), True)))
    assert look.state == "accept-equivalent"
    assert max(look.p_best) < 0.95
    assert set(look.co_best) == {4, 5}
    assert look.co_best[0] == look.leader


def test_a_lone_near_best_leader_is_its_own_list() -> None:
    look = _state((8, (4, 5, 6), True))
    assert look.state == "accept-equivalent"  # P(best) 0.929, P(near) 0.98
    assert look.co_best == (4,)


def test_at_the_cap_half_not_acceptable_is_a_rejection() -> None:
    spread = [(3, (item,), item % 2 == 0) for item in range(10)]
    look = _state(*spread)
    assert look.acceptable_by_all == (15, 30)
    assert look.state == "reject"
    assert _state(*spread[:-1], (2, (9,), False)).state == "continue"  # 29 answers
    assert _state(*spread[:-1], (3, (9,), True)).state == "adjudicate"


def test_cannot_tell_counts_toward_the_cap_but_technical_faults_do_not() -> None:
    split = ((4, (4,), True), (4, (5,), True), (4, (6,), True))
    assert _state(*split, extra=_others(100, *["technical"] * 30)).state == "continue"
    assert _state(*split, extra=_others(100, *["cannot_tell"] * 17)).state == "continue"
    look = _state(*split, extra=_others(100, *["cannot_tell"] * 18, "technical", "technical"))
    assert (look.state, look.counted, look.cannot_tell, look.technical) == ("adjudicate", 12, 18, 2)


def test_at_the_cap_below_the_minimum_only_experts_can_tell() -> None:
    look = _state((5, (4,), False), extra=_others(100, *["cannot_tell"] * 25))
    assert look.state == "adjudicate"
    assert evaluate(STANDARD, 13, _others(1, *["cannot_tell"] * 30)).state == "adjudicate"


def test_thresholds_are_compared_in_whole_draws() -> None:
    look = _state((8, (4,), True))
    exactly = dataclasses.replace(STANDARD, p_best=look.p_best[4])
    above = dataclasses.replace(STANDARD, p_best=look.p_best[4] + 1 / 4000, p_near=0.99)
    assert evaluate(exactly, 13, _answers((8, (4,), True))).state == "accept"
    assert evaluate(above, 13, _answers((8, (4,), True))).state == "continue"


# --- purity


@pytest.mark.parametrize("seed", range(8))
def test_shuffled_answers_give_the_same_evaluation(seed: int) -> None:
    answers = _random_answers(seed, 28)
    shuffled = random.Random(seed).sample(answers, len(answers))
    assert evaluate(STANDARD, 13, shuffled) == evaluate(STANDARD, 13, answers)
    assert looks(STANDARD, 13, shuffled) == looks(STANDARD, 13, answers)


@pytest.mark.parametrize("seed", range(4))
def test_an_excluded_rater_is_one_who_never_voted(seed: int) -> None:
    """Other vote ids, the same order: nothing but the vote id of the look differs."""
    answers = _random_answers(seed, 25)
    without = answers[:5] + answers[6:]
    renumbered = [dataclasses.replace(answer, vote_id=n) for n, answer in enumerate(without, start=1)]
    left = [dataclasses.replace(look, vote_id=None) for look in looks(STANDARD, 13, without)]
    never = [dataclasses.replace(look, vote_id=None) for look in looks(STANDARD, 13, renumbered)]
    assert left == never


def test_looks_follow_each_counted_vote_from_the_minimum_on() -> None:
    answers = _random_answers(2, 30)
    counted = [answer for answer in answers if answer.kind == "choice"]
    found = looks(STANDARD, 13, answers)
    assert [look.counted for look in found] == list(range(8, len(counted) + 1))
    assert [look.vote_id for look in found] == [answer.vote_id for answer in counted[7:]]
    for look in found:
        until = [answer for answer in answers if look.vote_id and answer.vote_id <= look.vote_id]
        assert look == evaluate(STANDARD, 13, until)
    assert looks(STANDARD, 13, answers[:5]) == []


def test_swapped_items_swap_the_figures() -> None:
    """The draws belong to positions, so chances agree within their noise and the fit exactly."""
    here = evaluate(STANDARD, 3, _answers((9, (0, 1), True), (3, (2,), True)))
    there = evaluate(STANDARD, 3, _answers((9, (2, 1), True), (3, (0,), True)))
    assert here.mean == pytest.approx(there.mean[::-1], abs=1e-12)
    assert here.p_best == pytest.approx(there.p_best[::-1], abs=0.03)


def test_answers_that_contradict_themselves() -> None:
    with pytest.raises(ValueError, match="same vote id"):
        evaluate(STANDARD, 13, [Answer(1, "cannot_tell"), Answer(1, "technical")])
    with pytest.raises(ValueError, match="vote 3: kind is 'guess'"):
        Answer(3, "guess")
    for wrong in ((3, "choice"), (3, "choice", (1,)), (3, "cannot_tell", (1,)), (3, "technical", (), True)):
        with pytest.raises(ValueError, match="vote 3: a choice, and only a choice"):
            Answer(*wrong)


# --- most votes


def test_most_votes_waits_for_its_number() -> None:
    assert evaluate(MOST_VOTES, 13, _answers((14, (4,), True))).state == "continue"


def test_strictly_most_first_picks_win_with_a_warning_when_uncertain() -> None:
    look = evaluate(MOST_VOTES, 13, _answers((6, (4,), True), (5, (5, 6), True), (4, (6, 5), True)))
    assert (look.state, look.leader) == ("accept", 4)
    assert look.p_best[4] < 0.95
    assert "below 0.95" in look.reason
    sure = evaluate(MOST_VOTES, 13, _answers((15, (4,), True)))
    assert sure.state == "accept"
    assert "below" not in sure.reason


def test_the_leader_of_most_votes_is_who_has_most_first_picks() -> None:
    """Item 5 is second on every other ballot, so the model prefers it; the count does not."""
    answers = _answers((6, (4,), True), (5, (5,), True), (4, (6, 5), True))
    assert evaluate(STANDARD, 13, answers).leader == 5
    look = evaluate(MOST_VOTES, 13, answers)
    assert (look.state, look.leader, look.acceptable_by_supporters) == ("accept", 4, (6, 6))


def test_a_tie_of_most_votes_goes_to_the_experts() -> None:
    look = evaluate(MOST_VOTES, 13, _answers((7, (4,), True), (7, (5,), True), (1, (6,), True)))
    assert look.state == "adjudicate"
    assert "2 items share the most first picks (7 each)" in look.reason
    assert evaluate(MOST_VOTES, 13, _others(1, *["cannot_tell"] * 15)).state == "adjudicate"


def test_more_than_half_not_acceptable_rejects_in_most_votes() -> None:
    assert evaluate(MOST_VOTES, 13, _answers((8, (4,), False), (7, (4,), True))).state == "reject"
    assert evaluate(MOST_VOTES, 13, _answers((7, (4,), False), (8, (4,), True))).state == "accept"
    half = dataclasses.replace(MOST_VOTES, minimum=4, cap=4)
    assert evaluate(half, 13, _answers((2, (4,), False), (2, (4,), True))).state == "accept"


# --- calibration


def test_decisions_are_right_in_500_simulated_scenes() -> None:
    """A look after every vote, as in a study: stopping at the first verdict must not spoil the promise."""
    assumptions = planning.Assumptions()
    shortfalls = []
    for number in range(500):
        rng = np.random.default_rng((20260101, number))
        gap, _ = assumptions.gaps[number % len(assumptions.gaps)]
        outcome = planning.simulate_scene(assumptions, STANDARD, gap, rng)
        if outcome.state in planning.ACCEPTED:
            shortfalls.append(outcome.shortfall)
    assert len(shortfalls) > 400
    assert np.mean(np.array(shortfalls) <= STANDARD.delta) >= 0.93
