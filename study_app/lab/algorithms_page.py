"""The league table of the algorithms. Raters never see it, and no scene's result depends on it."""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint

from study_app.counting.league_rows import scene_votes
from study_app.lab.visits import catch_up, visit
from study_app.outcomes import plots
from study_app.statistics.league import LIVE_RESAMPLES, SceneVotes, Standing, league_table
from study_app.web.running_application import database

blueprint = Blueprint("algorithms", __name__)


@blueprint.get("/algorithms")
def page(study_id: str) -> str:
    """Shares of first picks, strengths and references won, by algorithm."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        scenes = tuple(scene_votes(session, here.study))
        standings = _table(scenes)
        return here.page(
            "lab/algorithms.html",
            standings=standings,
            scenes=sum(bool(scene.ballots) for scene in scenes),
            resamples=LIVE_RESAMPLES,
            strengths=_strength_plot(standings) if standings else None,
            shares=_share_plot(standings) if standings else None,
        )


@lru_cache(8)
def _table(scenes: tuple[SceneVotes, ...]) -> tuple[Standing, ...]:
    """The same votes give the same table: it is worked out once."""
    return league_table(scenes)


def _strength_plot(standings: tuple[Standing, ...]) -> plots.Plot:
    estimates = tuple(
        plots.Estimate(one.algorithm, one.strength, *one.strength_interval) for one in standings
    )
    return plots.intervals("Strength over all scenes", "strength (log scale, mean 0)", estimates)


def _share_plot(standings: tuple[Standing, ...]) -> plots.Plot:
    ordered = sorted(standings, key=lambda one: -one.share)
    estimates = []
    for one in ordered:
        low, high = one.share_interval
        estimates.append(plots.Estimate(one.algorithm, 100 * one.share, 100 * low, 100 * high))
    return plots.intervals("Share of first picks", "per cent of first picks", tuple(estimates), digits=1)
