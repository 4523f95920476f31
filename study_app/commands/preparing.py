"""Before and while people rate: serve, create, open, close, create-admin, invite."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from study_app.commands.workspace import BY, PATH, PRESET_NAMES, data_option, opened, study_of, study_option

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from study_app.storage.models import Study

SOMETHING_MISSING = 1


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 needs INSECURE_LAN=1 or TLS.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@data_option
def serve(host: str, port: int, data: Path) -> None:
    """Open the study in a browser. The first time it makes key, administrator, study and link."""
    import logging

    from study_app import clock, serving
    from study_app.preparation import first_run
    from study_app.settings import load_study_settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with opened(data) as catalog:
        with catalog.reading() as session:
            first_run.require_scenes(session, data)
        settings = load_study_settings(data, make_secret=True)
        serving.require_safe_address(host, settings, os.environ)
        settings = serving.reachable_settings(settings, host)
        with catalog.writing() as session:
            prepared = first_run.prepare(session, settings, clock.now())
            for line in first_run.greeting(prepared, serving.base_url(host, port, settings)):
                click.echo(line)
    sys.stdout.flush()
    serving.run(settings, host, port)


@click.command()
@click.option("--title", default="Which picture is the best?", show_default=True)
@click.option("--rule", "preset", type=click.Choice(PRESET_NAMES), default="standard", show_default=True)
@click.option("--rule-file", type=PATH, help="JSON of a rule, as in an export, instead of --rule.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of all orders.  [default: random]")
@click.option("--allow-missing", is_flag=True, help="Go on without the scenes that cannot be shown.")
@click.option("--open", "is_open", is_flag=True, help="Open it at once: items, rule and seed are then fixed.")
@data_option
def create(
    title: str,
    preset: str,
    rule_file: Path | None,
    seed: int | None,
    allow_missing: bool,
    is_open: bool,
    data: Path,
) -> None:
    """Make a study of all scenes of the dataset; lists those that it must leave out."""
    import secrets

    from study_app import clock
    from study_app.preparation.studies import ScenesLeftOut, create_study, disk_bytes, open_study
    from study_app.statistics.rule import PRESETS, rule_from_json
    from study_app.storage import audit

    rule = rule_from_json(rule_file.read_text()) if rule_file else PRESETS[preset]
    seed = secrets.randbits(31) if seed is None else seed
    try:
        with opened(data) as catalog, catalog.writing() as session:
            at = clock.now()
            study, left_out = create_study(
                session, title, rule, seed=seed, data=data, at=at, allow_missing=allow_missing
            )
            if is_open:
                open_study(session, study, at)
            audit.record(session, BY, "create-study", {"study": study.public_id, "open": is_open}, at)
            for one in left_out:
                click.echo(f"left out: {one.scene}: {one.reason}")
            scenes = sum(scene.role == "real" for scene in study.scenes)
            size = disk_bytes(study, data) / 2**30
            click.echo(
                f"study {study.public_id} is {study.state}: {scenes} scenes, {size:.2f} GiB of pictures"
            )
    except ScenesLeftOut as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(SOMETHING_MISSING)


@click.command("open")
@click.option("--study", "study_id", metavar="ID", help="Public id of a draft.  [default: the newest]")
@data_option
def open_command(study_id: str | None, data: Path) -> None:
    """Let raters into a draft: its items, rule, seed and consent text are then fixed."""
    from sqlalchemy import select

    from study_app.preparation.studies import open_study
    from study_app.storage.models import Study

    if study_id is None:
        with opened(data) as catalog, catalog.reading() as session:
            drafts = select(Study.public_id).where(Study.state == "draft").order_by(Study.id.desc())
            study_id = session.scalars(drafts.limit(1)).first()
        if study_id is None:
            raise ValueError("there is no draft to open; make one with `create`")
    _move(data, study_id, open_study)


@click.command("close")
@study_option
@data_option
def close_command(study_id: str | None, data: Path) -> None:
    """Take no more trials; answers under way are kept and marked late."""
    from study_app.preparation.studies import close_study

    _move(data, study_id, close_study)


def _move(data: Path, study_id: str | None, move: Callable[[Session, Study, datetime], None]) -> None:
    from study_app import clock
    from study_app.storage import audit

    with opened(data) as catalog, catalog.writing() as session:
        study, at = study_of(session, study_id), clock.now()
        move(session, study, at)
        audit.record(session, BY, f"{study.state}-study", {"study": study.public_id}, at)
        click.echo(f"study {study.title!r} is {study.state}")


@click.command("create-admin")
@click.option("--name", default="admin", show_default=True)
@click.option("--role", type=click.Choice(["admin", "analyst", "viewer"]), default="admin", show_default=True)
@click.option("--generate", is_flag=True, help="Make a random password and print it once.")
@data_option
def create_admin(name: str, role: str, generate: bool, data: Path) -> None:
    """Make an experimenter's account, or give it a new password. Asks for it, or reads EXPERIMENTER_PASSWORD."""
    from study_app import clock
    from study_app.preparation.experimenters import new_password, set_experimenter
    from study_app.storage import audit

    password = new_password() if generate else os.environ.get("EXPERIMENTER_PASSWORD", "")
    if not password:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with opened(data) as catalog, catalog.writing() as session:
        at = clock.now()
        _, is_new = set_experimenter(session, name, password, role=role, at=at)
        audit.record(session, BY, "create-admin" if is_new else "set-password", {"name": name}, at)
    shown = f", password {password} (shown only now)" if generate else ""
    click.echo(f"{'made' if is_new else 'changed'}: {name} ({role}){shown}")


@click.command()
@click.option("--label", default="", help="Your own note; raters do not see it.")
@click.option("--personal", is_flag=True, help="For one person, who comes back by the same link.")
@click.option("--expert", is_flag=True, help="Whoever comes by it may judge undecided scenes.")
@click.option("--uses", type=click.IntRange(min=1), help="[default: 1 if personal, else 200]")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Until it expires.")
@click.option("--base-url", help="Where raters find the server.  [default: http://127.0.0.1:8000]")
@study_option
@data_option
def invite(
    label: str,
    personal: bool,
    expert: bool,
    uses: int | None,
    days: int,
    base_url: str | None,
    study_id: str | None,
    data: Path,
) -> None:
    """Make a raters' link and print it."""
    from study_app import clock
    from study_app.preparation.invites import make_invite
    from study_app.settings import load_study_settings
    from study_app.storage import audit

    with opened(data) as catalog, catalog.writing() as session:
        secret_key = load_study_settings(data, make_secret=True).secret_key
        study, at = study_of(session, study_id), clock.now()
        if study.state in ("closed", "frozen"):
            raise ValueError(f"study {study.title!r} is {study.state}: a link would let nobody in")
        made, token = make_invite(
            session,
            study,
            secret_key,
            label=label,
            is_personal=personal,
            is_expert=expert,
            max_uses=uses or (1 if personal else 200),
            expires_at=at + timedelta(days=days),
            at=at,
        )
        audit.record(session, BY, "make-invite", {"invite": made.public_id}, at)
    click.echo(f"{(base_url or 'http://127.0.0.1:8000').rstrip('/')}/join/{token}")
