"""The rule that turns a scene's answers into a state. Pure: tuples in, dataclasses out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """All that a verdict depends on besides the answers. `hash` identifies it in every vote."""

    mode: str = (
        "posterior"  # or "most-votes": a fixed number of votes (`cap`), strictly most first picks wins
    )
    p_best: float = 0.95
    p_near: float = 0.95
    minimum: int = 8
    cap: int = 30  # on counted votes plus "cannot tell"
    acceptable: float = 0.90
    delta: float = 0.5
    prior_sd: float = 1.5
    version: int = 1

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def rule_from_json(text: str) -> Rule:
    """The rule that `to_json` wrote; ValueError names an unknown or impossible field."""
    raise NotImplementedError


PRESETS = {
    "standard": Rule(),
    "strict": Rule(p_best=0.99, p_near=0.99, minimum=12, cap=60),
    "quick": Rule(p_best=0.90, p_near=0.90, minimum=5, cap=15),
    "most-votes": Rule(mode="most-votes", minimum=15, cap=15),
}


@dataclass(frozen=True)
class Answer:
    """One live answer of one rater, in the order of vote ids."""

    vote_id: int
    kind: str  # choice, cannot_tell, technical
    picks: tuple[int, ...] = ()  # item indices, best first
    acceptable: bool | None = None
    shown: tuple[int, ...] | None = None  # None: all items


@dataclass(frozen=True)
class Evaluation:
    """What the rule says after one counted vote (a look), with all figures behind it."""

    state: str  # one of models.SCENE_STATES but void
    reason: str  # a sentence for people
    counted: int
    cannot_tell: int
    technical: int
    vote_id: int | None  # newest counted vote
    leader: int
    p_best: tuple[float, ...]  # by item
    p_near: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    co_best: tuple[int, ...]  # items that share the verdict ACCEPT_EQUIVALENT with the leader, leader first
    acceptable_by_supporters: tuple[int, int]  # yes, all: of raters who put the leader first
    acceptable_by_all: tuple[int, int]
    first_picks: tuple[int, ...]  # by item


def evaluate(rule: Rule, item_count: int, answers: Sequence[Answer]) -> Evaluation:
    """The state of a scene after all answers, as if nothing had been evaluated before."""
    raise NotImplementedError


def looks(rule: Rule, item_count: int, answers: Sequence[Answer]) -> list[Evaluation]:
    """One evaluation after each counted vote from the rule's minimum on."""
    raise NotImplementedError


def adjudicate(
    rule: Rule, item_count: int, answers: Sequence[Answer], expert_answers: Sequence[Answer]
) -> Evaluation:
    """The verdict after the experts' blind trial: accept if both name the same and find it acceptable."""
    raise NotImplementedError
