"""The rule applied: a scene's answers become a state. Pure: tuples in, dataclasses out.

Counted answers are those of kind "choice". Nothing here is final: a verdict follows from the answers given, and
changes with them. VOID is the experimenter's own decision and not found here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from study_app.statistics.ranking import DRAWS, Ballot, Posterior, posterior
from study_app.statistics.rule import Rule

EXPERTS = 2
MOST_FOR_EXPERTS = 4  # items of the blind trial
EXPERTS_P_BEST = 0.02  # an item below has no say there
_BY_VOTE_ID = attrgetter("vote_id")
ANSWER_KINDS = ("choice", "cannot_tell", "technical")
CERTAIN = 0.95  # a winner by most votes with a smaller P(best) gets a warning


@dataclass(frozen=True)
class Answer:
    """One live answer of one rater, in the order of vote ids."""

    vote_id: int
    kind: str  # choice, cannot_tell, technical
    picks: tuple[int, ...] = ()  # item indices, best first
    acceptable: bool | None = None
    shown: tuple[int, ...] | None = None  # None: all items

    def __post_init__(self) -> None:
        if self.kind not in ANSWER_KINDS:
            raise ValueError(f"vote {self.vote_id}: kind is {self.kind!r}; known: {', '.join(ANSWER_KINDS)}")
        is_choice = self.kind == "choice"
        if bool(self.picks) != is_choice or (self.acceptable is not None) != is_choice:
            raise ValueError(
                f"vote {self.vote_id}: a choice, and only a choice, has picks and says whether the first is "
                f"acceptable; this {self.kind} has picks {self.picks}, acceptable {self.acceptable}"
            )


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
    if len({answer.vote_id for answer in answers}) < len(answers):
        raise ValueError("two answers have the same vote id; give each live vote once")
    figures = _figures(rule, item_count, answers)
    return _posterior_state(rule, figures) if rule.mode == "posterior" else _most_votes_state(rule, figures)


def looks(rule: Rule, item_count: int, answers: Sequence[Answer]) -> list[Evaluation]:
    """One evaluation after each counted vote from the rule's minimum on.

    A "cannot tell" that reaches the cap after the last counted vote is no look; `evaluate` sees it.
    """
    ordered = sorted(answers, key=_BY_VOTE_ID)
    counted_at = [place for place, answer in enumerate(ordered) if answer.kind == "choice"]
    return [evaluate(rule, item_count, ordered[: place + 1]) for place in counted_at[rule.minimum - 1 :]]


def shortlist(evaluation: Evaluation) -> tuple[int, ...]:
    """The items of the experts' blind trial, likeliest first: two to four.

    All with P(best) >= 0.02 but at most four; the runner-up is always among them, as one item is no choice.
    """
    by_chance = sorted(range(len(evaluation.p_best)), key=lambda item: (-evaluation.p_best[item], item))
    likely = sum(p >= EXPERTS_P_BEST for p in evaluation.p_best)
    return tuple(by_chance[: min(max(likely, 2), MOST_FOR_EXPERTS)])


def adjudicate(
    rule: Rule, item_count: int, answers: Sequence[Answer], expert_answers: Sequence[Answer]
) -> Evaluation:
    """The verdict after the experts' blind trial: accept if both name the same and find it acceptable.

    Where the raters alone reach a verdict, it stands. The first two experts by vote id speak; "cannot tell" is an
    answer, a technical fault is none.
    """
    evaluation = evaluate(rule, item_count, answers)
    if evaluation.state not in ("continue", "adjudicate"):
        return evaluation
    experts = sorted((one for one in expert_answers if one.kind != "technical"), key=_BY_VOTE_ID)[:EXPERTS]
    if len(experts) < EXPERTS:
        reason = f"{len(experts)} of {EXPERTS} experts have answered"
        return dataclasses.replace(evaluation, state="adjudicate", reason=reason)
    named = {one.picks[0] if one.picks else None for one in experts}
    if len(named) == 1 and None not in named and all(one.acceptable for one in experts):
        return _adjudicated(evaluation, answers, experts[0].picks[0])
    reason = "the experts do not name the same acceptable item"
    return dataclasses.replace(evaluation, state="ambiguous", reason=reason)


def chance_acceptable(yes: int, total: int) -> float:
    """P(a >= 0.5) for a ~ Beta(1 + yes, 1 + no), exactly: the lower half of a binomial of total + 1."""
    return sum(math.comb(total + 1, k) for k in range(yes + 1)) / 2 ** (total + 1)


def _figures(rule: Rule, item_count: int, answers: Sequence[Answer]) -> Evaluation:
    """All that the state follows from; the state itself is still open."""
    kinds = [answer.kind for answer in answers]
    choices = sorted((answer for answer in answers if answer.kind == "choice"), key=_BY_VOTE_ID)
    ballots = [Ballot(answer.picks, answer.shown) for answer in choices]
    fit = posterior(item_count, ballots, prior_sd=rule.prior_sd, delta=rule.delta)
    first_picks = tuple(sum(answer.picks[0] == item for answer in choices) for item in range(item_count))
    leader = fit.leader if rule.mode == "posterior" else _most_picked(first_picks, fit)
    return Evaluation(
        state="continue",
        reason="",
        counted=len(choices),
        cannot_tell=kinds.count("cannot_tell"),
        technical=kinds.count("technical"),
        vote_id=choices[-1].vote_id if choices else None,
        leader=leader,
        p_best=tuple(fit.p_best.tolist()),
        p_near=tuple(fit.p_near.tolist()),
        mean=tuple(fit.mean.tolist()),
        sd=tuple(np.sqrt(fit.covariance.diagonal()).tolist()),
        co_best=(),
        acceptable_by_supporters=_acceptable(choices, leader),
        acceptable_by_all=_acceptable(choices, None),
        first_picks=first_picks,
    )


def _posterior_state(rule: Rule, look: Evaluation) -> Evaluation:
    """REJECT, ACCEPT, ACCEPT_EQUIVALENT, CONTINUE, ADJUDICATE: the first that applies.

    Below the minimum nothing but CONTINUE and, at the cap, ADJUDICATE: so few say nothing about a scene.
    """
    at_cap = look.counted + look.cannot_tell >= rule.cap
    if look.counted >= rule.minimum:
        verdict = _reject(rule, look, at_cap) or _accept(rule, look)
        if verdict is not None:
            return verdict
    figures = f"P(best) {look.p_best[look.leader]:.3f}, P(near-best) {look.p_near[look.leader]:.3f}"
    if not at_cap:
        reason = f"{look.counted} counted votes of at most {rule.cap}: {figures}"
        return dataclasses.replace(look, state="continue", reason=reason)
    reason = f"no verdict at the cap of {rule.cap} answers: {figures}, acceptable {_shares(look)}"
    return dataclasses.replace(look, state="adjudicate", reason=reason)


def _reject(rule: Rule, look: Evaluation, at_cap: bool) -> Evaluation | None:
    # P(a < 0.5) of yes among all is P(a >= 0.5) of no among all: both sides of 0.5 mirror each other.
    for (yes, total), who in (
        (look.acceptable_by_supporters, "of those who put the leader first"),
        (look.acceptable_by_all, "of all"),
    ):
        chance = chance_acceptable(total - yes, total)
        if chance >= rule.acceptable:
            reason = f"not acceptable to {total - yes} of {total} {who}: P(a < 0.5) {chance:.3f}"
            return dataclasses.replace(look, state="reject", reason=reason)
    yes, total = look.acceptable_by_all
    if at_cap and 2 * (total - yes) >= total:
        reason = f"at the cap, and not acceptable to {total - yes} of {total} raters: half or more"
        return dataclasses.replace(look, state="reject", reason=reason)
    return None


def _accept(rule: Rule, look: Evaluation) -> Evaluation | None:
    chance = chance_acceptable(*look.acceptable_by_supporters)
    if chance < rule.acceptable:
        return None
    suffix = f"acceptable to {_shares(look)}: P(a >= 0.5) {chance:.3f}"
    best = look.p_best[look.leader]
    if _reaches(best, rule.p_best):
        return dataclasses.replace(look, state="accept", reason=f"P(best) {best:.3f}; {suffix}")
    near = look.p_near[look.leader]
    if not _reaches(near, rule.p_near):
        return None
    others = (item for item, p in enumerate(look.p_near) if item != look.leader and _reaches(p, rule.p_near))
    co_best = (look.leader, *sorted(others, key=lambda item: (-look.p_near[item], item)))
    reason = f"P(near-best) {near:.3f}, P(best) {best:.3f}; {suffix}"
    return dataclasses.replace(look, state="accept-equivalent", reason=reason, co_best=co_best)


def _most_votes_state(rule: Rule, look: Evaluation) -> Evaluation:
    answered = look.counted + look.cannot_tell
    if answered < rule.cap:
        reason = f"{answered} of {rule.cap} answers"
        return dataclasses.replace(look, state="continue", reason=reason)
    yes, total = look.acceptable_by_all
    if 2 * (total - yes) > total:
        reason = f"not acceptable to {total - yes} of {total} raters: more than half"
        return dataclasses.replace(look, state="reject", reason=reason)
    most = max(look.first_picks)
    if look.counted == 0 or look.first_picks.count(most) > 1:
        reason = f"{look.first_picks.count(most)} items share the most first picks ({most} each)"
        return dataclasses.replace(look, state="adjudicate", reason=reason)
    best = look.p_best[look.leader]
    reason = f"most first picks: {most} of {look.counted}; P(best) {best:.3f}"
    if not _reaches(best, CERTAIN):
        reason += f", below {CERTAIN}: this winner is not certain"
    return dataclasses.replace(look, state="accept", reason=reason)


def _adjudicated(evaluation: Evaluation, answers: Sequence[Answer], item: int) -> Evaluation:
    choices = [answer for answer in answers if answer.kind == "choice"]
    return dataclasses.replace(
        evaluation,
        state="accept",
        reason=f"adjudicated: both experts put it first and find it acceptable; raters: {evaluation.reason}",
        leader=item,
        acceptable_by_supporters=_acceptable(choices, item),
    )


def _acceptable(choices: Sequence[Answer], leader: int | None) -> tuple[int, int]:
    said = [bool(answer.acceptable) for answer in choices if leader is None or answer.picks[0] == leader]
    return sum(said), len(said)


def _most_picked(first_picks: tuple[int, ...], fit: Posterior) -> int:
    """Of the items with the most first picks, the one likeliest to be best, then the first."""
    return max(range(len(first_picks)), key=lambda item: (first_picks[item], fit.p_best[item], -item))


def _reaches(share: float, threshold: float) -> bool:
    """Compare in whole draws, so that 0.95 of 4000 is 3800 of them and no rounding decides."""
    return round(share * DRAWS) >= math.ceil(threshold * DRAWS - 1e-6)


def _shares(look: Evaluation) -> str:
    yes, total = look.acceptable_by_supporters
    return f"{yes} of {total} who put the leader first"
