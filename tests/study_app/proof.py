"""The proof tests in full: `python -m tests.study_app.proof votes` (minutes; prints what it measured).

Exits 1 where a vote was lost or doubled, or a server answered with anything worse than 503.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from tests.study_app.raters_load import LoadForm, Outcome, run_load
from tests.study_app.servers import NotHere, postgres

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


@click.group()
def main() -> None:
    """Proof tests in full."""


@main.command()
@click.option("--form", "forms", multiple=True, type=click.Choice(list(FORMS)), default=list(FORMS))
@click.option("--database", "databases", multiple=True, type=click.Choice(DATABASES), default=DATABASES)
def votes(forms: tuple[str, ...], databases: tuple[str, ...]) -> None:
    """Raters in a crowd, more raters than places, and a server that is shot at."""
    is_broken = False
    for database in databases:
        for form in forms:
            click.echo(f"\n{database}, {form}: {FORMS[form]}")
            try:
                with tempfile.TemporaryDirectory() as name, _database(database, Path(name)) as url:
                    outcome = run_load(FORMS[form], Path(name), url)
            except NotHere as error:
                click.echo(f"  skipped: {error}")
                continue
            for line in [*outcome.lines(), *(f"BROKEN: {one}" for one in problems(outcome))]:
                click.echo(f"  {line}")
            is_broken |= bool(problems(outcome))
    sys.exit(int(is_broken))


if __name__ == "__main__":
    main()
