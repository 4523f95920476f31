"""Numbers that people typed into a form."""

from __future__ import annotations

import math
from typing import TypeVar

Number = TypeVar("Number", int, float)


def number_of(label: str, text: str, kind: type[Number]) -> Number:
    """The number; ValueError names the field, what was expected and what was found."""
    wanted = "a whole number" if kind is int else "a number"
    try:
        found = kind(text)
    except ValueError:
        found = None
    if found is None or not math.isfinite(found) or abs(found) > 2**53:
        raise ValueError(f"{label}: {wanted} expected, found {text[:20]!r}")
    return found


def number_between(label: str, text: str, least: int, most: int) -> int:
    """A whole number within limits; ValueError as above."""
    found = number_of(label, text, int)
    if not least <= found <= most:
        raise ValueError(f"{label}: a whole number from {least} to {most} expected, found {found}")
    return found
