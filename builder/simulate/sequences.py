"""The table of the six built-in sequences: scene, camera, settings and order of exposure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

import numpy as np

from builder.simulate.exif import Shot, nominal_seconds
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


LAST_NUMBER = 9999  # of the camera's file counter
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
        "night-street", "night-street", night_street, FIELD, tuple(range(-4, 5)), Fraction(2), 0.05,
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


def variant_of(sequence: Sequence, variant: int) -> Sequence:
    """The sequence of a later round, in another folder, on another day; variant 0 is the table's own."""
    if variant == 0:
        return sequence
    return replace(
        sequence,
        folder=f"{sequence.folder}{' ' if ' ' in sequence.folder else '-'}{variant + 1:03d}",
        captured_at=sequence.captured_at + timedelta(days=variant, minutes=7 * variant),
        first_number=(sequence.first_number + 61 * variant - 1) % LAST_NUMBER + 1,
    )


def stem_of(sequence: Sequence, position: int) -> str:
    """File name of a frame without its ending: the counter runs to 9999 and starts again at 0001."""
    return f"{sequence.prefix}{(sequence.first_number + position - 1) % LAST_NUMBER + 1:04d}"


def shots_of(sequence: Sequence) -> list[Shot]:
    """What the camera prints into each frame; each begins after the one before has ended."""
    moment, shots = sequence.captured_at, []
    for step, seconds in zip(sequence.steps, sequence.exposures, strict=True):
        shots.append(
            Shot(
                seconds=nominal_seconds(seconds), f_number=sequence.f_number, iso=sequence.iso,
                bias=Fraction(0) if sequence.manual else Fraction(step), captured_at=moment,
                offset="+02:00" if 3 < moment.month < 11 else "+01:00",
                orientation=6 if sequence.portrait else 1,
                maker=sequence.body.maker, model=sequence.body.model, serial=sequence.body.serial,
                lens=sequence.body.lens, focal_length=sequence.focal_length,
                manual=sequence.manual,
            )
        )  # fmt: skip
        moment += timedelta(seconds=float(seconds) + sequence.gap)
    return shots
