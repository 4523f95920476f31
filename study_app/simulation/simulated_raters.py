"""Simulated raters at work: they get trials and send votes through the functions that serve the web pages.

Their rows say `simulated` for ever, so that no result that rests on them can pass for people's.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from builder.catalog import Catalog
from study_app.rating import sittings, trials, votes
from study_app.rating.scene_pool import AWAITS_EXPERTS
from study_app.rating.vote_body import LETTERS, parse_vote
from study_app.simulation.simulated_answers import (
    DAMAGED,
    EASY,
    SOUND,
    RaterModel,
    SimulatedAnswer,
    ease_of,
    simulated_answer,
    strengths_from_hash,
    strengths_from_quality,
)
from study_app.storage.database import retrying
from study_app.storage.models import Assignment, Consent, Rater, Sitting, Study, StudyItem, StudyScene

DISPLAY = {
    "screen": [1920, 1080],
    "viewport": [1920, 1080],
    "dpr": 1,
    "gamut": "srgb",
    "failed": [],
    "simulated": True,
}
STRENGTHS = ("quality", "hash")


@dataclass(frozen=True)
class Simulation:
    """Who takes part and what they see in the pictures."""

    raters: int = 40
    seed: int = 1
    model: RaterModel = field(default_factory=RaterModel)
    strengths: str = "quality"  # or "hash"
    trials: int | None = None  # of one rater at most; None: until nothing is left
    experts: int = 2  # who come at the end if scenes are undecided then

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if self.strengths not in STRENGTHS:
            raise ValueError(f"strengths {self.strengths!r}: choose one of {', '.join(STRENGTHS)}")
        if self.raters < 1 or self.experts < 0:
            raise ValueError(f"{self.raters} raters and {self.experts} experts: at least 1 and 0 are needed")


@dataclass(frozen=True)
class Progress:
    """How far a simulation has come."""

    raters: int
    votes: int
    undecided: int  # real scenes without a verdict


@dataclass
class _Visitor:
    """One simulated rater on the way: whom the rows belong to, and when they are free again."""

    rater_id: int
    number: int
    free_at: datetime
    answered: int = 0
    sitting_id: int | None = None


def simulate(catalog: Catalog, study_id: int, simulation: Simulation, at: datetime) -> Iterator[Progress]:
    """Let simulated raters rate until no scene takes votes or nobody has a trial left; yields after each vote.

    `at` is the first moment of a clock that only this simulation moves; raters sit side by side, experts come
    after them to what is undecided. The answers follow from the seed. Raises ValueError where the study takes
    no votes.
    """
    visitors = retrying(catalog, lambda session: _join(session, study_id, simulation, at))
    moments = [at]
    for moment in _sit(catalog, visitors, simulation):
        moments.append(moment)
        yield _progress(catalog, study_id, len(visitors), len(moments) - 1)
    end = max(moments)
    experts = retrying(catalog, lambda session: _join_experts(session, study_id, simulation, end))
    for moment in _sit(catalog, experts, simulation):
        moments.append(moment)
        yield _progress(catalog, study_id, len(visitors) + len(experts), len(moments) - 1)


def _sit(catalog: Catalog, visitors: list[_Visitor], simulation: Simulation) -> Iterator[datetime]:
    """Always the one who is free first answers the next trial; yields when, until nobody has one left."""
    present = list(visitors)
    while present:
        visitor = min(present, key=lambda one: (one.free_at, one.number))
        if _one_trial(catalog, visitor, simulation):
            yield visitor.free_at
        else:
            present.remove(visitor)


def _join_experts(session: Session, study_id: int, simulation: Simulation, at: datetime) -> list[_Visitor]:
    """Experts, if there is anything that waits for them."""
    waiting = select(StudyScene.id).where(StudyScene.study_id == study_id, AWAITS_EXPERTS).limit(1)
    if session.scalar(waiting) is None:
        return []
    return _join(session, study_id, simulation, at, is_expert=True)


def _join(
    session: Session, study_id: int, simulation: Simulation, at: datetime, *, is_expert: bool = False
) -> list[_Visitor]:
    """New raters who have consented and passed every check but training, which they sit for themselves."""
    study = session.get_one(Study, study_id)
    if study.state != "open":
        raise ValueError(f"study {study.title!r} is {study.state}; only an open study takes votes")
    counted = select(func.count(Rater.id)).where(Rater.study_id == study.id, Rater.simulated)
    before = session.scalar(counted) or 0
    visitors = []
    for number in range(before, before + (simulation.experts if is_expert else simulation.raters)):
        rater = Rater(
            public_id=_digest("rater", study.seed, study.id, simulation.seed, number)[:32],
            study_id=study.id,
            simulated=True,
            is_expert=is_expert,
            joined_at=at,
            instructions_at=at,
            colour_passed=True,
        )
        session.add(rater)
        session.flush()
        text_hash = hashlib.sha256(study.consent_text.encode()).hexdigest()
        session.add(
            Consent(rater_id=rater.id, version=study.consent_version, text_hash=text_hash, given_at=at)
        )
        visitors.append(_Visitor(rater.id, number, at + timedelta(seconds=number - before)))
    session.flush()
    return visitors


def _one_trial(catalog: Catalog, visitor: _Visitor, simulation: Simulation) -> bool:
    """Answer the visitor's next trial; False where there is none for them."""
    if simulation.trials is not None and visitor.answered >= simulation.trials:
        return False
    trial_id = retrying(catalog, lambda session: _next_trial(session, visitor))
    if trial_id is None:
        return False
    with catalog.reading() as session:
        trial = session.get_one(Assignment, trial_id)
        is_training = trial.study_scene.role == "training"
        answer = _answer(trial, visitor.number, simulation)
        body = _body(trial, answer)
    visitor.free_at += timedelta(seconds=answer.seconds)
    key = _uuid(_digest("vote", trial_id, body))
    receipt = votes.store(catalog, visitor.rater_id, key, parse_vote(body.encode()), visitor.free_at)
    votes.follow_up(catalog, receipt.vote, visitor.free_at)
    visitor.answered += not is_training
    return True


def _next_trial(session: Session, visitor: _Visitor) -> int | None:
    """The trial that the web would show now: training first, then one scene after the other, with breaks."""
    rater = session.get_one(Rater, visitor.rater_id)
    sitting = _sitting(session, rater, visitor)
    trial = trials.training_trial(session, rater, sitting, visitor.free_at)
    if trial is None:
        trial = trials.current_trial(session, rater, sitting, visitor.free_at)
    if trial is None and rater.finished_at is None:
        rater.finished_at = visitor.free_at
        sittings.finish(session, sitting, visitor.free_at)
    return None if trial is None else trial.id


def _sitting(session: Session, rater: Rater, visitor: _Visitor) -> Sitting:
    """The running sitting, or the next one after the break that was due."""
    sitting = sittings.current(session, rater)
    if sitting is not None:
        times = sittings.times(session, sitting)
        if not sittings.is_over(times, visitor.free_at):
            return sitting
        visitor.free_at = max(
            visitor.free_at, sittings.rests_until(times, visitor.free_at) or visitor.free_at
        )
    return sittings.start(session, rater, dict(DISPLAY), True, visitor.free_at)


def _answer(trial: Assignment, number: int, simulation: Simulation) -> SimulatedAnswer:
    """What this rater says: a function of seed, rater, scene and round alone, whatever the positions are."""
    scene = trial.study_scene
    shown = [item for item in scene.items if item.id in trial.order_json]
    strengths, ease = _truth(scene, shown, simulation)
    seed = int(_digest("answer", simulation.seed, number, scene.scene.name, scene.role, trial.round)[:16], 16)
    answer = simulated_answer(strengths, ease, simulation.model, np.random.default_rng(seed))
    positions = tuple(trial.order_json.index(shown[pick].id) for pick in answer.picks)
    return SimulatedAnswer(answer.kind, positions, answer.acceptable, answer.seconds)


def _truth(
    scene: StudyScene, items: list[StudyItem], simulation: Simulation
) -> tuple[tuple[float, ...], float]:
    """True strengths of the shown items and the scene's ease."""
    if scene.role != "real":
        return tuple(SOUND if item.damaged_copy_id is None else DAMAGED for item in items), EASY
    candidates = [item.candidate for item in items if item.candidate is not None]
    qualities = [candidate.quality for candidate in candidates if candidate.quality is not None]
    ease = ease_of(scene.scene.name, simulation.seed)
    if simulation.strengths == "quality" and len(qualities) == len(items):
        return strengths_from_quality(qualities), ease
    return strengths_from_hash([candidate.key for candidate in candidates], simulation.seed), ease


def _body(trial: Assignment, answer: SimulatedAnswer) -> str:
    """The JSON that the trial page would send."""
    document = {
        "assignment": trial.public_id,
        "version": 1,
        "kind": answer.kind,
        "picks": [LETTERS[position] for position in answer.picks],
        "acceptable": answer.acceptable,
        "reasons": ["other"] if answer.acceptable is False else [],
        "comment": "",
        "client_at": None,
        "behaviour": {"simulated": True, "seconds": round(answer.seconds, 1)},
    }
    return json.dumps(document, sort_keys=True)


def _progress(catalog: Catalog, study_id: int, raters: int, votes_given: int) -> Progress:
    query = select(func.count(StudyScene.id)).where(
        StudyScene.study_id == study_id,
        StudyScene.role == "real",
        StudyScene.state.in_(("continue", "adjudicate")),
        StudyScene.void_reason.is_(None),
    )
    with catalog.reading() as session:
        return Progress(raters, votes_given, session.scalar(query) or 0)


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def _uuid(digest: str) -> str:
    """A UUID with the form of version 4 whose bits are those of a digest."""
    return str(uuid.UUID(hex=digest[:32], version=4))
