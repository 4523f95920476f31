"""The scenes that still take votes, with what the choice of the next one has to know; two queries, no row more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from study_app.statistics.assignment import OpenScene
from study_app.statistics.rule import Rule, rule_from_json
from study_app.storage.models import FIRST_ROUND, Assignment, Rater, Study, StudyScene, Vote


def takes_votes(scene: StudyScene) -> bool:
    """Whether the scene is still open to everybody."""
    return scene.state == "continue" and scene.void_reason is None and not scene.sent_to_experts


def awaits_experts(scene: StudyScene) -> bool:
    """Whether the scene waits for the experts' blind trial."""
    return scene.void_reason is None and (
        scene.state == "adjudicate" or (scene.sent_to_experts and scene.state == "continue")
    )


# The same two, asked of the database
TAKES_VOTES = and_(
    StudyScene.role == "real",
    StudyScene.state == "continue",
    StudyScene.void_reason.is_(None),
    StudyScene.sent_to_experts.is_(False),
)
AWAITS_EXPERTS = and_(
    StudyScene.role == "real",
    StudyScene.void_reason.is_(None),
    or_(
        StudyScene.state == "adjudicate",
        and_(StudyScene.sent_to_experts.is_(True), StudyScene.state == "continue"),
    ),
)
ANSWERED = exists().where(Vote.assignment_id == Assignment.id).correlate(Assignment)


def rule_of(study: Study) -> Rule:
    """The rule that the study was opened with."""
    return rule_from_json(study.rule_json)


def open_scenes(session: Session, study: Study, rater: Rater, at: datetime) -> list[OpenScene]:
    """All real scenes that take votes; leases are those of other raters."""
    held = _leases(session, study, rater, at)
    rows = session.execute(
        select(
            StudyScene.id,
            StudyScene.counted + StudyScene.cannot_tell,
            StudyScene.p_best,
            StudyScene.p_near,
        )
        .where(StudyScene.study_id == study.id, TAKES_VOTES)
        .order_by(StudyScene.id)
    )
    return [
        OpenScene(key, answers, held.get(key, 0), max(p_best or 0.0, p_near or 0.0))
        for key, answers, p_best, p_near in rows
    ]


def _leases(session: Session, study: Study, rater: Rater, at: datetime) -> dict[int, int]:
    """Running leases of other raters by scene.

    An answer whose statistics are still to come counts as a lease, so that none falls between the two counts.
    """
    unseen = exists().where(
        Vote.assignment_id == Assignment.id,
        Vote.version == 1,
        Vote.id > func.coalesce(StudyScene.evaluated_vote_id, 0),
    )
    rows = session.execute(
        select(Assignment.study_scene_id, func.count())
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(
            Assignment.lease_until > at,
            Assignment.round == FIRST_ROUND,
            Assignment.rater_id != rater.id,
            StudyScene.study_id == study.id,
            TAKES_VOTES,
            or_(~ANSWERED, unseen),
        )
        .group_by(Assignment.study_scene_id)
    )
    return dict(rows.all())


def with_room(scenes: Collection[OpenScene], cap: int) -> set[int]:
    """Keys of the scenes in which one more rater fits under the cap."""
    return {scene.key for scene in scenes if scene.answers + scene.leases < cap}
