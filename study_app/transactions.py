"""One piece of writing work, tried again where two of them met."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from builder.catalog import Catalog

Result = TypeVar("Result")
TRIES = 6  # the first and five more
# PostgreSQL: serialization failure, deadlock, and a unique row that another transaction wrote meanwhile.
PASSING = ("40001", "40P01", "23505")

log = logging.getLogger(__name__)


def write(catalog: Catalog, work: Callable[[Session], Result]) -> Result:
    """Run `work` in one writing transaction and commit; again from its start where another got in its way.

    SQLite has one writer at a time, so nothing can: there every error is final. `work` must have no effect
    besides its session. Raises what the last try raised.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            with catalog.writing() as session:
                return work(session)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in PASSING or not tries_left:
                raise
            log.info("a transaction met another one, %d tries left: %s", tries_left, error.orig)
    raise AssertionError("unreachable: the last try returns or raises")
