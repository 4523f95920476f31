"""The league table of the algorithms. Raters never see it, and no scene's result depends on it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint
from sqlalchemy.orm import Session

from study_app.counting.league_rows import scene_votes
from study_app.lab.recent_figures import RecentFigures
from study_app.lab.visits import catch_up, visit
from study_app.outcomes import plots
from study_app.statistics.league import LIVE_RESAMPLES, Standing, league_table
from study_app.storage.models import Study
from study_app.web.running_application import database

blueprint = Blueprint("algorithms", __name__)


@dataclass(frozen=True)
class League:
    """The table, and how many scenes it rests on."""

    standings: tuple[Standing, ...]
    scenes: int


def league(session: Session, study: Study) -> League:
    """Reads every vote of the study."""
    scenes = tuple(scene_votes(session, study))
    return League(league_table(scenes), sum(bool(scene.ballots) for scene in scenes))


leagues = RecentFigures(league)


@blueprint.get("/algorithms")
def page(study_id: str) -> str:
    """Shares of first picks, strengths and references won, by algorithm."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        told = leagues.of(session, here.study)
        standings = told.figures.standings
        return here.page(
            "lab/algorithms.html",
            told=told,
            standings=standings,
            scenes=told.figures.scenes,
            resamples=LIVE_RESAMPLES,
            strengths=_strength_plot(standings) if standings else None,
            shares=_share_plot(standings) if standings else None,
        )


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
