"""Votes that cannot be lost: stored once whatever the network does, superseded and never changed.

The order of things: check, insert, commit; only then may the browser be told "saved". What the votes say is
computed afterwards in a transaction of its own (`follow_up`); if that fails, the next reader catches up.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from builder.catalog import Catalog
from study_app.counting import tally
from study_app.rating import training
from study_app.rating.scene_pool import awaits_experts, takes_votes
from study_app.rating.vote_body import LETTERS, VoteBody, VoteError
from study_app.storage.database import retrying
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    REPEAT_ROUND,
    Assignment,
    Rater,
    Study,
    StudyScene,
    Vote,
    VotePick,
)

log = logging.getLogger(__name__)


class NoSuchTrial(LookupError):
    """The trial does not exist or is another rater's: one answer for both."""


@dataclass(frozen=True)
class StoredVote:
    """A vote as it lies in the database, in the rater's own words: letters, not items."""

    id: int
    key: str
    assignment: str
    version: int
    kind: str
    picks: tuple[str, ...]
    acceptable: bool | None
    reasons: tuple[str, ...]
    comment: str
    saved_at: datetime
    hash: str
    late: bool
    study_scene_id: int


@dataclass(frozen=True)
class Receipt:
    """What the browser may be told: the vote is in the database."""

    vote: StoredVote
    is_new: bool  # False for a replay of what was stored already


class VoteConflict(RuntimeError):
    """Something else was stored in this vote's place; `stored` is that. Nothing new was stored."""

    def __init__(self, reason: str, stored: StoredVote) -> None:
        super().__init__(reason)
        self.reason, self.stored = reason, stored


def store(catalog: Catalog, rater_id: int, key: str, body: VoteBody, at: datetime) -> Receipt:
    """Store a vote and commit. The same key and body again give the receipt of the first time.

    Raises VoteError (a letter that was not shown, a version that skips one), NoSuchTrial, VoteConflict.
    """
    work = partial(_store, rater_id=rater_id, key=key, body=body, at=at)
    try:
        return retrying(catalog, work)
    except IntegrityError:  # PostgreSQL: the same key came in beside it, under another trial; now it is found
        return retrying(catalog, work)


def follow_up(catalog: Catalog, vote: StoredVote, at: datetime) -> bool:
    """Bring the scene's state up to this vote; False where the database refused, which is no harm done."""
    try:
        with catalog.reading() as session:
            if _is_seen(session, vote):
                return True
        retrying(catalog, partial(_refresh, vote=vote, at=at))
    except SQLAlchemyError:
        log.warning("vote %s is stored, its statistics wait for the next reader", vote.key, exc_info=True)
        return False
    return True


def live_vote(session: Session, assignment_id: int) -> Vote | None:
    """The answer that holds: the one with the highest version."""
    return session.scalar(
        select(Vote).where(Vote.assignment_id == assignment_id).order_by(Vote.version.desc()).limit(1)
    )


def described(session: Session, vote: Vote, assignment: Assignment) -> StoredVote:
    """A vote in the rater's letters."""
    items = session.scalars(
        select(VotePick.item_id).where(VotePick.vote_id == vote.id).order_by(VotePick.rank)
    )
    return StoredVote(
        id=vote.id,
        key=vote.client_key,
        assignment=assignment.public_id,
        version=vote.version,
        kind=vote.kind,
        picks=tuple(LETTERS[assignment.order_json.index(item)] for item in items),
        acceptable=vote.acceptable,
        reasons=tuple(vote.reasons),
        comment=vote.comment,
        saved_at=vote.server_at,
        hash=vote.body_hash,
        late=vote.late,
        study_scene_id=assignment.study_scene_id,
    )


def _store(session: Session, *, rater_id: int, key: str, body: VoteBody, at: datetime) -> Receipt:
    assignment, scene = _locked(session, rater_id, body.assignment)
    repeated = session.scalar(select(Vote).where(Vote.client_key == key))
    if repeated is not None:  # asked under the lock: a twin of this request may have been a moment quicker
        return _replay(session, repeated, rater_id, body)
    live = live_vote(session, assignment.id)
    _require_next_version(session, live, assignment, scene, body)
    picks = _items(assignment, body.picks)
    study = session.get_one(Study, scene.study_id)
    is_late = _is_late(study, scene, assignment, live)
    vote = _new_vote(assignment, key, body, at, rule_hash=study.rule_hash, late=is_late)
    session.add(vote)
    session.flush()
    session.add_all(
        VotePick(vote_id=vote.id, rank=rank, item_id=item) for rank, item in enumerate(picks, start=1)
    )
    session.flush()
    if scene.role == "training":  # passed or not is known with the answer that decides it
        rater = session.get_one(Rater, rater_id)
        rater.training_passed = training.outcome(session, rater)
        session.flush()
    return Receipt(described(session, vote, assignment), is_new=True)


def _replay(session: Session, vote: Vote, rater_id: int, body: VoteBody) -> Receipt:
    assignment = session.get_one(Assignment, vote.assignment_id)
    if assignment.rater_id != rater_id:
        raise NoSuchTrial  # somebody else's key: nothing about it is said
    stored = described(session, vote, assignment)
    if vote.body_hash != body.hash:
        raise VoteConflict("Another answer was saved under this key.", stored)
    return Receipt(stored, is_new=False)


def _locked(session: Session, rater_id: int, public_id: str) -> tuple[Assignment, StudyScene]:
    """The trial and its scene, locked (PostgreSQL): the votes of a scene commit in the order of their ids.

    SQLite needs no row locks, the transaction holds the only write lock.
    """
    found = session.execute(
        select(Assignment, StudyScene)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(Assignment.public_id == public_id, Assignment.rater_id == rater_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if found is None:
        raise NoSuchTrial
    return found[0], found[1]


def _require_next_version(
    session: Session, live: Vote | None, assignment: Assignment, scene: StudyScene, body: VoteBody
) -> None:
    expected = live.version + 1 if live else 1
    if live is not None and body.version <= live.version:
        raise VoteConflict("This trial was answered already.", described(session, live, assignment))
    if body.version > expected:
        raise VoteError("version", f"expected {expected}")
    if live is not None and scene.role == "training":
        raise VoteConflict("A training trial is answered once.", described(session, live, assignment))


def _items(assignment: Assignment, letters: tuple[str, ...]) -> list[int]:
    shown = assignment.order_json
    for letter in letters:
        if LETTERS.index(letter) >= len(shown):
            raise VoteError("picks", f"letter {letter} was not shown in this trial")
    return [shown[LETTERS.index(letter)] for letter in letters]


def _new_vote(
    assignment: Assignment, key: str, body: VoteBody, at: datetime, *, rule_hash: str, late: bool
) -> Vote:
    return Vote(
        client_key=key,
        assignment_id=assignment.id,
        version=body.version,
        kind=body.kind,
        acceptable=body.acceptable,
        reasons=list(body.reasons),
        comment=body.comment,
        client_at=body.client_at,
        server_at=at,
        behaviour=body.behaviour,
        body_hash=body.hash,
        rule_hash=rule_hash,
        late=late,
    )


def _is_late(study: Study, scene: StudyScene, assignment: Assignment, live: Vote | None) -> bool:
    """Whether scene or study had closed meanwhile.

    A correction is late only where the answer it corrects was: otherwise a rater whose own vote closed a scene
    could not correct it without taking it back.
    """
    if study.state != "open":
        return True
    if live is not None:
        return live.late
    if scene.role != "real" or assignment.round == REPEAT_ROUND:
        return False  # neither enters results, so they cannot come too late for them
    if assignment.round == ADJUDICATION_ROUND:
        return not awaits_experts(scene)
    return not takes_votes(scene)


def _is_seen(session: Session, vote: StoredVote) -> bool:
    """Whether a later vote of the scene has brought this one into its state, or it has none.

    The votes of a scene commit in the order of their ids (`_locked`), so the newest id stands for all.
    """
    scene = session.get_one(StudyScene, vote.study_scene_id, populate_existing=True)
    return scene.role != "real" or (scene.evaluated_vote_id or 0) >= vote.id


def _refresh(session: Session, *, vote: StoredVote, at: datetime) -> None:
    if not _is_seen(session, vote):
        tally.refresh_scene(session, session.get_one(StudyScene, vote.study_scene_id), at)
