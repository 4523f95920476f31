"""The proof tests in full: `python -m tests.study_app.proof all`, or one of them; each prints what it measured.

Exits 1 where a vote was lost or doubled, a server answered with anything worse than 503, a backup is not what it
recorded, or a screen shows another pixel than the file holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from study_app.keeping.backup import BackupError
from tests.study_app.backups_load import run_backups
from tests.study_app.raters_load import LoadForm, Outcome, run_load
from tests.study_app.servers import ROOT, NotHere, postgres

# Six times the pace of people, who take a minute for a scene.
CROWD = LoadForm(raters=200, scenes=20, cap=200, think_seconds=10.0, ramp_seconds=60.0)
CROWDED = LoadForm(raters=60, scenes=10, cap=20, think_seconds=1.0, ramp_seconds=5.0)
SHOT_AT = LoadForm(
    raters=60,
    scenes=10,
    cap=60,
    think_seconds=2.0,
    ramp_seconds=10.0,
    kills=("before-reply", "server", "before-reply", "server", "before-reply"),
    kill_each_second=True,
)
SIEGE = replace(CROWD, kill_each_second=True)  # the crowd again, and a worker dies by SIGKILL each second
FORMS = {"crowd": CROWD, "crowded": CROWDED, "shot-at": SHOT_AT, "siege": SIEGE}
DATABASES = ("sqlite", "postgresql")
MOST_OVER = 0.05
BACKED_UP = LoadForm(raters=40, scenes=10, cap=40, think_seconds=3.0, ramp_seconds=5.0)
SCREEN = "tests/study_app/screen"
FAULTS = (
    f"{SCREEN}/test_lost_connections.py",
    f"{SCREEN}/proof_votes_on_the_way.py",
    "tests/study_app/test_votes_over_http.py",
    f"{SCREEN}/proof_database_trouble.py",
    "tests/study_app/test_database_trouble.py",
)
BROWSERS = (
    f"{SCREEN}/test_pixels.py",
    f"{SCREEN}/test_whole_trials.py",
    f"{SCREEN}/test_access.py",
    f"{SCREEN}/proof_browsers.py",
)
MIGRATIONS = ("tests/study_app/test_database.py", "tests/study_app/test_old_schemas.py")


@contextmanager
def _database(name: str, folder: Path) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{folder / 'catalog.sqlite'}"
    else:
        with postgres() as url:
            yield url


def problems(outcome: Outcome) -> list[str]:
    """What an outcome breaks of the promise; empty where all holds. Times are reported, not judged."""
    broken = {
        f"{len(outcome.missing)} acknowledged votes are missing": outcome.missing,
        f"{outcome.live} live votes, expected {outcome.expected}": outcome.live != outcome.expected,
        f"{outcome.uncounted} votes do not count": outcome.uncounted,
        f"over-assignment {outcome.over_assignment:.1%}": outcome.over_assignment > MOST_OVER,
        f"answers by status {dict(outcome.statuses)}": any(
            status >= 500 and status != 503 for status in outcome.statuses
        ),
        f"{outcome.statuses.get(503, 0)} answers 503 though nobody shot": not outcome.kills
        and outcome.statuses.get(503, 0),
    }
    return [sentence for sentence, is_broken in broken.items() if is_broken]


OFFLINE = click.option(
    "--offline-minutes", type=click.FloatRange(0.1, 60), default=10.0, show_default=True,
    help="how long a browser with an answer stays without a line",
)  # fmt: skip


@click.group()
def main() -> None:
    """Proof tests in full."""


@main.command()
@click.option("--form", "forms", multiple=True, type=click.Choice(list(FORMS)), default=list(FORMS))
@click.option("--database", "databases", multiple=True, type=click.Choice(DATABASES), default=DATABASES)
def votes(forms: tuple[str, ...], databases: tuple[str, ...]) -> None:
    """Raters in a crowd, more raters than places, and a server that is shot at."""
    sys.exit(int(not _votes(forms, databases)))


@main.command()
@OFFLINE
def faults(offline_minutes: float) -> None:
    """Clicks, tabs, clocks and lost lines; a disk that is full or read-only, a database that is locked."""
    sys.exit(int(not _faults(offline_minutes)))


@main.command()
def browsers() -> None:
    """Every pixel in its place, in Chromium and Firefox, at three pixel ratios; a sitting by keyboard."""
    sys.exit(int(not _tests(BROWSERS)))


@main.command()
@click.option("--database", "databases", multiple=True, type=click.Choice(DATABASES), default=DATABASES)
def backup(databases: tuple[str, ...]) -> None:
    """Backups under load give the results they recorded; databases of older versions are brought to this one."""
    sys.exit(int(not _backup(databases)))


@main.command("all")
@OFFLINE
def everything(offline_minutes: float) -> None:
    """All of them."""
    is_whole = [
        _votes(tuple(FORMS), DATABASES), _faults(offline_minutes), _tests(BROWSERS), _backup(DATABASES),
    ]  # fmt: skip
    sys.exit(int(not all(is_whole)))


def _votes(forms: Sequence[str], databases: Sequence[str]) -> bool:
    is_whole = True
    for database in databases:
        for form in forms:
            is_whole &= _loaded(f"{form}: {FORMS[form]}", database, FORMS[form])
    return is_whole


def _loaded(title: str, database: str, form: LoadForm) -> bool:
    """Run one form and print what came of it; whether nothing is broken. What is not installed breaks nothing."""
    click.echo(f"\n{database}, {title}")
    try:
        with tempfile.TemporaryDirectory() as name, _database(database, Path(name)) as url:
            outcome = run_load(form, Path(name), url)
    except NotHere as error:
        click.echo(f"  skipped: {error}")
        return True
    return _said(outcome.lines(), problems(outcome))


def _backup(databases: Sequence[str]) -> bool:
    return all([*(_backed_up(database) for database in databases), _tests(MIGRATIONS)])


def _backed_up(database: str) -> bool:
    click.echo(f"\n{database}, backups under load: {BACKED_UP}")
    try:
        with tempfile.TemporaryDirectory() as name, _database(database, Path(name)) as url:
            outcome = run_backups(BACKED_UP, Path(name), url)
    except NotHere as error:
        click.echo(f"  skipped: {error}")
        return True
    except BackupError as error:
        return _said([], [str(error)])
    broken = [] if outcome.last_equals_live else ["the last backup has other results than the live database"]
    return _said(outcome.lines(), [*problems(outcome.load), *broken])


def _said(lines: Sequence[str], broken: Sequence[str]) -> bool:
    for line in [*lines, *(f"BROKEN: {one}" for one in broken)]:
        click.echo(f"  {line}")
    return not broken


def _faults(offline_minutes: float) -> bool:
    return _tests(FAULTS, OFFLINE_SECONDS=str(60 * offline_minutes))


def _tests(paths: Sequence[str], **environment: str) -> bool:
    """Run tests, those of CI and those that only the proofs have, and let them print their figures."""
    click.echo(f"\n{' '.join(paths)}")
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *paths]
    found = subprocess.run(command, cwd=ROOT, env={**os.environ, "PROOF": "1", **environment}, check=False)
    return found.returncode == 0


if __name__ == "__main__":
    main()
