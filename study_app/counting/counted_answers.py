"""Which votes count: from rows to the plain answers that the rule judges. Reads only.

The answer of a trial is its highest version that was not late. A late version neither counts nor displaces an
earlier one, so what comes after the close of a scene or study changes no result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select
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

PARAMETERS = 500  # of one statement


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
    return _answers_of(session, scene.study_id, StudyScene.id == scene.id)[scene.id]


def study_answers(session: Session, study: Study) -> dict[int, SceneAnswers]:
    """The same of all real scenes of a study, by id: a handful of queries, however many scenes there are."""
    return _answers_of(session, study.id, StudyScene.study_id == study.id)


def _answers_of(session: Session, study_id: int, which: ColumnElement[bool]) -> dict[int, SceneAnswers]:
    scenes = select(StudyScene.id).where(which, StudyScene.role == "real")
    items: dict[int, list[int]] = {scene: [] for scene in session.scalars(scenes.order_by(StudyScene.id))}
    rows = select(StudyItem.study_scene_id, StudyItem.id).where(StudyItem.study_scene_id.in_(scenes))
    for scene, item in session.execute(rows.order_by(StudyItem.position)):
        items[scene].append(item)
    live = _live_votes(session, study_id, scenes)
    picks = picked_items(session, scenes)
    orders = _partial_orders(session, scenes, {scene: len(found) for scene, found in items.items()})
    answers: dict[tuple[int, int], list[Answer]] = defaultdict(list)
    places = {scene: {item: place for place, item in enumerate(found)} for scene, found in items.items()}
    for vote in live:
        place, order = places[vote.scene], orders.get(vote.trial)
        answers[vote.scene, vote.round].append(
            Answer(
                vote.id,
                vote.kind,
                tuple(place[item] for item in picks.get(vote.id, ())),
                vote.acceptable,
                None if order is None else tuple(sorted(place[item] for item in order)),
            )
        )
    return {
        scene: SceneAnswers(
            tuple(found), tuple(answers[scene, FIRST_ROUND]), tuple(answers[scene, ADJUDICATION_ROUND])
        )
        for scene, found in items.items()
    }


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


@dataclass(frozen=True)
class _LiveVote:
    """The counting vote of one trial."""

    id: int
    trial: int
    scene: int
    round: int
    kind: str
    acceptable: bool | None


def _live_votes(session: Session, study_id: int, scenes: Select[int]) -> list[_LiveVote]:
    """Of each trial the one that counts, by vote id."""
    checks = (Rater.colour_passed, Rater.training_passed, Sitting.display_passed)
    not_failed = [check.is_not(False) for check in checks]  # a check that was not made counts as passed
    rows = session.execute(
        select(
            Vote.id,
            Vote.assignment_id,
            Assignment.study_scene_id,
            Assignment.round,
            Vote.kind,
            Vote.acceptable,
        )
        .join(Assignment, Vote.assignment_id == Assignment.id)
        .join(Rater, Assignment.rater_id == Rater.id)
        .join(Sitting, Assignment.sitting_id == Sitting.id)
        .where(Assignment.study_scene_id.in_(scenes), Rater.state == "active", Vote.late.is_(False))
        .where(Assignment.round.in_((FIRST_ROUND, ADJUDICATION_ROUND)))
        .where(Rater.id.not_in(_excluded(session, study_id)), *not_failed)
        .order_by(Vote.version)
    )
    live = {row.assignment_id: row for row in rows}
    return [_LiveVote(*row) for row in sorted(live.values(), key=lambda row: row.id)]


def picked_items(session: Session, scenes: Select[int]) -> dict[int, list[int]]:
    """Item ids by vote, best first, of all votes in the scenes whose ids are selected."""
    picks: dict[int, list[int]] = defaultdict(list)
    rows = session.execute(
        select(VotePick.vote_id, VotePick.item_id)
        .join(Vote, Vote.id == VotePick.vote_id)
        .join(Assignment, Assignment.id == Vote.assignment_id)
        .where(Assignment.study_scene_id.in_(scenes))
        .order_by(VotePick.vote_id, VotePick.rank)
    )
    for vote, item in rows:
        picks[vote].append(item)
    return picks


def _partial_orders(session: Session, scenes: Select[int], counts: Mapping[int, int]) -> dict[int, list[int]]:
    """Item ids as shown, of the trials that did not show all items of their scene; there are few."""
    shown = func.json_array_length(Assignment.order_json)
    rows = session.execute(
        select(Assignment.id, Assignment.study_scene_id, shown).where(Assignment.study_scene_id.in_(scenes))
    )
    partial = [trial for trial, scene, count in rows if count != counts[scene]]
    orders: dict[int, list[int]] = {}
    for some in _some_at_a_time(partial):
        found = select(Assignment.id, Assignment.order_json).where(Assignment.id.in_(some))
        orders.update((trial, order) for trial, order in session.execute(found))
    return orders


def _some_at_a_time(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    """A database takes only so many parameters."""
    return (keys[start : start + PARAMETERS] for start in range(0, len(keys), PARAMETERS))
