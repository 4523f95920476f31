"""The votes of a study as the league table takes them. Reads only."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from study_app.counting.counted_answers import scene_answers
from study_app.statistics.league import SceneVotes
from study_app.storage.models import ItemAlias, Study, StudyItem, StudyScene

WON = ("accept", "accept-equivalent")


def scene_votes(session: Session, study: Study) -> list[SceneVotes]:
    """All real scenes but void ones, by id, with their counted votes and the reference as things stand."""
    rows = session.scalars(
        select(StudyScene)
        .where(StudyScene.study_id == study.id, StudyScene.role == "real", StudyScene.void_reason.is_(None))
        .order_by(StudyScene.id)
        .options(
            selectinload(StudyScene.items).selectinload(StudyItem.candidate),
            selectinload(StudyScene.items).selectinload(StudyItem.aliases).selectinload(ItemAlias.candidate),
        )
    )
    scenes = []
    for row in rows:
        found = scene_answers(session, row)
        by_id = {item.id: item for item in row.items}
        scenes.append(
            SceneVotes(
                items=tuple(algorithms(by_id[item]) for item in found.item_ids),
                ballots=tuple(answer.picks for answer in found.answers if answer.kind == "choice"),
                won=found.item_ids.index(row.leader_id) if row.leader_id and row.state in WON else None,
            )
        )
    return scenes


def algorithms(item: StudyItem) -> tuple[str, ...]:
    """Algorithms whose picture this is, the one shown first."""
    candidates = (item.candidate, *(alias.candidate for alias in item.aliases))
    return tuple(candidate.algorithm for candidate in candidates if candidate is not None)
