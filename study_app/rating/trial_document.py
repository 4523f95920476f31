"""What the page gets of a trial: names that tell nothing. Gold scenes and repeats look like any other trial."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app.rating import sittings
from study_app.rating.scene_pool import TAKES_VOTES
from study_app.rating.vote_body import LETTERS
from study_app.rating.votes import described, live_vote
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    FIRST_ROUND,
    REASONS,
    Assignment,
    Rater,
    Sitting,
    StudyExposure,
    StudyItem,
    StudyScene,
    Vote,
)

TILE_SIZE, TILE_OVERLAP = 510, 1  # of the builder's previews
UNLOCK_SECONDS = 3


def trial_document(
    session: Session, rater: Rater, sitting: Sitting, assignment: Assignment, at: datetime
) -> dict[str, Any]:
    """The JSON of a trial; with the previous answer where it is answered already."""
    scene = session.get_one(StudyScene, assignment.study_scene_id)
    live = live_vote(session, assignment.id)
    number, total = _place(session, rater, sitting, scene, is_answered=live is not None)
    return {
        "assignment": assignment.public_id,
        "kind": _kind(assignment, scene),
        "number": number,
        "total": total,
        "width": scene.width,
        "height": scene.height,
        "tile_size": TILE_SIZE,
        "overlap": TILE_OVERLAP,
        "version": live.version + 1 if live else 1,
        "images": [
            {"letter": letter, "id": name}
            for letter, name in zip(LETTERS, item_names(session, assignment), strict=False)
        ],
        "exposures": [{"id": name} for name in exposure_names(session, assignment)],
        "points": scene.points,
        "reasons": list(REASONS),
        "unlock_seconds": UNLOCK_SECONDS,
        "previous": _previous(session, live, assignment),
        "can_reopen": scene.role != "training" and live is None and number > 1,
    }


def item_names(session: Session, assignment: Assignment) -> list[str]:
    """Public ids of a trial's pictures, letter A first."""
    shown = select(StudyItem.id, StudyItem.public_id).where(StudyItem.id.in_(assignment.order_json))
    names = dict(session.execute(shown).all())
    return [names[key] for key in assignment.order_json]


def exposure_names(session: Session, assignment: Assignment) -> Sequence[str]:
    """Public ids of the exposures of a trial's scene, dark to bright."""
    return session.scalars(
        select(StudyExposure.public_id)
        .where(StudyExposure.study_scene_id == assignment.study_scene_id)
        .order_by(StudyExposure.position)
    ).all()


def _kind(assignment: Assignment, scene: StudyScene) -> str:
    if scene.role == "training":
        return "training"
    return "adjudication" if assignment.round == ADJUDICATION_ROUND else "trial"


def _previous(session: Session, live: Vote | None, assignment: Assignment) -> dict[str, Any] | None:
    if live is None:
        return None
    stored = described(session, live, assignment)
    return {
        "kind": stored.kind,
        "picks": list(stored.picks),
        "acceptable": stored.acceptable,
        "reasons": list(stored.reasons),
        "comment": stored.comment,
    }


def _place(
    session: Session, rater: Rater, sitting: Sitting, scene: StudyScene, *, is_answered: bool
) -> tuple[int, int]:
    """The trial's number and how many there will be: of the training round, or of this sitting."""
    if scene.role == "training":
        return _training_place(session, rater, scene)
    answered = sittings.answered(session, sitting)
    number = answered if is_answered else answered + 1
    total = min(sittings.TRIALS_PER_SITTING, answered + _scenes_left(session, rater, scene))
    return number, max(number, total)


def _training_place(session: Session, rater: Rater, scene: StudyScene) -> tuple[int, int]:
    keys = session.scalars(
        select(StudyScene.id)
        .where(StudyScene.study_id == rater.study_id, StudyScene.role == "training")
        .order_by(StudyScene.id)
    ).all()
    return keys.index(scene.id) + 1, len(keys)


def _scenes_left(session: Session, rater: Rater, scene: StudyScene) -> int:
    """Open scenes that this rater has not answered."""
    answered = (
        select(Assignment.study_scene_id)
        .join(Vote, Vote.assignment_id == Assignment.id)
        .where(Assignment.rater_id == rater.id, Assignment.round == FIRST_ROUND)
    )
    return (
        session.scalar(
            select(func.count())
            .select_from(StudyScene)
            .where(StudyScene.study_id == scene.study_id, TAKES_VOTES, StudyScene.id.not_in(answered))
        )
        or 0
    )
