"""The tables of an export, one function each: rows of the database as rows of a CSV, in the order of their ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from builder.catalog import Candidate
from study_app.counting.counted_answers import excluded_rater_ids
from study_app.storage.models import (
    Assignment,
    Decision,
    Exclusion,
    ItemAlias,
    Look,
    Rater,
    Sitting,
    Study,
    StudyItem,
    StudyScene,
    Vote,
)

VOTE_COLUMNS = (
    "vote", "trial", "rater", "scene", "role", "sitting", "round", "version", "kind", "acceptable", "reasons",
    "comment", "assigned_at", "client_at", "server_at", "late", "rule_hash", "body_hash", "trial_seed", "order",
    "behaviour",
)  # fmt: skip
RATER_COLUMNS = (
    "rater", "expert", "simulated", "state", "joined_at", "finished_at", "colour_passed", "training_passed",
    "excluded",
)  # fmt: skip
SCENE_COLUMNS = (
    "scene", "role", "width", "height", "items", "points", "state", "is_void", "void_reason", "sent_to_experts",
)  # fmt: skip
ITEM_COLUMNS = (
    "item", "scene", "role", "position", "candidate", "algorithm", "revision", "fault", "aliases",
)  # fmt: skip


def export_tables(session: Session, study: Study) -> dict[str, pd.DataFrame]:
    """Every table of the export by name."""
    scenes = _scenes(session, study)
    items = [item for scene in scenes for item in scene.items]
    votes = _votes(session, study)
    return {
        "votes": _table(VOTE_COLUMNS, (_vote(vote) for vote in votes)),
        "picks": pick_table(votes, items),
        "raters": rater_table(session, study),
        "sittings": sitting_table(session, study),
        "scenes": _table(SCENE_COLUMNS, (_scene(scene) for scene in scenes)),
        "items": _table(ITEM_COLUMNS, (_item(item) for item in items)),
        "looks": look_table(session, study, items),
        "decisions": decision_table(session, study),
        "exclusions": exclusion_table(session, study),
    }


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns), dtype=object)


def _scenes(session: Session, study: Study) -> list[StudyScene]:
    """All scenes of all roles by id, with their items loaded at once."""
    items = selectinload(StudyScene.items)
    query = (
        select(StudyScene)
        .where(StudyScene.study_id == study.id)
        .order_by(StudyScene.id)
        .options(
            joinedload(StudyScene.scene),
            items.joinedload(StudyItem.candidate),
            items.joinedload(StudyItem.damaged_copy),
            items.selectinload(StudyItem.aliases).joinedload(ItemAlias.candidate),
        )
    )
    return list(session.scalars(query).unique())


def _votes(session: Session, study: Study) -> list[Vote]:
    query = (
        select(Vote)
        .join(Vote.assignment)
        .join(Assignment.study_scene)
        .where(StudyScene.study_id == study.id)
        .order_by(Vote.id)
        .options(selectinload(Vote.picks), selectinload(Vote.assignment).selectinload(Assignment.rater))
    )
    return list(session.scalars(query))


def _vote(vote: Vote) -> tuple[Any, ...]:
    """One version of an answer; the highest version of a trial is live."""
    trial = vote.assignment
    return (
        vote.id, trial.public_id, trial.rater.public_id, trial.study_scene.scene.name, trial.study_scene.role,
        trial.sitting_id, trial.round, vote.version, vote.kind, vote.acceptable, " ".join(vote.reasons),
        vote.comment, trial.assigned_at, vote.client_at, vote.server_at, vote.late, vote.rule_hash,
        vote.body_hash, trial.seed, " ".join(str(item) for item in trial.order_json),
        json.dumps(vote.behaviour, sort_keys=True),
    )  # fmt: skip


def _source(item: StudyItem) -> str:
    """Key of the candidate or damaged copy that an item shows."""
    source = item.candidate or item.damaged_copy
    return source.key if source is not None else ""


def _scene(scene: StudyScene) -> tuple[Any, ...]:
    """A scene as the study shows it; points of disagreement are shares of width and height."""
    return (
        scene.scene.name, scene.role, scene.width, scene.height, len(scene.items), json.dumps(scene.points),
        scene.state, scene.void_reason is not None, scene.void_reason, scene.sent_to_experts,
    )  # fmt: skip


def _item(item: StudyItem) -> tuple[Any, ...]:
    """An item at its place in the statistics; near-duplicates stand as aliases, by key."""
    candidate, damaged_copy = item.candidate, item.damaged_copy
    return (
        item.id, item.study_scene.scene.name, item.study_scene.role, item.position, _source(item),
        candidate.algorithm if candidate else None, candidate.revision if candidate else None,
        damaged_copy.fault if damaged_copy else None, " ".join(alias.candidate.key for alias in item.aliases),
    )  # fmt: skip


def pick_table(votes: Sequence[Vote], items: Sequence[StudyItem]) -> pd.DataFrame:
    """One row per pick; `position` is where the picture stood, 1 is letter A."""
    keys = {item.id: _source(item) for item in items}
    return _table(
        ("vote", "rank", "item", "position", "candidate"),
        (
            (vote.id, pick.rank, pick.item_id, _position(vote, pick.item_id), keys[pick.item_id])
            for vote in votes
            for pick in vote.picks
        ),
    )


def _position(vote: Vote, item_id: int) -> int:
    return vote.assignment.order_json.index(item_id) + 1


def rater_table(session: Session, study: Study) -> pd.DataFrame:
    """Raters under their pseudonyms, with what decides whether their votes count."""
    raters = session.scalars(select(Rater).where(Rater.study_id == study.id).order_by(Rater.id))
    excluded = excluded_rater_ids(session, study)
    return _table(
        RATER_COLUMNS,
        (
            (
                rater.public_id, rater.is_expert, rater.simulated, rater.state, rater.joined_at,
                rater.finished_at, rater.colour_passed, rater.training_passed, rater.id in excluded,
            )
            for rater in raters
        ),
    )  # fmt: skip


def sitting_table(session: Session, study: Study) -> pd.DataFrame:
    """Sittings with the display they were held on."""
    query = (
        select(Sitting, Rater.public_id)
        .join(Rater, Rater.id == Sitting.rater_id)
        .where(Rater.study_id == study.id)
        .order_by(Sitting.id)
    )
    return _table(
        ("sitting", "rater", "number", "started_at", "ended_at", "display_passed", "display"),
        (
            (
                sitting.id, rater, sitting.number, sitting.started_at, sitting.ended_at, sitting.display_passed,
                json.dumps(sitting.display, sort_keys=True),
            )
            for sitting, rater in session.execute(query)
        ),
    )  # fmt: skip


def look_table(session: Session, study: Study, items: Sequence[StudyItem]) -> pd.DataFrame:
    """What the rule said after each counted vote, all generations."""
    keys = {item.id: _source(item) for item in items}
    query = (
        select(Look, StudyScene)
        .join(StudyScene, StudyScene.id == Look.study_scene_id)
        .where(StudyScene.study_id == study.id)
        .order_by(Look.study_scene_id, Look.generation, Look.number)
    )
    return _table(
        ("scene", "generation", "number", "vote", "state", "leader", "p_best", "p_near", "made_at"),
        (
            (
                scene.scene.name, look.generation, look.number, look.vote_id, look.state,
                keys.get(look.leader_id, ""), look.p_best, look.p_near, look.made_at,
            )
            for look, scene in session.execute(query)
        ),
    )  # fmt: skip


def decision_table(session: Session, study: Study) -> pd.DataFrame:
    """Every verdict that `decide` wrote; the last of a scene holds."""
    query = (
        select(Decision, StudyScene, Candidate.key)
        .join(StudyScene, StudyScene.id == Decision.study_scene_id)
        .outerjoin(Candidate, Candidate.id == Decision.candidate_id)
        .where(StudyScene.study_id == study.id)
        .order_by(Decision.id)
    )
    return _table(
        ("scene", "verdict", "candidate", "reason", "rule_version", "votes_digest", "decided_at"),
        (
            (
                scene.scene.name, row.verdict, key, row.reason, row.details.get("rule_version"),
                row.votes_digest, row.decided_at,
            )
            for row, scene, key in session.execute(query)
        ),
    )  # fmt: skip


def exclusion_table(session: Session, study: Study) -> pd.DataFrame:
    """Exclusions and restorations in their order; the newest of a rater holds."""
    query = (
        select(Exclusion, Rater.public_id)
        .join(Rater, Rater.id == Exclusion.rater_id)
        .where(Rater.study_id == study.id)
        .order_by(Exclusion.id)
    )
    return _table(
        ("rater", "excluded", "reason", "by", "at"),
        ((rater, row.excluded, row.reason, row.by, row.at) for row, rater in session.execute(query)),
    )
