"""Runs of shots on their way to become sequences: bursts cut into the sets of automatic bracketing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from builder.exposure_values import are_distinct, same_exposure, span, spans
from builder.grouping.shots import Shot, follows, same_focal_length

SESSION_PAUSE = 3600.0  # seconds; sets are compared with sets of the same hour's work
STEP_TOLERANCE = (
    1 / 3
)  # EV; two runs of one bracketing program differ by rounding and metering less than this


@dataclass(frozen=True)
class Piece:
    """Shots of one camera that follow each other."""

    shots: tuple[Shot, ...]
    by: str = "burst"
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    closed: bool = False  # it is what it is: nothing is joined to it

    @property
    def evs(self) -> tuple[float, ...]:
        return tuple(shot.ev for shot in self.shots if shot.ev is not None)


@dataclass(frozen=True)
class BracketLimits:
    """What a set of frames must have to be a bracket."""

    min_frames: int = 3
    min_span_ev: float = 1.0

    def hold(self, shots: Sequence[Shot]) -> bool:
        """Whether shots are enough, distinct and far enough apart."""
        evs = [shot.ev for shot in shots if shot.ev is not None]
        if len(evs) < len(shots) or len(evs) < self.min_frames:
            return False
        return are_distinct(evs) and spans(evs, self.min_span_ev)


def automatic_pieces(shots: Sequence[Shot], pause: float, limits: BracketLimits) -> list[Piece]:
    """Shots of one camera in capture order, cut into bursts and those into sets.

    A burst ends where more than `pause` seconds pass; a set where an exposure comes again.
    """
    pieces: list[Piece] = []
    for burst in bursts(shots, pause):
        pieces += _equal_runs_joined(_cut_at_repeats(burst), limits)
    return _cut_at_program_size(pieces, limits)


def bursts(shots: Sequence[Shot], pause: float) -> list[list[Shot]]:
    """Shots in capture order, cut where more than `pause` seconds pass or the focal length changes."""
    runs: list[list[Shot]] = []
    for shot in shots:
        if runs and follows(runs[-1][-1], shot, pause) and same_focal_length(runs[-1][-1], shot):
            runs[-1].append(shot)
        else:
            runs.append([shot])
    return runs


def _cut_at_repeats(burst: Sequence[Shot]) -> list[list[Shot]]:
    """Cut where an exposure, or a varying exposure compensation, comes again.

    Compensation never tells exposures apart (it is 0 in manual mode), but its repetition shows the next
    round of a set whose metering has drifted.
    """
    biases = [shot.facts.bias_ev for shot in burst]
    bias_tells = None not in biases and len(set(biases)) > 1
    runs: list[list[Shot]] = [[]]
    for shot in burst:
        run = runs[-1]
        again = any(same_exposure(shot.ev or 0.0, other.ev or 0.0) for other in run)
        if again or (bias_tells and any(shot.facts.bias_ev == other.facts.bias_ev for other in run)):
            runs.append([shot])
        else:
            run.append(shot)
    return runs


def _equal_runs_joined(runs: Sequence[Sequence[Shot]], limits: BracketLimits) -> list[Piece]:
    """Neighbouring single shots of one exposure become one piece: a burst, not a bracket."""
    joined: list[list[Shot]] = []
    for run in runs:
        previous = joined[-1] if joined else []
        if len(run) == 1 and previous and _equal(run[0], previous[0]) and _equal(run[0], previous[-1]):
            previous.append(run[0])
        else:
            joined.append(list(run))
    return [
        Piece(tuple(run), closed=len(run) >= limits.min_frames and all(_equal(run[0], shot) for shot in run))
        for run in joined
    ]


def _equal(first: Shot, second: Shot) -> bool:
    return same_exposure(first.ev or 0.0, second.ev or 0.0)


def sessions(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces in capture order, cut where nothing was shot for an hour."""
    parts: list[list[Piece]] = []
    for piece in pieces:
        if parts and follows(parts[-1][-1].shots[-1], piece.shots[0], SESSION_PAUSE):
            parts[-1].append(piece)
        else:
            parts.append([piece])
    return parts


def program(pieces: Sequence[Piece], limits: BracketLimits) -> Piece | None:
    """A set of a session's usual size: the one that most sets have, and at least two; None without such."""
    sets = [piece for piece in pieces if piece.by == "burst" and limits.hold(piece.shots)]
    sizes = Counter(len(piece.shots) for piece in sets).most_common(2)
    if not sizes or sizes[0][1] < 2 or (len(sizes) > 1 and sizes[1][1] == sizes[0][1]):
        return None
    return next(piece for piece in sets if len(piece.shots) == sizes[0][0])


def _cut_at_program_size(pieces: Sequence[Piece], limits: BracketLimits) -> list[Piece]:
    """Cut sets that are several rounds of the session's program without a repeated exposure between them."""
    result: list[Piece] = []
    for session in sessions(pieces):
        usual = program(session, limits)
        for piece in session:
            result += _rounds(piece, usual) if usual else [piece]
    return result


def _rounds(piece: Piece, usual: Piece) -> list[Piece]:
    size, count = len(usual.shots), len(piece.shots)
    if count <= size or count % size:
        return [piece]
    rounds = [replace(piece, shots=piece.shots[i : i + size]) for i in range(0, count, size)]
    return rounds if all(_is_part(part.evs, usual.evs) for part in rounds) else [piece]


def judge_against_session(pieces: Sequence[Piece], limits: BracketLimits) -> list[Piece]:
    """Name what differs from the like sets of a session: lost-frame, extra-frame, size-not-mode.

    Too short a piece that repeats a part of a set's pattern is an interrupted set: it is closed.
    """
    result: list[Piece] = []
    for session in sessions(pieces):
        usual = program(session, limits)
        sets = [piece for piece in session if piece.by == "burst" and limits.hold(piece.shots)]
        result += [_judged(piece, usual, sets, limits) for piece in session]
    return result


def _judged(piece: Piece, usual: Piece | None, sets: Sequence[Piece], limits: BracketLimits) -> Piece:
    if piece.by != "burst" or piece.closed:
        return piece
    if not limits.hold(piece.shots):
        broken = len(piece.shots) > 1 and any(_is_part(piece.evs, whole.evs) for whole in sets)
        return replace(piece, closed=True, reasons=("lost-frame",)) if broken else piece
    if usual is None or len(piece.shots) == len(usual.shots):
        return piece
    if _is_part(piece.evs, usual.evs):
        return replace(piece, reasons=("lost-frame",))
    if _is_part(usual.evs, piece.evs):
        return replace(piece, reasons=("extra-frame",))
    return piece if has_regular_steps(piece.evs) else replace(piece, reasons=("size-not-mode",))


def _is_part(part: Sequence[float], whole: Sequence[float]) -> bool:
    """Whether some frames of `whole`, in their order, have the pattern of `part` up to one shift in EV."""
    return any(_occurs_at(part, whole[start:]) for start in range(len(whole) - len(part) + 1))


def _occurs_at(part: Sequence[float], whole: Sequence[float]) -> bool:
    shift = whole[0] - part[0]
    found = 0
    for ev in whole:
        if found < len(part) and abs(ev - part[found] - shift) <= STEP_TOLERANCE:
            found += 1
    return found == len(part)


def has_regular_steps(evs: Sequence[float]) -> bool:
    """Whether the steps between sorted exposures are equal within a third of a stop."""
    ordered = sorted(evs)
    steps = [b - a for a, b in pairwise(ordered)]
    return not steps or span(steps) <= STEP_TOLERANCE + 0.01
