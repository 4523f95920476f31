"""The plain pages of a rater in chromium: by keyboard alone, no serious finding of axe, no complaint of the browser."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect
from sqlalchemy import select

from study_app import clock
from study_app.rater_pages import plates
from study_app.rater_pages.turnstile import secret_number
from study_app.storage.models import Rater, Sitting
from tests.study_app.pages import MINUTE, Watch, link_maker, right_answers, the_only
from tests.study_app.scenery import START, add_vote, scenes_of
from tests.study_app.screen.rating import served, sign_in

pytestmark = pytest.mark.timeout(90)
MOST_TABS = 60


@pytest.fixture
def watch(monkeypatch):
    found = Watch()
    monkeypatch.setattr(clock, "now", found)
    return found


@pytest.fixture
def address(app, study, watch):
    with served(app) as found:
        yield found


@pytest.fixture
def page(browser, address):
    """A page of a fresh browser, closed before the server is; what it complains of fails the test, but for 4xx."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    found = context.new_page()
    complaints = []
    found.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    assert [said for said in complaints if "status of 4" not in said] == []


def tab_to(page, selector):
    """Move the focus with Tab alone."""
    for _ in range(MOST_TABS):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{page.url}: {selector} is out of reach of the Tab key")


def press(page, selector, key="Enter"):
    tab_to(page, selector)
    page.keyboard.press(key)


def choose(page, name, place):
    """The answer at this place of a row of choices, by arrow keys."""
    press(page, f"input[name={name}]", "Space")
    for _ in range(place):
        page.keyboard.press("ArrowRight")


def at(page, path):
    """Wait for a page, and have axe look at it."""
    page.wait_for_url(re.compile(re.escape(path) + r"(\?.*)?$"))
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ]
    assert serious == [], path


def digits_of(app, catalog):
    with app.app_context():
        return plates.digits(secret_number("plates", the_only(catalog, Rater).public_id))


def answer_display_check(page, *, is_right):
    answers = right_answers(page.content())
    for name in ("upright", "dark", "bright"):
        choose(page, name, int(answers[name]) if is_right else 0)
    choose(page, "even", 0)
    press(page, "#display-check button.primary")


def test_from_the_link_to_training_by_keyboard(app, page, catalog, study, address):
    page.goto(address + "/")
    at(page, "/")
    page.goto(address + link_maker(catalog, study)())
    at(page, page.url.removeprefix(address))
    press(page, "button.primary")
    at(page, "/your-code")
    press(page, "a.primary")
    at(page, "/consent")
    press(page, "#agree", "Space")
    press(page, "button.primary")
    at(page, "/display-check")
    expect(page.locator("#finding-viewport")).to_contain_text("1920 × 1080")
    answer_display_check(page, is_right=False)
    expect(page.locator("#problems")).to_contain_text("The dark field")
    at(page, "/display-check")
    answer_display_check(page, is_right=True)
    at(page, "/colour-vision")
    for number, digit in enumerate(digits_of(app, catalog)):
        page.wait_for_selector(f"input[name=plate][value='{number}']", state="attached")
        expect(page.locator("#answer")).to_be_focused()
        page.keyboard.type(digit)
        page.keyboard.press("Enter")
    at(page, "/instructions")
    press(page, "button.primary")
    page.wait_for_url("**/training")
    rater, sitting = the_only(catalog, Rater), the_only(catalog, Sitting)
    assert (rater.colour_passed, sitting.display_passed) == (True, True)
    assert (sitting.display["viewport"], sitting.display["pointer"]) == ([1920, 1080], "fine")


def test_break_and_last_page_by_keyboard(app, page, catalog, study, address, new_rater, watch):
    rater = new_rater()
    sign_in(page.context, app, address, rater)
    with catalog.writing() as session:
        add_vote(session, rater, scenes_of(session, study)[0], [0], at=START + 26 * MINUTE)
    watch.time = START + 27 * MINUTE
    page.clock.install()
    page.goto(address + "/next")
    at(page, "/break")
    expect(page.locator("[data-clock]")).to_have_text(re.compile(r"[12]:\d\d"))
    expect(page.locator("[data-continue]")).to_be_hidden()
    watch.time = START + 29 * MINUTE
    page.clock.run_for(121_000)
    expect(page.locator("[data-over]")).to_be_visible()
    expect(page.locator("[data-continue]")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/display-check")
    page.goto(address + "/finish")
    at(page, "/finish")
    press(page, "details:has(#confirm-withdraw) > summary")
    press(page, "#confirm-withdraw", "Space")
    press(page, "form[action='/withdraw'] button")
    page.get_by_text("You have withdrawn").wait_for()
    at(page, "/finish")
    assert the_only(catalog, Rater).state == "withdrawn"


def test_a_break_asked_for_by_keyboard(app, page, address, new_rater):
    sign_in(page.context, app, address, new_rater())
    page.goto(address + "/break")
    press(page, "button.primary")
    page.get_by_text("Have a rest").wait_for()
    at(page, "/break")
    press(page, "a.primary")
    page.wait_for_url("**/display-check")


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_the_fine_lines_are_exact_in_device_pixels(browser, app, address, new_rater, ratio):
    context = browser.new_context(viewport={"width": 1423, "height": 900}, device_scale_factor=ratio)
    sign_in(context, app, address, new_rater(step="consented"))
    page = context.new_page()
    page.goto(address + "/display-check")
    canvas = page.locator("#lines")
    side = canvas.evaluate("canvas => canvas.height")
    drawn = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("L"))
    context.close()
    inner = drawn[4:-4, 4:-4]
    black, white = int((inner == 0).sum()), int((inner == 255).sum())
    assert black + white >= 4 * (side - 8) * (side - 16), "blurred lines are gray"
    assert abs(black - white) < 8 * side


def test_a_phone_is_turned_away_politely(browser, catalog, study, address):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, user_agent="A Mobile phone"
    )
    page = context.new_page()
    page.goto(address + link_maker(catalog, study)())
    page.get_by_text("Please use a computer").first.wait_for()
    at(page, page.url.removeprefix(address))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
    with catalog.reading() as session:
        assert session.scalars(select(Rater)).all() == []
