"""Exposure values from what cameras write: EV100, and the true value behind a nominal shutter time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

# Nominal third stops differ by 0.20 EV at least, by their rounding; names of one exposure by 0.09 at most.
SAME_EV = 1 / 6
# Shutter times are powers of two; these names of full stops are off by 0.03 to 0.09 EV (1/30 is 1/32).
_ROUNDED_FRACTIONS = (15, 30, 60, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)
_ROUNDED_STOPS = (15.0, 30.0, 60.0, *(1 / n for n in _ROUNDED_FRACTIONS))


class Exposure(Protocol):
    """Frames with nominal exposure data; None: unknown."""

    @property
    def seconds(self) -> float | None: ...
    @property
    def f_number(self) -> float | None: ...
    @property
    def iso(self) -> float | None: ...


def true_seconds(nominal: float) -> float:
    """The shutter time in seconds that a camera means by its nominal full stop: 1/30 -> 1/32, 15 -> 16.

    Times that are no rounded full stop come back unchanged.
    """
    if any(math.isclose(nominal, stop, rel_tol=1e-3) for stop in _ROUNDED_STOPS):
        return 2.0 ** round(math.log2(nominal))
    return nominal


def ev100(seconds: float, f_number: float | None, iso: float | None) -> float:
    """EV100 = log2(N^2 / t) - log2(ISO / 100), larger is darker; N = 1 and ISO = 100 where missing."""
    aperture = f_number or 1.0
    return math.log2(aperture**2 / true_seconds(seconds)) - math.log2((iso or 100.0) / 100.0)


def exposure_values(frames: Sequence[Exposure]) -> tuple[float | None, ...]:
    """EV100 of each frame of one camera, None where no shutter time is known.

    A frame without f-number gets the median of the others: a lens rarely forgets it for a single frame.
    """
    known = [frame.f_number for frame in frames if frame.f_number]
    usual = statistics.median(known) if known else None
    return tuple(
        None if frame.seconds is None else ev100(frame.seconds, frame.f_number or usual, frame.iso)
        for frame in frames
    )


def same_exposure(first_ev: float, second_ev: float) -> bool:
    """Whether two EV are one exposure but for the rounding of nominal values."""
    return abs(first_ev - second_ev) < SAME_EV


def are_distinct(values: Sequence[float]) -> bool:
    """Whether no two EV are the same exposure."""
    ordered = sorted(values)
    return not any(same_exposure(a, b) for a, b in pairwise(ordered))


def are_monotone(values: Sequence[float]) -> bool:
    """Whether EV only fall or only rise, each step a distinct exposure."""
    steps = [b - a for a, b in pairwise(values)]
    return all(step >= SAME_EV for step in steps) or all(step <= -SAME_EV for step in steps)


def span(values: Sequence[float]) -> float:
    """Largest minus smallest EV."""
    return max(values) - min(values)


def spans(values: Sequence[float], least: float) -> bool:
    """Whether EV span `least`, to the sixth: nominal 1/13 to 1/25 is a full stop."""
    return span(values) >= least - SAME_EV / 2


def reference_position(count: int) -> int:
    """Position of the middle frame from dark to bright; of two middle frames the darker: it clips less."""
    return (count - 1) // 2
