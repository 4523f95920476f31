"""Trials under leases: the open one, or a new one, so that a scene gets no more raters than its cap.

Whatever assigns needs a writing transaction: on SQLite it holds the write lock, on PostgreSQL the study's row is
locked, so that two requests never count the same free place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app.rating import sittings, training
from study_app.rating.scene_pool import ANSWERED, awaits_experts, open_scenes, rule_of, takes_votes, with_room
from study_app.rating.trial_choice import Choice, hidden_choice, next_choice, scenes_of_role, seed_of
from study_app.statistics.assignment import permutation
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    FIRST_ROUND,
    REPEAT_ROUND,
    Assignment,
    Rater,
    Sitting,
    Study,
    StudyItem,
    StudyScene,
    Vote,
)
from study_app.storage.tokens import new_public_id

LEASE = timedelta(minutes=15)
RENEWAL = timedelta(minutes=10)  # a lease with less than this left is renewed when the trial is shown


def held_trial(session: Session, rater: Rater, sitting: Sitting, at: datetime) -> Assignment | None:
    """The open trial where it needs no new lease; reads only. None says nothing: ask `current_trial`."""
    study = session.get_one(Study, rater.study_id)
    open_trials = _open_trials(session, study, rater, at) if study.state == "open" else []
    if not open_trials:
        return None
    trial = open_trials[0]
    return trial if trial.lease_until - at > RENEWAL and trial.sitting_id == sitting.id else None


def current_trial(session: Session, rater: Rater, sitting: Sitting, at: datetime) -> Assignment | None:
    """The open trial of this rater, with its lease renewed, or a new one; None if nothing is left."""
    study = _locked_study(session, rater)
    if study.state != "open":
        return None
    open_trials = _open_trials(session, study, rater, at)
    if not open_trials:
        return _assign(session, study, rater, sitting, at, ahead=0)
    trial = open_trials[0]
    trial.sitting_id = sitting.id
    trial.lease_until = at + LEASE
    session.flush()
    return trial


def prefetch(session: Session, rater: Rater, sitting: Sitting, at: datetime) -> Assignment | None:
    """The trial after the open one, assigned ahead so that its previews can load; None if there is none.

    Nothing is assigned ahead of a break: its lease would run out before the rater comes back.
    """
    study = _locked_study(session, rater)
    open_trials = _open_trials(session, study, rater, at)
    if study.state != "open" or not open_trials:
        return None
    if len(open_trials) > 1:
        return open_trials[1]
    if sittings.answered(session, sitting) + 1 >= sittings.TRIALS_PER_SITTING:
        return None
    return _assign(session, study, rater, sitting, at, ahead=1)


def training_trial(session: Session, rater: Rater, sitting: Sitting, at: datetime) -> Assignment | None:
    """The next training trial: each scene once, all of them once more where the first attempt failed."""
    study = _locked_study(session, rater)
    if study.state != "open" or training.outcome(session, rater) is not None:
        return None
    scenes = scenes_of_role(session, study, "training")
    for attempt in (FIRST_ROUND, REPEAT_ROUND):
        own = _trials_of(session, rater, scenes, attempt)
        for scene in scenes:
            if scene not in own:
                return _make(session, study, rater, sitting, Choice(scene, attempt), at)
            if not own[scene].votes:
                return own[scene]
    return None


def is_anything_left(session: Session, rater: Rater, at: datetime) -> bool:
    """Whether `current_trial` would find one; reads only."""
    study = session.get_one(Study, rater.study_id)
    if study.state != "open":
        return False
    if _open_trials(session, study, rater, at):
        return True
    return next_choice(session, study, rater, at) is not None


def reopenable(session: Session, rater: Rater, sitting: Sitting) -> Assignment | None:
    """The trial answered last in this sitting, which may be changed; training may not."""
    return session.scalar(
        select(Assignment)
        .join(Vote, Vote.assignment_id == Assignment.id)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(
            Assignment.rater_id == rater.id,
            Assignment.sitting_id == sitting.id,
            Vote.version == 1,
            StudyScene.role != "training",
        )
        .order_by(Vote.id.desc())
        .limit(1)
    )


def _locked_study(session: Session, rater: Rater) -> Study:
    """The study, locked on PostgreSQL until the transaction ends (without hindering its foreign keys)."""
    return session.scalars(
        select(Study)
        .where(Study.id == rater.study_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def _open_trials(session: Session, study: Study, rater: Rater, at: datetime) -> list[Assignment]:
    """Unanswered trials that may still be shown, oldest first.

    One whose lease ran out is shown again only if its scene has room: its place may have gone to others.
    """
    trials = [trial for trial, scene in _unanswered(session, rater) if _is_shown(trial, scene)]
    expired = [trial for trial in trials if trial.lease_until <= at and _takes_a_place(trial)]
    if not expired:
        return trials
    room = with_room(open_scenes(session, study, rater, at), rule_of(study).cap)
    return [trial for trial in trials if trial not in expired or trial.study_scene_id in room]


def _unanswered(session: Session, rater: Rater) -> Sequence[tuple[Assignment, StudyScene]]:
    rows = session.execute(
        select(Assignment, StudyScene)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(Assignment.rater_id == rater.id, StudyScene.role != "training", ~ANSWERED)
        .order_by(Assignment.id)
    )
    return [(trial, scene) for trial, scene in rows]


def _is_shown(trial: Assignment, scene: StudyScene) -> bool:
    """Whether a trial still makes sense: gold and repeats do though their scene may be decided."""
    if trial.round == ADJUDICATION_ROUND:
        return awaits_experts(scene)
    if scene.role != "real" or trial.round == REPEAT_ROUND:
        return scene.void_reason is None
    return takes_votes(scene)


def _takes_a_place(trial: Assignment) -> bool:
    """Whether the trial counts toward its scene's cap."""
    return trial.round == FIRST_ROUND and trial.study_scene.role == "real"


def _trials_of(
    session: Session, rater: Rater, scenes: Sequence[int], round_number: int
) -> dict[int, Assignment]:
    found = session.scalars(
        select(Assignment).where(
            Assignment.rater_id == rater.id,
            Assignment.round == round_number,
            Assignment.study_scene_id.in_(scenes),
        )
    )
    return {trial.study_scene_id: trial for trial in found}


def _assign(
    session: Session, study: Study, rater: Rater, sitting: Sitting, at: datetime, *, ahead: int
) -> Assignment | None:
    """Make the next trial; at the places that the sitting's seed says it is a hidden one instead."""
    choice = next_choice(session, study, rater, at)
    if choice is None:
        return None
    if choice.round == FIRST_ROUND:
        choice = hidden_choice(session, study, rater, sitting, ahead=ahead) or choice
    return _make(session, study, rater, sitting, choice, at)


def _make(
    session: Session, study: Study, rater: Rater, sitting: Sitting, choice: Choice, at: datetime
) -> Assignment:
    items = list(choice.item_ids) or _items_of(session, choice.study_scene_id)
    seed = seed_of(study.seed, "order", rater.public_id, choice.study_scene_id, choice.round)
    trial = Assignment(
        public_id=new_public_id(),
        rater_id=rater.id,
        study_scene_id=choice.study_scene_id,
        sitting_id=sitting.id,
        round=choice.round,
        seed=seed,
        order_json=[items[index] for index in permutation(len(items), seed)],
        assigned_at=at,
        lease_until=at + LEASE,
    )
    session.add(trial)
    session.flush()
    return trial


def _items_of(session: Session, study_scene_id: int) -> list[int]:
    in_order = select(StudyItem.id).where(StudyItem.study_scene_id == study_scene_id)
    return list(session.scalars(in_order.order_by(StudyItem.position)))
