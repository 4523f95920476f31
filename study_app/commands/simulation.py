"""People who are not there: simulate-raters for demonstrations, plan for how many real ones are needed."""

from __future__ import annotations

from pathlib import Path

import click

from study_app.commands.workspace import data_option, opened, study_of, study_option

SHARE = click.FloatRange(0, 1)


@click.command("simulate-raters")
@click.option("--raters", type=click.IntRange(1, 10_000), default=40, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--strengths",
    type=click.Choice(["quality", "hash"]),
    default="quality",
    show_default=True,
    help="What is true of the pictures: follows their objective score, or only a hash of their key.",
)
@click.option(
    "--spread", type=click.FloatRange(0, 10), default=0.7, show_default=True, help="Between people."
)
@click.option("--lapse", type=SHARE, default=0.03, show_default=True, help="Share of careless answers.")
@click.option("--trials", type=click.IntRange(min=1), help="Of one rater at most.  [default: all there are]")
@study_option
@data_option
def simulate_raters(
    raters: int,
    seed: int,
    strengths: str,
    spread: float,
    lapse: float,
    trials: int | None,
    study_id: str | None,
    data: Path,
) -> None:
    """Let simulated raters vote until every scene is decided or they have seen everything.

    They vote through the functions of the web pages and are marked as simulated for ever. Whether a picture is
    acceptable follows from a hash of the scene's name: in about 15 % of the scenes most find even the best unfit.
    """
    from study_app import clock
    from study_app.simulated_answers import RaterModel
    from study_app.simulated_raters import Simulation, simulate

    model = RaterModel(spread=spread, lapse=lapse)
    simulation = Simulation(raters, seed, model, strengths, trials)
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
