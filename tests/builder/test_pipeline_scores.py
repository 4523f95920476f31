"""Scores of a scene: all candidates together, and without reading what an earlier run has scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder import pipeline
from builder.atomic_files import sha256_hex
from builder.images import encode_png
from builder.pipeline import SceneTask, build_scene
from builder.scene_record import ExposureRecord, SceneRecord, write_scene
from builder.settings import AlignSettings, FuseSettings, Settings
from builder.store import Store
from tests.builder.synthetic_brackets import bracket, hand

NAME = "church"
SETTINGS = Settings(
    align=AlignSettings(enabled=False), fuse=FuseSettings(algorithms=("mertens2009", "raman2009"))
)


@pytest.fixture
def task(tmp_path: Path) -> SceneTask:
    exposures = []
    for position, frame in enumerate(bracket(3, [hand((0, 0))] * 3, [-2.0, 0.0, 2.0])):
        frame = frame[:120, :160]
        path = f"originals/{NAME}/{position}.png"
        data = bytes(encode_png(frame))
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
        seconds, ev = 4.0**position, 2.0 * position - 2
        facts = (None, seconds, 8.0, 100.0, ev, None, 160, 120)
        exposures.append(ExposureRecord(path, sha256_hex(data), "png", *facts))
    write_scene(tmp_path, SceneRecord(NAME, "", tuple(exposures), ()))
    return SceneTask(str(tmp_path), NAME, SETTINGS, 3, 0.02)


def scores(task: SceneTask) -> list[dict[str, float]]:
    products = Store(Path(task.data)).products("fused", NAME)
    return [product.result["mef_ssim"] for product in products if product.label == "quality"]


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(pipeline, "read_image", read)


def test_new_candidates_are_scored_without_reading_them(task, monkeypatch):
    forbid_reading(monkeypatch)
    assert build_scene(task).candidates_made == 2
    (found,) = scores(task)
    assert len(found) == 2
    assert all(0.5 < score <= 1 for score in found.values())


def test_scored_candidates_are_not_read_again(task, monkeypatch):
    build_scene(task)
    forbid_reading(monkeypatch)
    summary = build_scene(task)
    assert (summary.candidates_made, summary.candidates_failed) == (0, 0)
    assert len(scores(task)) == 1


def test_candidates_of_an_earlier_run_get_the_same_scores_beside_new_ones(task):
    one = replace(task, settings=SETTINGS.replaced("fuse", algorithms=("mertens2009",)))
    build_scene(one)
    assert build_scene(task).candidates_made == 1
    alone, together = sorted(scores(task), key=len)
    assert together.keys() > alone.keys()
    assert together == {**together, **alone}
