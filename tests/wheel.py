"""`python -m tests.wheel`: the built wheel, installed into an empty environment, works outside the checkout.

Needs a package index. Prints what it typed and the end of what came of it; exits 1 where something failed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

import click

from tests.fresh_copy import ROOT, copy_files, plain_environment, tracked_files

SHOWN_LINES = 8
# typed in an empty folder, each building on those before it
WITHOUT_EXTRAS = (
    "python -m builder --version",
    "python -m builder simulate --count 1 --size 240x160 --output simulated",
    "python -m builder build simulated/photos --data data",
    "python -m builder status --data data",
    "python -m builder contact-sheet --data data",
)
WITH_STUDY = (
    "python -m study_app --version",
    "python -m study_app create --open --seed 1 --data data",
    "python -m study_app simulate-raters --raters 4 --data data",
    "python -m study_app report --data data",
    "python -m study_app results --data data",
)


class Failed(RuntimeError):
    """A command did not end well; the message is the end of its output."""


def typed(command: list[str], folder: Path, shown: str) -> None:
    """Run a command in `folder`, print it as `shown` with the end of its output; raises Failed."""
    click.echo(f"\n$ {shown}")
    done = subprocess.run(
        command, cwd=folder, env=plain_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    lines = done.stdout.replace(str(folder), ".").splitlines()
    click.echo("\n".join(lines[-SHOWN_LINES:]))
    if done.returncode != 0:
        raise Failed(f"exit code {done.returncode}: {shown}")


def built_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the tracked files."""
    copy_files(tracked_files(), folder / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", ".", "./source"]
    typed(command, folder, "pip wheel --no-deps ./source")
    (wheel,) = folder.glob("*.whl")
    shutil.rmtree(folder / "source")
    click.echo(f"{wheel.name}: {wheel.stat().st_size / 1000:.0f} kB")
    return wheel


def prove(folder: Path) -> None:
    """Build, install, use; first without extras, then the study."""
    wheel = built_wheel(folder)
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment/bin/python"
    shutil.copyfile(ROOT / "constraints.txt", folder / "constraints.txt")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for extra, commands in (("", WITHOUT_EXTRAS), ("[study]", WITH_STUDY)):
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pinned = ["-c", folder / "constraints.txt", f"{wheel}{extra}"]
        typed(list(map(str, install + pinned)), folder, f"pip install {wheel.name}{extra}")
        for command in commands:
            typed([str(python), *command.split()[1:]], elsewhere, command)


@click.command()
def main() -> None:
    """Build the wheel, install it into an empty environment and use it outside the checkout."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    click.echo(f"contrast-foundry {declared}, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as name:
        try:
            prove(Path(name))
        except Failed as error:
            click.echo(f"BROKEN: {error}")
            sys.exit(1)
    click.echo("\nthe wheel works")


if __name__ == "__main__":
    main()
