"""People who are not there: simulate-raters for demonstrations, plan for how many real ones are needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from study_app.commands.workspace import (
    PRESET_NAMES,
    data_option,
    opened,
    show_table,
    study_of,
    study_option,
)

if TYPE_CHECKING:
    from study_app.statistics.planning import Forecast

SHARE = click.FloatRange(0, 1)


@click.command("simulate-raters")
@click.option("--raters", type=click.IntRange(1, 10_000), default=40, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--strengths",
    type=click.Choice(["quality", "hash"]),
    default="quality",
    show_default=True,
    help="What is true of the pictures: follows the order of their objective score, or only a hash of their key.",
)
@click.option(
    "--spread", type=click.FloatRange(0, 10), default=0.7, show_default=True, help="Between people."
)
@click.option("--lapse", type=SHARE, default=0.03, show_default=True, help="Share of careless answers.")
@click.option(
    "--experts",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="For scenes undecided at the end.",
)
@click.option("--trials", type=click.IntRange(min=1), help="Of one rater at most.  [default: all there are]")
@study_option
@data_option
def simulate_raters(
    raters: int,
    seed: int,
    strengths: str,
    spread: float,
    lapse: float,
    experts: int,
    trials: int | None,
    study_id: str | None,
    data: Path,
) -> None:
    """Let simulated raters vote until every scene is decided or they have seen everything.

    They vote through the functions of the web pages and are marked as simulated for ever. Whether a picture is
    acceptable follows from a hash of the scene's name: in about 15 % of the scenes most find even the best unfit.
    """
    from study_app import clock
    from study_app.simulation.simulated_answers import RaterModel
    from study_app.simulation.simulated_raters import Simulation, simulate

    model = RaterModel(spread=spread, lapse=lapse)
    simulation = Simulation(raters, seed, model, strengths, trials, experts)
    with opened(data) as catalog:
        with catalog.reading() as session:
            study = study_of(session, study_id).id
        last = None
        for last in simulate(catalog, study, simulation, clock.now()):
            if last.votes % 100 == 0:
                click.echo(f"{last.votes} votes, {last.undecided} scenes undecided")
    if last is None:
        click.echo("no votes: nothing was left to rate")
    else:
        click.echo(
            f"{last.raters} simulated raters gave {last.votes} votes; {last.undecided} scenes undecided"
        )


@click.command()
@click.option("--scenes", type=click.IntRange(min=1), default=500, show_default=True)
@click.option(
    "--items", type=click.IntRange(2, 100), default=13, show_default=True, help="Pictures per scene."
)
@click.option(
    "--gap",
    "gaps",
    type=(float, float),
    multiple=True,
    metavar="LOGIT SHARE",
    help="How far the best stands out, and in what share of scenes.  [default: 0.4, 0.8, 1.1, 2.0, equal shares]",
)
@click.option(
    "--spread", type=click.FloatRange(0, 10), default=0.7, show_default=True, help="Of all but the best."
)
@click.option("--lapse", type=SHARE, default=0.03, show_default=True, help="Share of careless answers.")
@click.option("--acceptable", type=SHARE, default=1.0, show_default=True, help="Share who accept their pick.")
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Of one trial."
)
@click.option(
    "--per-person", type=click.IntRange(min=1), default=40, show_default=True, help="Trials of one."
)
@click.option("--rule", "preset", type=click.Choice(PRESET_NAMES), default="standard", show_default=True)
@click.option(
    "--runs", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Scenes per gap."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
def plan(
    scenes: int,
    items: int,
    gaps: tuple[tuple[float, float], ...],
    spread: float,
    lapse: float,
    acceptable: float,
    seconds: float,
    per_person: int,
    preset: str,
    runs: int,
    seed: int,
) -> None:
    """How many raters, hours and people a study takes, by simulation; all of it rests on assumptions."""
    from study_app.statistics import planning
    from study_app.statistics.rule import PRESETS

    assumptions = planning.Assumptions(
        item_count=items,
        scenes=scenes,
        gaps=gaps or planning.Assumptions.gaps,
        spread=spread,
        lapse=lapse,
        picks=min(3, items),
        acceptable=acceptable,
        seconds_per_trial=seconds,
        trials_per_person=per_person,
    )
    found = planning.plan(assumptions, PRESETS[preset], runs=runs, seed=seed)
    rows = [(f"gap {gap:g}", *_figures(forecast)) for gap, forecast in found.by_gap]
    show_table(
        ("scenes with", "raters (mean)", "90 % need", "undecided", "rejected", "wrong"),
        [*rows, ("the mix", *_figures(found.overall))],
    )
    click.echo(
        f"\n{found.trials:,} trials for {scenes:,} scenes: {found.hours:,.0f} hours of rating, "
        f"at least {found.people:,} people\n{found.warning}"
    )


def _figures(forecast: Forecast) -> tuple[str, ...]:
    shares = (forecast.undecided, forecast.rejected, forecast.wrong)
    texts = ["" if share is None else f"{share:.1%}" for share in shares]
    return (f"{forecast.raters_mean:.1f}", f"{forecast.raters_p90:.0f}", *texts)
