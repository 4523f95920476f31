"""The command `contact-sheet`: one page per scene with its exposures and candidates, so that a person can look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from builder.atomic_files import replace_file
from builder.build import SceneIndex, Selection
from builder.commands.progress import Progress
from builder.commands.report import Report
from builder.images import encode_jpeg, read_image
from builder.plan import ScenePlan
from builder.settings import Settings
from builder.store import Store

SHEET_WIDTH = 2400
MARGIN = 12
CAPTION = 34
EXPOSURE_COLUMNS = 9
CANDIDATE_COLUMNS = 3
PAPER = (119, 119, 119)  # the mid gray of the rater's page
INK = (255, 255, 255)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class _Cell:
    picture: Picture
    caption: str


def write_contact_sheets(data: Path, settings: Settings, selection: Selection) -> Report:
    """Write `contact_sheets/<scene>.jpg` for every chosen scene that is aligned."""
    store, index, rows = Store(data), SceneIndex(data, settings, selection), []
    with Progress("contact sheets", len(index.plans), "scene") as progress:
        for name, plan in index.plans.items():
            cells = _candidate_cells(store, plan)
            if cells:
                path = data / "contact_sheets" / f"{name}.jpg"
                replace_file(path, encode_jpeg(_sheet(plan, _exposure_cells(store, plan), cells)))
                rows.append((name, str(path)))
            progress.advance(name)
    lines = () if rows else ("No scene has candidates yet: build first.",)
    return Report({"Contact sheets": pd.DataFrame(rows, columns=["scene", "file"])}, lines)


def _exposure_cells(store: Store, plan: ScenePlan) -> list[_Cell]:
    cells = []
    for exposure, recipe in zip(plan.scene.exposures, plan.exposure_previews, strict=True):
        preview = store.find(recipe)
        if preview is not None:
            picture = read_image(store.root / preview.files[0].path / f"w{recipe_side(recipe.settings)}.jpg")
            ev = "" if exposure.relative_ev is None else f"{exposure.relative_ev:+.1f} EV"
            cells.append(_Cell(picture, ev))
    return cells


def recipe_side(settings: object) -> int:
    """Side of the small preview of a recipe."""
    return int(settings["preview"]["small_side"])  # type: ignore[index]


def _candidate_cells(store: Store, plan: ScenePlan) -> list[_Cell]:
    scores: dict[str, float | None] = {}
    products = list(store.products("fused", plan.scene.name))
    for product in products:
        scores |= product.result.get("mef_ssim", {})
    current = {recipe.key for recipe in plan.candidates.values()}
    chosen = {
        product.key: product
        for product in products
        if product.key in current or product.settings.get("imported")
    }
    order = [recipe.key for recipe in plan.candidates.values()]
    cells = []
    for key in [*order, *(key for key in chosen if key not in order)]:
        if key in chosen:
            product = chosen[key]
            score = scores.get(key)
            caption = str(product.settings["algorithm"])
            caption += "" if score is None else f"   MEF-SSIM {score:.3f}"
            caption += f"   {product.run['seconds']:.2f} s" if "seconds" in product.run else ""
            cells.append(_Cell(read_image(store.root / product.path(".png")), caption))
    return cells


def _sheet(plan: ScenePlan, exposures: Sequence[_Cell], candidates: Sequence[_Cell]) -> Picture:
    rows = [_title(plan)]
    rows += [
        _row(exposures[k : k + EXPOSURE_COLUMNS], EXPOSURE_COLUMNS)
        for k in range(0, len(exposures), EXPOSURE_COLUMNS)
    ]
    rows += [
        _row(candidates[k : k + CANDIDATE_COLUMNS], CANDIDATE_COLUMNS)
        for k in range(0, len(candidates), CANDIDATE_COLUMNS)
    ]
    return np.concatenate(rows)


def _title(plan: ScenePlan) -> Picture:
    flags = f"   ({', '.join(plan.scene.flags)})" if plan.scene.flags else ""
    return _band(CAPTION + MARGIN, [(MARGIN, MARGIN, f"{plan.scene.name}{flags}")], [])


def _row(cells: Sequence[_Cell], columns: int) -> Picture:
    """Cells of equal width side by side, each with its caption below."""
    width = (SHEET_WIDTH - MARGIN) // columns - MARGIN
    pictures = [_fitted(cell.picture, width) for cell in cells]
    height = max(picture.shape[0] for picture in pictures)
    lefts = [MARGIN + k * (width + MARGIN) for k in range(len(cells))]
    captions = [(left, height + 6, cell.caption) for left, cell in zip(lefts, cells, strict=True)]
    return _band(height + CAPTION, captions, list(zip(lefts, pictures, strict=True)))


def _fitted(picture: Picture, width: int) -> Picture:
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    shrinking = width < picture.shape[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    return cv2.resize(picture, (width, height), interpolation=method)


def _band(
    height: int, captions: Sequence[tuple[int, int, str]], pictures: Sequence[tuple[int, Picture]]
) -> Picture:
    band = np.full((height, SHEET_WIDTH, 3), PAPER, np.uint8)
    for left, picture in pictures:
        band[: picture.shape[0], left : left + picture.shape[1]] = picture
    image = Image.fromarray(band)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(20)
    for left, top, text in captions:
        draw.text((left, top), text, fill=INK, font=font)
    return np.asarray(image)
