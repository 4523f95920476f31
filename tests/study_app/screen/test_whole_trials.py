"""Whole trials by keyboard alone and by mouse alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.study_app.screen.rating import (
    finish_by_keyboard,
    votes,
    wait_until_open,
)

pytestmark = pytest.mark.timeout(60)


def test_a_sitting_by_keyboard_alone(rating, catalog):
    rated = rating()
    page = rated.open()
    finish_by_keyboard(page)
    expect(page.locator("#where")).to_contain_text("Scene 2")
    expect(page.locator("#saved")).to_contain_text("Saved")
    wait_until_open(page)
    page.keyboard.press("Control+z")  # change the answer just given
    expect(page.locator("#where")).to_contain_text("Scene 1")
    expect(page.locator("#decide")).to_be_visible()
    wait_until_open(page)
    page.keyboard.press("n")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#where")).to_contain_text("Scene 2")
    first, second = votes(catalog)
    assert (first.assignment_id, first.version, first.acceptable) == (second.assignment_id, 1, True)
    assert (second.version, second.acceptable, second.kind) == (2, False, "choice")
    seen = first.behaviour
    assert seen["dwell_ms"].keys() >= {"A", "B"}
    assert seen["dpr"] == 1
    assert [view[0] for view in seen["views"]][:2] == ["A", "B"]
    assert rated.complaints == []


def test_a_trial_by_mouse_alone(rating, catalog):
    page = rating().open()
    page.locator(".picture[data-name=B]").click()
    page.get_by_role("button", name="Put this picture in place 1").click()
    page.locator("#strip").get_by_role("button", name="Picture A").click()
    page.get_by_role("button", name="Shortlist").click()
    page.get_by_role("button", name="Zoom in").click()
    page.locator("#panel").get_by_role("button", name="Decide").click()
    page.get_by_role("button", name="Second: Put A here").click()
    page.get_by_label("No", exact=False).first.check()
    page.get_by_label("Halo").check()
    page.get_by_label("Comment").fill("seam at the roof")
    page.get_by_role("button", name="Save and go on").click()
    expect(page.locator("#where")).to_contain_text("Scene 2")
    (vote,) = votes(catalog)
    assert vote.acceptable is False
    assert vote.reasons == ["halo"]
    assert vote.comment == "seam at the roof"
    with catalog.reading() as session:
        assert [pick.rank for pick in session.merge(vote, load=True).picks] == [1, 2]


@pytest.mark.parametrize(
    ("button", "kind"), [("Cannot tell", "cannot_tell"), ("Technical fault", "technical")]
)
def test_the_other_answers(rating, catalog, button, kind):
    page = rating().open()
    page.locator("#step-decide").click()
    page.get_by_role("button", name=button).click()
    page.get_by_role("button", name="Save and go on").click()
    expect(page.locator("#where")).to_contain_text("Scene 2")
    assert [vote.kind for vote in votes(catalog)] == [kind]
