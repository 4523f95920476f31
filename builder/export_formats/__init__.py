"""Views: other people's folder layouts, made from a finished dataset alone. One format, one module.

A view's module has `write(dataset: Path, output: Path)`, which fills the empty folder `output`; archive.py's `write`
makes the file `output`, .tar or .zip. The folder `views` inside a dataset is no part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

FORMATS: Mapping[str, str] = {
    name: f"{__name__}.{name}" for name in ("sice", "paired", "webdataset", "triplets", "bagit")
}


def view_writer(name: str) -> Callable[[Path, Path], None]:
    """The writer of a view; ValueError for an unknown name."""
    if name not in FORMATS:
        known = ", ".join(FORMATS) or "none is installed"
        raise ValueError(f"--format {name}: unknown; known are: {known}")
    write: Callable[[Path, Path], None] = import_module(FORMATS[name]).write
    return write
