"""Dot plates for a first look at colour vision: a digit among dots of another colour. Not a diagnosis.

The colours of a test plate lie on a confusion line: for the dichromat in question they coincide, for a normal eye
they are far apart. Every dot is lighter or darker at random by the same steps, so lightness does not give the digit
away. Colours are linear sRGB; the lines are the null directions of the full-severity matrices of Machado, Oliveira and
Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15(6).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIZE = 720  # pixels, square
SEQUENCE = ("control", "deutan", "protan", "control", "protan", "deutan")
DIGITS = "234567"  # in dots, 1 is a mere stroke, and 8 and 9 are told apart by one small gap
ALLOWED_MISSES = 1  # of the red-green plates; the controls must both be right
STEPS = (0.55, 0.7, 0.85, 1.0, 1.15)  # of lightness, in linear light
GROUND_LEVEL = 0.72  # linear, behind the dots

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """Linear sRGB of digit and ground at step 1."""

    digit: Colour
    ground: Colour


def _on_line(centre: Colour, line: Colour, length: float) -> Palette:
    """Digit and ground at the ends of a piece of a confusion line."""
    ends = (np.array(centre) + np.array(line) * length / 2, np.array(centre) - np.array(line) * length / 2)
    digit, ground = (tuple(float(value) for value in end) for end in ends)
    return Palette(digit, ground)  # type: ignore[arg-type]


PALETTES = {
    "control": Palette(digit=(0.05, 0.07, 0.15), ground=(0.46, 0.41, 0.28)),  # seen by all: dark on light
    "protan": _on_line((0.33, 0.25, 0.09), (0.98961056, -0.14374418, -0.00292277), 0.46),
    "deutan": _on_line((0.33, 0.27, 0.09), (0.92205465, -0.38601957, 0.02835689), 0.46),
}


def digits(seed: int) -> tuple[str, ...]:
    """The right answers, one for each plate of SEQUENCE; no two neighbours are equal."""
    source = random.Random(seed)
    chosen = [source.choice(DIGITS)]
    while len(chosen) < len(SEQUENCE):
        chosen.append(source.choice(DIGITS.replace(chosen[-1], "")))
    return tuple(chosen)


def passed(correct: tuple[bool, ...]) -> bool:
    """Whether the answers, in the order of SEQUENCE, show both controls and enough of the red-green digits."""
    given = list(zip(SEQUENCE, correct, strict=True))
    misses = sum(not right for kind, right in given if kind != "control")
    return all(right for kind, right in given if kind == "control") and misses <= ALLOWED_MISSES


def draw(number: int, digit: str, seed: int) -> NDArray[np.uint8]:
    """Plate `number` (0 is the first) with this digit: SIZE x SIZE x 3, sRGB. The same for the same seed."""
    palette = PALETTES[SEQUENCE[number]]
    dots = _dots(number)
    inside = _is_inside(dots, digit)
    step = np.random.default_rng(seed).choice(STEPS, len(dots))
    colours = np.where(inside[:, None], palette.digit, palette.ground) * step[:, None]
    picture = np.full((SIZE, SIZE, 3), GROUND_LEVEL)
    for (x, y, radius), colour in zip(dots, colours, strict=True):
        _paint(picture, x, y, radius, colour)
    return np.round(_encode(picture) * 255).astype(np.uint8)


def _dots(number: int) -> NDArray[np.float64]:
    """Nx3: x, y, radius. All plates have the same dots, turned by another angle."""
    x, y, radius = (_layout() - (SIZE / 2, SIZE / 2, 0)).T
    angle = 2 * np.pi * number / len(SEQUENCE)
    turned = (x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), radius)
    return np.stack(turned, axis=1) + (SIZE / 2, SIZE / 2, 0)


@lru_cache(maxsize=1)
def _layout() -> NDArray[np.float64]:
    """Nx3: dots that do not touch, large ones first, in a round field; half a second's work, done once."""
    source = np.random.default_rng(1)
    found = np.empty((0, 3))
    for radius, tries in ((9.5, 2000), (7.5, 4000), (5.5, 8000), (4.0, 8000)):
        angle, reach = source.uniform(0, 2 * np.pi, tries), np.sqrt(source.uniform(0, 1, tries))
        reach *= SIZE / 2 - radius - 6
        for x, y in zip(SIZE / 2 + reach * np.cos(angle), SIZE / 2 + reach * np.sin(angle), strict=True):
            gap = np.hypot(found[:, 0] - x, found[:, 1] - y) - found[:, 2] - radius
            if not len(gap) or gap.min() >= 1.8:
                found = np.vstack([found, (x, y, radius)])
    return found


def _is_inside(dots: NDArray[np.float64], digit: str) -> NDArray[np.bool_]:
    """Which dots lie in the digit, by their centres."""
    mask = Image.new("L", (SIZE, SIZE))
    font = ImageFont.load_default(size=SIZE * 0.84)
    ImageDraw.Draw(mask).text(
        (SIZE / 2, SIZE / 2), digit, 255, font=font, anchor="mm", stroke_width=round(SIZE * 0.012)
    )
    columns, rows = dots[:, 0].astype(int), dots[:, 1].astype(int)
    return np.asarray(mask)[rows, columns] > 127


def _paint(
    picture: NDArray[np.float64], x: float, y: float, radius: float, colour: NDArray[np.float64]
) -> None:
    """One dot with a soft edge of a pixel, in linear light."""
    top, left = int(y - radius - 1), int(x - radius - 1)
    size = int(2 * radius) + 4
    window = picture[top : top + size, left : left + size]
    rows, columns = np.mgrid[top : top + window.shape[0], left : left + window.shape[1]]
    cover = np.clip(radius + 0.5 - np.hypot(columns + 0.5 - x, rows + 0.5 - y), 0, 1)[..., None]
    window += cover * (colour - window)


def _encode(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sRGB transfer curve (IEC 61966-2-1)."""
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    )
