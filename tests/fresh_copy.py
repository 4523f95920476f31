"""The project as somebody gets it: the tracked files, as they are in the working tree, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OF_AN_OUTER_RUN = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")


def tracked_files() -> list[Path]:
    """What git has, less what was deleted."""
    listed = ["git", "ls-files", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def copy_files(sources: list[Path], folder: Path) -> None:
    """Copy files of the project to the same places below `folder`, with their times."""
    for source in sources:
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def plain_environment() -> dict[str, str]:
    """This process's environment without what would lead a new one back to this checkout or to an outer make."""
    return {name: value for name, value in os.environ.items() if name not in OF_AN_OUTER_RUN}
