"""Votes that are not lost, and people who may be forgotten: backup, restore-check, withdraw, erase, expire."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from study_app.commands.workspace import BY, PATH, data_option, opened

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from study_app.storage.models import Rater

rater_option = click.option("--rater", "pseudonym", required=True, help="The pseudonym, as in the lab pages.")


@click.command()
@data_option
def backup(data: Path) -> None:
    """Copy the database while people vote, check the copy, record its hash and results."""
    from study_app import clock
    from study_app.keeping.backup import make_backup

    with opened(data) as catalog:
        click.echo(make_backup(catalog, data, label="manual", at=clock.now()))


@click.command("restore-check")
@click.argument("file", type=PATH, required=False)
@click.option("--into", metavar="URL", help="Empty PostgreSQL database that a dump is restored into.")
@data_option
def restore_check(file: Path | None, into: str | None, data: Path) -> None:
    """Restore a backup aside, compute its results again and compare.  [default: the newest backup]"""
    from study_app.keeping.backup import newest_backup
    from study_app.keeping.backup import restore_check as check

    with opened(data) as catalog:
        found = check(file or newest_backup(data), live=catalog, into=into)
    click.echo(
        f"{found.record.file}: sound; {found.record.votes} votes give the recorded results; "
        f"{found.votes_since} votes came since"
    )


@click.command()
@rater_option
@data_option
def withdraw(pseudonym: str, data: Path) -> None:
    """Stop a rater for their own wish: their answers stay and no longer count."""
    from study_app import clock
    from study_app.keeping import privacy
    from study_app.storage import audit

    with opened(data) as catalog, catalog.writing() as session:
        at = clock.now()
        privacy.withdraw(session, _rater(session, pseudonym), at)
        audit.record(session, BY, "withdraw-rater", {"rater": pseudonym}, at)
    click.echo("withdrawn: the scenes they saw were computed again")


@click.command()
@rater_option
@click.confirmation_option(prompt="Delete all answers of this rater? This cannot be undone.")
@data_option
def erase(pseudonym: str, data: Path) -> None:
    """Delete a rater's answers, checks and address for good."""
    from study_app import clock
    from study_app.keeping import privacy
    from study_app.storage import audit

    with opened(data) as catalog, catalog.writing() as session:
        at = clock.now()
        privacy.erase(session, _rater(session, pseudonym), at)
        audit.record(session, BY, "erase-rater", {"rater": pseudonym}, at)
    click.echo("erased: the scenes they saw were computed again; backups made before still hold the answers")


def _rater(session: Session, pseudonym: str) -> Rater:
    from sqlalchemy import select

    from study_app.storage.models import Rater

    found = session.scalar(select(Rater).where(Rater.public_id == pseudonym))
    if found is None:
        raise ValueError(f"no rater has the pseudonym {pseudonym!r}; see raters.csv of an export")
    return found


@click.command()
@click.option(
    "--days", type=click.IntRange(min=0), default=365, show_default=True, help="After closing or freezing."
)
@data_option
def expire(days: int, data: Path) -> None:
    """Delete addresses and links of raters whose study ended so long ago; answers stay, under pseudonyms."""
    from study_app import clock
    from study_app.keeping import privacy
    from study_app.storage import audit

    with opened(data) as catalog, catalog.writing() as session:
        at = clock.now()
        found = privacy.expire(session, at, retention=timedelta(days=days))
        audit.record(
            session, BY, "expire", {"days": days, "contacts": found.contacts, "links": found.links}, at
        )
    click.echo(
        f"{found.studies} studies ended more than {days} days ago: {found.contacts} addresses and "
        f"{found.links} links to pseudonyms deleted"
    )
