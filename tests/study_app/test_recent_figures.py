"""Figures that are kept: slow ones only, never past a change by an experimenter, never for long."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from builder.catalog import Catalog
from study_app import clock
from study_app.lab import recent_figures
from study_app.lab.recent_figures import FRESH, OLDEST, Dated, RecentFigures
from study_app.storage import audit
from study_app.storage.models import Study
from tests.study_app.conftest import StudyClient
from tests.study_app.lab_visitors import add_experimenter, raters_of
from tests.study_app.scenery import RaterFactory


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """Append to it, and the clock goes on."""
    later: list[timedelta] = []
    true = clock.now
    monkeypatch.setattr(clock, "now", lambda: true() + sum(later, timedelta()))
    return later


class Counting:
    """Figures that count how often they were made."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, session: Session, study: Study) -> int:
        assert session.scalar(select(Study.id)) == study.id  # it can read
        self.made += 1
        return self.made


@pytest.fixture
def look(app: Flask, catalog: Catalog, study: Study):
    """Visit the figures; what the visitor sees."""
    figures = RecentFigures(Counting())

    def visit() -> Dated[int]:
        with app.app_context(), catalog.reading() as session:
            return figures.of(session, session.get_one(Study, study.id))

    return visit


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_figures, "QUICK_SECONDS", -1.0)


def wait_for_the_thread() -> None:
    for thread in threading.enumerate():
        if thread.name == "recent-figures":
            thread.join()


def test_quick_figures_are_of_this_moment(look) -> None:
    assert [look().figures for _ in range(3)] == [1, 2, 3]
    assert not look().is_kept


@pytest.mark.usefixtures("slow")
def test_slow_ones_are_kept_and_say_so(look) -> None:
    first, second = look(), look()
    assert (first.figures, first.is_kept) == (1, False)
    assert (second.figures, second.is_kept) == (1, True)
    assert second.at == first.at


@pytest.mark.usefixtures("slow")
def test_a_change_by_an_experimenter_shows_at_once(look, catalog: Catalog) -> None:
    look()
    with catalog.writing() as session:
        audit.record(session, "ben", "exclude rater", {}, clock.now())
    assert look().figures == 2


@pytest.mark.usefixtures("slow")
def test_old_ones_are_shown_while_a_thread_makes_the_next(look, moved: list[timedelta]) -> None:
    look()
    moved.append(FRESH)
    assert look().figures == 1
    wait_for_the_thread()
    assert look().figures == 2


@pytest.mark.usefixtures("slow")
def test_after_a_long_silence_the_visitor_waits(look, moved: list[timedelta]) -> None:
    look()
    moved.append(OLDEST)
    assert (look().figures, look().is_kept) == (2, True)


@pytest.mark.usefixtures("slow")
def test_a_thread_that_fails_is_tried_again(look, moved, monkeypatch: pytest.MonkeyPatch) -> None:
    look()
    moved.append(FRESH)
    failures: list[type[BaseException]] = []
    with monkeypatch.context() as broken:
        broken.setattr(Counting, "__call__", lambda *_: 1 / 0)
        broken.setattr(threading, "excepthook", lambda failed: failures.append(failed.exc_type))
        assert look().figures == 1
        wait_for_the_thread()
    assert failures == [ZeroDivisionError]
    assert look().figures == 1
    wait_for_the_thread()
    assert look().figures == 2


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("page", ["raters", "algorithms"])
def test_pages_say_of_when_kept_figures_are(
    client: StudyClient, catalog: Catalog, study: Study, new_rater: RaterFactory, page: str
) -> None:
    raters_of(new_rater, 1)
    client.sign_in_experimenter(add_experimenter(catalog, "analyst"))
    first, second = (client.get(f"/lab/studies/{study.public_id}/{page}").text for _ in range(2))
    assert "Figures of <time" not in first
    assert "Figures of <time" in second
