"""What the votes say: results, decide, report, export, check-export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from study_app.commands.workspace import BY, PATH, data_option, opened, show_table, study_of, study_option

if TYPE_CHECKING:
    from study_app.outcomes.deciding import Outcome


@click.command()
@study_option
@data_option
def results(study_id: str | None, data: Path) -> None:
    """States of all scenes as the votes stand; nothing is final before `decide`."""
    from study_app.outcomes.deciding import scene_verdicts

    with opened(data) as catalog, catalog.reading() as session:
        study = study_of(session, study_id)
        rows = [
            (one.verdict.scene, one.state, one.verdict.raters, one.leader, one.verdict.p_best)
            + (one.verdict.p_near, one.verdict.acceptable_share, one.why)
            for one in scene_verdicts(session, study)
        ]
        click.echo(f"study {study.public_id} ({study.title}) is {study.state}, rule {study.rule_hash[:12]}\n")
    show_table(("scene", "state", "votes", "leader", "P(best)", "P(near)", "acceptable", "why"), rows)


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would change and write nothing.")
@study_option
@data_option
def decide(dry_run: bool, study_id: str | None, data: Path) -> None:
    """Compute everything again from the votes, write decisions and references, freeze the study."""
    from study_app import clock
    from study_app.keeping.backup import make_backup
    from study_app.outcomes.deciding import decide as write_decisions
    from study_app.outcomes.deciding import preview

    with opened(data) as catalog:
        if dry_run:
            with catalog.reading() as session:
                _show_outcome(preview(session, study_of(session, study_id)), "dry run: nothing was written")
            return
        with catalog.writing() as session:
            outcome = write_decisions(session, study_of(session, study_id), by=BY, at=clock.now())
        _show_outcome(outcome, f"{outcome.written} scenes have a new decision; the study is frozen")
        if outcome.written:
            click.echo(f"backup: {make_backup(catalog, data, label='decide', at=clock.now())}")


def _show_outcome(outcome: Outcome, last: str) -> None:
    rows = [(one.scene, one.before, one.after, one.mark, one.reason) for one in outcome.changes]
    show_table(("scene", "reference now", "reference by the votes", "", "why"), rows)
    if outcome.simulated:
        click.echo("SIMULATED: these verdicts rest on simulated votes and are marked so for ever")
    click.echo(last)


@click.command()
@click.option("--output", type=PATH, help="Where to write.  [default: DATA/study/export-ID.zip]")
@study_option
@data_option
def export(output: Path | None, study_id: str | None, data: Path) -> None:
    """Write all votes and verdicts, under pseudonyms, as a ZIP of CSV and JSON; same votes, same bytes."""
    from builder.atomic_files import replace_file
    from study_app.outcomes.exporting import export_zip

    with opened(data) as catalog, catalog.reading() as session:
        study = study_of(session, study_id)
        content = export_zip(session, study)
        target = output or data / f"study/export-{study.public_id[:8]}.zip"
    replace_file(target, content)
    click.echo(f"{target}: {len(content):,} bytes")


@click.command("check-export")
@click.argument("file", type=PATH)
def check_export(file: Path) -> None:
    """Compute every verdict again from the raw votes in an export, without a database, and compare."""
    from study_app.outcomes.recomputing import check

    click.echo(f"{file}: {check(file.read_bytes())} verdicts follow from the votes in it, byte for byte")


@click.command()
@click.option("--output", type=PATH, help="Where to write.  [default: DATA/study/report.html]")
@study_option
@data_option
def report(output: Path | None, study_id: str | None, data: Path) -> None:
    """Write one self-contained HTML page: protocol, people, displays, agreement, results, limits."""
    from builder.atomic_files import replace_file
    from study_app import clock
    from study_app.outcomes.report import report_html

    with opened(data) as catalog, catalog.reading() as session:
        page = report_html(session, study_of(session, study_id), clock.now())
    target = output or data / "study/report.html"
    replace_file(target, page.encode())
    click.echo(f"{target}: {len(page):,} characters")
