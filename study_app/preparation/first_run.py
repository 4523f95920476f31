"""What a data folder needs before raters can come: tables, an administrator, a study, a link. Made once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from builder.catalog import Scene
from study_app.preparation.experimenters import has_admin, new_password, set_experimenter
from study_app.preparation.invites import make_invite
from study_app.preparation.studies import LeftOut, create_study, default_study, disk_bytes, open_study
from study_app.settings import StudySettings
from study_app.statistics.rule import PRESETS
from study_app.storage import audit
from study_app.storage.models import Invite, Study
from study_app.storage.tokens import invite_token

ADMIN = "admin"
SERVER = "server"  # the actor of what nobody signed in for
TITLE = "Which picture is the best?"
LAB_LABEL = "lab"
LAB_USES = 200
LAB_DAYS = 90


class NothingToRate(ValueError):
    """The dataset has no scene that raters could see; the message says what to do."""


@dataclass(frozen=True)
class Prepared:
    """What raters and the experimenter need to know once everything is in place."""

    study: Study | None  # None: only drafts are there
    token: str | None  # of the raters' link, while the study is open
    admin_password: str | None  # only when it was just made; it is stored nowhere
    left_out: tuple[LeftOut, ...]  # scenes that a study made just now does not show
    preview_bytes: int


def prepare(session: Session, settings: StudySettings, at: datetime) -> Prepared:
    """Make what is missing, in the caller's transaction; twice is the same as once. Raises NothingToRate."""
    require_scenes(session, settings.data)
    password = _first_admin(session, at)
    left_out: list[LeftOut] = []
    if session.scalar(select(Study.id).limit(1)) is None:
        left_out = _first_study(session, settings, at)
    study = default_study(session)
    return Prepared(
        study=study,
        token=lab_link(session, study, settings, at) if study and study.state == "open" else None,
        admin_password=password,
        left_out=tuple(left_out),
        preview_bytes=disk_bytes(study, settings.data) if study else 0,
    )


def require_dataset(data: Path) -> None:
    """Raise NothingToRate where the folder holds no catalog, so that no command makes an empty one there."""
    if os.environ.get("DATABASE_URL"):
        return
    if not (data / "catalog.sqlite").is_file():
        raise NothingToRate(f"{data}: no dataset here; make one first: make build-dataset DATA={data}")


def require_scenes(session: Session, data: Path) -> None:
    """Raise NothingToRate where the catalog has no scene with candidates."""
    if session.scalar(select(Scene.id).where(Scene.status.in_(("ready", "partial"))).limit(1)) is None:
        raise NothingToRate(
            f"{data}: no scene with candidates, so there is nothing to rate; "
            f"make a dataset first: make build-dataset DATA={data}"
        )


def _first_admin(session: Session, at: datetime) -> str | None:
    if has_admin(session):
        return None
    password = new_password()
    set_experimenter(session, ADMIN, password, role="admin", at=at)
    audit.record(session, SERVER, "create-admin", {"name": ADMIN}, at)
    return password


def _first_study(session: Session, settings: StudySettings, at: datetime) -> list[LeftOut]:
    study, left_out = create_study(
        session,
        TITLE,
        PRESETS["standard"],
        seed=secrets.randbits(31),
        data=settings.data,
        at=at,
        allow_missing=True,
    )
    open_study(session, study, at)
    audit.record(session, SERVER, "open-study", {"study": study.public_id, "rule": study.rule_hash}, at)
    return left_out


def lab_link(session: Session, study: Study, settings: StudySettings, at: datetime) -> str:
    """Token of the study's lab link: the newest that still lets people in, or a new one."""
    usable = select(Invite).where(
        Invite.study_id == study.id,
        Invite.is_personal.is_(False),
        Invite.is_expert.is_(False),
        Invite.revoked_at.is_(None),
        Invite.expires_at > at,
        Invite.uses < Invite.max_uses,
    )
    invite = session.scalars(usable.order_by(Invite.id.desc()).limit(1)).first()
    if invite is not None:
        return invite_token(settings.secret_key, invite.public_id)
    _, token = make_invite(
        session,
        study,
        settings.secret_key,
        label=LAB_LABEL,
        is_personal=False,
        is_expert=False,
        max_uses=LAB_USES,
        expires_at=at + timedelta(days=LAB_DAYS),
        at=at,
    )
    return token


def greeting(prepared: Prepared, base_url: str) -> Iterator[str]:
    """What `serve` tells at its start, line by line."""
    study = prepared.study
    if study is None:
        yield "There are only drafts of studies: sign in and open one."
    else:
        scenes = sum(scene.role == "real" for scene in study.scenes)
        size = prepared.preview_bytes / 2**30
        yield f"Study        {study.title} ({scenes} scenes, {study.state}; {size:.2f} GiB of pictures on disk)"
    for one in prepared.left_out:
        yield f"  left out:  {one.scene}: {one.reason}"
    if prepared.token is not None:
        yield f"Raters       {base_url}/join/{prepared.token}"
    yield f"Experimenter {base_url}/lab/"
    if prepared.admin_password is not None:
        yield f"             name {ADMIN}, password {prepared.admin_password}"
        yield "             (shown only now and stored nowhere; `create-admin` sets another)"
