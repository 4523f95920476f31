"""MEF-SSIM of a scene's candidates: a companion figure for people; it must never pick a reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from builder.store import Product, Recipe, Store
from fusion_algos import ExposureStack
from fusion_algos.mef_ssim import StackStructure

QUALITY_REVISION = 1


def quality_recipe(scene: str, candidate_keys: tuple[str, ...]) -> Recipe:
    """All that decides the scores of these candidates."""
    return Recipe("fused", scene, "quality", candidate_keys, {"revision": QUALITY_REVISION})


def score_candidates(
    store: Store, recipe: Recipe, stack: ExposureStack, pictures: Mapping[str, NDArray[np.uint8]]
) -> Product:
    """Score HxWx3 uint8 pictures, given by candidate key, against their stack; None for a tiny image."""
    structure = StackStructure(stack)
    scores = [structure.score(picture) for picture in pictures.values()]
    rounded = [None if score is None else round(score, 6) for score in scores]
    return store.draft(recipe).finish({"mef_ssim": dict(zip(pictures, rounded, strict=True))}, {})
