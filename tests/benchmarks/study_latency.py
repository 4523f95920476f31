"""What a rater waits for, in a real browser, while twenty others rate: first grid, next scene, acknowledgement."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
from playwright.sync_api import Page
from sqlalchemy import func, select

from builder.catalog import Catalog
from builder.settings import PreviewSettings
from builder.stages.preview import write_preview
from study_app import clock
from study_app.storage.database import open_database
from study_app.storage.models import Assignment, Study, StudyScene, Vote
from tests.benchmarks.bracket import bracket, render_once, shape_of
from tests.benchmarks.report import Report, Settings, Value
from tests.study_app.crowd import PICTURE_SCENE
from tests.study_app.load_client import SimulatedRater
from tests.study_app.raters_load import FACTORY, SECRET, LoadForm, prepare
from tests.study_app.scenery import ALGORITHM_NAMES, EXPOSURES, RaterFactory, preview_path, write_dataset
from tests.study_app.screen.rating import launched_browser, wait_until_open
from tests.study_app.servers import Gunicorn

TITLE = "A rater's waits in chromium, {others} others rating (one answer each {pace:.0f} s), 13 pictures of {size} MP"
COLUMNS = ("wait for", "trials", "median ms", "p95 ms", "goal p95 ms")
OTHERS, PACE, TRIALS, MEGAPIXELS = 20, 10.0, 20, 12
JOINING_SECONDS = 300
GOALS = {"first grid": 700, "next scene": 300, "vote acknowledged": 150}
SHOWN = """(number) => {
  const images = [...document.querySelectorAll(".picture img")];
  const here = document.querySelector("#where").textContent.includes(`Scene ${number} `);
  return here && images.length >= 13 && images.every((image) => image.complete && image.naturalWidth)
    ? performance.now() : 0;
}"""
ACKNOWLEDGED = """() => performance.getEntriesByType("resource")
  .filter((entry) => entry.name.endsWith("/api/votes")).map((entry) => entry.responseEnd - entry.startTime)"""


def run(settings: Settings) -> Report:
    render_once()
    (size,) = settings.megapixels[:1] or (MEGAPIXELS,)
    with tempfile.TemporaryDirectory() as folder:
        found = _measured(Path(folder), size)
    rows: list[tuple[Value, ...]] = [
        (
            name,
            len(times),
            statistics.median(times),
            statistics.quantiles(times, n=20, method="inclusive")[-1],
            GOALS[name],
        )
        for name, times in found.items()
    ]
    note = "gunicorn of 4 x 4, SQLite and the browser share the machine; first grid: page opened with an empty cache."
    return Report(TITLE.format(others=OTHERS, pace=PACE, size=size), COLUMNS, tuple(rows), (note,))


def _measured(folder: Path, megapixels: int) -> dict[str, list[float]]:
    data, url = folder / "data", f"sqlite:///{folder / 'catalog.sqlite'}"
    write_dataset(data)
    _enlarge_pictures(data, megapixels)
    catalog = open_database(url)
    form = LoadForm(raters=OTHERS + 2, scenes=4 * TRIALS, cap=200)
    token, knowledge = prepare(catalog, data, form, picture_size=shape_of(megapixels)[::-1])
    environment = {
        "STUDY_DATA": str(data), "DATABASE_URL": url, "SECRET_KEY": SECRET,
        "LOAD_KILL_FILE": str(folder / "kill"), "LOAD_BREAK_SECONDS": "1",
    }  # fmt: skip
    server = Gunicorn(FACTORY, environment, folder / "server.log")
    server.start()
    others = [
        SimulatedRater(server.port, token, knowledge, seed=n, think_seconds=PACE) for n in range(OTHERS)
    ]
    try:
        for other in others:
            threading.Thread(target=other.run, daemon=True).start()
        _wait_until_all_rate(catalog)
        return _rated_in_browser(catalog, f"http://127.0.0.1:{server.port}")
    finally:
        for other in others:
            other.leave()
        server.kill()
        catalog.close()


def _wait_until_all_rate(catalog: Catalog) -> None:
    """Joining costs more than rating, and is not what is measured: wait until each has answered a real scene."""
    rating = (
        select(func.count(Assignment.rater_id.distinct()))
        .join(Vote)
        .join(StudyScene, StudyScene.id == Assignment.study_scene_id)
        .where(StudyScene.role == "real")
    )
    end = time.monotonic() + JOINING_SECONDS
    while time.monotonic() < end:
        with catalog.reading() as session:
            if session.scalar(rating) == OTHERS:
                return
        time.sleep(1)
    raise TimeoutError(f"not all of {OTHERS} raters rate after {JOINING_SECONDS} s")


def _enlarge_pictures(data: Path, megapixels: int) -> None:
    """Previews of photographic detail and size in place of the tests' small ones."""
    images, _ = bracket(megapixels)
    labels = [*ALGORITHM_NAMES, *(f"exposure-{position:02d}" for position in range(EXPOSURES))]
    for number, label in enumerate(labels):
        folder = data / preview_path(PICTURE_SCENE, label)
        folder.mkdir(parents=True, exist_ok=True)
        write_preview(folder, cv2.convertScaleAbs(images[3], alpha=1 + 0.02 * number), PreviewSettings())


def _rated_in_browser(catalog: Catalog, address: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in GOALS}
    with launched_browser() as browser:
        for _ in range(TRIALS):  # fresh raters with empty caches
            context = browser.new_context(viewport={"width": 1920, "height": 1080})
            context.add_init_script("performance.setResourceTimingBufferSize(10000)")
            _sign_in(context, catalog, address)
            page = context.new_page()
            page.goto(address + "/trial", wait_until="commit")
            found["first grid"].append(_shown(page, 1))
            found["next scene"].append(_next_scene(page, 2))
            found["vote acknowledged"] += page.evaluate(ACKNOWLEDGED)
            context.close()
    return found


def _shown(page: Page, number: int) -> float:
    """Milliseconds on the page's clock when all pictures of scene `number` are there."""
    return float(page.wait_for_function(SHOWN, arg=number, polling="raf").json_value())


def _next_scene(page: Page, number: int) -> float:
    """From the key that saves to the next scene's pictures, the answer's way to the server included."""
    wait_until_open(page)
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.keyboard.press("y")
    page.wait_for_timeout(1000)  # a rater thinks, and the next scene's pictures come meanwhile
    start = float(page.evaluate("performance.now()"))
    page.keyboard.press("Control+Enter")
    return _shown(page, number) - start


def _sign_in(context: Any, catalog: Catalog, address: str) -> None:
    from flask import Flask

    from tests.study_app.screen.rating import sign_in

    with catalog.reading() as session:
        study_id = session.scalars(select(Study.id)).one()
    app = Flask(__name__)
    app.secret_key = SECRET
    sign_in(context, app, address, RaterFactory(catalog, study_id)(at=clock.now()))
