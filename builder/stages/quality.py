"""MEF-SSIM of a scene's candidates: a companion figure for people; it must never pick a reference."""

from __future__ import annotations

from collections.abc import Mapping

from builder.store import Product, Recipe, Store
from fusion_algos import ExposureStack
from fusion_algos.mef_ssim import GrayPlane, score_many

QUALITY_REVISION = 1
LABEL = "quality"


def quality_recipe(scene: str, candidate_keys: tuple[str, ...]) -> Recipe:
    """All that decides the scores of these candidates."""
    return Recipe("fused", scene, LABEL, candidate_keys, {"revision": QUALITY_REVISION})


def score_candidates(
    store: Store, recipe: Recipe, stack: ExposureStack, fused: Mapping[str, GrayPlane]
) -> Product:
    """Score fused images, given as gray planes by candidate key, against their stack; None for a tiny image."""
    scores = score_many(stack, list(fused.values()))
    rounded = [None if score is None else round(score, 6) for score in scores]
    return store.draft(recipe).finish({"mef_ssim": dict(zip(fused, rounded, strict=True))}, {})
