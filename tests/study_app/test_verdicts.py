"""From a scene's answers to its verdict: pure, and its digest covers all that it follows from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study_app.outcomes.verdicts import (
    SceneEvidence,
    evaluation_of,
    results_hash,
    rule_version,
    verdict_of,
    votes_digest,
)
from study_app.statistics.evaluation import Answer
from study_app.statistics.rule import Rule

RULE = Rule(p_best=0.9, p_near=0.9, minimum=3, cap=12)
KEYS = (("a", "a2"), ("b",), ("c",))


def evidence(*first_picks: int, **changes) -> SceneEvidence:
    answers = tuple(Answer(number, "choice", (pick,), True) for number, pick in enumerate(first_picks, 1))
    return replace(SceneEvidence("study", "church", KEYS, answers), **changes)


def decided(found: SceneEvidence, rule: Rule = RULE):
    return verdict_of(found, rule, evaluation_of(found, rule))


def test_the_winner_is_the_reference_and_its_aliases_share_its_credit():
    verdict = decided(evidence(0, 0, 0, 0, 0, 0, 1))
    assert (verdict.verdict, verdict.candidate) == ("accept", "a")
    assert verdict.co_best == ("a", "a2")
    assert dict(verdict.votes_by_candidate) == {"a": 6, "a2": 6, "b": 1, "c": 0}
    assert (verdict.raters, verdict.acceptable_share) == (7, 1.0)


def test_equally_good_ones_share_the_verdict_the_reference_first():
    picks = [1, 0] * 20
    rule = replace(RULE, cap=60, delta=1.4, p_best=0.97)
    verdict = decided(evidence(*picks), rule)
    assert verdict.verdict == "accept-equivalent"
    assert verdict.candidate == verdict.co_best[0]
    assert set(verdict.co_best) == {"a", "a2", "b"}


def test_undecided_is_ambiguous_and_says_why():
    verdict = decided(evidence(0, 1))
    assert (verdict.verdict, verdict.candidate, verdict.co_best) == ("ambiguous", None, ())
    assert verdict.reason.startswith("Not decided when the study was frozen. 2 counted votes of at most 12")


def test_a_scene_without_votes_has_no_figures():
    verdict = decided(evidence())
    assert (verdict.verdict, verdict.p_best, verdict.p_near, verdict.acceptable_share) == (
        "ambiguous",
        None,
        None,
        None,
    )


def test_void_wins_over_everything_and_tells_the_reason():
    found = evidence(0, 0, 0, 0, 0, 0, void_reason="wrong bracket", sent_to_experts=True)
    verdict = decided(found)
    assert (verdict.verdict, verdict.candidate) == ("void", None)
    assert verdict.reason == "Taken out by the experimenter: wrong bracket"


def test_experts_speak_only_where_the_scene_came_to_them():
    says = tuple(Answer(number, "choice", (2,), True, (1, 2)) for number in (8, 9))
    asked = evidence(0, 1, expert_answers=says, sent_to_experts=True)
    assert decided(asked).candidate == "c"
    assert decided(replace(asked, sent_to_experts=False)).verdict == "ambiguous"
    assert decided(replace(asked, expert_answers=says[:1])).verdict == "ambiguous"


@pytest.mark.parametrize(
    "change",
    [
        {"study": "other"},
        {"scene": "other"},
        {"candidates": (("a",), ("b",), ("c",))},
        {"void_reason": "x"},
        {"sent_to_experts": True},
        {"simulated_raters": 1},
        {"answers": (Answer(1, "choice", (0,), True), Answer(3, "choice", (1,), True))},
        {"answers": (Answer(1, "choice", (0,), True), Answer(2, "choice", (1,), False))},
        {"answers": (Answer(1, "choice", (0,), True), Answer(2, "choice", (1,), True, (0, 1)))},
        {"expert_answers": (Answer(5, "cannot_tell"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_covers_all_evidence(change):
    found = evidence(0, 1)
    assert votes_digest(replace(found, **change), RULE) != votes_digest(found, RULE)


def test_the_digest_covers_the_rule_and_nothing_else():
    found = evidence(0, 1)
    assert votes_digest(found, replace(RULE, cap=13)) != votes_digest(found, RULE)
    assert votes_digest(evidence(0, 1), Rule(p_best=0.9, p_near=0.9, minimum=3, cap=12)) == votes_digest(
        found, RULE
    )


def test_simulated_votes_mark_the_rule_version_for_ever():
    plain, marked = decided(evidence(0)), decided(evidence(0, simulated_raters=1))
    assert not plain.simulated
    assert marked.simulated
    assert marked.rule_version == rule_version(RULE, simulated=True) == f"{plain.rule_version}+simulated"
    assert len(marked.rule_version) <= 80  # the catalog's column


def test_the_results_hash_knows_no_order_and_every_verdict():
    first, second = decided(evidence(0)), decided(evidence(0, scene="tower"))
    assert results_hash([first, second]) == results_hash([second, first])
    assert results_hash([first, second]) != results_hash([first])
    assert results_hash([replace(first, raters=2)]) != results_hash([first])
