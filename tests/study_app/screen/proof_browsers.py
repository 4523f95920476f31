"""Proof test 7 beyond CI: how long a switch takes, and the same screen in Firefox. Times are printed, not judged.

Run by `python -m tests.study_app.proof browsers`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.study_app.screen.firefox import Firefox, launched_firefox
from tests.study_app.screen.rating import (
    OPEN,
    SWITCH_TIMES,
    assign_bay,
    cropped,
    decoded,
    open_compare,
    require_exact,
    votes,
    wait_until_sharp,
)
from tests.study_app.servers import NotHere

pytestmark = pytest.mark.timeout(180)
RATIOS = (1, 1.25, 2)
ENTER = "\ue007"
ALL_SHARP = "const s = study.screen.stack; for (const name of s.names) await s.whenSharp(name);"
STAGE = """const { x, y, width, height } = document.querySelector("#stage").getBoundingClientRect();
           return { x, y, width, height };"""


def told(times: list[float]) -> str:
    """Figures of a series of switches."""
    return f"{len(times)} switches, median {statistics.median(times):.0f} ms, longest {max(times):.0f} ms (goal 50)"


@pytest.mark.parametrize("dpr", RATIOS)
def test_a_switch_in_chromium(rating, catalog, study, rater, figure, dpr):
    assign_bay(catalog, study, rater)
    page = rating(dpr=dpr, width=1600, height=900).open()
    open_compare(page)
    wait_until_sharp(page)
    times = page.evaluate(f"async () => {{ {SWITCH_TIMES} }}")
    assert len(times) > 10
    figure(f"chromium at {dpr} device pixels per CSS pixel: {told(times)}")


@pytest.fixture
def firefox(
    tmp_path: Path, app, address: str, rater, catalog, study, unlock_seconds
) -> Callable[[float], Any]:
    """`with firefox(dpr) as window`: before the scene with thirteen pictures, saving open."""

    @contextmanager
    def opened(dpr: float) -> Iterator[Firefox]:
        assign_bay(catalog, study, rater)
        cookie = app.session_interface.get_signing_serializer(app).dumps({"rater": rater.public_id})
        try:
            with launched_firefox(tmp_path, dpr) as window:
                window.open(f"{address}/healthz")
                window.ask("WebDriver:AddCookie", {"cookie": {"name": "study", "value": cookie}})
                window.open(f"{address}/trial")
                window.wait_for(f"document.querySelector('#lock').textContent === {OPEN!r}")
                window.wait_for("study.screen.stack.names.length")
                yield window
        except NotHere as error:
            pytest.skip(str(error))

    return opened


def compare(window: Firefox) -> None:
    """From all pictures to one at a time, all sharp."""
    window.press(ENTER)
    window.wait_for("study.screen.mode === 'compare'")
    window.evaluate(ALL_SHARP)


@pytest.mark.parametrize("dpr", RATIOS)
def test_a_switch_in_firefox_moves_nothing(firefox, figure, dpr):
    with firefox(dpr) as window:
        compare(window)
        window.press("+")
        window.evaluate("await study.screen.stack.whenStill()")
        window.evaluate(ALL_SHARP)
        before = window.evaluate("return study.screen.stack.corners()")
        for key in ("b", "m", "o", "a"):
            window.press(key)
            window.evaluate("await study.screen.stack.whenStill()")
            after = window.evaluate("return study.screen.stack.corners()")
            assert np.abs(np.subtract(after, before)).max() < 0.5
        moved = np.abs(np.subtract(after, before)).max()
        times = window.evaluate(SWITCH_TIMES)
        assert len(times) > 10
        version = window.evaluate("return navigator.userAgent").rpartition("/")[2]
        figure(f"Firefox {version} at {dpr}: moved by {moved:.6f} px; {told(times)}")


@pytest.mark.parametrize("dataset", ["boards"], indirect=True)
@pytest.mark.parametrize("dpr", RATIOS)
def test_one_to_one_is_exact_in_firefox(firefox, dataset, figure, dpr):
    with firefox(dpr) as window:
        assert window.evaluate("return devicePixelRatio") == dpr
        compare(window)
        window.press("p")
        window.evaluate("await study.screen.stack.whenStill()")
        expected = decoded(next((dataset / "previews/bay").iterdir()))
        seen = cropped(window.screenshot(), window.evaluate(STAGE), dpr)
        require_exact(seen, window.evaluate("return study.screen.stack.corners()[0]"), dpr, expected)
        figure(f"Firefox at {dpr}: the checkerboard is exact at 1:1")


def test_a_trial_by_keyboard_in_firefox(firefox, catalog, figure):
    with firefox(1) as window:
        compare(window)
        window.press("b")
        window.press("1")
        window.press(ENTER)
        window.wait_for("study.screen.mode === 'decide'")
        window.press("y")
        window.press(ENTER, control=True)
        window.wait_for("document.querySelector('#where').textContent.includes('Scene 2 ')")
        (vote,) = votes(catalog)
        assert vote.acceptable is True
        figure("Firefox: a trial by keyboard, 1 vote")
