"""The one clock of the study: UTC without zone, as the tables store it. Tests move it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current time in UTC, without zone, to the microsecond."""
    return datetime.now(UTC).replace(tzinfo=None)
