"""The audit log: what experimenters did, and whether the chain of hashes is whole."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from sqlalchemy import select

from study_app.lab.visits import MAY_DECIDE, permissions
from study_app.storage import audit
from study_app.storage.models import AuditEvent
from study_app.web.identity import require_experimenter
from study_app.web.running_application import database

SHOWN = 200

blueprint = Blueprint("audit_log", __name__)


@blueprint.get("/audit")
def page() -> str:
    """The newest events, or those before `?before=ID`."""
    before = request.args.get("before", type=int)
    with database().reading() as session:
        who = require_experimenter(session, *MAY_DECIDE)
        query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(SHOWN)
        events = session.scalars(query if before is None else query.where(AuditEvent.id < before)).all()
        older = events[-1].id if len(events) == SHOWN else None
        intact = audit.first_broken(session) is None
        return render_template(
            "lab/audit_log.html", events=events, older=older, intact=intact, **permissions(who)
        )
