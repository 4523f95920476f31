"""What is seen is what the file holds: switching moves nothing, 1:1 is exact, a switch takes a frame."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_app.screen.rating import (
    BOARD,
    assign_bay,
    decoded,
    open_compare,
    require_exact,
    screenshot,
    still,
    wait_until_sharp,
)

pytestmark = pytest.mark.timeout(60)


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
          const pen = canvas.getContext("2d");
          const middle = () => [...pen.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
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
    found = screenshot(page, "#stage", dpr)
    require_exact(found, page.evaluate("study.screen.stack.corners()[0]"), dpr, expected)
