"""What a display must be able to show for its votes to count. Pure: patterns from a seed, a verdict on the answers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SMALLEST_VIEWPORT = (1280, 720)  # CSS pixels
SQUARES = 4  # with lines of one device pixel
PATCHES = 7  # places in each field; some hold a patch
NEAR_BLACK, NEAR_WHITE = 10, 245  # of 255: seen on any display that neither crushes blacks nor clips whites
POINTERS = ("fine", "keyboard")
GAMUTS = ("srgb", "p3", "rec2020", "unknown")


@dataclass(frozen=True)
class Patterns:
    """What the page draws: which squares have upright lines, and the gray level of each place of both fields."""

    upright: tuple[bool, ...]
    dark: tuple[int, ...]
    bright: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    """What the page found out and what the rater answered; None where it says nothing usable."""

    viewport: tuple[int, int] | None
    screen: tuple[int, int] | None
    dpr: float | None
    scale: float | None
    pointer: str
    gamut: str
    high_dynamic_range: bool
    colour_depth: int | None
    full_screen: bool
    upright: int | None
    even_lines: bool
    dark: int | None
    bright: int | None


def patterns(seed: int) -> Patterns:
    """The patterns of one try."""
    source = random.Random(seed)
    return Patterns(
        upright=tuple(source.sample(_some(SQUARES, source.randint(1, 3)), SQUARES)),
        dark=_field(source, NEAR_BLACK, 0),
        bright=_field(source, NEAR_WHITE, 255),
    )


def report_from_form(form: Mapping[str, str]) -> Report:
    """Read the page's form; a missing or senseless entry becomes None, which fails its check."""
    pointer, gamut = form.get("pointer", ""), form.get("gamut", "")
    return Report(
        viewport=_pair(form, "viewport"),
        screen=_pair(form, "screen"),
        dpr=_number(form.get("dpr")),
        scale=_number(form.get("scale")),
        pointer=pointer if pointer in POINTERS else "none",
        gamut=gamut if gamut in GAMUTS else "unknown",
        high_dynamic_range=form.get("hdr") == "yes",
        colour_depth=_whole(form.get("depth")),
        full_screen=form.get("full_screen") == "yes",
        upright=_whole(form.get("upright")),
        even_lines=form.get("even") == "yes",
        dark=_whole(form.get("dark")),
        bright=_whole(form.get("bright")),
    )


def failures(report: Report, shown: Patterns) -> tuple[str, ...]:
    """Names of the checks that do not hold: viewport, pointer, scale, lines, dark, bright."""
    holds = {
        "viewport": report.viewport is not None
        and all(side >= least for side, least in zip(report.viewport, SMALLEST_VIEWPORT, strict=True)),
        "pointer": report.pointer in POINTERS,
        "scale": report.scale is not None and abs(report.scale - 1) < 0.01,
        "lines": report.upright == sum(shown.upright) and report.even_lines,
        "dark": report.dark == sum(level > 0 for level in shown.dark),
        "bright": report.bright == sum(level < 255 for level in shown.bright),
    }
    return tuple(name for name, held in holds.items() if not held)


def stored(report: Report, failed: tuple[str, ...]) -> dict[str, Any]:
    """What is kept with the sitting."""
    return {**asdict(report), "failed": list(failed)}


def _some(places: int, taken: int) -> list[bool]:
    return [place < taken for place in range(places)]


def _field(source: random.Random, patch: int, ground: int) -> tuple[int, ...]:
    taken = source.sample(_some(PATCHES, source.randint(2, PATCHES - 1)), PATCHES)
    return tuple(patch if one else ground for one in taken)


def _whole(text: str | None) -> int | None:
    """A number of at most five digits; what is longer is no count and no screen."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 5 else None


def _number(text: str | None) -> float | None:
    digits = (text or "").replace(".", "", 1)
    return float(text or "") if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None


def _pair(form: Mapping[str, str], name: str) -> tuple[int, int] | None:
    width, height = _whole(form.get(f"{name}_width")), _whole(form.get(f"{name}_height"))
    return (width, height) if width is not None and height is not None else None
