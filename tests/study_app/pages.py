"""What the tests of the raters' pages share: a clock under their hand, and reading answers."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select
from werkzeug.test import TestResponse

from builder.catalog import Catalog
from study_app.preparation.invites import make_invite, revoke_invite
from study_app.storage.models import Study
from tests.study_app.conftest import SECRET
from tests.study_app.scenery import START

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CODE = re.compile(r"[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}")


class Watch:
    """The study's clock under the test's hand."""

    def __init__(self) -> None:
        self.time = START + MINUTE

    def __call__(self) -> datetime:
        return self.time


def link_maker(catalog: Catalog, study: Study) -> Callable[..., str]:
    """Makes invitations: `link(is_personal=True)` gives the path of a link."""

    def make(
        *, is_personal: bool = False, max_uses: int | None = None, days: int = 7, is_revoked: bool = False
    ) -> str:
        with catalog.writing() as session:
            invite, token = make_invite(
                session,
                session.get_one(Study, study.id),
                SECRET,
                label="",
                is_personal=is_personal,
                is_expert=False,
                max_uses=max_uses or (1 if is_personal else 300),
                expires_at=START + days * DAY,
                at=START,
            )
            if is_revoked:
                revoke_invite(session, invite, START)
        return f"/join/{token}"

    return make


def path_of(answer: TestResponse) -> str:
    """Where an answer sends the browser."""
    return urlsplit(str(answer.location)).path


def count(catalog: Catalog, table: Any) -> int:
    """Rows of a table."""
    with catalog.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def the_only(catalog: Catalog, table: Any) -> Any:
    """The one row of a table."""
    with catalog.reading() as session:
        return session.scalars(select(table)).one()


def text_of(answer: TestResponse) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def right_answers(page: str) -> dict[str, str]:
    """What somebody with good eyes answers to the patterns drawn on the page of the display check."""
    found = re.search(r'data-patterns="([^"]+)"', page)
    tried = re.search(r'name="tried" value="(\d+)"', page)
    assert found
    assert tried
    drawn = json.loads(html.unescape(found.group(1)))
    return {
        "upright": str(sum(drawn["upright"])),
        "dark": str(sum(level > 0 for level in drawn["dark"])),
        "bright": str(sum(level < 255 for level in drawn["bright"])),
        "tried": tried.group(1),
    }
