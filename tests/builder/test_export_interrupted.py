"""Killed, out of room, or stopped: never half a dataset under a final name, and the next call ends the work."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from builder import atomic_files
from builder.atomic_files import CannotWrite
from builder.catalog import Reference, Scene, catalog_url, open_catalog
from tests.builder.exporting import contents, export, rows
from tests.builder.faked_dataset import fake_dataset, many_scenes
from tests.builder.foundry import ROOT, clean_environment

SCENES = 4
KILLED_AT_REPLACE = """
import os, signal, sys
from pathlib import Path
from tests.builder.exporting import export
remaining, real = int(sys.argv[3]), os.{function}
def killing(*arguments, **options):
    global remaining
    remaining -= 1
    if remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
os.{function} = killing
export(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, bytes]:
    """An undisturbed export."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return contents(export(fake_dataset(folder / "data", many_scenes(SCENES)), folder / "out").dataset)


@pytest.fixture
def data(tmp_path) -> Path:
    return fake_dataset(tmp_path / "data", many_scenes(SCENES))


@pytest.mark.parametrize(
    ("function", "call"),
    [("replace", 8), ("fsync", 33), ("rename", 1)],
    ids=["in the second scene", "at random", "before the final name"],
)
def test_after_a_kill_the_next_call_gives_the_same_dataset(data, tmp_path, expected, function, call):
    out = tmp_path / "out"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_REPLACE.format(function=function), data, out, str(call)],
        cwd=ROOT, env=clean_environment(), check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "1.0.0").exists()
    outcome = export(data, out)
    assert outcome.kept >= 1
    assert contents(outcome.dataset) == expected
    assert [path.name for path in out.iterdir()] == ["1.0.0"]


def failing_fsync(monkeypatch, at: int) -> None:
    """From the `at`-th file on the disk is full."""
    real, count = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(atomic_files.os, "fsync", fsync)


@pytest.mark.parametrize("at", [1, 2, 21, 45, 52, 58, 64])
def test_a_full_disk_is_told_and_costs_nothing(data, tmp_path, expected, monkeypatch, at):
    out = tmp_path / "out"
    originals = contents(data / "originals")
    with monkeypatch.context() as full_disk:
        failing_fsync(full_disk, at)
        with pytest.raises(CannotWrite, match=r"No space left on device.*Nothing that was finished is lost"):
            export(data, out)
    assert not (out / "1.0.0").exists()
    assert contents(data / "originals") == originals
    assert contents(export(data, out).dataset) == expected


def test_ctrl_c_keeps_finished_scenes(data, tmp_path, expected):
    def interrupt(stage: str, scene: str, _total: int) -> None:
        if (stage, scene) == ("write", "scene0002"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(data, tmp_path / "out", on_scene=interrupt)
    outcome = export(data, tmp_path / "out")
    assert outcome.kept == 3
    assert contents(outcome.dataset) == expected


def test_what_an_interrupted_export_left_of_other_scenes_is_not_published(data, tmp_path, expected):
    unfinished = tmp_path / "out" / "unfinished-1.0.0"
    shutil.copytree(data / "originals", unfinished / "train" / "inputs")
    (unfinished / "test").mkdir()
    (unfinished / "test" / "metadata.jsonl").write_text("of yesterday")
    (unfinished / "notes.txt").write_text("private")
    assert contents(export(data, tmp_path / "out").dataset) == expected


def test_facts_whose_files_were_cut_are_not_trusted(data, tmp_path, expected):
    def interrupt(stage: str, scene: str, _total: int) -> None:
        if (stage, scene) == ("write", "scene0001"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(data, tmp_path / "out", on_scene=interrupt)
    for path in sorted((tmp_path / "out").rglob("references/*.png")):
        path.write_bytes(path.read_bytes()[:-1])
    outcome = export(data, tmp_path / "out")
    assert outcome.kept == 0
    assert contents(outcome.dataset) == expected


def test_a_verdict_that_changed_meanwhile_is_not_taken_from_the_interrupted_export(data, tmp_path):
    def interrupt(stage: str, scene: str, _total: int) -> None:
        if (stage, scene) == ("write", "scene0002"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(data, tmp_path / "out", on_scene=interrupt)
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        scene = session.scalars(select(Scene).where(Scene.name == "scene0000")).one()
        reference = session.scalars(select(Reference).where(Reference.scene_id == scene.id)).one()
        other = next(one for one in scene.candidates if one.id != reference.candidate_id)
        reference.candidate_id = other.id
        algorithm = other.algorithm
    catalog.close()
    outcome = export(data, tmp_path / "out")
    assert outcome.kept == 2
    found = {row["scene"]: row["algorithm"] for row in rows(outcome.dataset / "manifest.csv")}
    assert found["scene0000"] == algorithm
