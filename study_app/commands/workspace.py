"""What every command needs: the database of the data folder, the study that is meant, tables on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from builder.catalog import Catalog
    from study_app.storage.models import Study

PATH: Any = click.Path(path_type=Path)
PRESET_NAMES = ("standard", "strict", "quick", "most-votes")  # of statistics.rule.PRESETS, which loads numpy
BY = "command line"  # the actor in the audit log: whoever may run commands has the database itself

data_option = click.option(
    "--data", type=PATH, default=Path("data"), show_default=True, help="The dataset's folder."
)
study_option = click.option(
    "--study", "study_id", metavar="ID", help="Public id of a study.  [default: the newest that was opened]"
)


@contextmanager
def opened(data: Path) -> Iterator[Catalog]:
    """The database of a data folder; raises NothingToRate where there is no dataset."""
    from builder.catalog import catalog_url
    from study_app.preparation.first_run import require_dataset
    from study_app.storage.database import open_database

    require_dataset(data)
    catalog = open_database(catalog_url(data.resolve()))
    try:
        yield catalog
    finally:
        catalog.close()


def study_of(session: Session, study_id: str | None) -> Study:
    """The study that is meant; raises ValueError where there is none."""
    from sqlalchemy import select

    from study_app.preparation.studies import default_study
    from study_app.storage.models import Study

    if study_id is None:
        found = default_study(session)
        sentence = "no study was opened yet; make one with `create --open` or start `serve`"
    else:
        found = session.scalar(select(Study).where(Study.public_id == study_id))
        sentence = f"no study has the id {study_id!r}; `results` without --study names the newest"
    if found is None:
        raise ValueError(sentence)
    return found


def show_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    from study_app.commands.plain_tables import as_text

    click.echo(as_text(header, rows))
