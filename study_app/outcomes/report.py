"""The report: one HTML page without anything outside it, so that it can be kept and sent as it is."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import metadata
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app import clock
from study_app.counting.conduct import choices
from study_app.counting.league_rows import scene_votes
from study_app.outcomes import plots
from study_app.outcomes.deciding import SceneVerdict, scene_verdicts
from study_app.outcomes.report_figures import (
    INFORMAL_BELOW,
    Agreement,
    agreement,
    counted_choices,
    displays,
    exclusions,
    people,
)
from study_app.outcomes.verdicts import results_hash
from study_app.statistics.league import REPORT_RESAMPLES, Standing, league_table
from study_app.statistics.rule import Rule, rule_from_json
from study_app.storage.models import AuditEvent, Study

PACKAGES = ("contrast-foundry", "numpy", "scipy", "sqlalchemy")


@dataclass(frozen=True)
class Versions:
    """What computed the report."""

    python: str
    packages: tuple[tuple[str, str], ...]
    results: str  # hash of all verdicts
    audit: str  # newest hash of the audit log's chain


def report_html(
    session: Session, study: Study, at: datetime | None = None, *, resamples: int = REPORT_RESAMPLES
) -> str:
    """The page; `at` is the time that it says it was made, by default now."""
    found = scene_verdicts(session, study)
    given = choices(session, study)
    counted = counted_choices(found, given)
    standings = league_table(scene_votes(session, study), resamples=resamples)
    agreed = agreement(found, given, counted)
    return _template().render(
        study=study,
        at=at or clock.now(),
        rule=rule_from_json(study.rule_json),
        rule_rows=_rule_rows(rule_from_json(study.rule_json)),
        people=people(session, study, counted),
        informal_below=INFORMAL_BELOW,
        displays=displays(session, study),
        exclusions=exclusions(session, study),
        agreement=agreed,
        states=sorted(Counter(one.state for one in found).items()),
        scenes=found,
        pictures=_range([len(one.algorithms) for one in found]),
        simulated=any(one.verdict.simulated for one in found),
        standings=standings,
        resamples=resamples,
        drawings=_drawings(standings, agreed),
        versions=_versions(session, found),
    )


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("study_app"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(figure=_figure, share=_share, moment=_moment)
    return environment.get_template("report.html")


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _moment(value: datetime | None) -> str:
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def _range(counts: list[int]) -> str:
    """ "13", "2 to 13", or "–" for nothing."""
    ends = sorted({min(counts, default=0), max(counts, default=0)})
    return " to ".join(str(end) for end in ends) if counts else "–"


def _rule_rows(rule: Rule) -> list[tuple[str, object]]:
    return sorted(asdict(rule).items())


def _drawings(standings: tuple[Standing, ...], agreed: Agreement) -> dict[str, Markup]:
    """SVG made here, of numbers and of names that SVG escapes."""
    made = {}
    if standings:
        lines = tuple(
            plots.Estimate(one.algorithm, one.strength, *one.strength_interval) for one in standings
        )
        made["league"] = plots.intervals("Strength by algorithm", "strength (logit)", lines)
    if agreed.bias is not None:
        letters = tuple(chr(ord("A") + place) for place in range(len(agreed.bias.observed)))
        made["bias"] = plots.against_expected(
            "First picks by position",
            ("position", "seen", "expected"),
            letters,
            tuple(float(count) for count in agreed.bias.observed),
            agreed.bias.expected,
        )
    return {name: Markup(plot.svg) for name, plot in made.items()}


def _versions(session: Session, found: list[SceneVerdict]) -> Versions:
    newest = session.scalars(select(AuditEvent.hash).order_by(AuditEvent.id.desc()).limit(1)).first()
    return Versions(
        python=platform.python_version(),
        packages=tuple((name, metadata.version(name)) for name in PACKAGES),
        results=results_hash([one.verdict for one in found]),
        audit=newest or "",
    )
