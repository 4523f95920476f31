"""The pictures of the study that README.md shows: `python -m tests.study_app.screen.screenshots` takes them anew.

Simulated scenes, simulated raters (the experimenter's page says so), a real chromium. DATA is only read: the
votes go into a copy of its catalog.
"""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from flask import Flask
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect
from study_app.database import open_database
from study_app.decisions import PRESETS
from study_app.identity import EXPERIMENTER_KEY
from study_app.models import Study
from study_app.simulated_answers import RaterModel
from study_app.simulated_raters import Simulation, simulate
from study_app.studies import create_study, open_study

from builder.catalog import Catalog
from study_app import clock, create_app
from study_app.settings import StudySettings
from tests.study_app.lab_visitors import add_experimenter
from tests.study_app.scenery import RaterFactory, add_assignment, detached, scene_named
from tests.study_app.screen.rating import (
    launched_browser,
    open_compare,
    served,
    sign_in,
    still,
    wait_until_open,
    wait_until_sharp,
)

WINDOW = {"width": 1600, "height": 900}
SHOWN_WIDTH = 1000  # pixels of a picture in the README
JPEG_QUALITY = 82
TITLE = "Which picture is the best?"
SIMULATED_RATERS = 18
TRIALS_EACH = 5  # a study that is under way: not every scene is decided
SEED = 3
LETTERS = "ABCDEFGHIJKLM"
BEST, SECOND = "kou2017", "mertens2009"  # what is put in places 1 and 2: any two that the scene shows
PATH: Any = click.Path(path_type=Path)


@dataclass(frozen=True)
class Stage:
    """A study that is being served, and a browser before it."""

    catalog: Catalog
    study: Study
    app: Flask
    address: str
    context: BrowserContext


@click.command()
@click.option(
    "--data", type=PATH, help="A built dataset with the scene.  [default: simulates and builds one]"
)
@click.option("--scene", default="sunset", show_default=True, help="The scene that is judged.")
@click.option("--output", type=PATH, default=Path("docs/images"), show_default=True)
def main(data: Path | None, scene: str, output: Path) -> None:
    """Take grid, compare, decide and the experimenter's live page; write them as JPEG."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _stage(data or _built(folder / "data"), folder) as stage:
            for title, png in {**_trial(stage, scene), "live": _live(stage)}.items():
                path = output / f"study-{title}.jpg"
                _reduced(png).save(path, quality=JPEG_QUALITY, optimize=True)
                click.echo(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _built(data: Path) -> Path:
    """The simulated scenes at 1440 x 960 with all candidates: some minutes."""
    simulated = data / "simulated"
    for arguments in (
        ("simulate", "--size", "1440x960", "--output", simulated, "--data", data),
        ("build", simulated / "photos", "--data", data),
    ):
        subprocess.run([sys.executable, "-m", "builder", *arguments], check=True)
    return data


@contextmanager
def _stage(data: Path, folder: Path) -> Iterator[Stage]:
    """The study of all scenes of DATA on a copy of its catalog, half-way through, before a browser."""
    shutil.copyfile(data / "catalog.sqlite", folder / "catalog.sqlite")
    url = f"sqlite:///{folder / 'catalog.sqlite'}"
    catalog = open_database(url)
    study = _study_under_way(catalog, data)
    app = create_app(StudySettings(data, url, "only for these pictures", limits_enabled=False))
    with (
        served(app) as address,
        launched_browser() as browser,
        browser.new_context(viewport=WINDOW) as context,  # type: ignore[arg-type]
    ):
        yield Stage(catalog, study, app, address, context)
    app.extensions["study_database"].close()
    catalog.close()


def _study_under_way(catalog: Catalog, data: Path) -> Study:
    at = clock.now()
    with catalog.writing() as session:
        made, _ = create_study(
            session, TITLE, PRESETS["standard"], seed=SEED, data=data, at=at, allow_missing=True
        )
        open_study(session, made, at)
        session.flush()
        study: Study = detached(session, made)
    simulation = Simulation(SIMULATED_RATERS, SEED, RaterModel(), "quality", TRIALS_EACH, 0)
    for _ in simulate(catalog, study.id, simulation, at):
        pass
    return study


def _trial(stage: Stage, scene: str) -> dict[str, bytes]:
    """The three views of one trial as PNG, each when it stands still."""
    rater = RaterFactory(stage.catalog, stage.study.id)(at=clock.now())
    with stage.catalog.writing() as session:
        shown = scene_named(session, session.merge(stage.study), scene)
        items = random.Random(SEED).sample(shown.items, len(shown.items))
        letters = {item.candidate.algorithm: LETTERS[place] for place, item in enumerate(items)}
        order = [item.id for item in items]
        add_assignment(session, session.merge(rater), shown, at=clock.now(), order=order)
    sign_in(stage.context, stage.app, stage.address, rater)
    page = stage.context.new_page()
    page.goto(f"{stage.address}/trial")
    wait_until_open(page)
    taken = {"grid": _grid(page)}
    taken["compare"] = _compare(page, letters[SECOND], letters[BEST])
    taken["decide"] = _decide(page)
    return taken


def _grid(page: Page) -> bytes:
    page.get_by_role("button", name="Understood").click()
    page.mouse.move(0, 0)  # no picture is pointed at
    return page.screenshot()


def _compare(page: Page, second: str, best: str) -> bytes:
    open_compare(page)
    page.get_by_role("button", name="Understood").click()
    for letter, place in ((second, "2"), (best, "1")):
        page.keyboard.press(letter)
        expect(page.locator("#letter")).to_have_text(letter)
        page.keyboard.press(place)
    still(page)
    wait_until_sharp(page)
    return page.screenshot()


def _decide(page: Page) -> bytes:
    page.keyboard.press("Enter")
    page.keyboard.press("y")
    expect(page.locator("#todo")).to_have_text("Ready to save.")
    still(page)
    wait_until_sharp(page)
    return page.screenshot()


def _live(stage: Stage) -> bytes:
    """The experimenter's page of the study, as PNG."""
    serializer: Any = stage.app.session_interface.get_signing_serializer(stage.app)  # type: ignore[attr-defined]
    account = {EXPERIMENTER_KEY: add_experimenter(stage.catalog, "admin", name="admin")}
    cookie = {"name": "study", "value": serializer.dumps(account), "url": stage.address}
    stage.context.add_cookies([cookie])  # type: ignore[list-item]
    page = stage.context.new_page()
    page.goto(f"{stage.address}/lab/studies/{stage.study.public_id}")
    page.wait_for_load_state("networkidle")
    return page.screenshot()


def _reduced(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        height = round(image.height * SHOWN_WIDTH / image.width)
        return image.convert("RGB").resize((SHOWN_WIDTH, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
