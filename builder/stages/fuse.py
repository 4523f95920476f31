"""Stage 2 of a scene: one algorithm makes one candidate, an 8-bit sRGB PNG that is never changed again."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.images import encode_png
from builder.scene_record import SceneRecord
from builder.settings import Settings, SettingsError
from builder.store import Product, Recipe, Store, library_versions
from fusion_algos import ALGORITHMS, ExposureStack

# Windows are published in pixels, for the images of their time: the sequences with published scores have
# 512 x 339 to 512 x 384. In 24 MP such windows see nothing but noise where a wall or the sky is smooth.
PUBLISHED_PIXELS = 512 * 384

# Stands in a recipe for what only alignment will know: recipes are planned before a picture is decoded.
IF_MOVING = "if-moving"


def planned_algorithms(settings: Settings) -> tuple[str, ...]:
    """The algorithms that a build runs, in display order; raises SettingsError on an unknown name."""
    known = ", ".join(ALGORITHMS)
    for name in (*settings.fuse.algorithms, *settings.algorithms):
        if name not in ALGORITHMS:
            raise SettingsError(f"unknown algorithm {name!r}; known algorithms: {known}")
    for name, parameters in settings.algorithms.items():
        for key in parameters:
            if key not in ALGORITHMS[name].parameters:
                names = ", ".join(ALGORITHMS[name].parameters) or "it has none"
                raise SettingsError(
                    f"[algorithms.{name}]: unknown parameter {key!r}; its parameters: {names}"
                )
    chosen = settings.fuse.algorithms or tuple(ALGORITHMS)
    return tuple(name for name in ALGORITHMS if name in chosen)


def candidate_recipe(scene: SceneRecord, alignment_key: str, name: str, settings: Settings) -> Recipe:
    """All that decides the pixels of one candidate."""
    algorithm = ALGORITHMS[name]
    return Recipe(
        "fused",
        scene.name,
        name,
        (alignment_key,),
        {
            "algorithm": name,
            "revision": algorithm.revision,
            "parameters": _parameters(scene, name, settings),
            "exposure_seconds": scene.exposure_seconds and list(scene.exposure_seconds),
            "libraries": library_versions("numpy", "opencv-python-headless", "scipy", "numba"),
        },
    )


def _parameters(scene: SceneRecord, name: str, settings: Settings) -> dict[str, Any]:
    """Defaults, windows in proportion to the photographs, ghosts only removed where something moved; what the
    settings say wins."""
    parameters = dict(ALGORITHMS[name].parameters)
    if "radius_scale" in parameters and settings.fuse.scale_windows:
        parameters["radius_scale"] = window_scale(scene, settings.align.scale)
    if "deghost" in parameters:
        parameters["deghost"] = IF_MOVING
    return {**parameters, **settings.algorithms.get(name, {})}


def window_scale(scene: SceneRecord, scale: float) -> float:
    """How much longer than the published images' the sides of frames reduced by `scale` are; at least 1."""
    first = scene.exposures[0]
    return max(1.0, round(scale * math.sqrt(first.width * first.height / PUBLISHED_PIXELS), 2))


def fuse_candidate(
    store: Store, recipe: Recipe, stack: ExposureStack, moving: bool
) -> tuple[Product, NDArray[np.uint8]]:
    """Run one algorithm and store its picture; returns the product and the picture (HxWx3 uint8).

    `moving` is what alignment found, and so determined by the recipe's input.
    """
    settings: Mapping[str, Any] = recipe.settings
    parameters = {k: moving if v == IF_MOVING else v for k, v in settings["parameters"].items()}
    started, used = time.perf_counter(), time.process_time()
    fused = ALGORITHMS[settings["algorithm"]](stack, **parameters)
    run = {
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(time.process_time() - used, 3),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    picture = to_eight_bit(fused)
    draft = store.draft(recipe)
    draft.add_file(encode_png(picture), ".png")
    height, width = picture.shape[:2]
    return draft.finish({"width": width, "height": height}, run), picture


def to_eight_bit(fused: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round [0, 1] to 0..255, strip by strip so that no second float image is held."""
    picture = np.empty(fused.shape, np.uint8)
    for top in range(0, fused.shape[0], 256):
        np.rint(fused[top : top + 256] * np.float32(255), casting="unsafe", out=picture[top : top + 256])
    return picture
