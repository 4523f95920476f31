"""The log of what experimenters did, as a chain: each row's hash covers its content and the hash before it.

Whoever changes, removes or slips in a row breaks the chain; who remembers the newest hash also notices rows cut off
at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from study_app.storage.models import AuditEvent

FIRST_HASH = "0" * 64  # what the first row refers to
_CHAIN_LOCK = 7_302_513  # any number that no other use of advisory locks has


def record(session: Session, actor: str, action: str, detail: Mapping[str, Any], at: datetime) -> AuditEvent:
    """Append an event; needs a writing transaction, in which no other event comes between."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CHAIN_LOCK})
    newest = session.scalars(select(AuditEvent.hash).order_by(AuditEvent.id.desc()).limit(1)).first()
    event = AuditEvent(
        at=at, actor=actor, action=action, detail=dict(detail), previous_hash=newest or FIRST_HASH
    )
    event.hash = event_hash(event)
    session.add(event)
    session.flush()
    return event


def event_hash(event: AuditEvent) -> str:
    """SHA-256 of the event's canonical JSON; the row's number is left out, the hash before it stands for the place."""
    content = {
        "at": event.at.isoformat(timespec="microseconds"),
        "actor": event.actor,
        "action": event.action,
        "detail": event.detail,
        "previous": event.previous_hash,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def first_broken(session: Session) -> AuditEvent | None:
    """The first event whose content or predecessor is not what its hash says; None if the chain is whole."""
    previous = FIRST_HASH
    for event in session.scalars(select(AuditEvent).order_by(AuditEvent.id)):
        if event.previous_hash != previous or event.hash != event_hash(event):
            return event
        previous = event.hash
    return None
