"""The figures of one scene's page, from its rows and its tally."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app.counting import tally
from study_app.counting.league_rows import algorithms
from study_app.outcomes import plots
from study_app.statistics.evaluation import Evaluation
from study_app.statistics.rule import Rule
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    FIRST_ROUND,
    Assignment,
    Look,
    Rater,
    StudyScene,
    Vote,
    VotePick,
)

NORMAL_95 = 1.96  # half-width of a central 95 % interval in standard deviations


@dataclass(frozen=True)
class ItemFigures:
    """One picture of the scene, with what the votes say about it."""

    algorithms: tuple[str, ...]  # the one shown first; the others look the same
    public_id: str
    quality: float | None  # MEF-SSIM of the one shown: a companion figure, it never picks
    first_picks: int
    strength: float
    half_width: float
    p_best: float
    p_near: float
    is_leader: bool
    is_co_best: bool

    @property
    def name(self) -> str:
        """All algorithms of the picture."""
        return " = ".join(self.algorithms)


@dataclass(frozen=True)
class VoteLine:
    """One live answer."""

    at: datetime
    rater: str
    simulated: bool
    is_expert: bool  # of the experts' trial
    kind: str
    picks: tuple[str, ...]
    acceptable: bool | None
    reasons: tuple[str, ...]
    comment: str
    counts: bool


@dataclass(frozen=True)
class SceneFigures:
    """All that the page of a scene shows."""

    evaluation: Evaluation
    items: tuple[ItemFigures, ...]  # likeliest best first; without counted votes in the study's own order
    looks: tuple[plots.LookPoint, ...]
    reasons: tuple[tuple[str, int], ...]  # why first picks were not acceptable, counted answers only
    votes: tuple[VoteLine, ...]  # newest first


def scene_figures(session: Session, scene: StudyScene) -> SceneFigures:
    """Read and compute everything; changes nothing."""
    counted = tally.scene_tally(session, scene)
    items = _items(scene, counted)
    votes = _votes(session, scene, counted, {item.id: algorithms(item)[0] for item in scene.items})
    given = Counter(reason for vote in votes if vote.counts and not vote.is_expert for reason in vote.reasons)
    return SceneFigures(
        evaluation=counted.evaluation,
        items=tuple(sorted(items, key=_best_first) if counted.evaluation.counted else items),
        looks=_looks(session, scene),
        reasons=tuple(given.most_common()),
        votes=votes,
    )


def interval_plot(figures: SceneFigures) -> plots.Plot:
    """Posterior means of all items with 95 % intervals, best first."""
    ordered = sorted(figures.items, key=lambda item: -item.strength)
    estimates = tuple(
        plots.Estimate(
            item.name, item.strength, item.strength - item.half_width, item.strength + item.half_width,
            marked=item.is_leader,
        )
        for item in ordered
    )  # fmt: skip
    return plots.intervals("Strength of each candidate", "strength (log scale)", estimates)


def look_plot(figures: SceneFigures, rule: Rule) -> plots.Plot:
    """The leader's certainty after each counted vote."""
    return plots.certainty_over_looks("Certainty after each vote", figures.looks, rule.p_best, rule.cap)


def _items(scene: StudyScene, counted: tally.SceneTally) -> list[ItemFigures]:
    found = counted.evaluation
    by_id = {item.id: item for item in scene.items}
    lines = []
    for place, item_id in enumerate(counted.item_ids):
        item = by_id[item_id]
        lines.append(
            ItemFigures(
                algorithms=algorithms(item), public_id=item.public_id,
                quality=item.candidate.quality if item.candidate else None,
                first_picks=found.first_picks[place], strength=found.mean[place],
                half_width=NORMAL_95 * found.sd[place], p_best=found.p_best[place], p_near=found.p_near[place],
                is_leader=place == found.leader and found.counted > 0, is_co_best=place in found.co_best,
            )
        )  # fmt: skip
    return lines


def _best_first(item: ItemFigures) -> tuple[float, float]:
    return -item.p_best, -item.strength


def _looks(session: Session, scene: StudyScene) -> tuple[plots.LookPoint, ...]:
    rows = session.scalars(
        select(Look)
        .where(Look.study_scene_id == scene.id, Look.generation == scene.look_generation)
        .order_by(Look.number)
    )
    return tuple(plots.LookPoint(row.number, row.p_best, row.p_near) for row in rows)


def _votes(
    session: Session, scene: StudyScene, counted: tally.SceneTally, names: dict[int, str]
) -> tuple[VoteLine, ...]:
    counting = {answer.vote_id for answer in (*counted.answers, *counted.expert_answers)}
    newest = (
        select(func.max(Vote.version))
        .where(Vote.assignment_id == Assignment.id)
        .scalar_subquery()
        .correlate(Assignment)
    )
    rows = session.execute(
        select(Vote, Assignment.round, Rater)
        .join(Assignment, Vote.assignment_id == Assignment.id)
        .join(Rater, Assignment.rater_id == Rater.id)
        .where(
            Assignment.study_scene_id == scene.id,
            Assignment.round.in_((FIRST_ROUND, ADJUDICATION_ROUND)),
            Vote.version == newest,
        )
        .order_by(Vote.id.desc())
    ).all()
    picks: dict[int, list[str]] = {}
    chosen = select(VotePick).where(VotePick.vote_id.in_([vote.id for vote, _, _ in rows]))
    for pick in session.scalars(chosen.order_by(VotePick.vote_id, VotePick.rank)):
        picks.setdefault(pick.vote_id, []).append(names[pick.item_id])
    return tuple(
        VoteLine(
            at=vote.server_at, rater=rater.public_id, simulated=rater.simulated,
            is_expert=round_ == ADJUDICATION_ROUND, kind=vote.kind, picks=tuple(picks.get(vote.id, ())),
            acceptable=vote.acceptable, reasons=tuple(vote.reasons), comment=vote.comment,
            counts=vote.id in counting,
        )
        for vote, round_, rater in rows
    )  # fmt: skip
