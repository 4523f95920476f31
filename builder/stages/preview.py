"""Stage 3 of a scene: what a rater's browser gets of each candidate and each aligned exposure.

Two small pictures and deep-zoom tiles (DZI), all by one encoder and one kernel (libvips), so that no algorithm's
result is treated differently; no metadata but one fixed sRGB profile, because metadata unblind.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.codecs.color_profiles import SRGB_PROFILE
from builder.settings import PreviewSettings
from builder.store import Product, Recipe, Store, library_versions

PREVIEW_REVISION = 2  # 1: without a colour profile
ENCODING = ("small_side", "large_side", "tile_size", "quality")  # the settings that decide a preview's bytes
NO_FACTS: Mapping[str, Any] = MappingProxyType({})


def preview_recipe(
    scene: str, label: str, source_key: str, settings: PreviewSettings, **change: Any
) -> Recipe:
    """All that decides the preview of one picture: `source_key` names its pixels, `change` what is done to them."""
    return Recipe(
        "previews",
        scene,
        label,
        (source_key,),
        {
            **change,
            "revision": PREVIEW_REVISION,
            "preview": {name: getattr(settings, name) for name in ENCODING},
            "libraries": library_versions("pyvips", "pyvips-binary"),
        },
    )


def make_preview(
    store: Store,
    recipe: Recipe,
    picture: NDArray[np.uint8],
    settings: PreviewSettings,
    facts: Mapping[str, Any] = NO_FACTS,
) -> Product:
    """Write `w<small>.jpg`, `w<large>.jpg` and `tiles.dzi` with its tiles for an HxWx3 sRGB picture.

    `facts` about the picture go into the product's result.
    """

    def fill(folder: Path) -> None:
        write_preview(folder, picture, settings)

    draft = store.draft(recipe)
    draft.add_folder(fill)
    return draft.finish(facts, {})


def write_preview(folder: Path, picture: NDArray[np.uint8], settings: PreviewSettings) -> None:
    """The files of one preview, into an existing folder."""
    import pyvips  # its start costs a tenth of a second, and only this stage needs it

    image = pyvips.Image.new_from_array(np.ascontiguousarray(picture)).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", SRGB_PROFILE.read_bytes())
    encoder = {"Q": settings.quality, "subsample_mode": "off", "keep": "icc"}
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
        keep="icc",
    )
    (folder / "tiles_files" / "vips-properties.xml").unlink()  # carries the date, so never twice the same
