"""Votes as the page sends them, and what of them the database holds."""

from __future__ import annotations

import json
import uuid

from sqlalchemy import select

from study_app.rating import votes
from study_app.rating.vote_body import parse_vote
from study_app.storage.models import Assignment, StudyScene, Vote
from tests.study_app.scenery import START, rater_id


def body_of(trial, *, version=1, picks=("C", "A"), **fields):
    """The JSON of a vote as the page sends it."""
    return {
        "assignment": trial.public_id,
        "version": version,
        "kind": "choice",
        "picks": list(picks),
        "acceptable": True,
        "reasons": [],
        "comment": "",
        "client_at": "2026-03-02T10:00:00+01:00",
        "behaviour": {"dwell_ms": {"A": 1200}, "dpr": 1.25},
    } | fields


def parsed(*args, **fields):
    return parse_vote(json.dumps(body_of(*args, **fields)).encode())


def new_key():
    return str(uuid.uuid4())


def store(catalog, rater, body, key=None, at=START):
    return votes.store(catalog, rater_id(rater), key or new_key(), body, at)


def stored_votes(catalog):
    """All votes but those of training, oldest first: (version, picks, late)."""
    with catalog.reading() as session:
        found = session.scalars(
            select(Vote)
            .join(Assignment)
            .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
            .where(StudyScene.role != "training")
            .order_by(Vote.id)
        )
        return [(vote.version, [pick.item_id for pick in vote.picks], vote.late) for vote in found]
