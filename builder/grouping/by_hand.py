"""Brackets taken by hand, a frame every few seconds: pieces join where time, focal length and view agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from builder.camera_metadata import FrameFacts
from builder.exposure_values import are_distinct, are_monotone
from builder.grouping.pieces import BracketLimits, Piece
from builder.grouping.shots import Shot, follows, same_focal_length


class Views(Protocol):
    """What grouping may ask about pixels; `None` means: not computable."""

    def agreement(self, first: FrameFacts, second: FrameFacts) -> float | None:
        """Rank correlation of two frames over their jointly unclipped pixels, -1..1."""

    def brightness(self, frame: FrameFacts) -> float | None:
        """Mean linear luminance, 0..1."""

    def ev_between(self, darker: FrameFacts, brighter: FrameFacts) -> float | None:
        """How many EV `brighter` is above `darker`, from jointly unclipped pixels."""


@dataclass(frozen=True)
class HandJoin:
    """When pieces of a bracket taken by hand belong together."""

    pause: float  # seconds
    least_agreement: float
    limits: BracketLimits
    views: Views

    def belong(self, first: Piece, second: Piece) -> bool:
        """Whether `second` was shot soon after `first`, at one focal length, of one view."""
        end, start = first.shots[-1], second.shots[0]
        close = follows(end, start, self.pause) and same_focal_length(end, start)
        return close and not first.closed and not second.closed and self._views_agree(first, second)

    def _views_agree(self, first: Piece, second: Piece) -> bool:
        """Whether some pair agrees, or none objects: those without common unclipped pixels do neither."""
        objections = 0
        for earlier in reversed(first.shots):
            for later in second.shots:
                agreement = self.views.agreement(earlier.facts, later.facts)
                if agreement is not None and agreement >= self.least_agreement:
                    return True
                objections += agreement is not None
        return objections == 0


def join_monotone_neighbours(pieces: Sequence[Piece], join: HandJoin) -> list[Piece]:
    """Join a set and its neighbour where together their exposures only rise or only fall: cut by chance."""
    result = list(pieces)
    position = 0
    while position + 1 < len(result):
        first, second = result[position : position + 2]
        has_set = join.limits.hold(first.shots) or join.limits.hold(second.shots)
        if has_set and are_monotone((*first.evs, *second.evs)) and join.belong(first, second):
            result[position : position + 2] = [Piece(first.shots + second.shots, by="manual")]
            position = max(position - 1, 0)  # the grown set may now take the piece before it
        else:
            position += 1
    return result


def join_leftovers(pieces: Sequence[Piece], join: HandJoin) -> list[Piece]:
    """Join neighbouring pieces that are no sets by themselves."""
    result: list[Piece] = []
    for piece in pieces:
        previous = result[-1] if result else None
        loose = previous is not None and not _is_set(previous, join) and not _is_set(piece, join)
        if previous is not None and loose and join.belong(previous, piece):
            result[-1] = Piece(previous.shots + piece.shots, by="joined")
        else:
            result.append(piece)
    return [part for piece in result for part in _rounds(piece, join.limits)]


def _is_set(piece: Piece, join: HandJoin) -> bool:
    return piece.by != "joined" and join.limits.hold(piece.shots)


def _rounds(piece: Piece, limits: BracketLimits) -> list[Piece]:
    """A joined piece, cut at repeated exposures where that leaves nothing but monotone sets."""
    if piece.by != "joined":
        return [piece]
    runs: list[list[Shot]] = [[]]
    for shot in piece.shots:
        if not are_distinct([other.ev or 0.0 for other in (*runs[-1], shot)]):
            runs.append([])
        runs[-1].append(shot)
    parts = [Piece(tuple(run), by="manual") for run in runs]
    if all(limits.hold(part.shots) and are_monotone(part.evs) for part in parts):
        return parts
    return [Piece(piece.shots, by="manual")]
