"""A small dataset with real previews, a study of it, raters in any state: what the study's tests start from.

`write_dataset` makes the files once per test run; nobody changes them. Rows are made per test.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.orm import Session

from builder.catalog import Candidate, Catalog, DamagedCopy, Exposure, Scene
from builder.settings import PreviewSettings
from builder.stages.preview import write_preview
from study_app.storage.models import (
    ADJUDICATION_ROUND,
    FIRST_ROUND,
    Assignment,
    Consent,
    Rater,
    ScreeningAnswer,
    Sitting,
    Study,
    StudyItem,
    StudyScene,
    Vote,
    VotePick,
)
from study_app.storage.tokens import new_public_id

START = datetime(2026, 3, 2, 9, 0)  # when the study opens and raters join
ALGORITHM_NAMES = (
    "mertens2009", "raman2009", "shen2011", "zhang2012", "li2013", "shen2014", "ma2017", "kou2017",
    "sen2012", "hu2013", "bruce2014", "oh2015", "paris2011",
)  # fmt: skip
EXPOSURES = 3
FAULTS = ("halo", "noise", "cast")


@dataclass(frozen=True)
class SceneryScene:
    """One scene of the dataset: its first algorithms have candidates."""

    name: str
    width: int
    height: int
    candidates: int
    near_duplicates: tuple[tuple[int, ...], ...] = ()  # groups of candidates by place
    is_damaged: bool = False  # has copies of its first candidate, one for each of FAULTS

    def labels(self) -> list[str]:
        """Names of all preview folders of the scene."""
        copies = [f"damaged-{fault}" for fault in FAULTS] if self.is_damaged else []
        exposures = [f"exposure-{position:02d}" for position in range(EXPOSURES)]
        return [*ALGORITHM_NAMES[: self.candidates], *copies, *exposures]


SCENES = (
    SceneryScene("alley", 96, 64, 4, is_damaged=True),
    SceneryScene("bay", 700, 560, 13, is_damaged=True),  # 2x2 tiles at full size
    SceneryScene("chapel", 64, 96, 5, near_duplicates=((1, 3),), is_damaged=True),  # four items
    SceneryScene("dune", 96, 64, 3, is_damaged=True),
    SceneryScene("elm", 96, 64, 2),
)


def write_dataset(data: Path) -> None:
    """All preview folders: small pictures, each different from every other."""
    for scene in SCENES:
        rows, columns = np.mgrid[: scene.height, : scene.width]
        ramp = (columns * 150 // scene.width + rows * 60 // scene.height).astype(np.uint8)
        for label in scene.labels():
            folder = data / preview_path(scene.name, label)
            folder.mkdir(parents=True)
            tint = np.frombuffer(_key(scene.name, label).encode()[:3], np.uint8) % 46
            write_preview(folder, ramp[:, :, None] + tint, PreviewSettings())


def preview_path(scene: str, label: str) -> str:
    """Where a preview is below the data folder."""
    return f"previews/{scene}/{label}-{_key(scene, label)[:12]}"


def add_scenes(session: Session) -> None:
    """The catalog's rows of SCENES."""
    session.add_all([_scene(scene) for scene in SCENES])
    session.flush()
    for scene in SCENES:
        if scene.is_damaged:
            sound = session.scalars(
                select(Candidate).where(Candidate.key == _key(scene.name, "mertens2009"))
            ).one()
            session.add_all([_damaged_copy(scene.name, sound, fault) for fault in FAULTS])


def _key(scene: str, label: str) -> str:
    return hashlib.sha256(f"{scene}/{label}".encode()).hexdigest()


def _scene(scene: SceneryScene) -> Scene:
    keys = [_key(scene.name, name) for name in ALGORITHM_NAMES]
    return Scene(
        name=scene.name, group_name=scene.name, status="ready", width=scene.width, height=scene.height,
        near_duplicates=[[keys[place] for place in group] for group in scene.near_duplicates],
        disagreement_points=[[0.25, 0.5], [0.75, 0.3]],
        exposures=[
            Exposure(
                position=position, original_path=f"originals/{scene.name}/{position}.jpg",
                sha256=_key(scene.name, f"original-{position}"), relative_ev=2.0 * position,
                preview_path=preview_path(scene.name, f"exposure-{position:02d}"),
            )
            for position in range(EXPOSURES)
        ],
        candidates=[
            Candidate(
                algorithm=name, revision=1, parameters={}, key=_key(scene.name, name), status="done",
                path=f"fused/{scene.name}/{name}.png", preview_path=preview_path(scene.name, name),
            )
            for name in ALGORITHM_NAMES[: scene.candidates]
        ],
    )  # fmt: skip


def _damaged_copy(scene: str, sound: Candidate, fault: str) -> DamagedCopy:
    label = f"damaged-{fault}"
    return DamagedCopy(
        scene_id=sound.scene_id, candidate_id=sound.id, key=_key(scene, label), fault=fault, at=[0.4, 0.6],
        preview_path=preview_path(scene, label),
    )  # fmt: skip


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """URL of an empty database: a new schema where TEST_DATABASE_URL names a PostgreSQL server, else SQLite."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        yield f"sqlite:///{folder / 'catalog.sqlite'}"
        return
    schema = f"study_{uuid.uuid4().hex}"
    address = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        own = address.update_query_dict({"options": f"-csearch_path={schema}"})
        yield own.render_as_string(hide_password=False)
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


def scenes_of(session: Session, study: Study, role: str = "real") -> list[StudyScene]:
    """The study's scenes of a role, by name."""
    chosen = select(StudyScene).where(StudyScene.study_id == study.id, StudyScene.role == role)
    return list(session.scalars(chosen.join(Scene).order_by(Scene.name)))


def scene_named(session: Session, study: Study, name: str, role: str = "real") -> StudyScene:
    """The study's scene of a name."""
    return next(scene for scene in scenes_of(session, study, role) if scene.scene.name == name)


def right_item(scene: StudyScene) -> StudyItem:
    """The sound picture of a training or gold scene."""
    return next(item for item in scene.items if item.candidate_id is not None)


STEPS = ("joined", "consented", "display-checked", "colour-checked", "instructed", "trained")


@dataclass(frozen=True)
class RaterFactory:
    """Brings raters into any state by rows, without the pages: `new_rater(step="consented", is_expert=True)`."""

    catalog: Catalog
    study_id: int

    def __call__(
        self,
        *,
        step: str = "trained",
        at: datetime = START,
        display_passed: bool = True,
        colour_passed: bool = True,
        training_passed: bool = True,
        **columns: Any,
    ) -> Rater:
        """A rater who has done everything up to `step` (one of STEPS); further keywords are columns of Rater."""
        done = STEPS[: STEPS.index(step) + 1]
        with self.catalog.writing() as session:
            rater = Rater(public_id=new_public_id(), study_id=self.study_id, joined_at=at, **columns)
            session.add(rater)
            session.flush()
            study = session.get_one(Study, self.study_id)
            if "consented" in done:
                given = hashlib.sha256(study.consent_text.encode()).hexdigest()
                session.add(
                    Consent(rater_id=rater.id, version=study.consent_version, text_hash=given, given_at=at)
                )
            if "display-checked" in done:
                add_sitting(session, rater, at, display_passed=display_passed)
            if "colour-checked" in done:
                rater.colour_passed = colour_passed
                session.add_all(
                    ScreeningAnswer(
                        rater_id=rater.id, plate=plate, answer="5", correct=colour_passed, answered_at=at
                    )
                    for plate in range(1, 7)
                )
            if "instructed" in done:
                rater.instructions_at = at
            if "trained" in done:
                _train(session, study, rater, at, training_passed)
                rater.training_passed = training_passed
        with self.catalog.reading() as session:
            return detached(session, session.get_one(Rater, rater_id(rater)))


def rater_id(rater: Rater) -> int:
    """The primary key, also of a rater whose session is over."""
    from sqlalchemy import inspect

    identity = inspect(rater).identity
    assert identity is not None
    return int(identity[0])


def detached(session: Session, row: Any) -> Any:
    """A loaded row whose columns can be read when the session is over."""
    session.refresh(row)
    session.expunge(row)
    return row


def add_sitting(
    session: Session, rater: Rater, at: datetime, *, display_passed: bool | None = True
) -> Sitting:
    """The rater's next sitting, begun."""
    before = session.scalars(select(Sitting.number).where(Sitting.rater_id == rater.id)).all()
    display = {"width": 1920, "height": 1080, "dpr": 1}
    sitting = Sitting(
        rater_id=rater.id, number=max(before, default=0) + 1, started_at=at, display=display,
        display_passed=display_passed,
    )  # fmt: skip
    session.add(sitting)
    session.flush()
    return sitting


def _train(session: Session, study: Study, rater: Rater, at: datetime, passed: bool) -> None:
    """One answer to each training scene: right throughout, or wrong throughout."""
    for scene in scenes_of(session, study, "training"):
        right = right_item(scene)
        wrong = next(item for item in scene.items if item is not right)
        add_vote(session, rater, scene, [right if passed else wrong], at=at)


def add_assignment(
    session: Session, rater: Rater, scene: StudyScene, *, round_: int = FIRST_ROUND, at: datetime = START,
    order: Sequence[int] | None = None,
) -> Assignment:  # fmt: skip
    """A trial of the rater's newest sitting; `order` are item ids by position, by default as stored."""
    newest = select(Sitting.id).where(Sitting.rater_id == rater.id).order_by(Sitting.number.desc()).limit(1)
    sitting_id = session.scalars(newest).first() or add_sitting(session, rater, at).id
    assignment = Assignment(
        public_id=new_public_id(), rater_id=rater.id, study_scene_id=scene.id, sitting_id=sitting_id,
        round=round_, seed=1, order_json=list(order or [item.id for item in scene.items]), assigned_at=at,
        lease_until=at + timedelta(minutes=15),
    )  # fmt: skip
    session.add(assignment)
    session.flush()
    return assignment


def add_vote(
    session: Session, rater: Rater, scene: StudyScene, picks: Sequence[StudyItem | int] = (), *,
    kind: str = "choice", acceptable: bool | None = True, round_: int = FIRST_ROUND, at: datetime = START,
    late: bool = False, order: Sequence[int] | None = None, **columns: Any,
) -> Vote:  # fmt: skip
    """The rater's next version of an answer; `picks` are items, or places among the scene's items, best first."""
    assignment = session.scalar(
        select(Assignment).where(
            Assignment.rater_id == rater.id, Assignment.study_scene_id == scene.id, Assignment.round == round_
        )
    ) or add_assignment(session, rater, scene, round_=round_, at=at, order=order)
    items = [scene.items[pick] if isinstance(pick, int) else pick for pick in picks]
    versions = session.scalars(select(Vote.version).where(Vote.assignment_id == assignment.id)).all()
    vote = Vote(
        client_key=str(uuid.uuid4()), assignment_id=assignment.id, version=max(versions, default=0) + 1, kind=kind,
        acceptable=acceptable if kind == "choice" else None, client_at=at, server_at=at, body_hash="0" * 64,
        rule_hash=scene.study.rule_hash, late=late,
        picks=[VotePick(rank=rank, item_id=item.id) for rank, item in enumerate(items, start=1)], **columns,
    )  # fmt: skip
    session.add(vote)
    session.flush()
    return vote


def add_expert_vote(session: Session, expert: Rater, scene: StudyScene, pick: int, **options: Any) -> Vote:
    """An expert's answer of the adjudication round."""
    return add_vote(session, expert, scene, [pick], round_=ADJUDICATION_ROUND, **options)
