"""The laboratory in chromium: it follows the study, sorts, keeps the policy and can be used by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect

from builder.catalog import Catalog
from study_app.storage.models import Study
from study_app.web.identity import EXPERIMENTER_KEY
from tests.study_app.lab_visitors import add_experimenter, raters_of, vote_everywhere
from tests.study_app.scenery import RaterFactory, scenes_of
from tests.study_app.screen.rating import served

pytestmark = pytest.mark.timeout(60)
POLL_MS = 5000  # as in lab.js


@dataclass
class Watching:
    """An admin before the pages of the study."""

    context: BrowserContext
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """A new tab; what the console complains about is kept."""
        page = self.context.new_page()
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.clock.install()
        page.goto(f"{self.base}/{path}")
        return page


@pytest.fixture
def watching(browser: Browser, app: Flask, catalog: Catalog, study: Study) -> Iterator[Watching]:
    serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    cookie = serializer.dumps({EXPERIMENTER_KEY: add_experimenter(catalog, "admin")})
    with served(app) as address, browser.new_context(viewport={"width": 1920, "height": 1080}) as context:
        context.add_cookies([{"name": "study", "value": cookie, "url": address}])
        yield Watching(context, f"{address}/lab/studies/{study.public_id}")


def test_the_live_page_follows_the_study(
    watching: Watching, catalog: Catalog, study: Study, new_rater: RaterFactory
) -> None:
    raters = raters_of(new_rater, 3)
    vote_everywhere(catalog, study, raters[:1])
    page = watching.open("")
    expect(page.get_by_text("Certainty of the leaders").first).to_be_visible()
    counted = page.locator(".key-figure", has_text="Counted votes").locator("b")
    before = int(counted.inner_text())
    page.locator("details").first.evaluate("one => { one.open = true }")
    with page.expect_response("**/fragment") as same:
        page.clock.fast_forward(POLL_MS)
    assert same.value.status in (200, 304)  # 200 where a minute began in between
    vote_everywhere(catalog, study, raters[1:])
    with page.expect_response("**/fragment"):
        page.clock.fast_forward(POLL_MS)
    expect(counted).to_have_text(str(3 * before))
    assert page.locator("details").first.evaluate("one => one.open"), "what was open stays open"
    assert watching.complaints == []


def test_a_lost_server_is_said_and_the_page_comes_back(watching: Watching) -> None:
    page = watching.open("")
    page.route("**/fragment", lambda route: route.abort())
    page.clock.fast_forward(POLL_MS)
    expect(page.locator("#stale")).to_be_visible()
    page.unroute("**/fragment")
    page.clock.fast_forward(POLL_MS)
    expect(page.locator("#stale")).to_be_hidden()


def test_columns_sort_by_number_and_by_name(
    watching: Watching, catalog: Catalog, study: Study, new_rater: RaterFactory
) -> None:
    raters = raters_of(new_rater, 11)
    vote_everywhere(catalog, study, raters[:2])
    vote_everywhere(catalog, study, raters[2:], scenes=1)
    page = watching.open("scenes")
    names = page.locator("tbody th")
    page.get_by_role("button", name="Votes").click()
    expect(names.first).to_have_text("alley")  # 11 votes come before 2, as numbers
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Votes")
    page.get_by_role("button", name="Scene").click()
    expect(names.first).to_have_text("elm")
    page.get_by_role("button", name="Scene").click()
    expect(names.first).to_have_text("alley")


def test_everybody_can_use_the_pages_and_the_policy_holds(
    watching: Watching, catalog: Catalog, study: Study, new_rater: RaterFactory
) -> None:
    raters = raters_of(new_rater, 4)
    vote_everywhere(catalog, study, raters, comment="a comment", reasons=["halo"], acceptable=False)
    with catalog.reading() as session:
        scene = scenes_of(session, study)[0].id
    for path in (
        "",
        "scenes",
        f"scenes/{scene}",
        "raters",
        f"raters/{raters[0].public_id}",
        "algorithms",
        "invitations",
    ):
        page = watching.open(path)
        found = Axe().run(page).response["violations"]
        assert not found, f"{path}: {[(one['id'], one['nodes'][0]['html']) for one in found]}"
        page.close()
    assert watching.complaints == []
