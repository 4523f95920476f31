"""What a rater sees next: an open scene, an undecided one for an expert, or a hidden gold scene or repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from study_app.counting import tally
from study_app.rating.scene_pool import ANSWERED, AWAITS_EXPERTS, open_scenes, rule_of
from study_app.statistics.assignment import REPEAT_DISTANCE, next_scene, special_trial
from study_app.statistics.evaluation import EXPERTS, shortlist
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    FIRST_ROUND,
    REPEAT_ROUND,
    Assignment,
    Rater,
    Sitting,
    Study,
    StudyScene,
    Vote,
)


@dataclass(frozen=True)
class Choice:
    """A scene, in which round, and which of its items."""

    study_scene_id: int
    round: int
    item_ids: tuple[int, ...] = ()  # empty: all


def next_choice(session: Session, study: Study, rater: Rater, at: datetime) -> Choice | None:
    """An undecided scene for an expert, else a scene that this rater has not seen; None if nothing is left."""
    if rater.is_expert and (choice := _adjudication(session, study, rater, at)):
        return choice
    scene = next_scene(
        open_scenes(session, study, rater, at),
        scenes_seen(session, rater, FIRST_ROUND),
        cap=rule_of(study).cap,
        seed=study.seed,
    )
    return None if scene is None else Choice(scene, FIRST_ROUND)


def hidden_choice(
    session: Session, study: Study, rater: Rater, sitting: Sitting, *, ahead: int
) -> Choice | None:
    """The gold scene or repeat that stands at the sitting's next place, if one does.

    `ahead` is the number of open trials before it. Where none fits (all gold seen), a real trial takes the place.
    """
    answered = answered_trials(session, rater)
    here = sum(trial.sitting_id == sitting.id for trial in answered)
    before = len(answered) + ahead
    seed = seed_of(study.seed, "sitting", rater.public_id, sitting.number)
    kind = special_trial(here + ahead + 1, seed, before)
    if kind == "gold":
        return _gold(session, study, rater, sitting)
    if kind == "repeat":
        return _repeat(session, rater, answered[: max(0, before - REPEAT_DISTANCE + 1)], seed)
    return None


def scenes_seen(session: Session, rater: Rater, round_number: int) -> set[int]:
    """Scenes that this rater has a trial of, answered or not, in a round."""
    return set(
        session.scalars(
            select(Assignment.study_scene_id).where(
                Assignment.rater_id == rater.id, Assignment.round == round_number
            )
        )
    )


def answered_trials(session: Session, rater: Rater) -> Sequence[Assignment]:
    """All answered trials but training, in the order of their answers."""
    return session.scalars(
        select(Assignment)
        .join(Vote, Vote.assignment_id == Assignment.id)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(Assignment.rater_id == rater.id, StudyScene.role != "training", Vote.version == 1)
        .order_by(Vote.id)
    ).all()


def scenes_of_role(session: Session, study: Study, role: str) -> Sequence[int]:
    """Keys of the study's scenes of a role that are not void, in a fixed order."""
    return session.scalars(
        select(StudyScene.id)
        .where(StudyScene.study_id == study.id, StudyScene.role == role, StudyScene.void_reason.is_(None))
        .order_by(StudyScene.id)
    ).all()


def seed_of(*parts: object) -> int:
    """A seed of 31 bits (what the database's integers hold) that follows from its parts."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def _gold(session: Session, study: Study, rater: Rater, sitting: Sitting) -> Choice | None:
    """A gold scene that this rater has not seen; none where the sitting had its own already."""
    had_one = exists().where(
        Assignment.sitting_id == sitting.id,
        Assignment.study_scene_id == StudyScene.id,
        StudyScene.role == "gold",
    )
    if session.scalar(select(had_one)):
        return None
    seen = scenes_seen(session, rater, FIRST_ROUND)
    unseen = [scene for scene in scenes_of_role(session, study, "gold") if scene not in seen]
    unseen.sort(key=lambda scene: seed_of(study.seed, "gold", rater.public_id, scene))
    return Choice(unseen[0], FIRST_ROUND) if unseen else None


def _repeat(session: Session, rater: Rater, long_ago: Sequence[Assignment], seed: int) -> Choice | None:
    """A scene that this rater answered long ago, once more; its round gives it another order."""
    repeated = scenes_seen(session, rater, REPEAT_ROUND)
    fit = [
        trial.study_scene_id
        for trial in long_ago
        if trial.round == FIRST_ROUND
        and trial.study_scene_id not in repeated
        and trial.study_scene.role == "real"
        and trial.study_scene.void_reason is None
    ]
    fit.sort(key=lambda scene: seed_of(seed, "repeat", scene))
    return Choice(fit[0], REPEAT_ROUND) if fit else None


def _adjudication(session: Session, study: Study, rater: Rater, at: datetime) -> Choice | None:
    """The first undecided scene that has fewer than EXPERTS experts, with the items that are worth their look."""
    seen = scenes_seen(session, rater, ADJUDICATION_ROUND)
    scenes = session.scalars(
        select(StudyScene)
        .where(StudyScene.study_id == study.id, AWAITS_EXPERTS, StudyScene.id.not_in(seen))
        .order_by(StudyScene.id)
    )
    for scene in scenes:
        if _experts(session, scene, at) < EXPERTS:
            found = tally.scene_tally(session, scene)
            items = tuple(found.item_ids[place] for place in shortlist(found.evaluation))
            return Choice(scene.id, ADJUDICATION_ROUND, items)
    return None


def _experts(session: Session, scene: StudyScene, at: datetime) -> int:
    """Experts who judged the scene or are about to; who reported a technical fault did neither."""
    judged = exists().where(Vote.assignment_id == Assignment.id, Vote.kind != "technical")
    count = session.scalar(
        select(func.count())
        .select_from(Assignment)
        .where(
            Assignment.study_scene_id == scene.id,
            Assignment.round == ADJUDICATION_ROUND,
            or_(judged, and_(~ANSWERED, Assignment.lease_until > at)),
        )
    )
    return count or 0
