"""Training, keys on any keyboard, reduced motion, and what axe finds."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from study_app import clock
from tests.study_app.screen.rating import (
    assign_bay,
    finish_by_keyboard,
    open_compare,
    sign_in,
    wait_until_open,
)

pytestmark = pytest.mark.timeout(60)


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
          const { find, KEYMAP } = await import(new URL("keymap.js", document.querySelector("link[rel=icon]").href));
          const press = (key, code, more = {}, on = true) =>
            find({ key, code, target: document.body, ...more }, "compare", on)?.row.command ?? null;
          const input = document.createElement("textarea");
          return {
            latin: press("s", "KeyS"),
            dvorak: press("s", "Semicolon"),
            cyrillic: press("ы", "KeyS"),
            azerty: press("&", "Digit1"),
            shifted: press("D", "KeyD", { shiftKey: true }),
            help: press("?", "Slash", { shiftKey: true }),
            copy: press("c", "KeyC", { ctrlKey: true }),
            off: press("s", "KeyS", {}, false),
            enter: press("Enter", "Enter", {}, false),
            typing: press("s", "KeyS", { target: input }),
            leave: press("Escape", "Escape", { target: input }),
            send: press("Enter", "Enter", { target: input, ctrlKey: true }),
            doubles: ["grid", "compare", "decide"].flatMap((mode) => {
              const rows = KEYMAP.filter((row) => (row.where ?? mode).includes(mode));
              const all = rows.flatMap((row) => row.keys.map((key) => `${row.chord}${key}`));
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


def test_nothing_serious_for_axe(rating, catalog, study, rater):
    assign_bay(catalog, study, rater)
    page = rating(bypass_csp=True).open()  # axe is injected
    for name in ("grid", "help", "compare", "decide"):
        page.locator("[data-command=help]" if name == "help" else f"#step-{name}").click()
        found = Axe().run(page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert serious == [], (
            name,
            [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious],
        )
        page.keyboard.press("Escape" if name == "help" else "Shift")
