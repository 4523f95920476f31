"""The bracket that the benchmarks are measured on: a simulated interior, the same everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCENE, SEED, EXPOSURES = "interior", 2024, 7
TILE_WIDTH, TILE_HEIGHT = 1200, 800
STORED = Path(__file__).resolve().parents[2] / "runs" / "bench" / f"{SCENE}-{SEED}.npz"
SHAPES = {12: (3000, 4000), 24: (4000, 6000)}


def shape_of(megapixels: int) -> tuple[int, int]:
    """Height and width, as cameras have them."""
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    return SHAPES.get(megapixels, (height, round(height * 1.5)))


def render_once() -> None:
    """Render and photograph the scene unless an earlier benchmark did: half a minute of ray tracing."""
    if STORED.exists():
        return
    from builder.simulate import render_bracket

    images, seconds = render_bracket(SCENE, TILE_WIDTH, TILE_HEIGHT, EXPOSURES, seed=SEED)
    STORED.parent.mkdir(parents=True, exist_ok=True)
    unfinished = STORED.with_name("unfinished-" + STORED.name)
    np.savez(unfinished, images=np.stack(images), seconds=seconds)
    unfinished.rename(STORED)


def bracket(megapixels: int) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """EXPOSURES images, HxWx3 uint8 RGB, and their seconds; `render_once` must have been called.

    Ray tracing 24 megapixels would take a quarter of an hour, so the rendered frame is repeated as in
    mirrors, which keeps its detail, noise and clipping.
    """
    height, width = shape_of(megapixels)
    with np.load(STORED) as stored:
        tiles, seconds = stored["images"], stored["seconds"].tolist()
    rows = np.pad(np.arange(TILE_HEIGHT), (0, height), mode="symmetric")[:height, np.newaxis]
    columns = np.pad(np.arange(TILE_WIDTH), (0, width), mode="symmetric")[:width]
    return [tile[rows, columns] for tile in tiles], seconds
