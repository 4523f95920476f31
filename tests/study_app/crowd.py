"""More scenes and more raters than the small dataset has, as rows alone: all scenes share one picture's files."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from builder.catalog import Candidate, Exposure, Scene
from study_app.preparation.studies import create_study, open_study
from study_app.statistics.rule import Rule
from study_app.storage.models import Study
from tests.study_app.scenery import ALGORITHM_NAMES, EXPOSURES, preview_path

PICTURE_SCENE, PICTURE_SIZE = "elm", (96, 64)


def add_many_scenes(
    session: Session, count: int, *, candidates: int = 13, picture_size: tuple[int, int] = PICTURE_SIZE
) -> None:
    """`count` scenes to the catalog, each with that many candidates."""
    for number in range(count):
        name = f"scene-{number:03d}"
        session.add(
            Scene(
                name=name,
                group_name=name,
                status="ready",
                width=picture_size[0],
                height=picture_size[1],
                exposures=[_exposure(name, position) for position in range(EXPOSURES)],
                candidates=[_candidate(name, algorithm) for algorithm in ALGORITHM_NAMES[:candidates]],
            )
        )
    session.flush()


def open_crowd_study(
    session: Session, data: Path, rule: Rule, at: datetime, *, only_added: bool = False
) -> Study:
    """An open study of all scenes; `only_added`: trials are of those alone that `add_many_scenes` made."""
    study, _ = create_study(session, "Crowd", rule, seed=11, data=data, at=at)
    open_study(session, study, at)
    for scene in study.scenes:
        if only_added and scene.role != "training" and not scene.scene.name.startswith("scene-"):
            scene.void_reason = "not part of the crowd"
    session.flush()
    return study


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def _exposure(scene: str, position: int) -> Exposure:
    return Exposure(
        position=position,
        original_path=f"originals/{scene}/{position}.jpg",
        sha256=_digest(scene, position),
        preview_path=preview_path(PICTURE_SCENE, f"exposure-{position:02d}"),
    )


def _candidate(scene: str, algorithm: str) -> Candidate:
    return Candidate(
        algorithm=algorithm,
        revision=1,
        parameters={},
        key=_digest(scene, algorithm),
        status="done",
        path=f"fused/{scene}/{algorithm}.png",
        preview_path=preview_path(PICTURE_SCENE, "mertens2009"),
    )
