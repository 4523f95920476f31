"""`python -m tests.cluster two-hosts`: what a dask cluster promises, shown on hosts that are really cut off."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import dask

from tests.benchmarks.report import Report, print_report, write_report
from tests.cluster import network
from tests.cluster.cut_off import NEVER_GIVES_UP, Behaviour, LocalBuild, build_here, build_with_cut
from tests.cluster.outcome import Outcome
from tests.cluster.worker_hosts import TooLate
from tests.study_app.servers import ROOT, NotHere, postgres

SKIPPED = 77  # what test programs answer that cannot run here
HOSTS = ("host-a", "host-b")
CASES: dict[Behaviour, str] = {
    "goes-on": "goes on until it notices",
    "wakes-beside": "sleeps, wakes while the other does its scene",
    "wakes-after": "sleeps, wakes after the build",
}


@click.group()
def main() -> None:
    """Builds on several machines."""


@main.command("two-hosts")
@click.option("--scenes", default=12, show_default=True, type=click.IntRange(4, 200))
@click.option("--size", default="240x160", show_default=True, metavar="WxH")
@click.option("--case", "cases", multiple=True, type=click.Choice(tuple(CASES)), default=tuple(CASES))
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Do not throw the data and logs away; a new folder."
)
def two_hosts(scenes: int, size: str, cases: Sequence[Behaviour], keep: Path | None) -> None:
    """Two hosts with dask and PostgreSQL, one cut off in the middle: the same bytes as locally, nothing lost.

    Takes Linux, root, iproute2 and Debian's postgresql; without them it says so and exits 77.
    """
    if not network.is_inside():
        sys.exit(_inside())
    try:
        with tempfile.TemporaryDirectory(prefix="two-hosts-") as name:
            is_whole = _proof((keep or Path(name)).resolve(), scenes, size, cases)
    except NotHere as error:
        _skip(str(error))
    sys.exit(int(not is_whole))


def _inside() -> int:
    """Run this very command with namespaces of its own."""
    reason = network.missing()
    if reason:
        _skip(reason)
    return network.run_inside([sys.executable, "-m", "tests.cluster", *sys.argv[1:]])


def _skip(reason: str) -> None:
    click.echo(f"skipped: {reason}")
    sys.exit(SKIPPED)


def _proof(folder: Path, scenes: int, size: str, cases: Sequence[Behaviour]) -> bool:
    first, second = network.make_hosts(*HOSTS)
    simulate = ("simulate", "--count", str(scenes), "--size", size, "--output", str(folder / "simulated"))
    subprocess.run([sys.executable, "-m", "builder", *simulate], cwd=ROOT, check=True, capture_output=True)
    click.echo(f"{scenes} simulated brackets of {size}; the local build ...")
    local = build_here(folder / "simulated" / "photos", folder / "local", len(HOSTS))
    outcomes: dict[Behaviour, Outcome] = {}
    for case in cases:
        click.echo(f"{HOSTS[-1]} {CASES[case]} ...")
        try:
            outcomes[case] = _run(case, local, (first, second), folder / case)
            click.echo("".join(f"  {name}: {figure}\n" for name, figure in outcomes[case].figures().items()))
        except TooLate as error:
            click.echo(f"  BROKEN: {error}")
            return False
    report = _report(local, outcomes)
    print_report(report)
    write_report(report, ROOT / "runs" / "cluster" / "two_hosts.json")
    return _said({CASES[case]: outcome.problems() for case, outcome in outcomes.items()})


def _run(
    case: Behaviour, local: LocalBuild, hosts: tuple[network.Host, network.Host], folder: Path
) -> Outcome:
    folder.mkdir(parents=True)
    with postgres() as url:
        return build_with_cut(local, hosts, folder, url, case)


def _report(local: LocalBuild, outcomes: dict[Behaviour, Outcome]) -> Report:
    columns = [outcome.figures() for outcome in outcomes.values()]
    rows = tuple((name, *(column[name] for column in columns)) for name in columns[0])
    return Report(
        f"Two hosts with dask and PostgreSQL, {HOSTS[-1]}'s cable pulled in the middle",
        ("", *(CASES[case] for case in outcomes)),
        rows,
        (
            f"compared with local:{len(HOSTS)} and SQLite: {len(local.files)} files, {local.rows.total()} rows",
            "left out: runs/ (records of commands), `run` in sidecars (times, host), numbers of rows",
            f"distributed.comm.timeouts.tcp {dask.config.get('distributed.comm.timeouts.tcp')}; where {HOSTS[-1]}"
            f" sleeps, its worker has {NEVER_GIVES_UP}: it never gives up by itself",
            f"{datetime.now(UTC):%Y-%m-%d}, one machine, {len(os.sched_getaffinity(0))} cores, Linux"
            f" {platform.release()}; hosts are network namespaces with a cable each, the folder stays in reach of both",
        ),
    )


def _said(problems: dict[str, list[str]]) -> bool:
    for case, sentences in problems.items():
        for sentence in sentences:
            click.echo(f"  BROKEN: {case}: {sentence}")
    return not any(problems.values())


if __name__ == "__main__":
    main()
