"""Proof test 3 where CI has but its HTTP cases: what people and their browsers do, each time one vote.

Run by `python -m tests.study_app.proof faults`, which lets test_lost_connections.py stay offline for minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from study_app import clock
from tests.study_app.screen.rating import finish_by_keyboard, votes, wait_until_open

pytestmark = pytest.mark.timeout(120)


def test_twenty_clicks_and_a_held_key(rating, catalog, figure):
    page = rating().open()
    page.evaluate(
        """() => { const send = document.querySelector("#submit"), press = send.click.bind(send);
                   addEventListener("keyup", () => { for (let i = 0; i < 20; i++) press(); }, { once: true }); }"""
    )
    finish_by_keyboard(page)
    for _ in range(20):
        page.keyboard.press("Control+Enter")
    expect(page.locator("#where")).to_contain_text("Scene 2")
    wait_until_open(page)
    assert len(votes(catalog)) == 1
    figure("20 clicks and 20 key presses: 1 vote")


def test_two_tabs_that_both_answer(rating, catalog, figure):
    rated = rating()
    first = rated.open()
    second = rated.open(until_open=False)
    second.get_by_role("button", name="Go on here").click()
    second.wait_for_load_state()
    wait_until_open(second)
    finish_by_keyboard(second)
    expect(second.locator("#where")).to_contain_text("Scene 2")
    first.get_by_role("button", name="Go on here").click()
    expect(first.locator("#where")).to_contain_text("Scene 2")
    assert len(votes(catalog)) == 1
    figure("two tabs, answered in the second, gone on in the first: 1 vote")


def test_back_and_forward(rating, catalog, figure):
    rated = rating()
    page = rated.open()
    finish_by_keyboard(page)
    expect(page.locator("#where")).to_contain_text("Scene 2")
    page.goto("about:blank")
    page.go_back()
    expect(page.locator("#where")).to_contain_text("Scene 2")
    page.go_forward()
    page.go_back()
    wait_until_open(page)
    assert len(votes(catalog)) == 1
    finish_by_keyboard(page)
    expect(page.locator("#where")).to_contain_text("Scene 3")
    assert len({vote.assignment_id for vote in votes(catalog)}) == len(votes(catalog)) == 2
    figure("back, forward, back, and on: 2 scenes, 2 votes")


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_a_day_wrong(rating, catalog, figure, days):
    page = rating().open()
    page.clock.set_system_time(datetime.now().astimezone() + timedelta(days=days))
    finish_by_keyboard(page)
    expect(page.locator("#where")).to_contain_text("Scene 2")
    (vote,) = votes(catalog)
    assert vote.client_at is not None
    assert abs(vote.client_at - vote.server_at - timedelta(days=days)) < timedelta(minutes=5)
    assert abs(clock.now() - vote.server_at) < timedelta(minutes=5)
    figure(f"the browser's clock {days:+d} day: 1 vote, the server's own time beside the browser's")


def test_the_same_answer_again_and_in_another_order(rating, catalog, figure):
    """What the page sent is sent twice more, the second scene's answer before the first one's."""
    page = rating().open()
    sent = []
    page.on("request", lambda one: one.url.endswith("/api/votes") and sent.append(one))
    for number in (2, 3):
        finish_by_keyboard(page)
        expect(page.locator("#where")).to_contain_text(f"Scene {number}")
        wait_until_open(page)
    statuses = []
    for request in [*reversed(sent), *sent]:
        headers = {name: value for name, value in request.headers.items() if not name.startswith("sec-")}
        again = page.request.post(request.url, data=request.post_data, headers=headers)
        statuses.append(again.status)
    assert statuses == [200] * 4
    assert len(votes(catalog)) == 2
    figure("two answers replayed twice each, in both orders: 2 votes, four times 200")
