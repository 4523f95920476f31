"""Saving opens when all pictures are there, and closes when one is missing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from study_app.rating import trial_document
from tests.study_app.screen.rating import (
    open_compare,
    still,
    wait_until_open,
)

pytestmark = pytest.mark.timeout(60)


def test_saving_opens_visibly_after_the_seconds(rating, monkeypatch):
    monkeypatch.setattr(trial_document, "UNLOCK_SECONDS", 3)
    page = rating().open(until_open=False)
    expect(page.locator("#lock")).to_have_text("Saving opens in 2 s")
    page.locator("#step-decide").click()
    page.get_by_role("button", name="Cannot tell").click()
    expect(page.locator("#todo")).to_contain_text("Saving opens in")
    expect(page.get_by_role("button", name="Save and go on")).to_be_disabled()
    wait_until_open(page)
    expect(page.get_by_role("button", name="Save and go on")).to_be_enabled()


def test_a_failed_picture_locks_until_it_is_there(rating):
    rated = rating()
    rated.context.add_init_script(  # the pauses between two tries, not the patience with one
        """setTimeout = ((real) => (act, ms, ...rest) => real(act, ms > 5000 ? ms : Math.min(ms ?? 0, 50), ...rest))(
          setTimeout,
        )"""
    )
    broken: dict[str, Any] = {"id": None, "faults": []}

    def maybe_broken(route):
        name = route.request.url.split("/")[4]
        broken["id"] = broken["id"] or name
        return route.fulfill(status=503) if name == broken["id"] else route.continue_()

    rated.context.route("**/p/*/w480.jpg", maybe_broken)
    rated.context.on(
        "request", lambda request: "faults" in request.url and broken["faults"].append(request.post_data_json)
    )
    page = rated.open(until_open=False)
    expect(page.locator(".cell.failed .failure")).to_contain_text("could not be loaded")
    expect(page.locator("#lock")).to_contain_text("A picture is missing")
    assert [fault["image"] for fault in broken["faults"]] == [broken["id"]]
    page.locator("#step-decide").click()
    page.get_by_role("button", name="Technical fault").click()  # can be said while it is broken
    expect(page.get_by_role("button", name="Save and go on")).to_be_enabled()
    page.get_by_role("button", name="Technical fault").click()
    page.locator("#step-grid").click()
    broken["id"] = "nothing"
    page.get_by_role("button", name="Try again").click()
    wait_until_open(page)


def test_missing_tiles_lock_until_they_are_there(rating):
    rated = rating()
    broken = True
    rated.context.route(
        "**/p/*/*/*_*.jpg", lambda route: route.fulfill(status=503) if broken else route.continue_()
    )
    page = rated.open(until_open=False)
    expect(page.locator("#where")).to_contain_text("Scene 1")
    open_compare(page)
    expect(page.locator("#banner")).to_contain_text("Parts of picture A")
    expect(page.locator("#lock")).to_contain_text("A picture is missing")
    broken = False
    page.get_by_role("button", name="Try again").click()
    wait_until_open(page)
    still(page)
    assert page.evaluate("study.screen.stack.failed.size") == 0
