"""Triggers that keep what was written: votes while their rater is there, records for ever.

They stand apart from the migrations, which run without them (`changeable`): SQLite cannot make a table anew while
triggers name it. Whoever changes them adds a migration, be it an empty one, so that existing databases get them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

# table -> query for the state of the rater whose row OLD is; no query: nobody may ever change the rows
RATER_STATE = {
    "vote": (
        "SELECT rater.state FROM rater JOIN assignment ON assignment.rater_id = rater.id "
        "WHERE assignment.id = OLD.assignment_id"
    ),
    "vote_pick": (
        "SELECT rater.state FROM rater JOIN assignment ON assignment.rater_id = rater.id "
        "JOIN vote ON vote.assignment_id = assignment.id WHERE vote.id = OLD.vote_id"
    ),
    "look": None,
    "decision": None,
    "exclusion": None,
    "audit_event": None,
}
SQLITE_TRIGGERS = {"refuses_update": "UPDATE", "refuses_delete": "DELETE"}
POSTGRESQL_TRIGGERS = {
    "refuses_change": "UPDATE OR DELETE ON {} FOR EACH ROW",
    "refuses_truncate": "TRUNCATE ON {} FOR EACH STATEMENT",
}


@contextmanager
def changeable(connection: Connection) -> Iterator[None]:
    """Lift the triggers for a migration, in its transaction, and put them back as they are here."""
    lift, keep = {
        "sqlite": (_lift_sqlite, _keep_sqlite),
        "postgresql": (_lift_postgresql, _keep_postgresql),
    }[connection.dialect.name]
    for table in RATER_STATE:
        for statement in lift(table):
            connection.exec_driver_sql(statement)
    yield
    for table, rater_state in RATER_STATE.items():
        for statement in keep(table, rater_state):
            connection.exec_driver_sql(statement)


def _message(table: str) -> str:
    return f"{table} is append-only: add a row instead"


def _lift_sqlite(table: str) -> Iterator[str]:
    for name in SQLITE_TRIGGERS:
        yield f"DROP TRIGGER IF EXISTS {table}_{name}"


def _keep_sqlite(table: str, rater_state: str | None) -> Iterator[str]:
    unless_erasing = f"WHEN ({rater_state}) IS NOT 'erasing'" if rater_state else ""
    for name, action in SQLITE_TRIGGERS.items():
        yield (
            f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} {unless_erasing} "
            f"BEGIN SELECT RAISE(ABORT, '{_message(table)}'); END"
        )


def _lift_postgresql(table: str) -> Iterator[str]:
    for name in POSTGRESQL_TRIGGERS:
        yield f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}"


def _keep_postgresql(table: str, rater_state: str | None) -> Iterator[str]:
    refuse = f"RAISE EXCEPTION '{_message(table)}' USING ERRCODE = 'restrict_violation';"
    allowed = f"TG_LEVEL = 'ROW' AND ({rater_state}) = 'erasing'" if rater_state else "false"
    yield (
        f"CREATE OR REPLACE FUNCTION {table}_keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {allowed} THEN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END IF; {refuse} END $$"
    )
    for name, when in POSTGRESQL_TRIGGERS.items():
        yield f"CREATE TRIGGER {table}_{name} BEFORE {when.format(table)} EXECUTE FUNCTION {table}_keeps()"
