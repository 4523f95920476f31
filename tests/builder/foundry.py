"""Running the builder's commands, in this process or one of their own, and comparing what they left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from builder.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
CHOSEN = ("mertens2009", "li2013", "ma2017", "bruce2014")  # enough to build with; all have tests of their own
STORE_FOLDERS = ("originals", "aligned", "cache", "fused", "previews")


def foundry(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command to its end in this process, which spares the two seconds in which libraries load.

    An error that the command does not turn into a sentence is raised here.
    """
    changed = clean_environment(**environment)
    dropped = {name: None for name in os.environ if name not in changed}
    texts = [str(argument) for argument in arguments]
    answer = CliRunner().invoke(main, texts, env={**changed, **dropped}, catch_exceptions=False)
    return subprocess.CompletedProcess(texts, answer.exit_code, answer.stdout, answer.stderr)


def foundry_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m builder ...` to its end, as people run it: a process of its own."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean_environment(**environment),
        check=False,
    )


def start_foundry(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """`python -m builder ...` under way, as the leader of a process group that can be killed as a whole."""
    return subprocess.Popen(
        command(*arguments), text=True, cwd=ROOT, env=clean_environment(**environment), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_heed_ctrl_c,
    )  # fmt: skip


def _heed_ctrl_c() -> None:
    """A shell's background jobs ignore SIGINT, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "builder", *map(str, arguments)]


def build_command(
    data: Path, *source: Path, executor: str = "serial", options: tuple[object, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """`build` with an executor."""
    return foundry("build", *source, "--data", data, "--executor", executor, *options, **environment)


def clean_environment(**extra: str) -> dict[str, str]:
    """Ours without settings from outside, with few algorithms, and what a test adds."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FOUNDRY_")}
    inherited.pop("DATABASE_URL", None)
    return {**inherited, "FOUNDRY_FUSE_ALGORITHMS": json.dumps(CHOSEN), **extra}


def store_contents(data: Path) -> dict[str, object]:
    """Every derived and original file by its path; of sidecars all but `run`, which may differ between builds."""
    return {
        path.relative_to(data).as_posix(): _content(path)
        for folder in STORE_FOLDERS
        for path in sorted((data / folder).rglob("*"))
        if path.is_file()
    }


def _content(path: Path) -> object:
    if path.suffix != ".json":
        return path.read_bytes()
    document = json.loads(path.read_bytes())
    document.pop("run", None)
    return document


def assert_same_store(data: Path, expected: Path) -> None:
    """The same files with the same bytes; the message names the first that differs."""
    mine, theirs = store_contents(data), store_contents(expected)
    assert sorted(mine) == sorted(theirs)
    different = [path for path in mine if mine[path] != theirs[path]]
    assert not different, f"{len(different)} files differ, the first: {different[0]}"
