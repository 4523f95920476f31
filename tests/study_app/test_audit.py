"""The chain of the log: whole as it is written, broken by any change of any row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from study_app.migrations.append_only import RATER_STATE
from study_app.storage import audit
from study_app.storage.models import AuditEvent
from tests.study_app.scenery import START


@pytest.fixture
def three_events(catalog):
    """A log of three rows, written in two transactions."""
    with catalog.writing() as session:
        audit.record(session, "ada", "study-open", {"study": 1, "note": "ünï"}, START)
        audit.record(
            session, "bob", "exclude", {"rater": 3, "reason": "asked"}, START + timedelta(microseconds=7)
        )
    with catalog.writing() as session:
        audit.record(session, "ada", "study-close", {}, START + timedelta(hours=1))


@pytest.fixture
def unguarded(catalog):
    """The log without its triggers: what somebody with the database file could do."""
    assert "audit_event" in RATER_STATE
    with catalog.writing() as session:
        if session.get_bind().dialect.name == "sqlite":
            for action in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER audit_event_refuses_{action}"))
        else:
            session.execute(text("ALTER TABLE audit_event DISABLE TRIGGER USER"))


def test_an_untouched_log_is_whole(catalog, three_events):
    with catalog.reading() as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert [event.actor for event in events] == ["ada", "bob", "ada"]
        assert events[0].previous_hash == audit.FIRST_HASH
        assert events[2].previous_hash == events[1].hash
        assert audit.first_broken(session) is None


def test_an_empty_log_is_whole(catalog):
    with catalog.reading() as session:
        assert audit.first_broken(session) is None


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit_event SET actor = 'eve' WHERE action = 'exclude'", "exclude"),
        ("UPDATE audit_event SET action = 'restore' WHERE action = 'exclude'", "restore"),
        ("UPDATE audit_event SET detail = '{}' WHERE action = 'study-open'", "study-open"),
        (
            "UPDATE audit_event SET at = '2026-03-02 08:00:00.000000' WHERE action = 'study-open'",
            "study-open",
        ),
        ("DELETE FROM audit_event WHERE action = 'exclude'", "study-close"),
        ("DELETE FROM audit_event WHERE action = 'study-open'", "exclude"),
    ],
)
def test_a_change_is_found_where_it_was_made(catalog, three_events, statement, broken):
    with catalog.writing() as session:
        session.execute(text(statement))
    with catalog.reading() as session:
        found = audit.first_broken(session)
        assert found is not None
        assert found.action == broken
