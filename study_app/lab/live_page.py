"""The Live page: how the study runs, now. The page and the fragment that it polls show the same figures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from flask import Blueprint, Response, render_template
from markupsafe import Markup
from sqlalchemy.orm import Session

from study_app import clock
from study_app.keeping.backup import backups
from study_app.lab.fragments import etag_of, fragment
from study_app.lab.invitations_page import links
from study_app.lab.live_figures import LiveFigures, live_figures
from study_app.lab.visits import Visit, catch_up, permissions, visit
from study_app.outcomes import plots
from study_app.statistics.rule import Rule, rule_from_json
from study_app.storage.models import Study
from study_app.web.running_application import database, settings

MANY = 1000  # answers

blueprint = Blueprint("live", __name__)


@dataclass(frozen=True)
class Shown:
    """All that the page depends on."""

    figures: LiveFigures
    rule: Rule
    backup: datetime | None
    link: str | None  # to send to raters; only for those who may make links

    def tag(self, here: Visit) -> str:
        """Changes when the page would."""
        return etag_of(self, here.study.title, here.experimenter.role)

    def draw(self, here: Visit) -> Markup:
        """The part of the page that changes."""
        drawn = render_template(
            "lab/live_fragment.html", figures=self.figures, backup=self.backup, link=self.link,
            plots=_plots(_Drawn.of(here.study, self.figures, self.rule)), study=here.study,
            **permissions(here.experimenter),
        )  # fmt: skip
        return Markup(drawn)


@blueprint.get("/")
def page(study_id: str) -> str:
    """The whole page."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        shown = _shown(session, here)
        return here.page("lab/live.html", tag=shown.tag(here), fragment=shown.draw(here))


@blueprint.get("/fragment")
def refreshed(study_id: str) -> Response:
    """The part of the page that changes, or 304."""
    catch_up(study_id)
    with database().reading() as session:
        here = visit(session, study_id)
        shown = _shown(session, here)
        return fragment(shown.tag(here), lambda: shown.draw(here))


def _shown(session: Session, here: Visit) -> Shown:
    at, rule = clock.now(), rule_from_json(here.study.rule_json)
    open_links = (one.address for one in links(session, here.study, at) if one.state == "valid")
    may_send = here.study.state == "open" and permissions(here.experimenter)["may_prepare"]
    made = backups(settings().data)
    backup = datetime.fromtimestamp(made[-1].stat().st_mtime, UTC).replace(tzinfo=None) if made else None
    return Shown(
        live_figures(session, here.study, rule, at),
        rule,
        backup,
        next(open_links, None) if may_send else None,
    )


@dataclass(frozen=True)
class _Drawn:
    """What the plots show; equal where nobody would see a difference.

    A drawing takes longer than all figures of the page, and one vote more among thousands moves no bar by a pixel:
    from MANY answers on it is drawn again for each hundredth more, and at once where anything but votes changes.
    """

    figures: LiveFigures = field(compare=False)
    rule: Rule
    study: str
    shown: tuple[object, ...]

    @classmethod
    def of(cls, study: Study, figures: LiveFigures, rule: Rule) -> _Drawn:
        answers = figures.counted + figures.cannot_tell + figures.technical
        if answers < MANY:
            return cls(figures, rule, study.public_id, (figures.certainties, figures.hours))
        hours = tuple(hour for hour, _ in figures.hours)
        others = (figures.states, figures.people.excluded, hours)
        return cls(figures, rule, study.public_id, (*others, int(100 * math.log(answers))))


@lru_cache(16)
def _plots(drawn: _Drawn) -> dict[str, plots.Plot] | None:
    figures = drawn.figures
    if not figures.certainties:
        return None
    labels, counts = zip(*figures.hours, strict=True)
    return {
        "certainty": plots.certainty_histogram(
            "Certainty of the leaders", figures.certainties, drawn.rule.p_best
        ),
        "pace": plots.bars("Answers per hour", ("hour", "answers"), labels, counts),
    }
