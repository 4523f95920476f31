"""Which votes count: from rows to the plain answers that the rule judges. Reads only.

The answer of a trial is its highest version that was not late. A late version neither counts nor displaces an
earlier one, so what comes after the close of a scene or study changes no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app.statistics.evaluation import Answer
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    FIRST_ROUND,
    Assignment,
    Exclusion,
    Rater,
    Sitting,
    Study,
    StudyItem,
    StudyScene,
    Vote,
    VotePick,
)


@dataclass(frozen=True)
class SceneAnswers:
    """All that a scene's state depends on, in the order of vote ids; items are places in `item_ids`."""

    item_ids: tuple[int, ...]
    answers: tuple[Answer, ...]
    expert_answers: tuple[Answer, ...]


def scene_answers(session: Session, scene: StudyScene) -> SceneAnswers:
    """The answers of a real scene that count now; ValueError for a training or gold scene."""
    if scene.role != "real":
        raise ValueError(f"scene {scene.id} is a {scene.role} scene; only real scenes are counted")
    items = select(StudyItem.id).where(StudyItem.study_scene_id == scene.id).order_by(StudyItem.position)
    item_ids = tuple(session.scalars(items))
    return SceneAnswers(
        item_ids,
        tuple(_answers(session, scene, FIRST_ROUND, item_ids)),
        tuple(_answers(session, scene, ADJUDICATION_ROUND, item_ids)),
    )


def excluded_rater_ids(session: Session, study: Study) -> frozenset[int]:
    """Raters of the study whose newest exclusion says that their votes do not count."""
    return _excluded(session, study.id)


def _excluded(session: Session, study_id: int) -> frozenset[int]:
    newest = select(func.max(Exclusion.id)).group_by(Exclusion.rater_id)
    found = (
        select(Exclusion.rater_id)
        .join(Rater, Rater.id == Exclusion.rater_id)
        .where(Rater.study_id == study_id, Exclusion.id.in_(newest), Exclusion.excluded)
    )
    return frozenset(session.scalars(found))


def _answers(session: Session, scene: StudyScene, round_: int, item_ids: tuple[int, ...]) -> list[Answer]:
    live = _live_votes(session, scene, round_)
    picks = _picks(session, [vote.id for vote, _ in live])
    place = {item: index for index, item in enumerate(item_ids)}
    answers = []
    for vote, order in live:
        shown = tuple(sorted(place[item] for item in order))
        answers.append(
            Answer(
                vote.id,
                vote.kind,
                tuple(place[item] for item in picks.get(vote.id, ())),
                vote.acceptable,
                None if len(shown) == len(item_ids) else shown,
            )
        )
    return answers


def _live_votes(session: Session, scene: StudyScene, round_: int) -> list[tuple[Vote, list[int]]]:
    """The counting vote of each trial, with the items that it showed."""
    checks = (Rater.colour_passed, Rater.training_passed, Sitting.display_passed)
    not_failed = [check.is_not(False) for check in checks]  # a check that was not made counts as passed
    rows = session.execute(
        select(Vote, Assignment.order_json)
        .join(Assignment, Vote.assignment_id == Assignment.id)
        .join(Rater, Assignment.rater_id == Rater.id)
        .join(Sitting, Assignment.sitting_id == Sitting.id)
        .where(Assignment.study_scene_id == scene.id, Assignment.round == round_, Rater.state == "active")
        .where(Vote.late.is_(False), Rater.id.not_in(_excluded(session, scene.study_id)), *not_failed)
        .order_by(Vote.version)
    ).all()
    live = {vote.assignment_id: (vote, order) for vote, order in rows}
    return sorted(live.values(), key=lambda pair: pair[0].id)


def _picks(session: Session, vote_ids: Sequence[int]) -> dict[int, list[int]]:
    """Item ids by vote, best first."""
    picks: dict[int, list[int]] = {}
    rows = select(VotePick).where(VotePick.vote_id.in_(vote_ids)).order_by(VotePick.vote_id, VotePick.rank)
    for pick in session.scalars(rows):
        picks.setdefault(pick.vote_id, []).append(pick.item_id)
    return picks
