"""Looking closer: peek, blink, exposures, points, undo; and that a picture travels once."""

from __future__ import annotations

import pytest
from flask import request
from playwright.sync_api import expect

from tests.study_app.screen.rating import assign_bay, finish_by_keyboard, open_compare, still, wait_until_open

pytestmark = pytest.mark.timeout(60)


def test_keys_for_looking(rating, catalog, study, rater):
    assign_bay(catalog, study, rater)
    page = rating().open()
    room, letter = page.locator("#room"), page.locator("#letter")
    page.keyboard.down("c")  # a look at full size, as long as the key is down
    expect(room).to_have_attribute("data-mode", "peek")
    expect(letter).to_have_text("C")
    page.keyboard.up("c")
    expect(room).to_have_attribute("data-mode", "grid")
    page.keyboard.press("ArrowRight")
    open_compare(page)
    expect(letter).to_have_text("D")
    page.keyboard.press("F")
    page.keyboard.down("z")
    expect(letter).to_have_text("D")
    page.keyboard.press("s")  # a mark is meant for the picture chosen, not for the one passing by
    page.keyboard.up("z")
    expect(letter).to_have_text("F")
    assert page.evaluate("study.screen.choice.state.shortlist") == ["F"]
    page.keyboard.press("o")
    page.keyboard.press("o")
    expect(page.locator("#now-text")).to_contain_text("Exposure 3 of 3")
    page.keyboard.press("1")  # an exposure cannot be picked
    assert page.evaluate("study.screen.choice.state.places") == [None, None, None]
    page.keyboard.press("f")
    page.keyboard.press("n")
    still(page)
    expect(page.locator("#point")).to_have_text("Point 1 of 2")
    view = page.evaluate("study.screen.stack.window")
    assert view["x"] + view["width"] / 2 == pytest.approx(0.25, abs=0.01)
    assert view["y"] + view["height"] / 2 == pytest.approx(0.5, abs=0.01)


def test_marks_move_and_come_back(rating, catalog, study, rater):
    assign_bay(catalog, study, rater)
    page = rating().open()
    open_compare(page)

    def places():
        return page.evaluate("study.screen.choice.state.places")

    page.keyboard.press("Shift+C")
    page.keyboard.press("Shift+D")
    page.keyboard.press("d")
    page.keyboard.press("1")  # they change places
    assert places() == ["D", "C", None]
    page.keyboard.press("Enter")
    page.keyboard.press("y")
    page.get_by_role("button", name="Take D out of place 1").click()
    assert places() == [None, "C", None]
    expect(page.locator("#todo")).to_contain_text("Put the best picture in place 1")
    page.keyboard.press("u")
    assert places() == ["D", "C", None]
    expect(page.locator("#todo")).to_have_text("Ready to save.")  # the answer about D came back with it
    page.keyboard.press("Escape")
    for key in ("g", "s", "k", "s", "b", "x", "."):
        page.keyboard.press(key)
    expect(page.locator("#letter")).to_have_text("G")
    page.keyboard.press(",")
    expect(page.locator("#letter")).to_have_text("K")
    expect(page.get_by_role("button", name="Picture K, Shortlisted")).to_be_visible()
    expect(page.get_by_role("button", name="Picture B, Dismissed")).to_be_visible()


def test_a_picture_travels_once(rating, app):
    paths = []
    app.before_request(lambda: paths.append(request.path))
    page = rating().open()
    finish_by_keyboard(page)
    expect(page.locator("#where")).to_contain_text("Scene 2")
    wait_until_open(page)
    shown = page.evaluate("study.screen.scene.images.map(({ id }) => `/p/${id}/w480.jpg`)")
    page.reload()
    wait_until_open(page)
    # Fetched ahead during the first scene, shown in the second, and again after the reload
    assert [paths.count(path) for path in shown] == [1] * len(shown)


def test_a_break_is_asked_for_and_taken(rating):
    page = rating().open()
    page.keyboard.press("q")
    expect(page.locator("#notice")).to_contain_text("Take a break now?")
    page.keyboard.press("Escape")
    expect(page.locator("#notice")).to_be_hidden()
    page.keyboard.press("q")
    page.get_by_role("button", name="Take a break").click()
    page.wait_for_url("**/break")
