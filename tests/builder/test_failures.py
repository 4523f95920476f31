"""What goes wrong costs what it must and no more: real kills, a real timeout, real limits."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from builder.atomic_files import UNFINISHED
from builder.catalog import Candidate, Scene
from tests.builder.foundry import (
    CHOSEN,
    ROOT,
    STORE_FOLDERS,
    assert_same_store,
    build_command,
    clean_environment,
    start_foundry,
    store_contents,
)
from tests.builder.test_build import rows

SCORED = ("li2013-", "quality-", "comparison-")  # of or about sunset with its li2013
PAIR = ("interior", "sunset")  # the one that suffers and one that must not
POISON = str(Path(__file__).parent / "poison")


@pytest.fixture(scope="module")
def photos(simulated) -> list[Path]:
    """The folders of the pair: what fails, fails the same beside one scene as beside five."""
    return [simulated / "photos" / scene for scene in PAIR]


@pytest.fixture(scope="module")
def whole(built, tmp_path_factory) -> Path:
    """The files of the pair as the undisturbed build made them."""
    data = tmp_path_factory.mktemp("whole")
    for folder in STORE_FOLDERS:
        for scene in PAIR:
            if (built / folder / scene).exists():
                shutil.copytree(built / folder / scene, data / folder / scene)
    return data


def poisoned(deed: str, scene: str = "sunset", algorithm: str = "li2013") -> dict[str, str]:
    return {"PYTHONPATH": POISON, "FOUNDRY_TEST_POISON": f"{scene}:{algorithm}:{deed}"}


def broken_candidates(data: Path) -> list[tuple[str, str, str]]:
    query = select(Scene.name, Candidate.algorithm, Candidate.status).join(Candidate.scene)
    return [tuple(row) for row in rows(data, query.where(Candidate.status != "done"))]


def assert_only_that_candidate_is_missing(data: Path, whole: Path) -> None:
    """All files of an undisturbed build but those of sunset's li2013, and what compares it; nothing half-written."""
    mine, theirs = store_contents(data), store_contents(whole)
    missing = {path for path in theirs if path not in mine}
    assert {path.split("/")[1] for path in missing} == {"sunset"}
    assert all(Path(path.split("/")[2]).name.startswith(SCORED) for path in missing)
    assert all(mine[path] == theirs[path] for path in theirs if path in mine)
    assert rows(data, select(Candidate.id).where(Candidate.status == "done")).__len__() == (
        len(PAIR) * len(CHOSEN) - 1
    )


def test_an_algorithm_that_raises_costs_one_candidate(photos, whole, tmp_path):
    answer = build_command(tmp_path, *photos, executor="local:2", **poisoned("raise"))
    assert answer.returncode == 1
    assert "ArithmeticError: the poisoned algorithm divides by zero" in answer.stdout
    assert broken_candidates(tmp_path) == [("sunset", "li2013", "failed")]
    assert_only_that_candidate_is_missing(tmp_path, whole)
    states = dict(rows(tmp_path, select(Scene.name, Scene.status)))
    assert states == {name: "partial" if name == "sunset" else "ready" for name in PAIR}
    assert build_command(tmp_path).returncode == 0  # an error is tried again, and the cause is gone
    assert_same_products(tmp_path, whole)


def assert_same_products(data: Path, whole: Path) -> None:
    """As an undisturbed build, but that scores were also written once for the candidates that there were."""
    mine = store_contents(data)
    extra = {path for path in mine if Path(path).name.startswith(("quality-", "comparison-"))} - set(
        store_contents(whole)
    )
    for path in extra:
        (data / path).unlink()
    assert_same_store(data, whole)


def test_a_task_that_kills_its_worker_is_quarantined_after_two_kills(photos, whole, tmp_path):
    answer = build_command(tmp_path, *photos, executor="local:2", **poisoned("kill"))
    assert answer.returncode == 1
    assert broken_candidates(tmp_path) == [("sunset", "li2013", "quarantined")]
    assert "sunset" in answer.stdout
    assert "li2013" in answer.stdout
    assert "its process was killed" in answer.stdout
    assert_only_that_candidate_is_missing(tmp_path, whole)
    again = build_command(tmp_path)  # quarantine lasts, though the poison is gone
    assert again.returncode == 1
    assert broken_candidates(tmp_path) == [("sunset", "li2013", "quarantined")]
    assert build_command(tmp_path, options=("--only", "sunset")).returncode == 0
    assert_same_products(tmp_path, whole)


def test_a_task_that_hangs_is_ended_and_quarantined(simulated, built, tmp_path):
    options = ("--timeout", "8")  # waited for twice; code that `built` compiled needs a tenth of a second
    photos = simulated / "photos" / "sunset"
    answer = build_command(tmp_path, photos, executor="local:1", options=options, **poisoned("hang"))
    assert answer.returncode == 1
    assert "timed out after 8 s in _do_harm" in answer.stdout
    assert broken_candidates(tmp_path) == [("sunset", "li2013", "quarantined")]


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits are Linux's")
def test_a_task_that_wants_too_much_memory_costs_one_candidate(simulated, tmp_path):
    photos = simulated / "photos" / "sunset"
    answer = build_command(tmp_path, photos, executor="local:1", **poisoned("starve"))
    assert answer.returncode == 1
    assert broken_candidates(tmp_path) == [("sunset", "li2013", "failed")]
    assert "MemoryError" in answer.stdout


def test_a_worker_killed_from_outside_loses_nothing(photos, whole, tmp_path):
    data = tmp_path / "data"
    build = start_foundry("build", *photos, "--data", data, "--executor", "local:2")
    killed = False
    while build.poll() is None and not killed:  # one only, though both may have begun by now
        killed = any(kill_worker_of(marker) for marker in (data / "ledger" / "running").glob("*.json"))
        time.sleep(0.002)
    build.wait(timeout=120)
    assert killed
    assert build.returncode == 0
    assert_same_store(data, whole)


def kill_worker_of(marker: Path) -> bool:
    """SIGKILL to the process that a running marker names, if it is still there."""
    import json

    try:
        os.kill(json.loads(marker.read_text())["pid"], signal.SIGKILL)
    except (OSError, ValueError):
        return False
    return True


def test_kill_9_of_the_whole_build_at_random_moments(simulated, built, tmp_path):
    """While it ingests, while it begins a step, while candidates come; then it ends as if nothing had happened."""
    data, moments = tmp_path / "data", random.Random(7)
    killed = 0
    for sign in ("originals/*/*", "ledger/running/*.json", "fused/*/*.png"):
        before = written(data, sign)
        build = start_foundry("build", simulated / "photos", "--data", data, "--executor", "local:2")
        while build.poll() is None and written(data, sign) <= before:
            time.sleep(0.005)
        try:
            build.wait(timeout=moments.uniform(0.0, 0.6))
        except subprocess.TimeoutExpired:
            os.killpg(build.pid, signal.SIGKILL)
            build.wait()
            killed += 1
            assert_nothing_half_written(data, built)
        else:
            break  # the machine was quick: nothing is left to interrupt
    assert killed >= 2
    answer = build_command(data, simulated / "photos")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for leftover in [*data.rglob(f"{UNFINISHED}*")]:
        leftover.unlink() if leftover.is_file() else shutil.rmtree(leftover)
    assert_same_store(data, built)


def written(data: Path, pattern: str) -> set[tuple[Path, int]]:
    """The files of a pattern, each with the time of its last change; one that vanishes meanwhile is left out."""
    found = set()
    for path in data.glob(pattern):
        try:
            found.add((path, path.stat().st_mtime_ns))
        except FileNotFoundError:
            continue
    return found


def assert_nothing_half_written(data: Path, built: Path) -> None:
    """Every file under a final name has the bytes that it will have in the end."""
    expected = store_contents(built)
    for path, content in store_contents(data).items():
        if UNFINISHED not in path:
            assert content == expected[path], path


def test_ctrl_c_ends_with_130_and_loses_nothing(photos, whole, tmp_path):
    data = tmp_path / "data"
    build = start_foundry("build", *photos, "--data", data, "--executor", "local:1")
    while build.poll() is None and not list((data / "fused").glob("*/*.png")):
        time.sleep(0.01)
    build.send_signal(signal.SIGINT)
    assert build.wait(timeout=120) == 130
    assert build_command(data).returncode == 0
    assert_same_store(data, whole)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE as Linux has it")
def test_a_full_disk_is_named_and_a_later_build_succeeds(photos, whole, tmp_path):
    """A limit on the size of files stands for the full disk; a shard, so that only the store writes."""
    data = tmp_path / "data"
    sources = [str(folder) for folder in photos]
    code = f"""
    import resource, runpy, signal, sys
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
    sys.argv = ["builder", "build", *{sources!r}, "--data", {str(data)!r}, "--executor", "serial", "--shard", "1/1"]
    runpy.run_module("builder", run_name="__main__")
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env=clean_environment(),
    )
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "cannot be written (File too large)" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
    assert not [path for path in data.rglob(f"{UNFINISHED}*") if path.is_file()]
    assert build_command(data, *photos).returncode == 0
    assert_same_store(data, whole)
