"""Experimenters and votes for the tests of the laboratory."""

from __future__ import annotations

from collections.abc import Callable

from builder.catalog import Catalog
from study_app.counting import tally
from study_app.storage.models import Experimenter, Rater, Study
from tests.study_app.scenery import START, RaterFactory, add_vote, scenes_of

Enter = Callable[..., None]


def add_experimenter(catalog: Catalog, role: str, *, name: str | None = None) -> int:
    """An account that no password opens; its id."""
    with catalog.writing() as session:
        account = Experimenter(name=name or f"the {role}", role=role, password_hash="none", created_at=START)
        session.add(account)
        session.flush()
        return account.id


def vote_everywhere(
    catalog: Catalog, study: Study, raters: list[Rater], *, scenes: int | None = None, **options: object
) -> None:
    """Every rater answers the first `scenes` scenes: mostly the first picture, some the second; all is evaluated."""
    with catalog.writing() as session:
        for scene in scenes_of(session, study)[:scenes]:
            for number, rater in enumerate(raters):
                first = 1 if number % 4 == 3 else 0
                add_vote(session, rater, scene, [first, 1 - first], **options)  # type: ignore[arg-type]
            tally.refresh_scene(session, scene, START)


def raters_of(new_rater: RaterFactory, count: int, **columns: object) -> list[Rater]:
    """So many raters who passed everything."""
    return [new_rater(**columns) for _ in range(count)]
