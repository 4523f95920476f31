"""Stage 3 of a scene: what a rater's browser gets of each candidate and each aligned exposure.

Two small pictures and deep-zoom tiles (DZI), all by one encoder and one kernel (libvips), so that no algorithm's
result is treated differently; no metadata, because metadata unblind.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.settings import PreviewSettings
from builder.store import Product, Recipe, Store, library_versions

PREVIEW_REVISION = 1


def preview_recipe(scene: str, label: str, source_key: str, settings: PreviewSettings) -> Recipe:
    """All that decides the preview of one picture; `source_key` names its pixels."""
    return Recipe(
        "previews",
        scene,
        label,
        (source_key,),
        {
            "revision": PREVIEW_REVISION,
            "preview": asdict(settings),
            "libraries": library_versions("pyvips", "pyvips-binary"),
        },
    )


def make_preview(
    store: Store, recipe: Recipe, picture: NDArray[np.uint8], settings: PreviewSettings
) -> Product:
    """Write `w<small>.jpg`, `w<large>.jpg` and `tiles.dzi` with its tiles for an HxWx3 sRGB picture."""

    def fill(folder: Path) -> None:
        write_preview(folder, picture, settings)

    draft = store.draft(recipe)
    draft.add_folder(fill)
    return draft.finish({}, {})


def write_preview(folder: Path, picture: NDArray[np.uint8], settings: PreviewSettings) -> None:
    """The files of one preview, into an existing folder."""
    import pyvips  # its start costs a tenth of a second, and only this stage needs it

    image = pyvips.Image.new_from_array(np.ascontiguousarray(picture)).copy(interpretation="srgb")
    encoder = {"Q": settings.quality, "subsample_mode": "off", "keep": "none"}
    for side in (settings.small_side, settings.large_side):
        scale = min(1.0, side / max(image.width, image.height))
        small = image if scale == 1.0 else image.resize(scale, kernel="lanczos3")
        small.jpegsave(str(folder / f"w{side}.jpg"), **encoder)
    options = f"[Q={settings.quality},subsample_mode=off]"
    image.dzsave(
        str(folder / "tiles"),
        tile_size=settings.tile_size,
        overlap=1,
        suffix=f".jpg{options}",
        keep="none",
    )
    (folder / "tiles_files" / "vips-properties.xml").unlink()  # carries the date, so never twice the same
