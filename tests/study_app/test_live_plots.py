"""When the plots of the Live page are drawn again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study_app.lab import live_page
from study_app.lab.live_figures import LiveFigures, People
from study_app.lab.live_page import MANY, _Drawn, _plots
from study_app.statistics.rule import Rule
from study_app.storage.models import Study

FIGURES = LiveFigures(
    study_state="open", states=(("continue", 2),), scenes=2, settled=0, counted=20 * MANY, cannot_tell=0,
    technical=0, people=People(30, 3, 0, 0, 0), hours=(("10:00", 300),), certainties=(0.5, 0.7),
    forecast=None, last_answer=None, last_hour=300, taking_votes=2, wanting=(),
)  # fmt: skip
ONE_MORE = replace(FIGURES, counted=20 * MANY + 1, hours=(("10:00", 301),), certainties=(0.5, 0.71))


def drawn(figures: LiveFigures, study: str = "a") -> _Drawn:
    return _Drawn.of(Study(public_id=study), figures, Rule())


def test_one_vote_among_thousands_is_not_drawn() -> None:
    assert drawn(FIGURES) == drawn(ONE_MORE)
    assert _plots(drawn(FIGURES)) is _plots(drawn(ONE_MORE))


@pytest.mark.parametrize(
    "changed",
    [
        {"counted": round(20.5 * MANY)},
        {"states": (("accept", 1), ("continue", 1))},
        {"people": People(30, 3, 0, 1, 0)},
        {"hours": (("11:00", 0),)},
    ],
)
def test_all_else_is(changed: dict[str, object]) -> None:
    assert drawn(FIGURES) != drawn(replace(FIGURES, **changed))


def test_two_studies_have_plots_of_their_own() -> None:
    assert drawn(FIGURES) != drawn(FIGURES, "b")


def test_a_small_study_draws_every_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_page, "MANY", 30 * MANY)
    assert drawn(FIGURES) != drawn(ONE_MORE)
