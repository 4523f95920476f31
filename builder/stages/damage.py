"""Deliberately damaged copies of a sound candidate: what raters practise on, and what tells whether they look.

Each fault is put in twice: `clear`, which an attentive rater sees without searching, and `strong`, seen at a
glance. Only previews of a copy are kept, made like those of any candidate, so that nothing tells them apart.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.catalog import FAULTS
from builder.settings import PreviewSettings
from builder.stages.disagreement import Cells, Point, lab, lightness, reduced
from builder.stages.preview import make_preview, preview_recipe
from builder.store import Product, Recipe, Store, library_versions
from fusion_algos.row_strips import over_strips

DAMAGE_REVISION = 1
SEVERITIES = ("clear", "strong")
# Candidates of a scene with motion may hold ghosts of their own, but hardly those of these algorithms
WITHOUT_GHOSTS = ("sen2012", "hu2013", "ma2017")

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Damage:
    """One fault in one severity."""

    fault: str
    severity: str


DAMAGES = tuple(Damage(fault, severity) for fault in FAULTS for severity in SEVERITIES)


def practice_scenes(names: list[str], count: int) -> frozenset[str]:
    """The `count` scenes that get damaged copies: the first in the order of a hash of their names.

    Which ones does not depend on the part of the dataset that a command works on.
    """
    return frozenset(
        sorted(names, key=lambda name: hashlib.sha256(f"practice {name}".encode()).digest())[:count]
    )


def sound_candidate(
    scores: Mapping[str, float | None],
    gate_failures: Mapping[str, object],
    algorithms: Mapping[str, str],
    moving: bool,
) -> str | None:
    """Key of the candidate to damage: of those that fail no gate the one with the best MEF-SSIM, if any.

    In a scene with motion one of an algorithm that removes ghosts, where there is one. `algorithms` by key.
    """
    sound = {key: score for key, score in scores.items() if score is not None and key not in gate_failures}
    if moving:
        sound = {k: score for k, score in sound.items() if algorithms.get(k) in WITHOUT_GHOSTS} or sound
    return max(sound, key=lambda key: (sound[key], key), default=None)


def damaged_recipe(scene: str, sound_key: str, damage: Damage, settings: PreviewSettings) -> Recipe:
    """All that decides the preview of one damaged copy."""
    change = {
        **asdict(damage),
        "revision": DAMAGE_REVISION,
        "libraries": library_versions("numpy", "opencv-python-headless"),
    }
    label = f"{damage.fault}-{damage.severity}"
    return preview_recipe(scene, label, sound_key, settings, damage=change)


def is_damaged(preview: Product) -> bool:
    """Whether a preview is that of a damaged copy."""
    return "damage" in preview.settings


def make_damaged_copy(
    store: Store, recipe: Recipe, sound: Picture, damage: Damage, settings: PreviewSettings
) -> Product:
    """Damage a picture and store the previews; the product tells the fault and where it shows most."""
    seed = int(recipe.key[:16], 16)
    copy = damaged(sound, damage, seed)
    at = where_it_shows(sound, copy)
    return make_preview(
        store, recipe, copy, settings, {**asdict(damage), "at": [round(share, 4) for share in at]}
    )


def damaged(picture: Picture, damage: Damage, seed: int) -> Picture:
    """A copy of an HxWx3 picture with the fault; `seed` decides the noise."""
    amount = AMOUNTS[damage.fault][SEVERITIES.index(damage.severity)]
    return _WAYS[damage.fault](picture, amount, seed)


def where_it_shows(before: Picture, after: Picture) -> Point:
    """Where two pictures of one size look most different, as shares of width and height.

    A difference in colour (Delta E 1976) counts less where the picture is busy.
    """
    small = reduced(before)
    difference = np.linalg.norm(lab(small) - lab(reduced(after)), axis=2)
    plane = lightness(small)
    cells = Cells.of(plane)
    scores = cells.means(difference) / (4.0 + cells.deviations(plane))
    return next(iter(cells.peaks(scores, 1)), (0.5, 0.5))


def _with_halos(picture: Picture, level: float, _seed: int) -> Picture:
    """What a careless local operator does: broad light is dimmed, but not beside dark things, which glow."""
    gray = cv2.cvtColor(reduced(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    light = cv2.GaussianBlur(gray, (0, 0), HALO_WIDTH * math.hypot(*gray.shape))
    glow = np.maximum(cv2.medianBlur(gray, 5) - light - GLOW_FROM, 0)
    change = 2 * glow - 0.4 * np.maximum(light - np.median(light), 0)
    change *= level * min(1 / float(np.sqrt(np.mean(change * change)) + 1e-6), MOST_EVENED)
    change = _as_large_as(picture, change)
    result = np.empty_like(picture)

    def add(rows: slice) -> None:
        result[rows] = np.clip(np.rint(picture[rows] + change[rows, :, np.newaxis]), 0, 255)

    over_strips(change.shape[0], change.shape[1], add)
    return result


def _with_a_ghost(picture: Picture, amount: float, _seed: int) -> Picture:
    """What an unnoticed movement does: a part of the picture shines through beside itself."""
    centre, shift = _ghost_place(reduced(picture))
    height, width = picture.shape[:2]
    ghost = np.roll(picture, round(shift * width), 1)
    diagonal = math.hypot(height, width)
    down = (np.arange(height, dtype=np.float32) - centre[1] * height) / (GHOST_HEIGHT / 2 * diagonal)
    across = (np.arange(width, dtype=np.float32) - centre[0] * width) / (GHOST_WIDTH / 2 * diagonal)
    result = np.empty_like(picture)

    def blend(rows: slice) -> None:
        radius = np.sqrt(down[rows, np.newaxis] ** 2 + across**2)
        weight = (amount * np.clip((1 - radius) / 0.25, 0, 1))[..., np.newaxis]
        result[rows] = np.rint(picture[rows] + weight * (ghost[rows].astype(np.float32) - picture[rows]))

    over_strips(height, width, blend)
    return result


def _ghost_place(small: Picture) -> tuple[Point, float]:
    """Where a ghost lies and how far to the right of its original, in shares: busy over calm and different."""
    plane = lightness(small)
    height, width = plane.shape
    diagonal = math.hypot(height, width)
    window = (max(1, round(GHOST_WIDTH * diagonal)), max(1, round(GHOST_HEIGHT * diagonal)))

    busy = cv2.blur(np.hypot(cv2.Sobel(plane, -1, 1, 0), cv2.Sobel(plane, -1, 0, 1)), window)

    inside = _inside(height, width)

    def inside_before(shift: int) -> NDArray[np.bool_]:
        moved = np.zeros_like(inside)
        moved[:, max(shift, 0) : width + min(shift, 0)] = inside[:, max(-shift, 0) : width - max(shift, 0)]
        return moved

    best, place = -1.0, ((0.5, 0.5), 0.0)
    for direction in (-1, 1):
        shift = direction * round(GHOST_SHIFT * diagonal)
        moved = np.roll(plane, shift, 1)
        difference = cv2.blur(np.minimum(np.abs(moved - plane), 30), window)
        scores = difference * np.roll(busy, shift, 1) / (busy + 5)
        scores[~(inside & inside_before(shift))] = 0
        y, x = np.unravel_index(int(np.argmax(scores)), scores.shape)
        if scores[y, x] > best:
            best, place = float(scores[y, x]), ((x / width, y / height), shift / width)
    return place


def _inside(height: int, width: int) -> NDArray[np.bool_]:
    """Where the centre of a ghost, or of its original, may lie."""
    diagonal = math.hypot(height, width)
    top = min(int(GHOST_HEIGHT / 2 * diagonal), (height - 1) // 2)
    left = min(int(GHOST_WIDTH / 2 * diagonal), (width - 1) // 2)
    inside = np.zeros((height, width), np.bool_)
    inside[top : height - top, left : width - left] = True
    return inside


def _with_noise(picture: Picture, amount: float, seed: int) -> Picture:
    """What a lifted short exposure does: grain, a part of it coloured, most in the shadows."""
    height, width = picture.shape[:2]
    scale = min(1.0, NOISE_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    rng = np.random.default_rng(seed)
    gray, *colour = rng.standard_normal((4, *size), np.float32)
    shade = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    strength = (amount * (1.0 - 0.6 * np.arange(256) / 255)).astype(np.float32)[shade]
    result = np.empty_like(picture)
    for channel in range(3):
        grain = _as_large_as(picture, 0.8 * gray + 0.6 * colour[channel])
        result[..., channel] = np.clip(np.rint(picture[..., channel] + grain * strength), 0, 255)
    return result


def _with_a_cast(picture: Picture, level: float, _seed: int) -> Picture:
    """What a wrong white balance does: green, or magenta where the picture is greenish itself."""
    small = reduced(picture)
    greenish = float(np.median(lab(small)[..., 1])) < 0
    turn = np.array([0.5, -1.0, 0.5]) if greenish else np.array([-0.5, 1.0, -0.5])
    brightness = float(np.sqrt(np.mean((small * turn) ** 2)))
    gains = 1 + turn * level * min(1 / (brightness + 1e-6), STRONGEST_CAST)
    tables = [np.clip(np.rint(np.arange(256) * gain), 0, 255).astype(np.uint8) for gain in gains]
    return np.asarray(cv2.LUT(picture, np.dstack(tables)), dtype=np.uint8)


def _with_clipping(picture: Picture, level: float, _seed: int) -> Picture:
    """What a missing dark exposure does: from some brightness on there is nothing but white."""
    shade = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    weight = _whitening(np.bincount(shade.ravel(), minlength=256), level)
    result = np.empty_like(picture)

    def whiten(rows: slice) -> None:
        part = picture[rows].astype(np.float32)
        result[rows] = np.rint(part + (255 - part) * weight[shade[rows]][..., np.newaxis])

    over_strips(shade.shape[0], shade.shape[1], whiten)
    return result


def _whitening(histogram: NDArray[np.int64], level: float) -> Plane:
    """How far each gray level goes to white, so that a picture of this histogram changes by `level` (RMS)."""
    levels = np.arange(256)
    for white in range(250, 0, -1):
        rise = np.clip((levels - white) / CLIPPING_ROLL_OFF + 1, 0, 1)
        weight = rise * rise * (3 - 2 * rise)
        change = np.sum(histogram * (weight * (255 - levels)) ** 2) / histogram.sum()
        if change >= level**2:
            break
    return weight.astype(np.float32)


def _as_large_as(picture: Picture, plane: Plane) -> Plane:
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC), dtype=np.float32)


# Lengths are shares of the diagonal. All was chosen by eye, on photographs and on simulated scenes.
HALO_WIDTH, GLOW_FROM = 0.016, 6.0
MOST_EVENED = 0.035  # the latter per level: dark pictures are spared
GHOST_WIDTH, GHOST_HEIGHT, GHOST_SHIFT = 0.10, 0.19, 0.10
NOISE_SIDE = 2000  # pixels of the long side at which there is one grain per pixel
STRONGEST_CAST = 0.03  # per level
CLIPPING_ROLL_OFF = 44.0  # levels
AMOUNTS = {  # as SEVERITIES
    "halo": (17.0, 27.0),  # levels (RMS) by which the picture changes
    "ghost": (0.42, 0.65),  # opacity
    "noise": (14.0, 24.0),  # levels (RMS) in the shadows
    "cast": (7.5, 12.0),  # levels (RMS)
    "clipping": (11.0, 18.0),  # levels (RMS)
}
_WAYS: Mapping[str, Callable[[Picture, float, int], Picture]] = {
    "halo": _with_halos,
    "ghost": _with_a_ghost,
    "noise": _with_noise,
    "cast": _with_a_cast,
    "clipping": _with_clipping,
}
