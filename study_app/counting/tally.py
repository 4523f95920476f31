"""What the votes of a scene say: evaluated, cached beside the scene, looked at after each vote, exact at any time.

`scene_tally` is the truth and follows from the rows alone. The columns of StudyScene and the looks are its cache:
whoever adds, excludes or erases votes calls `refresh_scene`, and what a crash left behind `refresh_stale` catches up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from builder.catalog import Catalog
from study_app.counting.counted_answers import SceneAnswers, scene_answers
from study_app.statistics.evaluation import Answer, Evaluation, adjudicate, evaluate
from study_app.statistics.rule import Rule, rule_from_json
from study_app.storage.database import retrying
from study_app.storage.models import Assignment, Exclusion, Look, Rater, Study, StudyScene, Vote


@dataclass(frozen=True)
class SceneTally:
    """A scene's answers and what follows from them; answers and evaluation name items by place in `item_ids`."""

    study_scene_id: int
    item_ids: tuple[int, ...]
    answers: tuple[Answer, ...]
    evaluation: (
        Evaluation  # with the experts' say, and state "void" where the experimenter took the scene out
    )
    expert_answers: tuple[Answer, ...]


def scene_tally(session: Session, study_scene: StudyScene) -> SceneTally:
    """The state of a real scene as the rows are now; changes nothing."""
    found = scene_answers(session, study_scene)
    return _tally(study_scene, _rule(session, study_scene), found)


def refresh_scene(session: Session, study_scene: StudyScene, at: datetime) -> SceneTally:
    """Recompute a real scene, its cached columns and its looks; needs a writing transaction.

    Looks are only added. If the answers behind the newest ones have changed, all are made anew under the next
    generation; `StudyScene.look_generation` names the one that holds.
    """
    _lock(session, study_scene)
    rule = _rule(session, study_scene)
    newest, count = _votes(session, study_scene)
    found = scene_answers(session, study_scene)
    newest_look = _add_looks(session, study_scene, rule, found, at)
    tally = _tally(study_scene, rule, found, newest_look)
    _cache(study_scene, tally)
    study_scene.evaluated_vote_id = newest
    study_scene.votes_seen = count
    study_scene.answers_digest = answers_digest(found.answers)
    session.flush()
    return tally


def refresh_stale(catalog: Catalog, study_id: int, at: datetime) -> int:
    """Catch up on scenes whose votes the cache has not seen, each in its own transaction; returns how many."""
    with catalog.reading() as session:
        stale = _stale(session, study_id)
    for scene_id in stale:
        retrying(catalog, partial(_refresh_by_id, scene_id, at))
    return len(stale)


def exclude(session: Session, rater: Rater, reason: str, by: str, excluded: bool, at: datetime) -> None:
    """Record that a rater's votes stop counting, or count again, and recompute every scene that has some.

    Afterwards all is as if the rater had never voted. Raises ValueError without a reason, or if the votes of
    somebody who left are to count again.
    """
    if not reason.strip():
        raise ValueError("an exclusion or restoration needs a reason: say in a few words what was seen")
    if not excluded and rater.state != "active":
        raise ValueError(f"the rater is {rater.state}: only votes of raters who take part can count again")
    session.add(Exclusion(rater_id=rater.id, excluded=excluded, reason=reason.strip(), by=by, at=at))
    session.flush()
    for scene in _scenes_of(session, rater):
        refresh_scene(session, scene, at)


def answers_digest(answers: Sequence[Answer]) -> str:
    """SHA-256 over the answers in their order: equal exactly for equal answers."""
    return hashlib.sha256(repr([astuple(answer) for answer in answers]).encode()).hexdigest()


def _refresh_by_id(study_scene_id: int, at: datetime, session: Session) -> None:
    refresh_scene(session, session.get_one(StudyScene, study_scene_id), at)


def _rule(session: Session, study_scene: StudyScene) -> Rule:
    return rule_from_json(session.get_one(Study, study_scene.study_id).rule_json)


def _tally(
    study_scene: StudyScene, rule: Rule, found: SceneAnswers, newest_look: Evaluation | None = None
) -> SceneTally:
    """`newest_look`: what `evaluate` says of all these answers, where it was asked already."""
    evaluation = newest_look or evaluate(rule, len(found.item_ids), found.answers)
    if study_scene.void_reason is not None:
        evaluation = replace(evaluation, state="void", reason=study_scene.void_reason)
    elif evaluation.state == "adjudicate" or study_scene.sent_to_experts:
        evaluation = adjudicate(rule, len(found.item_ids), found.answers, found.expert_answers)
    return SceneTally(study_scene.id, found.item_ids, found.answers, evaluation, found.expert_answers)


def _cache(study_scene: StudyScene, tally: SceneTally) -> None:
    evaluation = tally.evaluation
    study_scene.state = evaluation.state
    study_scene.counted = evaluation.counted
    study_scene.cannot_tell = evaluation.cannot_tell
    study_scene.technical = evaluation.technical
    study_scene.leader_id = tally.item_ids[evaluation.leader]
    study_scene.p_best = evaluation.p_best[evaluation.leader]
    study_scene.p_near = evaluation.p_near[evaluation.leader]


def _add_looks(
    session: Session, scene: StudyScene, rule: Rule, found: SceneAnswers, at: datetime
) -> Evaluation | None:
    """Add the looks after counted votes that the cache has not seen, or a whole generation.

    Returns the last one where it saw all answers: what the scene's state follows from need not be fitted again.
    """
    seen = [answer for answer in found.answers if answer.vote_id <= (scene.evaluated_vote_id or 0)]
    if answers_digest(seen) != scene.answers_digest and scene.answers_digest:
        scene.look_generation += 1
        seen = []
    numbers = _look_numbers(rule, found.answers, len(seen))
    looks = [evaluate(rule, len(found.item_ids), found.answers[: number + 1]) for number in numbers]
    session.add_all(_look(scene, found.item_ids, look, at) for look in looks)
    saw_all = bool(numbers) and numbers[-1] == len(found.answers) - 1
    return looks[-1] if saw_all else None


def _look_numbers(rule: Rule, answers: Sequence[Answer], seen: int) -> list[int]:
    """Places of the answers that are followed by a look: counted votes from the rule's minimum on, after `seen`."""
    counted = [place for place, answer in enumerate(answers) if answer.kind == "choice"]
    return [place for place in counted[rule.minimum - 1 :] if place >= seen]


def _look(scene: StudyScene, item_ids: Sequence[int], look: Evaluation, at: datetime) -> Look:
    return Look(
        study_scene_id=scene.id, generation=scene.look_generation, number=look.counted, vote_id=look.vote_id,
        state=look.state, leader_id=item_ids[look.leader], p_best=look.p_best[look.leader],
        p_near=look.p_near[look.leader], made_at=at,
    )  # fmt: skip


def _lock(session: Session, study_scene: StudyScene) -> None:
    """One refresh of a scene at a time; what the row says now, not when the session first read it."""
    row = select(StudyScene).where(StudyScene.id == study_scene.id).with_for_update(key_share=True)
    session.flush()
    session.scalars(row.execution_options(populate_existing=True)).one()


def _votes(session: Session, study_scene: StudyScene) -> tuple[int | None, int]:
    """Newest id and number of all votes of the scene, counted or not."""
    found = session.execute(
        select(func.max(Vote.id), func.count(Vote.id))
        .join(Assignment, Vote.assignment_id == Assignment.id)
        .where(Assignment.study_scene_id == study_scene.id)
    ).one()
    return found[0], found[1]


def _stale(session: Session, study_id: int) -> list[int]:
    """Ids of the real scenes that have votes which the cache has not seen, or has seen and are gone."""
    votes = (
        select(Assignment.study_scene_id, func.count(Vote.id).label("votes"))
        .join(Vote, Vote.assignment_id == Assignment.id)
        .group_by(Assignment.study_scene_id)
        .subquery()
    )
    found = (
        select(StudyScene.id)
        .outerjoin(votes, votes.c.study_scene_id == StudyScene.id)
        .where(StudyScene.study_id == study_id, StudyScene.role == "real")
        .where(func.coalesce(votes.c.votes, 0) != StudyScene.votes_seen)
        .order_by(StudyScene.id)
    )
    return list(session.scalars(found))


def _scenes_of(session: Session, rater: Rater) -> list[StudyScene]:
    """Real scenes for which the rater has trials, in the order in which they are locked."""
    trials = select(Assignment.study_scene_id).where(Assignment.rater_id == rater.id)
    found = (
        select(StudyScene).where(StudyScene.id.in_(trials), StudyScene.role == "real").order_by(StudyScene.id)
    )
    return list(session.scalars(found))
