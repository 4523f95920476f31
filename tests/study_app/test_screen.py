"""The trial screen in chromium: it shows pixels truly, works by keyboard and by mouse alone, and loses no vote."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from builder.catalog import Catalog
from builder.settings import PreviewSettings
from builder.stages.preview import write_preview
from study_app import clock, trial_document
from study_app.models import Assignment, Rater, Study, Vote
from tests.study_app.scenery import RaterFactory, scene_named
from tests.study_app.screen import (
    Rating,
    decoded,
    launched_browser,
    noise_board,
    screenshot,
    served,
    sign_in,
    wait_until_open,
    wait_until_sharp,
)

pytestmark = pytest.mark.timeout(60)
BOARD = (560, 700)  # rows and columns of scene "bay"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched_browser() as found:
        yield found


@pytest.fixture
def unlock_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving opens at once, as far as the seconds go."""
    monkeypatch.setattr(trial_document, "UNLOCK_SECONDS", 0)


@pytest.fixture
def address(app: Flask, study: Study) -> Iterator[str]:
    with served(app) as found:
        yield found


@pytest.fixture
def rater(new_rater: RaterFactory) -> Rater:
    return new_rater(at=clock.now())


@pytest.fixture
def rating(
    browser: Browser, app: Flask, address: str, rater: Rater, unlock_seconds: None
) -> Iterator[Callable[..., Rating]]:
    """`rating(dpr=2, ...)`: a signed-in browser context; further keywords go to the context."""
    contexts = []

    def opened(*, dpr: float = 1, width: int = 1280, height: int = 800, **options: Any) -> Rating:
        context = browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=dpr, **options
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        sign_in(context, app, address, rater)
        return Rating(context, address)

    yield opened
    for context in contexts:
        context.close()


def assign_bay(catalog: Catalog, study: Study, rater: Rater) -> None:
    """The rater's next trial is the scene with thirteen pictures."""
    from tests.study_app.scenery import add_assignment

    with catalog.writing() as session:
        add_assignment(session, session.merge(rater), scene_named(session, study, "bay"), at=clock.now())


def votes(catalog: Catalog) -> list[Vote]:
    """All votes but those of training, oldest first."""
    with catalog.reading() as session:
        found = session.scalars(
            select(Vote).join(Assignment).where(Vote.behaviour.is_not(None)).order_by(Vote.id)
        ).all()
        return [vote for vote in found if vote.behaviour]


def open_compare(page: Page) -> None:
    page.keyboard.press("Enter")
    expect(page.locator("#room")).to_have_attribute("data-mode", "compare")


def still(page: Page) -> None:
    page.evaluate("study.screen.stack.whenStill()")


# ---- true pixels


def test_switching_moves_nothing(rating, catalog, study, rater):
    assign_bay(catalog, study, rater)
    page = rating().open()
    open_compare(page)
    page.mouse.move(500, 400)
    page.mouse.wheel(0, -300)
    page.keyboard.press("ArrowRight")
    still(page)
    wait_until_sharp(page)
    before = page.evaluate("study.screen.stack.corners()")
    assert np.ptp(before, axis=0).max() < 1e-6  # thirteen pictures and three exposures, one place
    for key in ("B", "M", "O", "A"):
        page.keyboard.press(key)
        still(page)
        after = page.evaluate("study.screen.stack.corners()")
        assert np.abs(np.subtract(after, before)).max() < 0.5
    assert page.locator("#letter").inner_text() == "A"


def test_a_switch_is_drawn_with_the_next_frame(rating, catalog, study, rater):
    assign_bay(catalog, study, rater)
    page = rating().open()
    open_compare(page)
    wait_until_sharp(page)
    pixels = page.evaluate(
        """async () => {
          const canvas = document.querySelector("#stage canvas");
          const middle = () => [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
          const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
          const found = [];
          for (const key of "ABCD") {
            dispatchEvent(new KeyboardEvent("keydown", { key, code: `Key${key}` }));
            await frame(); await frame();  // the first may be the one whose drawing is already done
            const early = middle();
            for (let i = 0; i < 20; i++) await frame();
            found.push([early, middle()]);
          }
          return found;
        }"""
    )
    assert [early for early, _ in pixels] == [settled for _, settled in pixels]
    assert len({tuple(settled) for _, settled in pixels}) > 1  # the pictures do differ


@pytest.fixture
def dataset(tmp_path_factory: pytest.TempPathFactory, dataset: Path, request) -> Path:
    """The dataset; as parameter "boards", one whose pictures of "bay" are boards of single pixels."""
    if getattr(request, "param", None) != "boards":
        return dataset
    own = tmp_path_factory.mktemp("boards") / "data"
    shutil.copytree(dataset, own)
    for folder in (own / "previews/bay").iterdir():
        shutil.rmtree(folder)
        folder.mkdir()
        write_preview(folder, noise_board(*BOARD), PreviewSettings())
    return own


@pytest.mark.parametrize("dataset", ["boards"], indirect=True)
@pytest.mark.parametrize("dpr", [1, 1.25, 2])
def test_one_to_one_is_exact(rating, catalog, study, rater, dataset, dpr):
    assign_bay(catalog, study, rater)
    page = rating(dpr=dpr).open()
    open_compare(page)
    page.keyboard.press("ArrowRight")  # off whole pixels
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -120)
    still(page)
    page.keyboard.press("P")
    still(page)
    assert page.locator("#zoom").inner_text() == "100\u202f%"
    expected = decoded(next((dataset / "previews/bay").iterdir()))
    assert expected.shape == (*BOARD, 3)
    found = screenshot(page, "#stage")
    left, top = (round(value * dpr) for value in page.evaluate("study.screen.stack.corners()[0]"))
    rows = slice(max(0, -top), min(BOARD[0], found.shape[0] - top))
    columns = slice(max(0, -left), min(BOARD[1], found.shape[1] - left))
    seen = found[rows.start + top : rows.stop + top, columns.start + left : columns.stop + left]
    assert seen.shape[0] > 300
    assert seen.shape[1] > 300
    difference = np.abs(seen.astype(int) - expected[rows, columns])
    assert difference.max() <= 4  # two decoders of JPEG; a shift of a pixel would be 170


# ---- a whole trial


def finish_by_keyboard(page: Page) -> None:
    open_compare(page)
    page.keyboard.press("B")
    expect(page.locator("#letter")).to_have_text("B")
    page.keyboard.press("1")
    page.keyboard.press("Shift+A")
    page.keyboard.press("Enter")
    expect(page.locator("#todo")).to_contain_text("Now say whether B")
    page.keyboard.press("n")
    expect(page.locator("#reasons")).to_be_visible()
    page.keyboard.press("y")
    expect(page.locator("#todo")).to_have_text("Ready to save.")
    page.keyboard.press("Control+Enter")


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


# ---- no vote lost, none doubled


def test_five_seconds_offline_give_one_vote(rating, catalog):
    rated = rating()
    page = rated.open()
    rated.context.set_offline(True)
    finish_by_keyboard(page)
    expect(page.locator("#saved")).to_have_text("1 answer waiting")
    expect(page.locator("#waiting")).to_contain_text("Not saved yet")
    page.wait_for_timeout(5000)
    assert votes(catalog) == []
    rated.context.set_offline(False)
    expect(page.locator("#where")).to_contain_text("Scene 2", timeout=40_000)
    assert len(votes(catalog)) == 1


def test_a_vote_survives_the_tab(rating, catalog):
    rated = rating()
    page = rated.open()
    page.route("**/api/votes", lambda route: route.abort())
    finish_by_keyboard(page)
    expect(page.locator("#saved")).to_have_text("1 answer waiting")
    page.close()
    assert votes(catalog) == []
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


# ---- the lock


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
    rated.context.add_init_script(
        "setTimeout = ((real) => (act, ms, ...rest) => real(act, Math.min(ms ?? 0, 50), ...rest))(setTimeout)"
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
    expect(page.locator("#banner")).to_contain_text("Parts of picture A could not be loaded")
    expect(page.locator("#lock")).to_contain_text("A picture is missing")
    broken = False
    page.get_by_role("button", name="Try again").click()
    wait_until_open(page)
    still(page)
    assert page.evaluate("study.screen.stack.failed.size") == 0


# ---- training, keys, access for all


def test_training_jumps_to_the_fault(rating, catalog, study, app, address, new_rater):
    rated = rating()
    sign_in(rated.context, app, address, new_rater(at=clock.now(), step="instructed"))
    page = rated.open("/training")
    expect(page.locator("#where")).to_have_text("Example 1 of 3")
    finish_by_keyboard(page)
    expect(page.locator("#feedback-text")).to_contain_text("Picture")
    letter = page.evaluate("study.screen.stack.shown")
    expect(page.locator("#feedback-text")).to_contain_text(f"Picture {letter} has")
    page.keyboard.press("Enter")
    expect(page.locator("#where")).to_have_text("Example 2 of 3")


def test_keys_by_letter_by_place_and_switched_off(rating):
    page = rating().open()
    found = page.evaluate(
        """async () => {
          const { find, KEYMAP } = await import("/static/keymap.js");
          const press = (key, code, more = {}, on = true) =>
            find({ key, code, target: document.body, ...more }, "compare", on)?.row.command ?? null;
          const input = document.createElement("textarea");
          return {
            latin: press("s", "KeyS"), dvorak: press("s", "Semicolon"), cyrillic: press("ы", "KeyS"), azerty: press("&", "Digit1"),
            shifted: press("D", "KeyD", { shiftKey: true }), help: press("?", "Slash", { shiftKey: true }),
            copy: press("c", "KeyC", { ctrlKey: true }), off: press("s", "KeyS", {}, false),
            enter: press("Enter", "Enter", {}, false), typing: press("s", "KeyS", { target: input }),
            leave: press("Escape", "Escape", { target: input }), send: press("Enter", "Enter", { target: input, ctrlKey: true }),
            doubles: ["grid", "compare", "decide"].flatMap((mode) => {
              const all = KEYMAP.filter((row) => (row.where ?? mode).includes(mode)).flatMap((row) => row.keys.map((key) => `${row.chord}${key}`));
              return all.filter((key, index) => all.indexOf(key) !== index);
            }),
          };
        }"""
    )
    assert found == {
        "latin": "shortlist", "dvorak": "shortlist", "cyrillic": "shortlist", "azerty": "place",
        "shifted": "place-next", "help": "help", "copy": None, "off": None, "enter": "forward",
        "typing": None, "leave": "back", "send": "submit", "doubles": [],
    }  # fmt: skip


def test_single_keys_can_be_switched_off_for_good(rating):
    page = rating().open()
    page.keyboard.press("?")
    page.get_by_label("Single keys are on").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    wait_until_open(page)
    page.keyboard.press("s")
    expect(page.locator(".marks").first).to_be_empty()


def test_flicker_stays_below_three_a_second_and_obeys_reduced_motion(rating):
    page = rating().open()
    open_compare(page)
    page.keyboard.press("B")
    switches = page.evaluate(
        """async () => {
          const stack = study.screen.stack; let count = 0;
          const show = stack.show.bind(stack); stack.show = (...all) => (count++, show(...all));
          dispatchEvent(new KeyboardEvent("keydown", { key: "t", code: "KeyT" }));
          await new Promise((resolve) => setTimeout(resolve, 2000));
          dispatchEvent(new KeyboardEvent("keydown", { key: "t", code: "KeyT" }));
          return count;
        }"""
    )
    assert 3 <= switches <= 12  # two switches are one flash: at most 3 flashes a second
    assert page.evaluate("study.screen.stack.shown") == "B"
    calm = rating(reduced_motion="reduce").open()
    open_compare(calm)
    calm.keyboard.press("B")
    calm.keyboard.press("t")
    expect(calm.locator("#banner")).to_contain_text("reduced motion")


@pytest.mark.parametrize("mode", ["grid", "compare", "decide", "help"])
def test_nothing_serious_for_axe(rating, catalog, study, rater, mode):
    assign_bay(catalog, study, rater)
    page = rating(bypass_csp=True).open()  # axe is injected
    if mode in ("compare", "decide"):
        page.locator(f"#step-{mode}").click()
    if mode == "help":
        page.keyboard.press("?")
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert serious == [], [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious]
