"""The planner: how many raters, votes and hours a study needs under stated assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from flask import Blueprint, request
from sqlalchemy import func, select

from study_app.lab.numbers_typed import number_of
from study_app.lab.visits import visit
from study_app.statistics.planning import Assumptions, Plan, plan
from study_app.statistics.rule import PRESETS, Rule, rule_from_json
from study_app.storage.models import StudyScene
from study_app.web.running_application import database

RUNS = 25  # simulated scenes a gap: about two seconds
THIS_STUDY = "this study"
GAPS = (0.4, 0.8, 1.1, 2.0)
FIELDS = {
    "scenes": "Scenes",
    "item_count": "Candidates a scene",
    "spread": "Spread of the others (logit)",
    "lapse": "Share of slips",
    "picks": "Picks a rater makes (1 to 3)",
    "acceptable": "Share who accept no. 1",
    "seconds_per_trial": "Seconds a trial",
    "trials_per_person": "Trials a person",
}
WHOLE_NUMBERS = ("scenes", "item_count", "picks", "trials_per_person")

blueprint = Blueprint("planner", __name__)


@dataclass(frozen=True)
class Wish:
    """What the form says, as text."""

    rule: str
    fields: Mapping[str, str]
    gaps: Mapping[float, str]  # per cent of scenes, by gap

    def assumptions(self) -> Assumptions:
        """The numbers that are meant; ValueError names what is none or impossible."""
        values = {
            name: number_of(label, self.fields[name], int if name in WHOLE_NUMBERS else float)
            for name, label in FIELDS.items()
        }
        shares = {gap: number_of(f"Scenes with gap {gap:g}", text, float) for gap, text in self.gaps.items()}
        if min(shares.values()) < 0 or not sum(shares.values()):
            raise ValueError("Scenes by gap: shares of 0 or more expected, not all 0")
        gaps = tuple((gap, share / sum(shares.values())) for gap, share in shares.items() if share)
        return Assumptions(gaps=gaps, **values)  # type: ignore[arg-type]  # whole numbers where it says int


@blueprint.get("/planner")
def page(study_id: str) -> str:
    """The form, and the plan once it was sent."""
    with database().reading() as session:
        here = visit(session, study_id)
        rule = rule_from_json(here.study.rule_json)
        scenes = session.scalar(
            select(func.count()).where(StudyScene.study_id == here.study.id, StudyScene.role == "real")
        )
        wish = _wish(request.args, scenes or 1)
        made, problem = _plan(wish, rule) if request.args else (None, None)
        return here.page(
            "lab/planner.html",
            wish=wish,
            fields=FIELDS,
            rules=(THIS_STUDY, *PRESETS),
            plan=made,
            problem=problem,
        )


def _plan(wish: Wish, own: Rule) -> tuple[Plan | None, str | None]:
    try:
        return _worked_out(wish.assumptions(), PRESETS.get(wish.rule, own)), None
    except ValueError as error:
        return None, str(error)


@lru_cache(16)
def _worked_out(assumptions: Assumptions, rule: Rule) -> Plan:
    """The same assumptions give the same plan: it is simulated once."""
    return plan(assumptions, rule, runs=RUNS)


def _wish(query: Mapping[str, str], scenes: int) -> Wish:
    usual = Assumptions(scenes=scenes)
    return Wish(
        rule=query.get("rule", THIS_STUDY),
        fields={name: query.get(name, f"{getattr(usual, name):g}").strip() for name in FIELDS},
        gaps={gap: query.get(f"gap_{gap:g}", "25").strip() for gap in GAPS},
    )
