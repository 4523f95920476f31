"""Cutting a picture into overlapping tiles so that a network sees in each what it would see in the whole picture.

The picture is thought continued by reflection at its lower and right edge to multiples of the network's `multiple`.
Tiles keep their *core*; the network sees their *window*: the core and `halo` pixels around it, cut off where the
continued picture ends. So the network's own padding happens at the same places as without tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels: the core's and the window's first pixel and the first one behind."""

    start: int
    stop: int
    window_start: int
    window_stop: int

    @property
    def core_in_window(self) -> slice:
        """Where the core lies in the window."""
        return slice(self.start - self.window_start, self.stop - self.window_start)


def up_to_multiple(length: int, multiple: int) -> int:
    """The smallest multiple that is not below `length`."""
    return -(-length // multiple) * multiple


def spans(length: int, side: int, *, multiple: int, halo: int) -> list[Span]:
    """Tiles of about equal size, at most `side` pixels (0: one for all), that cover `length` pixels.

    All windows begin and end at multiples of `multiple`.
    """
    padded, margin = up_to_multiple(length, multiple), up_to_multiple(halo, multiple)
    count = -(-padded // max(side, multiple)) if side else 1
    step = up_to_multiple(-(-padded // count), multiple)
    return [
        Span(start, min(start + step, length), max(start - margin, 0), min(start + step + margin, padded))
        for start in range(0, length, step)
    ]


def reflected(length: int, padded: int) -> NDArray[np.intp]:
    """For each of `padded` pixels of an axis the one of `length` that it shows: reflected, as often as needed."""
    return np.pad(np.arange(length), (0, padded - length), mode="reflect")


def cut(picture: NDArray[Any], rows: Span, columns: Span) -> NDArray[Any]:
    """The window of a HxW or HxWxC array as a view, or as a copy where it reaches into the reflection."""
    height, width = picture.shape[:2]
    if rows.window_stop <= height and columns.window_stop <= width:
        return picture[rows.window_start : rows.window_stop, columns.window_start : columns.window_stop]
    shown_rows = reflected(height, max(height, rows.window_stop))[rows.window_start : rows.window_stop]
    shown_columns = reflected(width, max(width, columns.window_stop))
    return picture[shown_rows[:, None], shown_columns[columns.window_start : columns.window_stop]]


def tile_rows(
    height: int, width: int, side: int, *, multiple: int, halo: int
) -> Iterator[tuple[Span, list[Span]]]:
    """The tiles of a picture row by row: (span of the rows, spans of its columns)."""
    columns = spans(width, side, multiple=multiple, halo=halo)
    for rows in spans(height, side, multiple=multiple, halo=halo):
        yield rows, columns
