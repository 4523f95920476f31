"""The command `import-candidates`: pictures that another program made of our scenes become candidates too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from builder.atomic_files import readable_name, sha256_hex
from builder.build import SceneIndex, Selection
from builder.catalog import catalog_url, open_catalog
from builder.commands.report import Report
from builder.execution.ledger import Ledger
from builder.images import UnreadableImage, as_8_bit, decode_image, encode_png, read_bytes
from builder.plan import ScenePlan
from builder.record import record_scene
from builder.settings import Settings
from builder.stages.align import align_scene
from builder.stages.comparison import compare_candidates
from builder.stages.preview import make_preview, preview_recipe
from builder.store import Recipe, Store
from fusion_algos import ALGORITHMS


class ImportRefused(ValueError):
    """A picture does not fit its scene; the message says why."""


def import_folder(data: Path, settings: Settings, folder: Path, name: str) -> Report:
    """Import `<scene>.*` for every scene that has one; a file that does not fit is reported."""
    _check_name(name)
    index = SceneIndex(data, settings, Selection())
    files = _files_by_scene(folder, list(index.plans))
    store, ledger, rows = Store(data), Ledger(data / "ledger"), []
    catalog = open_catalog(catalog_url(data))
    try:
        for scene, path in files.items():
            try:
                import_picture(store, index.plans[scene], settings, path, name)
                rows.append((scene, "imported", ""))
            except (ImportRefused, UnreadableImage) as error:
                rows.append((scene, "refused", str(error)))
            with catalog.writing() as session:
                record_scene(session, store, index.plans[scene], ledger)
    finally:
        catalog.close()
    table = pd.DataFrame(rows, columns=["scene", "result", "reason"])
    return Report({"Imported": table}, failed=bool((table["result"] == "refused").any()))


def import_picture(store: Store, plan: ScenePlan, settings: Settings, path: Path, name: str) -> None:
    """Store one picture of the size of the scene's crop, or of the full frame (which is then cropped)."""
    alignment = store.find(plan.alignment)
    if alignment is None or alignment.result["rejected"]:
        raise ImportRefused(f"scene {plan.scene.name!r} has no aligned frames; build it first")
    content = read_bytes(path, settings.scan)
    picture = as_8_bit(decode_image(content, name=str(path), limits=settings.scan))
    picture = _cropped(picture, plan, alignment.result, path)
    recipe = Recipe(
        "fused",
        plan.scene.name,
        readable_name(name),
        (alignment.key, sha256_hex(content)),
        {"algorithm": name, "revision": 1, "parameters": {}, "imported": True},
    )
    if store.find(recipe) is None:
        draft = store.draft(recipe)
        draft.add_file(encode_png(picture), ".png")
        draft.finish({"width": picture.shape[1], "height": picture.shape[0]}, {})
    preview = preview_recipe(plan.scene.name, readable_name(name), recipe.key, settings.preview)
    if store.find(preview) is None:
        make_preview(store, preview, picture, settings.preview)
    comparison = plan.comparison(store)
    if store.find(comparison) is None:
        frames = align_scene(store, plan.scene, settings).frames()
        compare_candidates(store, comparison, frames, plan.there(store))


def _check_name(name: str) -> None:
    if name in ALGORITHMS:
        raise ValueError(f"--name {name}: that is one of this program's own algorithms; choose another name")
    if readable_name(name) != name:
        raise ValueError(
            f"--name {name!r}: use letters, digits, '-', '_' and '.' only, e.g. {readable_name(name)}"
        )


def _files_by_scene(folder: Path, scenes: Sequence[str]) -> dict[str, Path]:
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder; give one that holds <scene>.png, <scene>.jpg or <scene>.tif"
        )
    found = {path.stem: path for path in sorted(folder.iterdir()) if path.stem in scenes}
    if not found:
        raise ValueError(f"{folder} holds no file named like one of the scenes: {', '.join(scenes)}")
    return found


def _cropped(
    picture: NDArray[np.uint8], plan: ScenePlan, facts: Mapping[str, Any], path: Path
) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    if (width, height) == (facts["width"], facts["height"]):
        return picture
    first = plan.scene.exposures[0]
    if (width, height) == (first.width, first.height):
        x, y, crop_width, crop_height = facts["crop"]
        return np.ascontiguousarray(picture[y : y + crop_height, x : x + crop_width])
    raise ImportRefused(
        f"{path} is {width}x{height}; scene {plan.scene.name!r} needs {facts['width']}x{facts['height']} "
        f"(the common crop) or {first.width}x{first.height} (the full frame)"
    )
