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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from flask import Flask
from PIL import Image
from playwright.sync_api import BrowserContext, Page

from builder.catalog import Catalog
from study_app import clock, create_app
from study_app.database import open_database
from study_app.decisions import PRESETS
from study_app.identity import EXPERIMENTER_KEY
from study_app.models import Study
from study_app.settings import StudySettings
from study_app.simulated_answers import RaterModel
from study_app.simulated_raters import Simulation, simulate
from study_app.studies import create_study, open_study
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
SIMULATED_RATERS = 12
TRIALS_EACH = 5  # a study that is under way: not every scene is decided
SEED = 3
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
@click.option("--scene", default="interior", show_default=True, help="The scene that is judged.")
@click.option("--output", type=PATH, default=Path("docs/images"), show_default=True)
def main(data: Path | None, scene: str, output: Path) -> None:
    """Take grid, compare, decide and the experimenter's live page; write them as JPEG."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _stage(data or _built(folder / "data"), folder) as stage:
            for title, page in (*_trial(stage, scene), ("live", _live(stage))):
                path = output / f"study-{title}.jpg"
                _reduced(page.screenshot()).save(path, quality=JPEG_QUALITY, optimize=True)
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


def _trial(stage: Stage, scene: str) -> Iterator[tuple[str, Page]]:
    """The three views of one trial, each when it stands still."""
    rater = RaterFactory(stage.catalog, stage.study.id)(at=clock.now())
    with stage.catalog.writing() as session:
        shown = scene_named(session, session.merge(stage.study), scene)
        order = [item.id for item in shown.items]
        random.Random(SEED).shuffle(order)
        add_assignment(session, session.merge(rater), shown, at=clock.now(), order=order)
    sign_in(stage.context, stage.app, stage.address, rater)
    page = stage.context.new_page()
    page.goto(f"{stage.address}/trial")
    wait_until_open(page)
    for title, go_there in VIEWS.items():
        go_there(page)
        yield title, page


def _grid(page: Page) -> None:
    page.keyboard.press("Shift+C")
    page.mouse.move(0, 0)  # no picture is pointed at


def _compare(page: Page) -> None:
    open_compare(page)
    page.keyboard.press("C")
    page.keyboard.press("1")
    page.keyboard.press("F")
    page.keyboard.press("2")
    still(page)
    wait_until_sharp(page)


def _decide(page: Page) -> None:
    page.keyboard.press("Enter")
    page.keyboard.press("y")
    wait_until_sharp(page)
    still(page)


VIEWS: dict[str, Callable[[Page], None]] = {"grid": _grid, "compare": _compare, "decide": _decide}


def _live(stage: Stage) -> Page:
    """The experimenter's page of the study."""
    serializer: Any = stage.app.session_interface.get_signing_serializer(stage.app)  # type: ignore[attr-defined]
    account = {EXPERIMENTER_KEY: add_experimenter(stage.catalog, "admin", name="admin")}
    cookie = {"name": "study", "value": serializer.dumps(account), "url": stage.address}
    stage.context.add_cookies([cookie])  # type: ignore[list-item]
    page = stage.context.new_page()
    page.goto(f"{stage.address}/lab/studies/{stage.study.public_id}")
    page.wait_for_load_state("networkidle")
    return page


def _reduced(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        height = round(image.height * SHOWN_WIDTH / image.width)
        return image.convert("RGB").resize((SHOWN_WIDTH, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
