"""The preview folders that the builder made: whether one is whole, and how much room it takes."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from math import ceil
from pathlib import Path

SMALL_PREVIEW, LARGE_PREVIEW, TILES = "w480.jpg", "w2048.jpg", "tiles.dzi"
TILE_SIZE, OVERLAP = 510, 1
SCHEMA = "{http://schemas.microsoft.com/deepzoom/2008}"


@dataclass(frozen=True)
class TileGrid:
    """Deep-zoom tiles of a picture, as the Deep Zoom format defines them."""

    width: int
    height: int

    @property
    def top_level(self) -> int:
        """The level that holds the picture at full size; level 0 is a single pixel."""
        return (max(self.width, self.height) - 1).bit_length()

    def tiles(self, level: int) -> tuple[int, int]:
        """Columns and rows of a level; ValueError outside 0..top_level."""
        if not 0 <= level <= self.top_level:
            raise ValueError(f"level {level}: a {self.width}x{self.height} picture has 0..{self.top_level}")
        shrunk = 2 ** (self.top_level - level)
        columns, rows = (ceil(ceil(side / shrunk) / TILE_SIZE) for side in (self.width, self.height))
        return columns, rows


def preview_problem(folder: Path, width: int, height: int) -> str | None:
    """What is missing in the preview of a picture of this size, as a phrase; None if the folder is whole."""
    for name in (SMALL_PREVIEW, LARGE_PREVIEW, TILES):
        if not (folder / name).is_file():
            return f"{folder / name} is missing"
    found = _described(folder / TILES)
    if found != (width, height, TILE_SIZE, OVERLAP):
        return (
            f"{folder / TILES} describes (width, height, tile size, overlap) {found}, "
            f"expected {(width, height, TILE_SIZE, OVERLAP)}"
        )
    grid = TileGrid(width, height)
    for level in range(grid.top_level + 1):
        missing = _missing_tiles(folder / "tiles_files" / str(level), *grid.tiles(level))
        if missing:
            return missing
    return None


def folder_bytes(folder: Path) -> int:
    """Size of all files below a folder; 0 if it does not exist."""
    return sum((Path(root) / name).stat().st_size for root, _, names in os.walk(folder) for name in names)


def _described(dzi: Path) -> tuple[int, ...] | None:
    try:
        image = ElementTree.parse(dzi).getroot()
        size = image.find(f"{SCHEMA}Size")
        if size is None:
            return None
        values = (size.get("Width"), size.get("Height"), image.get("TileSize"), image.get("Overlap"))
        return tuple(int(value or "") for value in values)
    except (ElementTree.ParseError, ValueError):
        return None


def _missing_tiles(folder: Path, columns: int, rows: int) -> str | None:
    present = {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set()
    for row in range(rows):
        for column in range(columns):
            name = f"{column}_{row}.jpg"
            if name not in present:
                return f"{folder / name} is missing"
    return None
