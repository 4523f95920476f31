"""No vote is lost and none doubled, whatever the network and the rater do."""

from __future__ import annotations

import os
import time

import pytest
from playwright.sync_api import expect

from tests.study_app.screen.rating import (
    finish_by_keyboard,
    open_compare,
    votes,
    wait_until_open,
)

OFFLINE_SECONDS = float(os.environ.get("OFFLINE_SECONDS", "5"))  # the proof in full takes ten minutes
pytestmark = pytest.mark.timeout(60 + OFFLINE_SECONDS)


def test_a_while_offline_gives_one_vote(rating, catalog, figure):
    rated = rating()
    page = rated.open()
    rated.context.set_offline(True)
    finish_by_keyboard(page)
    expect(page.locator("#saved")).to_have_text("1 answer waiting")
    expect(page.locator("#waiting")).to_contain_text("Not saved yet")
    page.wait_for_timeout(1000 * OFFLINE_SECONDS)
    assert votes(catalog) == []
    rated.context.set_offline(False)
    start = time.monotonic()
    expect(page.locator("#where")).to_contain_text("Scene 2", timeout=40_000)
    assert len(votes(catalog)) == 1
    figure(
        f"offline for {OFFLINE_SECONDS:.0f} s: 1 vote, {time.monotonic() - start:.1f} s after the line was back"
    )


def test_a_vote_survives_the_tab(rating, catalog):
    rated = rating()
    page = rated.open()
    page.route("**/api/votes", lambda route: route.abort())
    finish_by_keyboard(page)
    expect(page.locator("#saved")).to_have_text("1 answer waiting")
    page.close()  # says it once more while leaving
    page = rated.open(until_open=False)  # the next page sends what waits, then asks for the next scene
    expect(page.locator("#where")).to_contain_text("Scene 2")
    assert len(votes(catalog)) == 1


def test_a_lost_acknowledgement_gives_one_vote(rating, catalog):
    page = rating().open()
    lost = []

    def lose_first(route):
        if lost:
            return route.continue_()
        lost.append(route.fetch().status)  # the server has it, the page never hears
        return route.abort()

    page.route("**/api/votes", lose_first)
    finish_by_keyboard(page)
    expect(page.locator("#where")).to_contain_text("Scene 2")
    assert lost == [201]
    assert len(votes(catalog)) == 1


def test_a_double_click_is_one_vote(rating, catalog):
    page = rating().open()
    page.locator("#step-decide").click()
    page.get_by_role("button", name="Cannot tell").click()
    page.get_by_role("button", name="Save and go on").dblclick()
    expect(page.locator("#where")).to_contain_text("Scene 2")
    wait_until_open(page)
    assert len(votes(catalog)) == 1


def test_a_reload_resumes_the_trial_with_its_marks(rating):
    page = rating().open()
    open_compare(page)
    page.keyboard.press("B")
    page.keyboard.press("1")
    page.keyboard.press("S")
    before = page.evaluate("study.screen.scene.assignment")
    page.reload()
    wait_until_open(page)
    assert page.evaluate("study.screen.scene.assignment") == before
    expect(page.locator(".cell:has([data-name=B]) .marks")).to_have_text("1st · Shortlisted")


def test_a_conflict_shows_what_is_stored(rating, catalog):
    rated = rating()
    page = rated.open()
    answer = '{"error": "x", "stored": {"kind": "choice", "picks": ["C", "A"]}}'
    page.route(
        "**/api/votes", lambda route: route.fulfill(status=409, content_type="application/json", body=answer)
    )
    finish_by_keyboard(page)
    expect(page.locator("#notice")).to_contain_text("The study keeps: C, A, best first.")


def test_a_lost_session_keeps_the_answer(rating):
    rated = rating()
    page = rated.open()
    rated.context.clear_cookies()
    finish_by_keyboard(page)
    expect(page.locator("#notice")).to_contain_text("open your invitation link again")
    expect(page.locator("#saved")).to_have_text("1 answer waiting")


def test_a_second_tab_is_told(rating):
    rated = rating()
    first = rated.open()
    second = rated.open(until_open=False)
    expect(second.locator("#notice")).to_contain_text("open in another tab")
    second.get_by_role("button", name="Go on here").click()
    expect(first.locator("#notice")).to_contain_text("This one rests")
