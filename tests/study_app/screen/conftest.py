"""Fixtures of the browser tests: a browser for all, and per test a server, a rater and signed-in contexts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser

from builder.settings import PreviewSettings
from builder.stages.preview import write_preview
from study_app import clock
from study_app.rating import trial_document
from study_app.storage.models import Rater, Study
from tests.study_app.scenery import RaterFactory
from tests.study_app.screen.rating import BOARD, Rating, noise_board, served, sign_in


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


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, dataset: Path, request: pytest.FixtureRequest) -> Path:
    """The dataset; as parameter "boards", one whose pictures of "bay" are boards of single pixels."""
    if getattr(request, "param", None) != "boards":
        return dataset
    own = tmp_path_factory.mktemp("boards") / "data"
    shutil.copytree(dataset, own)
    board = own / "board"
    board.mkdir()
    write_preview(board, noise_board(*BOARD), PreviewSettings())
    for folder in (own / "previews/bay").iterdir():
        shutil.rmtree(folder)
        shutil.copytree(board, folder)
    return own
