"""The table of the six built-in sequences: scene, camera, settings and order of exposure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

import numpy as np

from builder.simulate.scene import Scene
from builder.simulate.scenes.courtyard import courtyard
from builder.simulate.scenes.interior import interior
from builder.simulate.scenes.night_street import night_street
from builder.simulate.scenes.staircase import staircase
from builder.simulate.scenes.sunset import sunset
from builder.simulate.scenes.workshop import workshop


@dataclass(frozen=True)
class Body:
    """A camera body with its lens."""

    maker: str
    model: str
    serial: str
    lens: str


FIELD = Body("Foundry", "F-1", "4020177", "FR 24-70mm F2.8")
STUDIO = Body("Foundry", "S-5", "7310042", "SR 20-50mm F4")


@dataclass(frozen=True)
class Sequence:
    """How one kind of scene is photographed."""

    kind: str
    folder: str
    scene: Callable[[np.random.Generator], Scene]
    body: Body
    steps: tuple[int, ...]  # EV relative to the reference, in order of capture
    reference_seconds: Fraction  # true
    key: float  # share of the full well that the scene's mean log luminance gets at the reference
    f_number: Fraction
    iso: int
    focal_length: Fraction
    captured_at: datetime  # of variant 0
    first_number: int
    prefix: str
    response: str = "srgb"
    gap: float = 0.4  # seconds between exposures
    manual: bool = False  # exposure by hand: the bias stays 0
    hand_held: bool = False
    raw: bool = False
    portrait: bool = False
    moving: bool = False

    @property
    def exposures(self) -> tuple[Fraction, ...]:
        """True seconds in order of capture."""
        return tuple(self.reference_seconds * Fraction(2) ** step for step in self.steps)


SEQUENCES: tuple[Sequence, ...] = (
    Sequence(
        "interior", "interior", interior, FIELD, (0, -2, 2, -4, 4, -6, 6), Fraction(1, 16), 0.10,
        Fraction(8), 100, Fraction(24), datetime(2018, 6, 2, 10, 14, 7, 420000), 4801, "IMG_",
    ),
    Sequence(
        "sunset", "sunset", sunset, FIELD, (-4, -2, 0, 2, 4), Fraction(1, 64), 0.10,
        Fraction(56, 10), 100, Fraction(35), datetime(2018, 6, 2, 21, 22, 41, 180000), 4833, "IMG_",
        gap=0.18, hand_held=True,
    ),
    Sequence(
        "night-street", "night-street", night_street, FIELD, (-4, -3, -2, -1, 0, 1, 2, 3, 4), Fraction(2), 0.05,
        Fraction(8), 100, Fraction(28), datetime(2018, 11, 17, 19, 48, 3, 660000), 9996, "IMG_",
        response="film", gap=0.9, manual=True,
    ),
    Sequence(
        "courtyard", "courtyard", courtyard, STUDIO, (0, -1, 1, -2, 2, -3, 3), Fraction(1, 128), 0.10,
        Fraction(8), 100, Fraction(20), datetime(2018, 7, 20, 13, 5, 55, 70000), 211, "DSC0",
        gap=0.55, moving=True,
    ),
    Sequence(
        "workshop", "workshop", workshop, STUDIO, (-6, -3, 0, 3, 6), Fraction(1, 8), 0.06,
        Fraction(56, 10), 100, Fraction(24), datetime(2018, 9, 8, 16, 31, 12, 910000), 347, "DSC0",
        manual=True, raw=True,
    ),
    Sequence(
        "staircase", "Treppenhaus Süd", staircase, FIELD, (0, -3, 3), Fraction(1, 8), 0.10,
        Fraction(8), 200, Fraction(24), datetime(2018, 10, 14, 11, 2, 30, 330000), 5120, "Aufgang Süd ",
        response="film", portrait=True,
    ),
)  # fmt: skip
KINDS: dict[str, Sequence] = {sequence.kind: sequence for sequence in SEQUENCES}
