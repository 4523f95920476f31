"""The trial screen in a real browser on a real server: what the browser tests share."""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import select
from waitress import create_server
from waitress.wasyncore import close_all, loop

from builder.catalog import Catalog
from study_app import clock
from study_app.storage.models import Assignment, Rater, Study, Vote
from study_app.web.identity import RATER_KEY
from tests.study_app.scenery import add_assignment, scene_named

MISSING = "chromium not found: browser tests skipped; install Debian's chromium or set CHROMIUM"
OPEN = "Saving is open"
BOARD = (560, 700)  # rows and columns of scene "bay"


def chromium_path() -> str | None:
    """The browser: CHROMIUM, or chromium on the PATH."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


@contextmanager
def launched_browser() -> Iterator[Browser]:
    """A headless chromium; without one the test is skipped, or fails under REQUIRE_BROWSER=1."""
    path = chromium_path()
    if path is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        yield browser
        browser.close()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of the application behind waitress, in a thread of this process."""
    server: Any = create_server(app, host="127.0.0.1", port=0, threads=8)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            loop(map=server._map, count=1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        stopping.set()
        server.pull_trigger()  # wakes the loop
        thread.join()
        server.task_dispatcher.shutdown()
        # Last: a worker that is done with a request pulls the trigger too.
        close_all(server._map, ignore_all=True)


class Rating:
    """A rater before the screen: pages of one browser context that is signed in."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.complaints: list[str] = []  # what the browser's console said, among it breaches of the policy

    def open(self, path: str = "/trial", *, until_open: bool = True) -> Page:
        """A new tab with the screen, by default once saving is open."""
        page = self.context.new_page()
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.address + path)
        if until_open:
            wait_until_open(page)
        return page


def sign_in(context: BrowserContext, app: Flask, address: str, rater: Rater) -> None:
    """Give the browser the cookie of this rater."""
    serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    context.add_cookies(
        [{"name": "study", "value": serializer.dumps({RATER_KEY: rater.public_id}), "url": address}]
    )


def wait_until_open(page: Page) -> None:
    """Until all pictures are there, in the viewer too, and saving is open."""
    expect(page.locator("#lock")).to_have_text(OPEN)
    # A function, not an expression: of that, every look after the first would be an eval, which the policy forbids.
    page.wait_for_function("() => study.screen.stack.names.length > 0")


def wait_until_sharp(page: Page) -> None:
    """Until every picture has all tiles of the present view."""
    for name in page.evaluate("study.screen.stack.names"):
        page.evaluate("name => study.screen.stack.whenSharp(name)", name)


def noise_board(height: int, width: int) -> np.ndarray:
    """A checkerboard of single pixels whose 8 x 8 blocks are inverted at random: no two places look alike."""
    rows, columns = np.mgrid[:height, :width]
    flips = np.random.default_rng(5).integers(0, 2, (height // 8 + 1, width // 8 + 1))
    board = (rows + columns + flips[rows // 8, columns // 8]) % 2
    return np.repeat((40 + 170 * board)[:, :, None], 3, axis=2).astype(np.uint8)


def screenshot(page: Page, selector: str, dpr: float) -> np.ndarray:
    """The device pixels of the screen below an element: rows x columns x 3; its edges must lie on whole ones."""
    # Of the whole window: a clip of Playwright's own is in whole CSS pixels and would be resampled.
    with Image.open(io.BytesIO(page.screenshot())) as image:
        pixels = np.asarray(image.convert("RGB"))
    box = page.locator(selector).bounding_box()
    assert box is not None
    return cropped(pixels, {**box}, dpr)


def cropped(pixels: np.ndarray, box: Mapping[str, float], dpr: float) -> np.ndarray:
    """The part of a screen's device pixels that a box in CSS pixels covers."""
    edges = np.array([box["y"], box["y"] + box["height"], box["x"], box["x"] + box["width"]]) * dpr
    top, bottom, left, right = np.rint(edges).astype(int)
    assert np.abs(edges - (top, bottom, left, right)).max() < 0.001, edges
    return pixels[top:bottom, left:right]


def require_exact(seen: np.ndarray, corner: Sequence[float], dpr: float, expected: np.ndarray) -> None:
    """The stage shows a picture with one device pixel per pixel; `corner` is the picture's place in CSS pixels."""
    at = np.array(corner) * dpr
    left, top = np.rint(at).astype(int)
    assert np.abs(at - (left, top)).max() < 0.001
    height, width = expected.shape[:2]
    rows = slice(max(0, -top), min(height, seen.shape[0] - top))
    columns = slice(max(0, -left), min(width, seen.shape[1] - left))
    found = seen[rows.start + top : rows.stop + top, columns.start + left : columns.stop + left]
    assert min(found.shape[:2]) > 300
    difference = np.abs(found.astype(int) - expected[rows, columns])
    # Where tiles overlap, either one's JPEG may be seen. A pixel off its place would differ by 170.
    assert difference.max() <= 20
    assert difference.mean() < 0.1


# Milliseconds from a key to the first frame in which the middle of the stage is another, for each of the letters
SWITCH_TIMES = """
  const canvas = document.querySelector("#stage canvas"), pen = canvas.getContext("2d");
  const at = [canvas.width / 2 - 32, canvas.height / 2 - 32, 64, 64].map(Math.round);
  const middle = () => pen.getImageData(...at).data.join();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const found = [];
  for (const key of "BCDEFGHIJKLMABCDEFGHIJKLMA") {
    const before = middle(), start = performance.now();
    dispatchEvent(new KeyboardEvent("keydown", { key, code: `Key${key}` }));
    let frames = 0;
    do await frame(); while (middle() === before && ++frames < 60);
    if (frames < 60) found.push(performance.now() - start);  // else these two pictures are alike there
  }
  return found;
"""


def decoded(folder: Path) -> np.ndarray:
    """The full-size picture of a preview folder, put together from the tiles of its last level."""
    level = max((folder / "tiles_files").iterdir(), key=lambda path: int(path.name))
    placed = {}
    for path in level.iterdir():
        column, row = map(int, path.stem.split("_"))
        with Image.open(path) as image:
            tile = np.asarray(image.convert("RGB"))
        # every tile but the first carries one pixel of its neighbour on the left and above
        placed[row, column] = tile[(row > 0) :, (column > 0) :]
    last_row, last_column = max(row for row, _ in placed), max(column for _, column in placed)
    rows = []
    for row in range(last_row + 1):
        parts = []
        for column in range(last_column + 1):
            tile = placed[row, column]
            parts.append(tile[: 510 if row < last_row else None, : 510 if column < last_column else None])
        rows.append(np.concatenate(parts, axis=1))
    return np.concatenate(rows, axis=0)


def assign_bay(catalog: Catalog, study: Study, rater: Rater) -> None:
    """The rater's next trial is the scene with thirteen pictures."""
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
    """From all pictures to one at a time."""
    page.keyboard.press("Enter")
    expect(page.locator("#room")).to_have_attribute("data-mode", "compare")


def still(page: Page) -> None:
    """Until nothing of the view moves and the picture is sharp."""
    page.evaluate("study.screen.stack.whenStill()")


def finish_by_keyboard(page: Page) -> None:
    """A whole trial: B first, A second, B would do as a reference."""
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
