"""Where derived files live: each is written once, under a name that ends in the digest of its recipe.

A product is a sidecar (`<label>-<digest>.json`: recipe, result, run) and the files that it names. The sidecar
is written last, so a product exists exactly if its sidecar does; whatever a killed process leaves behind is
either complete or called `unfinished-*`, and is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from builder.atomic_files import digest_path, replace_file, sha256_hex, write_folder_once, write_once

SCHEMA = 1
STAGES = ("aligned", "cache", "fused", "previews")


def canonical_json(value: object) -> str:
    """JSON text that is equal for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def library_versions(*distributions: str) -> dict[str, str]:
    """The part of each library's version whose change may change pixels: the major, or `0.minor`."""
    return {name: _significant_version(name) for name in distributions}


@cache
def _significant_version(distribution: str) -> str:
    """Kept: each recipe asks, and reading a distribution's metadata takes milliseconds."""
    major, minor, *_ = [*version(distribution).split("."), "0"]
    return major if major != "0" else f"0.{minor}"


@dataclass(frozen=True)
class Recipe:
    """All that decides the bytes of a product: no paths, times or hosts; equal recipes mean equal files.

    Equal to the last bit on processors of one kind; on another, libraries round otherwise (docs/builder.md).
    """

    stage: str  # folder of the store: one of STAGES
    scene: str
    label: str  # readable part of the name, e.g. "mertens2009"
    inputs: tuple[str, ...]  # originals by content hash, derived files by their key, in order
    settings: Mapping[str, Any]  # algorithm, revision, parameters, library versions ...

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The recipe as it stands in the sidecar."""
        return {
            "schema": SCHEMA,
            "stage": self.stage,
            "label": self.label,
            "inputs": list(self.inputs),
            "settings": json.loads(canonical_json(dict(self.settings))),
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of the fields."""
        return hashlib.sha256(canonical_json(self.fields).encode()).hexdigest()

    @property
    def name(self) -> str:
        """Readable label and the first twelve digits of the key."""
        return f"{self.label}-{self.key[:12]}"


@dataclass(frozen=True)
class StoredFile:
    """One file, or one folder of files, of a product."""

    path: str  # POSIX, relative to the data folder
    sha256: str
    size: int  # bytes
    entries: int = 0  # number of files in a folder; 0: a plain file


@dataclass(frozen=True)
class Product:
    """A finished product as its sidecar describes it."""

    key: str
    label: str
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]
    files: tuple[StoredFile, ...]
    result: Mapping[str, Any]
    run: Mapping[str, Any]

    def path(self, ending: str) -> str:
        """Path of the file whose name ends so; KeyError if the product has none."""
        for file in self.files:
            if file.path.endswith(ending):
                return file.path
        raise KeyError(f"{self.label}: no file ending in {ending!r}")


class Store:
    """The derived files below one data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, scene: str) -> Path:
        """`<data>/<stage>/<scene>`."""
        return self.root / stage / scene

    def sidecar(self, recipe: Recipe) -> Path:
        """Where the sidecar of this recipe is, once the product is finished."""
        return self.folder(recipe.stage, recipe.scene) / f"{recipe.name}.json"

    def find(self, recipe: Recipe) -> Product | None:
        """The finished product of this recipe, or None if it has to be made."""
        product = self.read_sidecar(self.sidecar(recipe))
        if product is None or product.key != recipe.key:
            return None
        return product if all(self._size_agrees(file) for file in product.files) else None

    def products(self, stage: str, scene: str) -> Iterator[Product]:
        """All finished products of one stage of one scene, by name."""
        for path in sorted(self.folder(stage, scene).glob("*.json")):
            product = self.read_sidecar(path)
            if product is not None and all(self._size_agrees(file) for file in product.files):
                yield product

    def read_sidecar(self, path: Path) -> Product | None:
        """The product described by a sidecar; None if there is no readable sidecar of this schema."""
        try:
            state = path.stat()
        except OSError:
            return None
        return _described(path, state.st_mtime_ns, state.st_size)

    def draft(self, recipe: Recipe) -> Draft:
        """Start making a product."""
        return Draft(self, recipe)

    def verify(self, product: Product) -> tuple[str, ...]:
        """Paths of the product's files whose bytes are no longer those that were written."""
        return tuple(file.path for file in product.files if digest_path(self.root / file.path) != file.sha256)

    def _size_agrees(self, file: StoredFile) -> bool:
        path = f"{self.root}/{file.path}"  # a string: thousands are asked for, and a Path costs more than the answer
        try:
            state = os.stat(path)
            return stat.S_ISDIR(state.st_mode) if file.entries else state.st_size == file.size
        except OSError:
            return False


class StoreSnapshot(Store):
    """A store as it was when first asked: each sidecar of a scene is read once, however often it is asked for.

    For whoever reads some scenes and writes nothing; it holds what it has read, so not for all scenes of a dataset.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._read: dict[tuple[str, str], dict[str, Product]] = {}

    def find(self, recipe: Recipe) -> Product | None:
        """The finished product of this recipe, or None if it was not there."""
        return self._there(recipe.stage, recipe.scene).get(recipe.key)

    def products(self, stage: str, scene: str) -> Iterator[Product]:
        """All products of one stage of one scene that were finished, by name."""
        yield from self._there(stage, scene).values()

    def _there(self, stage: str, scene: str) -> dict[str, Product]:
        if (stage, scene) not in self._read:
            found = super().products(stage, scene)
            self._read[stage, scene] = {product.key: product for product in found}
        return self._read[stage, scene]


@lru_cache(maxsize=512)
def _described(path: Path, _changed: int, _size: int) -> Product | None:
    """Kept for some scenes' worth: what a scene still needs is asked of the same sidecars again and again."""
    try:
        document = json.loads(path.read_bytes())
        recipe, result = document["recipe"], dict(document["result"])
        files = tuple(StoredFile(**file) for file in result.pop("files"))
        if recipe["schema"] != SCHEMA:
            return None
        return Product(
            document["key"],
            recipe["label"],
            tuple(recipe["inputs"]),
            recipe["settings"],
            files,
            result,
            document["run"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Draft:
    """A product in the making: add its files one by one, then `finish` writes the sidecar."""

    def __init__(self, store: Store, recipe: Recipe) -> None:
        self._store = store
        self._recipe = recipe
        self._folder = store.folder(recipe.stage, recipe.scene)
        self._files: list[StoredFile] = []
        self._started = datetime.now(UTC)

    def add_file(self, data: bytes | memoryview, suffix: str, *, label: str = "") -> str:
        """Store one file `<label>-<digest><suffix>`; returns its path relative to the data folder."""
        final = self._folder / f"{self._stem(label)}{suffix}"
        write_once(final, data)
        self._files.append(StoredFile(self._relative(final), sha256_hex(data), len(data)))
        return self._files[-1].path

    def add_folder(self, fill: Callable[[Path], None], *, label: str = "") -> str:
        """Store a folder that `fill` writes into; it appears under its final name only when complete."""
        final = self._folder / self._stem(label)
        digest, size, entries = write_folder_once(final, fill)
        self._files.append(StoredFile(self._relative(final), digest, size, entries))
        return self._files[-1].path

    def finish(self, result: Mapping[str, Any], run: Mapping[str, Any]) -> Product:
        """Write the sidecar: from now on the product exists. Only `run` may differ between two builds.

        If somebody else has finished the same product meanwhile, theirs stays and is returned: the host that
        made this one may have been given up for lost long ago.
        """
        known = self._store.find(self._recipe)
        if known is not None and known.files == tuple(self._files):
            return known
        document = {
            "key": self._recipe.key,
            "recipe": self._recipe.fields,
            "result": {**result, "files": [vars(file) for file in self._files]},
            "run": {
                **run,
                "started": self._started.isoformat(timespec="seconds"),
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "host": socket.gethostname(),
                "python": platform.python_version(),
                "processor": cv2.getCPUFeaturesLine(),  # by these the libraries choose how they round
            },
        }
        path = self._store.sidecar(self._recipe)
        replace_file(path, (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
        product = self._store.read_sidecar(path)
        if product is None:  # another build with another schema wrote into the same folder meanwhile
            raise RuntimeError(f"{path}: written, but it does not read back as a product of schema {SCHEMA}")
        return product

    def _stem(self, label: str) -> str:
        return f"{label}-{self._recipe.key[:12]}" if label else self._recipe.name

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._store.root).as_posix()
