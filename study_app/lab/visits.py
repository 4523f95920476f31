"""What every page of a study needs: who is signed in, which study, and whether simulated raters took part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort, render_template
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app import clock
from study_app.counting import tally
from study_app.storage.models import Experimenter, Rater, Study
from study_app.web.identity import require_experimenter
from study_app.web.running_application import database

MAY_PREPARE = ("admin",)  # studies, invitations, accounts
MAY_DECIDE = ("admin", "analyst")  # exclusions, void scenes, experts, data files, audit log


@dataclass(frozen=True)
class Visit:
    """One request of an experimenter to a page of one study."""

    experimenter: Experimenter
    study: Study
    raters: int
    simulated: int  # of them: their votes are never people's, and every page says so

    def page(self, template: str, **values: Any) -> str:
        """The page inside the frame of this study."""
        return render_template(
            template, visit=self, study=self.study, **permissions(self.experimenter), **values
        )


def visit(session: Session, study_id: str, *roles: str) -> Visit:
    """This request's visit; 401 where nobody is signed in, 404 for another role or an unknown study."""
    experimenter = require_experimenter(session, *roles)
    study = session.scalar(select(Study).where(Study.public_id == study_id))
    if study is None:
        abort(404)
    raters, simulated = session.execute(
        select(func.count(), func.count().filter(Rater.simulated)).where(Rater.study_id == study.id)
    ).one()
    return Visit(experimenter, study, raters, simulated)


def catch_up(study_id: str) -> None:
    """Let the cached figures see every vote, should the statistics after one have failed; needs a sign-in too."""
    with database().reading() as session:
        key = visit(session, study_id).study.id
    tally.refresh_stale(database(), key, clock.now())


def permissions(experimenter: Experimenter) -> dict[str, Any]:
    """What templates ask before they show a form; the views ask again."""
    return {
        "experimenter": experimenter,
        "may_prepare": experimenter.role in MAY_PREPARE,
        "may_decide": experimenter.role in MAY_DECIDE,
    }
