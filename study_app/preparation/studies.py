"""A study from draft to frozen: what of the catalog becomes items, and which problems leave a scene out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random

from sqlalchemy import select
from sqlalchemy.orm import Session

from builder.catalog import Candidate, DamagedCopy, Scene
from study_app.preparation.consent_text import CONSENT_TEXT, CONSENT_VERSION
from study_app.preparation.previews import folder_bytes, preview_problem
from study_app.statistics.rule import Rule
from study_app.storage.models import ItemAlias, Study, StudyExposure, StudyItem, StudyScene
from study_app.storage.tokens import new_public_id

MIN_ITEMS, MAX_ITEMS = 2, 13  # letters A-M
TRAINING_SCENES = 3
SHOWABLE = ("ready", "partial")
NEXT_STATE = {"draft": "open", "open": "closed", "closed": "frozen"}


class StudyError(ValueError):
    """The study cannot be made or moved on like this; the message says what to do."""


@dataclass(frozen=True)
class LeftOut:
    """A scene that the study does not show, and why."""

    scene: str
    reason: str


class ScenesLeftOut(StudyError):
    """Some scenes cannot be shown and nobody said that this is fine; `left_out` lists them."""

    def __init__(self, left_out: Sequence[LeftOut]) -> None:
        self.left_out = list(left_out)
        lines = "\n".join(f"  {one.scene}: {one.reason}" for one in left_out)
        super().__init__(
            f"scenes that cannot be shown: {len(left_out)}\n{lines}\n"
            "Mend them (`python -m builder build`), or allow to go on without them (--allow-missing)"
        )


@dataclass(frozen=True)
class _Picture:
    """One item to be: a candidate with its look-alikes, or a damaged copy."""

    preview_path: str
    candidate_id: int | None = None
    damaged_copy_id: int | None = None
    aliases: tuple[int, ...] = ()


def create_study(
    session: Session,
    title: str,
    rule: Rule,
    *,
    seed: int,
    data: Path,
    at: datetime,
    allow_missing: bool = False,
) -> tuple[Study, list[LeftOut]]:
    """A draft of all scenes of the catalog whose candidates can be shown; `data` is the folder of the previews.

    Training and gold scenes come from those with damaged copies, chosen by `seed`. Raises ScenesLeftOut if there
    are scenes with problems and `allow_missing` is False, StudyError if no scene is left or the title is empty.
    """
    if not title.strip():
        raise StudyError("a study needs a title")
    study = Study(
        public_id=new_public_id(), title=title.strip(), mode=rule.mode, rule_json=rule.to_json(),
        rule_hash=rule.hash, seed=seed, consent_version=CONSENT_VERSION, consent_text=CONSENT_TEXT, created_at=at,
    )  # fmt: skip
    scenes = list(session.scalars(select(Scene).order_by(Scene.name)))
    left_out = [*_add_real(study, scenes, data), *_add_checks(session, study, scenes, data)]
    if not any(scene.role == "real" for scene in study.scenes):
        listed = "".join(f"\n  {one.scene}: {one.reason}" for one in left_out)
        raise StudyError(f"no scene can be shown; build a dataset first: make build-dataset{listed}")
    if left_out and not allow_missing:
        raise ScenesLeftOut(left_out)
    session.add(study)
    session.flush()
    return study, left_out


def open_study(session: Session, study: Study, at: datetime) -> None:
    """Let raters in; from now on items, rule, seed and consent text are fixed."""
    _move(study, "open")
    study.opened_at = at
    session.flush()


def close_study(session: Session, study: Study, at: datetime) -> None:
    """No further trials; votes that still come are kept and marked late."""
    _move(study, "closed")
    study.closed_at = at
    session.flush()


def freeze_study(session: Session, study: Study, at: datetime) -> None:
    """After `decide`: the results stand. An open study is closed by it; a frozen one stays as it is."""
    if study.state == "frozen":
        return
    if study.state == "open":
        close_study(session, study, at)
    _move(study, "frozen")
    study.frozen_at = at
    session.flush()


def default_study(session: Session) -> Study | None:
    """The study that is meant where none is named: the newest that was opened."""
    opened = select(Study).where(Study.state != "draft").order_by(Study.opened_at.desc(), Study.id.desc())
    return session.scalars(opened.limit(1)).first()


def disk_bytes(study: Study, data: Path) -> int:
    """Room that everything a rater's browser may load of this study takes; shown before it opens."""
    paths: set[str] = set()
    for scene in study.scenes:
        paths.update(item.preview_path for item in scene.items)
        paths.update(exposure.preview_path for exposure in scene.exposures)
    return sum(folder_bytes(data / path) for path in sorted(paths))


def _move(study: Study, to: str) -> None:
    if NEXT_STATE.get(study.state) != to:
        raise StudyError(
            f"study {study.title!r} is {study.state} and cannot become {to}; "
            "the order is draft, open, closed, frozen"
        )
    study.state = to


def _add_real(study: Study, scenes: Iterable[Scene], data: Path) -> list[LeftOut]:
    left_out = []
    for scene in scenes:
        problem = _add_scene(study, scene, "real", _candidate_pictures(scene), data)
        if problem:
            left_out.append(LeftOut(scene.name, problem))
    return left_out


def _add_checks(session: Session, study: Study, scenes: Sequence[Scene], data: Path) -> list[LeftOut]:
    """Training scenes first, since without them nobody can start; what is left over serves as gold."""
    copies: dict[int, list[DamagedCopy]] = {}
    for copy in session.scalars(select(DamagedCopy).order_by(DamagedCopy.id)):
        copies.setdefault(copy.scene_id, []).append(copy)
    damaged = [scene for scene in scenes if scene.id in copies and scene.status in SHOWABLE]
    Random(study.seed).shuffle(damaged)
    left_out = []
    training = 0
    for scene in damaged:
        role = "training" if training < TRAINING_SCENES else "gold"
        pictures = _damaged_pictures(scene, copies[scene.id])
        problem = (
            _add_scene(study, scene, role, pictures, data)
            if pictures
            else "the sound candidate cannot be shown"
        )
        if problem:
            left_out.append(LeftOut(scene.name, f"its damaged copies: {problem}"))
        elif role == "training":
            training += 1
    return left_out


def _add_scene(study: Study, scene: Scene, role: str, pictures: list[_Picture], data: Path) -> str | None:
    """Add the scene to the study; returns the problem that stands against it instead, if there is one."""
    problem = _scene_problem(scene, pictures, data)
    if problem:
        return problem
    exposures = [
        StudyExposure(position=one.position, public_id=new_public_id(), preview_path=one.preview_path)
        for one in scene.exposures
    ]
    items = [_item(position, picture) for position, picture in enumerate(pictures)]
    points = list(scene.disagreement_points) if role != "training" else []
    added = StudyScene(
        scene=scene, role=role, width=scene.width, height=scene.height, points=points, items=items,
        exposures=exposures,
    )  # fmt: skip
    study.scenes.append(added)
    return None


def _item(position: int, picture: _Picture) -> StudyItem:
    return StudyItem(
        public_id=new_public_id(), position=position, candidate_id=picture.candidate_id,
        damaged_copy_id=picture.damaged_copy_id, preview_path=picture.preview_path,
        aliases=[ItemAlias(candidate_id=alias) for alias in picture.aliases],
    )  # fmt: skip


def _scene_problem(scene: Scene, pictures: Sequence[_Picture], data: Path) -> str | None:
    if scene.status not in SHOWABLE:
        return f"the builder has it as {scene.status}" + (f" ({scene.reason})" if scene.reason else "")
    if not MIN_ITEMS <= len(pictures) <= MAX_ITEMS:
        return (
            f"{len(pictures)} different candidates can be shown, {MIN_ITEMS} to {MAX_ITEMS} are needed"
            f"{_why_few(scene)}"
        )
    if scene.width is None or scene.height is None:
        return "its size is unknown"
    for exposure in scene.exposures:
        if exposure.preview_path is None:
            return f"exposure {exposure.position} has no preview"
    paths = [picture.preview_path for picture in pictures]
    paths += [str(exposure.preview_path) for exposure in scene.exposures]
    problems = (preview_problem(data / path, scene.width, scene.height) for path in paths)
    return next(filter(None, problems), None)


def _why_few(scene: Scene) -> str:
    """Sentences on the candidates that cannot be shown."""
    reasons = []
    for candidate in scene.candidates:
        if candidate.gate_failures:
            reasons.append(f"{candidate.algorithm}: {'; '.join(candidate.gate_failures)}")
        elif candidate.status in ("failed", "quarantined"):
            reasons.append(f"{candidate.algorithm}: {candidate.status}")
        elif candidate.status == "done" and candidate.preview_path is None:
            reasons.append(f"{candidate.algorithm}: no preview")
    return f" ({', '.join(reasons)})" if reasons else ""


def _is_showable(candidate: Candidate) -> bool:
    return candidate.status == "done" and candidate.preview_path is not None and not candidate.gate_failures


def _candidate_pictures(scene: Scene) -> list[_Picture]:
    """One picture per candidate, or per group of near-duplicates: the first of the group's order is shown."""
    showable = {candidate.key: candidate for candidate in scene.candidates if _is_showable(candidate)}
    pictures = {key: _candidate_picture(candidate) for key, candidate in showable.items()}
    for group in scene.near_duplicates:
        shown, *alike = [key for key in group if key in showable] or [None]
        if alike:
            aliases = tuple(showable[key].id for key in alike)
            pictures[shown] = replace(pictures[shown], aliases=aliases)
            for key in alike:
                del pictures[key]
    return list(pictures.values())


def _candidate_picture(candidate: Candidate) -> _Picture:
    return _Picture(str(candidate.preview_path), candidate_id=candidate.id)


def _damaged_pictures(scene: Scene, copies: Sequence[DamagedCopy]) -> list[_Picture]:
    """A sound candidate first, then its damaged copies; the newest where there are several or too many of them."""
    sound = {candidate.id: candidate for candidate in scene.candidates if _is_showable(candidate)}
    usable = [copy for copy in copies if copy.candidate_id in sound]
    if not usable:
        return []
    candidate = sound[usable[-1].candidate_id]
    damaged = [copy for copy in usable if copy.candidate_id == candidate.id][-(MAX_ITEMS - 1) :]
    others = [_Picture(copy.preview_path, damaged_copy_id=copy.id) for copy in damaged]
    return [_candidate_picture(candidate), *others]
