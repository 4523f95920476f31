"""Stage 1 of a scene: decode every original once, bring the frames into register, cut the common part."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.images import decode_image, display_from_linear, encode_png
from builder.originals import Frame, LinearFrame, Originals
from builder.registration.alignment import Alignment, Crop, FrameTransform, align_frames, warp
from builder.registration.ghosts import GhostReport, measure_ghosts
from builder.scene_record import SceneRecord
from builder.settings import Settings
from builder.store import Product, Recipe, Store, library_versions
from fusion_algos import ExposureStack

ALIGN_REVISION = 1


@dataclass(frozen=True)
class AlignedFrame:
    """Where one aligned frame is and how it got there (as it stands in the alignment's sidecar)."""

    path: str  # relative to the data folder; the original itself where nothing had to change
    passed_through: bool
    transform: dict[str, Any]  # a FrameTransform


def alignment_recipe(scene: SceneRecord, settings: Settings) -> Recipe:
    """All that decides the aligned frames of a scene."""
    return Recipe(
        "aligned",
        scene.name,
        "alignment",
        tuple(exposure.sha256 for exposure in scene.exposures),
        {
            "revision": ALIGN_REVISION,
            "align": asdict(settings.align),
            "kinds": [exposure.kind for exposure in scene.exposures],
            "relative_ev": [exposure.relative_ev for exposure in scene.exposures],
            "libraries": library_versions(
                "numpy", "opencv-python-headless", "pillow", "rawpy", "scipy", "simplejpeg"
            ),
        },
    )


class AlignedScene:
    """The aligned frames of one scene; each is decoded at most once, and only if somebody asks."""

    def __init__(
        self,
        data: Path,
        scene: SceneRecord,
        product: Product,
        originals: Originals,
        frames: list[Frame] | None,
    ) -> None:
        self.scene = scene
        self.product = product
        self.originals = originals
        self._data = data
        self._frames = frames

    @property
    def rejected(self) -> str:
        """Why this scene gets no candidates; empty if it does."""
        return str(self.product.result["rejected"])

    @property
    def is_moving(self) -> bool:
        """Something moved between the frames, or may have."""
        return bool(self.product.result["motion"] != "static")

    @property
    def records(self) -> list[AlignedFrame]:
        """One per exposure, dark to bright."""
        return [AlignedFrame(**frame) for frame in self.product.result["frames"]]

    def frames(self) -> list[Frame]:
        """All frames as HxWx3 uint8, dark to bright."""
        if self._frames is None:
            self._frames = [self._read(position, frame) for position, frame in enumerate(self.records)]
        return self._frames

    def stack(self) -> ExposureStack:
        """The frames as the algorithms want them, with linear planes where all originals are RAW."""
        linear = None
        if all(exposure.kind == "raw" for exposure in self.scene.exposures):
            linear = [np.load(path, mmap_mode="r") for path in self.linear_paths()]
        return ExposureStack(self.frames(), self.scene.exposure_seconds, linear)

    def linear_paths(self) -> list[Path]:
        """The aligned linear frames of a RAW scene (.npy, uint16), made again where the cache lost them."""
        store = Store(self._data)
        label = "developed" if self.is_identity else "registered"
        paths = []
        for position in range(len(self.scene.exposures)):
            recipe = _linear_recipe(self.scene.name, self.product.key, label, position)
            product = store.find(recipe) or _store_array(store, recipe, self._linear(position))
            paths.append(self._data / product.path(".npy"))
        return paths

    @property
    def is_identity(self) -> bool:
        """No frame was resampled or cropped."""
        return bool(self.product.result["identity"])

    def _linear(self, position: int) -> LinearFrame:
        developed = self.originals.linear(position)
        if self.is_identity:
            return developed
        transform = FrameTransform(**self.records[position].transform)
        return warp(developed, transform, Crop(*self.product.result["crop"]))

    def _read(self, position: int, frame: AlignedFrame) -> Frame:
        if frame.passed_through:
            return self.originals.display(position)
        self.originals.decoded += 1
        return decode_image((self._data / frame.path).read_bytes(), name=frame.path)


def align_scene(store: Store, scene: SceneRecord, settings: Settings) -> AlignedScene:
    """Align a scene, or find it aligned.

    Raises UnreadableImage or ChangedOriginal if an original cannot be used. A common crop that would be too
    small is not an error: the scene is then `rejected`.
    """
    recipe = alignment_recipe(scene, settings)
    originals = Originals(store.root, scene, settings)
    product = store.find(recipe)
    if product is not None:
        return AlignedScene(store.root, scene, product, originals, None)
    frames = _decode_all(store, scene, recipe, originals)
    relative_ev = _relative_ev(scene, frames)
    alignment = align_frames(frames, relative_ev, settings.align)
    if not alignment.is_identity:
        _register(store, scene, recipe, alignment, frames)
    ghosts = measure_ghosts(frames, alignment.reference, settings.align)
    product = _store_alignment(store, scene, recipe, alignment, ghosts, frames, settings)
    return AlignedScene(store.root, scene, product, originals, frames)


def _decode_all(store: Store, scene: SceneRecord, recipe: Recipe, originals: Originals) -> list[Frame]:
    """Display frames of all exposures; the linear frame of a RAW goes to the cache, not into memory."""
    frames = []
    for position, exposure in enumerate(scene.exposures):
        if exposure.kind == "raw":
            linear = originals.linear(position)
            _store_array(store, _linear_recipe(scene.name, recipe.key, "developed", position), linear)
            frames.append(display_from_linear(linear))
        else:
            frames.append(originals.display(position))
    return frames


def _relative_ev(scene: SceneRecord, frames: Sequence[Frame]) -> list[float]:
    """As the camera said; else estimated from the pixels (good for alignment, not camera facts)."""
    known = [exposure.relative_ev for exposure in scene.exposures if exposure.relative_ev is not None]
    if len(known) == len(frames):
        return known
    stack = ExposureStack(frames, None)
    middle = stack.relative_seconds[len(frames) // 2]
    estimated = [0.0] * len(frames)
    for position, seconds in zip(stack.order, stack.relative_seconds, strict=True):
        estimated[position] = float(np.log2(seconds / middle))
    return estimated


def _register(
    store: Store, scene: SceneRecord, recipe: Recipe, alignment: Alignment, frames: list[Frame]
) -> None:
    """Warp and crop in place, one frame at a time; of a RAW the linear frame, the display derived from it."""
    for position, (exposure, transform) in enumerate(zip(scene.exposures, alignment.transforms, strict=True)):
        if exposure.kind == "raw":
            developed = store.find(_linear_recipe(scene.name, recipe.key, "developed", position))
            if developed is None:
                raise FileNotFoundError(f"cache/{scene.name}: frame {position} vanished while it was in use")
            linear = warp(np.load(store.root / developed.path(".npy")), transform, alignment.crop)
            _store_array(store, _linear_recipe(scene.name, recipe.key, "registered", position), linear)
            frames[position] = display_from_linear(linear)
        else:
            frames[position] = warp(frames[position], transform, alignment.crop)


def _store_alignment(
    store: Store,
    scene: SceneRecord,
    recipe: Recipe,
    alignment: Alignment,
    ghosts: GhostReport,
    frames: Sequence[Frame],
    settings: Settings,
) -> Product:
    draft = store.draft(recipe)
    records = []
    for position, (exposure, transform) in enumerate(zip(scene.exposures, alignment.transforms, strict=True)):
        path = exposure.path
        passed = alignment.is_identity and exposure.kind != "raw" and settings.align.scale == 1.0
        if not passed:
            path = draft.add_file(encode_png(frames[position]), ".png", label=f"frame-{position:02d}")
        records.append(asdict(AlignedFrame(path, passed, asdict(transform))))
    mask = np.repeat(ghosts.mask.astype(np.uint8)[..., None] * 255, 3, axis=2)
    draft.add_file(encode_png(mask), ".png", label="ghosts")
    height, width = frames[0].shape[:2]
    return draft.finish(
        {
            "width": width,
            "height": height,
            "identity": alignment.is_identity,
            "crop": list(asdict(alignment.crop).values()),
            "reference": alignment.reference,
            "flags": list(alignment.flags),
            "rejected": "crop-too-small" if "crop-too-small" in alignment.flags else "",
            "ghost_score": ghosts.score,
            "ghost_per_frame": list(ghosts.per_frame),
            "motion": ghosts.verdict,
            "frames": records,
        },
        {},
    )


def _linear_recipe(scene: str, alignment_key: str, label: str, position: int) -> Recipe:
    return Recipe("cache", scene, f"{label}-{position:02d}", (alignment_key,), {})


def _store_array(store: Store, recipe: Recipe, array: NDArray[Any]) -> Product:
    buffer = io.BytesIO()
    np.save(buffer, array)
    draft = store.draft(recipe)
    draft.add_file(buffer.getbuffer(), ".npy")
    return draft.finish({}, {})
