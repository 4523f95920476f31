"""`decide`: everything is computed again from the votes, then verdicts and references are written at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from builder.catalog import Candidate, Reference
from study_app.counting import tally
from study_app.outcomes.verdicts import SceneEvidence, Verdict, as_document, verdict_of
from study_app.preparation.studies import freeze_study
from study_app.statistics.evaluation import Evaluation
from study_app.statistics.rule import Rule, rule_from_json
from study_app.storage import audit
from study_app.storage.models import (
    Assignment,
    Decision,
    ItemAlias,
    Rater,
    Study,
    StudyItem,
    StudyScene,
    Vote,
)


@dataclass(frozen=True)
class SceneVerdict:
    """A verdict, the row that it is about and what it rests on."""

    study_scene: StudyScene
    verdict: Verdict
    state: str  # one of models.SCENE_STATES: what raters and experts have reached so far
    algorithms: tuple[str, ...]  # by item: of the picture that is shown
    evidence: SceneEvidence
    evaluation: Evaluation

    @property
    def why(self) -> str:
        """A sentence on the state."""
        return self.verdict.reason if self.state == "void" else self.evaluation.reason

    @property
    def leader(self) -> str:
        """The algorithm that leads; "" without a vote."""
        return self.algorithms[self.evaluation.leader] if self.evaluation.counted else ""


@dataclass(frozen=True)
class Change:
    """What one scene's reference is and what it would become; equal where nothing changes."""

    scene: str
    before: str  # verdict and algorithm, or "" where there is none
    after: str
    reason: str
    mark: str  # "new", "changed" or "same"

    @property
    def changed(self) -> bool:
        """Whether `decide` writes rows for it."""
        return self.mark != "same"


@dataclass(frozen=True)
class Outcome:
    """What `decide` found, and how many scenes got new rows."""

    changes: tuple[Change, ...]
    written: int
    simulated: bool


def scene_verdicts(session: Session, study: Study) -> list[SceneVerdict]:
    """The verdict of every real scene as the votes stand, by scene name; reads only."""
    rule = rule_from_json(study.rule_json)
    return [
        _scene_verdict(session, study, row, rule, tally.scene_tally(session, row))
        for row in _real_scenes(session, study)
    ]


def _real_scenes(session: Session, study: Study) -> list[StudyScene]:
    """By scene name, with all that a verdict names loaded at once."""
    items = selectinload(StudyScene.items)
    query = (
        select(StudyScene)
        .where(StudyScene.study_id == study.id, StudyScene.role == "real")
        .options(
            joinedload(StudyScene.scene),
            items.joinedload(StudyItem.candidate),
            items.selectinload(StudyItem.aliases).joinedload(ItemAlias.candidate),
        )
    )
    return sorted(session.scalars(query).unique(), key=lambda row: row.scene.name)


def _scene_verdict(
    session: Session, study: Study, row: StudyScene, rule: Rule, counted: tally.SceneTally
) -> SceneVerdict:
    votes = [answer.vote_id for answer in (*counted.answers, *counted.expert_answers)]
    evidence = SceneEvidence(
        study=study.public_id,
        scene=row.scene.name,
        candidates=_candidate_keys(row.items, counted.item_ids),
        answers=counted.answers,
        expert_answers=counted.expert_answers,
        void_reason=row.void_reason,
        sent_to_experts=row.sent_to_experts,
        simulated_raters=_simulated_raters(session, votes),
    )
    items = {item.id: item for item in row.items}
    shown = [items[item].candidate for item in counted.item_ids]
    return SceneVerdict(
        study_scene=row,
        verdict=verdict_of(evidence, rule, counted.evaluation),
        state="void" if row.void_reason is not None else counted.evaluation.state,
        algorithms=tuple(candidate.algorithm if candidate is not None else "" for candidate in shown),
        evidence=evidence,
        evaluation=counted.evaluation,
    )


def _candidate_keys(items: Sequence[StudyItem], order: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """Candidate keys by item, in the tally's order of items."""
    by_id = {item.id: item for item in items}
    return tuple(
        tuple(
            candidate.key
            for candidate in (by_id[item].candidate, *(alias.candidate for alias in by_id[item].aliases))
            if candidate is not None
        )
        for item in order
    )


def _simulated_raters(session: Session, vote_ids: Sequence[int]) -> int:
    query = (
        select(func.count(Rater.id.distinct()))
        .join(Assignment, Assignment.rater_id == Rater.id)
        .join(Vote, Vote.assignment_id == Assignment.id)
        .where(Rater.simulated, Vote.id.in_(vote_ids))
    )
    return session.scalar(query) or 0


def decide(session: Session, study: Study, *, by: str, at: datetime) -> Outcome:
    """Freeze the study and write a Decision and a Reference for each scene whose verdict is new.

    Runs in the caller's one transaction. The same votes leave every row as it is. Raises ValueError for a draft.
    """
    _require_opened(study)
    session.scalars(select(Study).where(Study.id == study.id).with_for_update()).one()
    rule = rule_from_json(study.rule_json)
    found = [
        _scene_verdict(session, study, row, rule, tally.refresh_scene(session, row, at))
        for row in _real_scenes(session, study)
    ]
    changes = _changes(session, found)
    fresh = [one for one, change in zip(found, changes, strict=True) if change.changed]
    for one in fresh:
        _write(session, one, at)
    if fresh or study.state != "frozen":
        detail = {"scenes": len(found), "new": len(fresh), "study": study.public_id}
        audit.record(session, by, "decide", detail, at)
    freeze_study(session, study, at)
    return Outcome(tuple(changes), len(fresh), any(one.verdict.simulated for one in found))


def preview(session: Session, study: Study) -> Outcome:
    """What `decide` would write now; nothing is changed. Raises ValueError for a draft."""
    _require_opened(study)
    found = scene_verdicts(session, study)
    changes = _changes(session, found)
    return Outcome(tuple(changes), 0, any(one.verdict.simulated for one in found))


def _require_opened(study: Study) -> None:
    if study.state == "draft":
        raise ValueError(
            f"study {study.title!r} is a draft: nobody has voted yet; open it first, on its page in the lab"
        )


def _changes(session: Session, found: Sequence[SceneVerdict]) -> list[Change]:
    scene_ids = [one.study_scene.scene_id for one in found]
    current = {
        reference.scene_id: reference
        for reference in session.scalars(
            select(Reference).where(Reference.current, Reference.scene_id.in_(scene_ids))
        )
    }
    names = _algorithms(session, scene_ids)
    return [_change(one, current.get(one.study_scene.scene_id), names) for one in found]


def _algorithms(session: Session, scene_ids: Sequence[int]) -> dict[str, tuple[int, str]]:
    """(id, algorithm) of every candidate by its key."""
    query = select(Candidate.key, Candidate.id, Candidate.algorithm).where(Candidate.scene_id.in_(scene_ids))
    return {key: (identity, algorithm) for key, identity, algorithm in session.execute(query)}


def _change(one: SceneVerdict, old: Reference | None, names: Mapping[str, tuple[int, str]]) -> Change:
    new = one.verdict
    by_id = dict(names.values())
    candidate, algorithm = names[new.candidate] if new.candidate else (None, "")
    same = old is not None and (
        (old.verdict, old.candidate_id, old.votes_digest, old.rule_version)
        == (new.verdict, candidate, new.votes_digest, new.rule_version)
    )
    mark = "same" if same else "new" if old is None else "changed"
    before = "" if old is None else f"{old.verdict} {by_id.get(old.candidate_id or 0, '')}".strip()
    return Change(new.scene, before, f"{new.verdict} {algorithm}".strip(), new.reason, mark)


def _write(session: Session, one: SceneVerdict, at: datetime) -> None:
    """One Decision, one current Reference; the scene's older references lose `current`."""
    new, scene_id = one.verdict, one.study_scene.scene_id
    candidate_id = (
        None
        if new.candidate is None
        else session.scalars(select(Candidate.id).where(Candidate.key == new.candidate)).one()
    )
    session.add(
        Decision(
            study_scene_id=one.study_scene.id,
            verdict=new.verdict,
            candidate_id=candidate_id,
            reason=new.reason,
            details=as_document(new),
            votes_digest=new.votes_digest,
            decided_at=at,
        )
    )
    session.execute(update(Reference).where(Reference.scene_id == scene_id).values(current=False))
    session.add(
        Reference(
            scene_id=scene_id,
            candidate_id=candidate_id,
            verdict=new.verdict,
            co_best=list(new.co_best),
            raters=new.raters,
            votes_by_candidate=dict(new.votes_by_candidate),
            p_best=new.p_best,
            acceptable_share=new.acceptable_share,
            rule_version=new.rule_version,
            votes_digest=new.votes_digest,
            decided_at=at,
            current=True,
        )
    )
