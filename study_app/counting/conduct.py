"""What raters did, read from the rows for statistics/screening.py and statistics/agreement.py. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Subquery, func, select
from sqlalchemy.orm import Session

from study_app.counting.counted_answers import picked_items, study_answers
from study_app.statistics.ranking import Ballot
from study_app.statistics.screening import Conduct, RatedScene, RaterCheck, check_raters
from study_app.storage.models import (
    FIRST_ROUND,
    REPEAT_ROUND,
    Assignment,
    Study,
    StudyItem,
    StudyScene,
    Vote,
)

LONGEST_TRIAL = timedelta(hours=1)  # beyond it the rater was away, and the time tells nothing


@dataclass(frozen=True)
class Choice:
    """The live answer of one trial of a real or gold scene, where it is a choice."""

    vote: int
    rater: int
    scene: int  # study_scene
    role: str
    round: int
    order: tuple[int, ...]  # item ids by position
    seconds: float  # from the trial's start to its first answer
    picks: tuple[int, ...]  # item ids, best first

    @property
    def position(self) -> int:
        """Where the first pick stood; 0 is letter A."""
        return self.order.index(self.picks[0])


@dataclass
class _Collected:
    """A conduct in the making."""

    gold: list[bool] = field(default_factory=list)
    repeats: list[tuple[int, int, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


def choices(session: Session, study: Study) -> list[Choice]:
    """All live choices of the study outside training, by vote id; whether they count is not asked here."""
    scenes = select(StudyScene.id).where(StudyScene.study_id == study.id)
    picks, versions = picked_items(session, scenes), _versions_in_time()
    rows = session.execute(
        select(
            Vote.id,
            Assignment.rater_id,
            Assignment.study_scene_id,
            StudyScene.role,
            Assignment.round,
            Assignment.order_json,
            Assignment.assigned_at,
            versions.c.answered,
        )
        .join(Assignment, Assignment.id == Vote.assignment_id)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .join(versions, versions.c.assignment_id == Assignment.id)
        .where(
            StudyScene.study_id == study.id,
            StudyScene.role.in_(("real", "gold")),
            Assignment.round.in_((FIRST_ROUND, REPEAT_ROUND)),
            Vote.kind == "choice",
            Vote.version == versions.c.live,
        )
        .order_by(Vote.id)
    )
    return [
        Choice(
            vote,
            rater,
            scene,
            role,
            round_,
            tuple(order),
            (answered - assigned).total_seconds(),
            tuple(picks[vote]),
        )
        for vote, rater, scene, role, round_, order, assigned, answered in rows
    ]


def _versions_in_time() -> Subquery:
    """By trial: the version that is live and the time of the first; late ones are none, as in counted_answers.py."""
    return (
        select(
            Vote.assignment_id,
            func.max(Vote.version).label("live"),
            func.min(Vote.server_at).label("answered"),
        )
        .where(Vote.late.is_(False))
        .group_by(Vote.assignment_id)
        .subquery()
    )


def conducts(found: Sequence[Choice], damaged_items: frozenset[int]) -> dict[int, Conduct]:
    """What each rater did apart from taste. `damaged_items`: pictures with a fault put in on purpose."""
    collected: dict[int, _Collected] = defaultdict(_Collected)
    first = {(one.rater, one.scene): one for one in found if one.round == FIRST_ROUND}
    for one in found:
        of_rater = collected[one.rater]
        if one.seconds <= LONGEST_TRIAL.total_seconds():
            of_rater.seconds.append(one.seconds)
        of_rater.positions.append(one.position)
        if one.role == "gold":
            of_rater.gold.append(one.picks[0] not in damaged_items)
        before = first.get((one.rater, one.scene))
        if one.round == REPEAT_ROUND and before is not None:
            of_rater.repeats.append((before.picks[0], one.picks[0], len(one.order)))
    return {
        rater: Conduct(tuple(one.gold), tuple(one.repeats), tuple(one.seconds), tuple(one.positions))
        for rater, one in collected.items()
    }


def rated_scenes(found: Sequence[Choice], counted: Mapping[int, Sequence[int]]) -> list[RatedScene]:
    """Counted ballots by scene; `counted` gives the vote ids that count by scene."""
    by_vote = {one.vote: one for one in found}
    scenes = []
    for votes in counted.values():
        ballots = [by_vote[vote] for vote in votes if vote in by_vote]
        if ballots:
            places = {item: place for place, item in enumerate(sorted(ballots[0].order))}
            scenes.append(
                RatedScene(
                    len(places),
                    {one.rater: Ballot(tuple(places[item] for item in one.picks)) for one in ballots},
                )
            )
    return scenes


def counted_votes(session: Session, study: Study) -> dict[int, tuple[int, ...]]:
    """Ids of the votes that count, by real scene."""
    return {
        scene: tuple(answer.vote_id for answer in found.answers if answer.kind == "choice")
        for scene, found in study_answers(session, study).items()
    }


def damaged_items(session: Session, study: Study) -> frozenset[int]:
    """Pictures of this study with a fault put in on purpose."""
    query = (
        select(StudyItem.id)
        .join(StudyScene)
        .where(StudyScene.study_id == study.id, StudyItem.damaged_copy_id.is_not(None))
    )
    return frozenset(session.scalars(query))


def checks(
    found: Sequence[Choice], counted: Mapping[int, Sequence[int]], conducts: Mapping[int, Conduct]
) -> dict[int, RaterCheck]:
    """The checks of statistics/screening.py by rater id."""
    return {check.rater: check for check in check_raters(rated_scenes(found, counted), conducts)}
