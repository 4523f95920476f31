"""Views: other people's folder layouts, made from a finished dataset alone. One format, one module.

A format's module has `write(dataset: Path, output: Path)`, which fills the empty folder `output`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

FORMATS: Mapping[str, str] = {}


def view_writer(name: str) -> Callable[[Path, Path], object]:
    """The writer of a view; ValueError for an unknown name."""
    if name not in FORMATS:
        known = ", ".join(FORMATS) or "none is installed"
        raise ValueError(f"--format {name}: unknown; known are: {known}")
    write: Callable[[Path, Path], object] = import_module(FORMATS[name]).write
    return write
