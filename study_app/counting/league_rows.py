"""The votes of a study as the league table takes them. Reads only."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from builder.catalog import Candidate
from study_app.counting.counted_answers import study_answers
from study_app.statistics.league import SceneVotes
from study_app.storage.models import ItemAlias, Study, StudyItem, StudyScene

WON = ("accept", "accept-equivalent")


def scene_votes(session: Session, study: Study) -> list[SceneVotes]:
    """All real scenes but void ones, by id, with their counted votes and the reference as things stand."""
    rows = session.execute(
        select(StudyScene.id, StudyScene.leader_id, StudyScene.state)
        .where(StudyScene.study_id == study.id, StudyScene.role == "real", StudyScene.void_reason.is_(None))
        .order_by(StudyScene.id)
    )
    answers, shown = study_answers(session, study), _shown_algorithms(session, study)
    return [
        SceneVotes(
            items=tuple(tuple(shown[item]) for item in answers[scene].item_ids),
            ballots=tuple(answer.picks for answer in answers[scene].answers if answer.kind == "choice"),
            won=answers[scene].item_ids.index(leader) if leader and state in WON else None,
        )
        for scene, leader, state in rows
    ]


def _shown_algorithms(session: Session, study: Study) -> dict[int, list[str]]:
    """As `algorithms`, of all items of the study by id."""
    of_study = StudyItem.study_scene_id.in_(select(StudyScene.id).where(StudyScene.study_id == study.id))
    own = select(StudyItem.id, Candidate.algorithm).join(StudyItem.candidate).where(of_study)
    others = (
        select(StudyItem.id, Candidate.algorithm)
        .join(ItemAlias, ItemAlias.item_id == StudyItem.id)
        .join(Candidate, Candidate.id == ItemAlias.candidate_id)
        .where(of_study)
        .order_by(ItemAlias.candidate_id)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for query in (own, others):
        for item, algorithm in session.execute(query):
            found[item].append(algorithm)
    return found


def algorithms(item: StudyItem) -> tuple[str, ...]:
    """Algorithms whose picture this is, the one shown first."""
    candidates = (item.candidate, *(alias.candidate for alias in item.aliases))
    return tuple(candidate.algorithm for candidate in candidates if candidate is not None)
