"""Every command of README.md, typed as it stands in a fresh copy of the project, works.

Code blocks without a language are commands. All are run, in their order, except those of TOO_LONG. `/path/to/` becomes
a temporary folder with a few small simulated photographs; the environment is linked, so that nothing is fetched.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fresh_copy import ROOT, copy_files, plain_environment, tracked_files
from tests.study_app.servers import free_port

README = (ROOT / "README.md").read_text(encoding="utf-8")
PLACEHOLDER = "/path/to/"
READY_MARKS = (".ready", ".ready-study", ".ready-train", ".ready-test")  # of the Makefile: all is installed
WAIT_SECONDS = 300.0  # of a busy machine
COMPILED = ("builder", "fusion_algos")  # have functions that numba compiles, half a minute of it

# command -> why it is not run here, and what proves it instead
TOO_LONG = {
    "make build-dataset": "minutes; the same with SOURCE and DATA is run here, the simulator by tests/builder",
    "make serve": "needs the data of the line above; with DATA it is run here",
    "make test": "this very suite",
    "make train DATA=/path/to/dataset": "minutes, and more scenes: make demo, tests/trainer/test_train_command.py",
    "make train DATASET=/path/to/export PRESET=sice_two_stage_corrected": "for a GPU: tests/trainer trains each",
    "make evaluate DATA=/path/to/dataset SPLIT=test": "needs a network: make demo, tests/trainer/test_evaluate.py",
    "make enhance PHOTOS=/path/to/photos": "needs a network: make demo, tests/trainer/test_enhance.py",
}


def commands(text: str) -> Iterator[str]:
    """The lines of all code blocks without a language, without their comments."""
    language = None  # of the block that the line is in; None: in no block
    for line in text.splitlines():
        if line.startswith("```"):
            language = line.removeprefix("```") if language is None else None
        elif language == "" and (command := re.sub(r"(^|\s+)#.*", "", line).strip()):
            yield command


@dataclass(frozen=True)
class FreshCopy:
    """The project as somebody gets it, with an environment, and where /path/to/ is."""

    folder: Path
    paths: Path
    environment: Mapping[str, str]

    def run(self, command: str) -> str:
        """Type a command; what it printed. Fails where its exit code is not 0."""
        done = subprocess.run(
            command.replace(PLACEHOLDER, f"{self.paths}/"), shell=True, cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}"
        return done.stdout

    def serve(self, command: str) -> str:
        """Type a command that serves, wait until it answers, interrupt it; what it printed."""
        port = free_port()
        process = subprocess.Popen(
            command.replace(PLACEHOLDER, f"{self.paths}/"), shell=True, cwd=self.folder, start_new_session=True,
            env={**self.environment, "PORT": str(port)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            assert answers(f"http://127.0.0.1:{port}/readyz", process), command
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            printed, _ = process.communicate(timeout=WAIT_SECONDS)
        return printed


def answers(url: str, process: subprocess.Popen[str]) -> bool:
    """Whether the server answers before it ends or the time is over."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                return bool(reply.status == 200)
        except OSError:  # not listening yet
            time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def fresh_copy(tmp_path_factory: pytest.TempPathFactory) -> FreshCopy:
    """Tracked files in a folder of their own, and what numba made of them; .venv links to the present one."""
    folder, paths = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("path-to")
    compiled = [path for package in COMPILED for path in (ROOT / package).rglob("__pycache__/*.nb?")]
    copy_files(
        [*tracked_files(), *compiled], folder
    )  # with their times, by which numba knows what it compiled
    link_environment(folder / ".venv")
    # two quick algorithms: which ones there are is not what is tested here
    chosen = {"FOUNDRY_FUSE_ALGORITHMS": '["mertens2009", "raman2009"]'}
    copy = FreshCopy(folder, paths, {**plain_environment(), **chosen})
    copy.run(".venv/bin/python -m builder simulate --count 2 --size 120x80 --output /path/to/simulated")
    (paths / "simulated" / "photos").rename(paths / "photos")
    return copy


def link_environment(folder: Path) -> None:
    """A folder of links to what this interpreter's environment holds, in which make finds nothing to install."""
    folder.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if not entry.name.startswith(".ready"):
            (folder / entry.name).symlink_to(entry)
    for mark in READY_MARKS:
        (folder / mark).touch()


@pytest.mark.timeout(1200)
def test_every_command_of_the_readme_works(fresh_copy: FreshCopy) -> None:
    """In order, since each builds on those before it."""
    for command in commands(README):
        if command in TOO_LONG:
            continue
        if "make serve" in command:
            assert "/join/" in fresh_copy.serve(command), command
        else:
            fresh_copy.run(command)
    assert "make build-dataset" in fresh_copy.run("make")


def test_the_network_that_is_trained_is_evaluated_and_used(fresh_copy: FreshCopy) -> None:
    """On the same data too; by what make would call, since training takes minutes."""
    called = {}
    for command in commands(README):
        target = command.split()[1]
        if target in {"train", "evaluate", "enhance"} and target not in called:
            words = shlex.split(fresh_copy.run(command.replace("make", "make --dry-run", 1)))
            called[target] = words[words.index(target) + 1 :]
    dataset, _, _, _, network = called["train"][:5]
    assert called["evaluate"][:2] == [dataset, network]
    assert called["enhance"][0] == network


def test_what_is_not_run_stands_in_the_readme() -> None:
    assert TOO_LONG.keys() - set(commands(README)) == set()


def test_comments_and_other_languages_are_no_commands() -> None:
    text = (
        "```\nmake a B=c   # why\n\n# only this\n```\n```toml\nlicense = 1\n```\nmake it\n```\nmake d\n```\n"
    )
    assert list(commands(text)) == ["make a B=c", "make d"]
