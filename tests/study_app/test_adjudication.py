"""Scenes that raters leave open: what two experts see, and what follows from their answers."""

from __future__ import annotations

import pytest

from study_app.statistics.evaluation import Answer, adjudicate, evaluate, shortlist
from study_app.statistics.rule import PRESETS

STANDARD = PRESETS["standard"]


def _answers(*groups: tuple[int, tuple[int, ...], bool]) -> list[Answer]:
    """(how many, picks, acceptable) groups, numbered one after the other."""
    every = [(picks, accept) for times, picks, accept in groups for _ in range(times)]
    return [Answer(number, "choice", *one) for number, one in enumerate(every, start=1)]


def _expert(vote_id: int, item: int | None, accept: bool = True) -> Answer:
    if item is None:
        return Answer(vote_id, "cannot_tell")
    return Answer(vote_id, "choice", (item,), accept, shown=(4, 5, 6))


@pytest.fixture
def torn() -> list[Answer]:
    """30 answers without a verdict."""
    answers = _answers((12, (4,), True), (12, (5,), True), (6, (6,), True))
    assert evaluate(STANDARD, 13, answers).state == "adjudicate"
    return answers


def test_experts_see_two_to_four_items(torn: list[Answer]) -> None:
    look = evaluate(STANDARD, 13, torn)
    shown = shortlist(look)
    assert set(shown[:2]) == {4, 5}
    assert all(look.p_best[item] >= 0.02 for item in shown)
    assert len(shortlist(evaluate(STANDARD, 13, []))) == 4
    assert (
        len(shortlist(evaluate(STANDARD, 13, _answers((30, (4,), True))))) == 2
    )  # one item would be no choice


def test_two_experts_who_agree_decide(torn: list[Answer]) -> None:
    look = adjudicate(STANDARD, 13, torn, [_expert(101, 5), _expert(102, 5)])
    assert (look.state, look.leader, look.acceptable_by_supporters) == ("accept", 5, (12, 12))
    assert look.reason.startswith("adjudicated")
    assert look.p_best == evaluate(STANDARD, 13, torn).p_best  # experts are no voters


@pytest.mark.parametrize(
    "experts",
    [
        [_expert(101, 4), _expert(102, 5)],
        [_expert(101, 4), _expert(102, 4, accept=False)],
        [_expert(101, 4), _expert(102, None)],
        [_expert(101, None), _expert(102, None)],
    ],
)
def test_experts_who_do_not_agree_leave_no_reference(torn: list[Answer], experts: list[Answer]) -> None:
    assert adjudicate(STANDARD, 13, torn, experts).state == "ambiguous"
    assert adjudicate(STANDARD, 13, torn, experts[::-1]).state == "ambiguous"


def test_one_expert_is_not_enough_and_a_third_comes_too_late(torn: list[Answer]) -> None:
    waiting = adjudicate(STANDARD, 13, torn, [_expert(101, 4)])
    assert (waiting.state, waiting.reason) == ("adjudicate", "1 of 2 experts have answered")
    assert adjudicate(STANDARD, 13, torn, [_expert(101, 4), Answer(102, "technical")]).state == "adjudicate"
    three = [_expert(103, 5), _expert(102, 4), _expert(101, 4)]
    assert adjudicate(STANDARD, 13, torn, three).leader == 4


def test_a_verdict_of_the_raters_stands() -> None:
    answers = _answers((12, (4,), True))
    experts = [_expert(101, 5), _expert(102, 5)]
    assert adjudicate(STANDARD, 13, answers, experts) == evaluate(STANDARD, 13, answers)


def test_a_scene_sent_to_experts_early_waits_for_them() -> None:
    answers = _answers((3, (4,), True))
    assert adjudicate(STANDARD, 13, answers, []).state == "adjudicate"
    assert adjudicate(STANDARD, 13, answers, [_expert(9, 4), _expert(8, 4)]).state == "accept"
