"""A dataset in the making: a folder `unfinished-V` beside the final one, and beside it what is known of its scenes.

A scene is done when its facts are written, after its files; a killed export goes on from there. Facts are only
trusted if the scene's key is still the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from builder.atomic_files import UNFINISHED, finish_folder, replace_file
from builder.dataset.records import SceneFact, from_json, to_json


class UnfinishedDataset:
    """Owns the folders of one export until it is finished."""

    def __init__(self, output: Path, version: str) -> None:
        self.final = output / version
        self.folder = output / f"{UNFINISHED}{version}"
        self._facts = output / f"{UNFINISHED}{version}-facts"

    def done(self, name: str, key: str) -> SceneFact | None:
        """The facts of a scene that an interrupted export finished; None if it has to be written."""
        try:
            first, _, rest = self._path(name).read_text(encoding="utf-8").partition("\n")
            fact = from_json(rest) if first == key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if fact is None or any(not self._is_there(file.path, file.size) for file in fact.files):
            return None
        return fact

    def note(self, fact: SceneFact, key: str) -> None:
        """The scene's files are written: from now on it is done."""
        replace_file(self._path(fact.name), f"{key}\n{to_json(fact)}".encode())

    def read(self, name: str) -> SceneFact:
        """The facts of a scene that is done."""
        return from_json(self._path(name).read_text(encoding="utf-8").partition("\n")[2])

    def remove_all_but(self, expected: Collection[str]) -> None:
        """Delete files that an earlier attempt left and this one does not contain; then empty folders."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(self.folder).as_posix() not in expected:
                path.unlink()

    def files(self) -> Iterator[str]:
        """All files, POSIX, bytewise sorted."""
        found = (
            path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()
        )
        yield from sorted(found, key=str.encode)

    def finish(self) -> None:
        """Give the dataset its final name; only then is it there."""
        finish_folder(self.folder, self.final)
        shutil.rmtree(self._facts, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._facts / f"{name}.json"

    def _is_there(self, path: str, size: int) -> bool:
        try:
            return (self.folder / path).stat().st_size == size
        except OSError:
            return False
