"""From a scene's answers to the verdict that `decide` writes. Pure: the same for a database and for an export."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study_app.statistics.evaluation import Answer, Evaluation, adjudicate, evaluate
from study_app.statistics.rule import Rule

SIMULATED = "+simulated"  # ends the rule_version of a verdict that rests on simulated votes, for ever
ACCEPTED = ("accept", "accept-equivalent")
UNDECIDED = ("continue", "adjudicate")


@dataclass(frozen=True)
class SceneEvidence:
    """All that a verdict depends on besides the rule."""

    study: str  # public id
    scene: str
    candidates: tuple[tuple[str, ...], ...]  # candidate keys by item: its own first, then its aliases
    answers: tuple[Answer, ...]  # counted, "cannot tell" and technical, by vote id
    expert_answers: tuple[Answer, ...] = ()
    void_reason: str | None = None
    sent_to_experts: bool = False  # by the experimenter, before the cap
    simulated_raters: int = 0  # of those whose answers are among these


@dataclass(frozen=True)
class Verdict:
    """One scene's verdict with the figures that stand beside it."""

    scene: str
    verdict: str  # one of builder.catalog.VERDICTS
    candidate: str | None  # key
    reason: str
    co_best: tuple[str, ...]  # keys that share the verdict, the reference first; empty without reference
    raters: int
    votes_by_candidate: tuple[tuple[str, int], ...]  # first picks; near-duplicates all have their item's
    p_best: float | None  # of the leader; None without a vote
    p_near: float | None
    acceptable_share: float | None  # of the raters who put the leader first
    rule_version: str
    votes_digest: str
    simulated_raters: int

    @property
    def simulated(self) -> bool:
        """Whether any vote behind it is not a person's."""
        return self.rule_version.endswith(SIMULATED)


def rule_version(rule: Rule, *, simulated: bool) -> str:
    """The rule's mode, version and hash; marked where votes were simulated."""
    return f"{rule.mode}-{rule.version}:{rule.hash[:12]}{SIMULATED if simulated else ''}"


def votes_digest(evidence: SceneEvidence, rule: Rule) -> str:
    """SHA-256 of everything the verdict follows from, as canonical JSON."""
    document = {
        "study": evidence.study,
        "scene": evidence.scene,
        "rule": rule.hash,
        "candidates": evidence.candidates,
        "answers": [_answer(answer) for answer in evidence.answers],
        "experts": [_answer(answer) for answer in evidence.expert_answers],
        "void": evidence.void_reason,
        "sent": evidence.sent_to_experts,
        "simulated": evidence.simulated_raters,
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _answer(answer: Answer) -> list[Any]:
    shown = None if answer.shown is None else sorted(answer.shown)
    return [answer.vote_id, answer.kind, answer.picks, answer.acceptable, shown]


def evaluation_of(evidence: SceneEvidence, rule: Rule) -> Evaluation:
    """The rule's word on these answers, and the experts' where the scene came to them."""
    count = len(evidence.candidates)
    found = evaluate(rule, count, evidence.answers)
    if evidence.void_reason is None and (found.state == "adjudicate" or evidence.sent_to_experts):
        return adjudicate(rule, count, evidence.answers, evidence.expert_answers)
    return found


def verdict_of(evidence: SceneEvidence, rule: Rule, evaluation: Evaluation) -> Verdict:
    """What `decide` writes for the scene: an undecided scene is ambiguous, a void one is void."""
    verdict, reason = _verdict_and_reason(evidence, evaluation)
    accepted = verdict in ACCEPTED
    leading = evidence.candidates[evaluation.leader]
    share_best = (
        (evaluation.leader, *evaluation.co_best) if verdict == "accept-equivalent" else (evaluation.leader,)
    )
    best = dict.fromkeys(key for item in share_best for key in evidence.candidates[item])
    yes, asked = evaluation.acceptable_by_supporters
    voted = evaluation.counted > 0
    return Verdict(
        scene=evidence.scene,
        verdict=verdict,
        candidate=leading[0] if accepted else None,
        reason=reason,
        co_best=tuple(best) if accepted else (),
        raters=evaluation.counted,
        votes_by_candidate=_first_picks(evidence.candidates, evaluation.first_picks),
        p_best=round(evaluation.p_best[evaluation.leader], 3) if voted else None,
        p_near=round(evaluation.p_near[evaluation.leader], 3) if voted else None,
        acceptable_share=round(yes / asked, 3) if asked else None,
        rule_version=rule_version(rule, simulated=evidence.simulated_raters > 0),
        votes_digest=votes_digest(evidence, rule),
        simulated_raters=evidence.simulated_raters,
    )


def _verdict_and_reason(evidence: SceneEvidence, evaluation: Evaluation) -> tuple[str, str]:
    if evidence.void_reason is not None:
        return "void", f"Taken out by the experimenter: {evidence.void_reason or 'no reason given'}"
    if evaluation.state in UNDECIDED:
        return "ambiguous", f"Not decided when the study was frozen. {evaluation.reason}"
    return evaluation.state, evaluation.reason


def _first_picks(
    candidates: Sequence[Sequence[str]], first_picks: Sequence[int]
) -> tuple[tuple[str, int], ...]:
    return tuple((key, count) for keys, count in zip(candidates, first_picks, strict=True) for key in keys)


def as_document(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values, for JSON and tables."""
    return {
        "scene": verdict.scene,
        "verdict": verdict.verdict,
        "candidate": verdict.candidate,
        "reason": verdict.reason,
        "co_best": list(verdict.co_best),
        "raters": verdict.raters,
        "votes_by_candidate": dict(verdict.votes_by_candidate),
        "p_best": verdict.p_best,
        "p_near": verdict.p_near,
        "acceptable_share": verdict.acceptable_share,
        "rule_version": verdict.rule_version,
        "votes_digest": verdict.votes_digest,
        "simulated_raters": verdict.simulated_raters,
    }


def results_hash(verdicts: Sequence[Verdict]) -> str:
    """SHA-256 of all verdicts in the order of their scenes: two equal hashes are two equal results."""
    ordered = sorted(verdicts, key=lambda verdict: verdict.scene)
    text = json.dumps([as_document(verdict) for verdict in ordered], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
