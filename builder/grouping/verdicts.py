"""The verdict on a piece: accepted, ambiguous or rejected, with every reason that holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from builder.brackets import AMBIGUOUS_REASONS, REJECTED_REASONS
from builder.camera_metadata import FrameFacts
from builder.exposure_values import SAME_EV, are_distinct, span, spans
from builder.grouping.by_hand import Views
from builder.grouping.estimated_exposures import pixels_contradict, pixels_ignore_exposure
from builder.grouping.pieces import STEP_TOLERANCE, BracketLimits, Piece, has_regular_steps
from builder.grouping.shots import Shot, same_focal_length

MAX_LOST = 3  # frames; more missing numbers in a row are another story
ROLLOVER = 9999


def judge(piece: Piece, limits: BracketLimits, views: Views) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """(status, reasons, flags) of a piece; the worst reason decides the status."""
    frames = [shot.facts for shot in piece.shots]
    found = [*_shape_reasons(frames, limits), *piece.reasons]
    flags = list(piece.flags)
    if len(piece.evs) < len(frames):
        found.append("no-exif")
    elif len(frames) > 1:
        exposure_reasons = _exposure_reasons(piece, limits, views)
        found += exposure_reasons
        flags += _exposure_flags(piece) if not exposure_reasons else ()
    if all(frame.captured_at is None for frame in frames):
        flags.append("no-time")
    rejections = [reason for reason in found if reason in REJECTED_REASONS]
    reasons = tuple(
        dict.fromkeys([*rejections, *(reason for reason in found if reason in AMBIGUOUS_REASONS)])
    )
    status = "rejected" if rejections else "ambiguous" if reasons else "accepted"
    return status, reasons, tuple(dict.fromkeys(flags))


def _shape_reasons(frames: Sequence[FrameFacts], limits: BracketLimits) -> list[str]:
    reasons = []
    if len(frames) == 1:
        reasons.append("one-frame")
    elif len(frames) < limits.min_frames:
        reasons.append("two-frames")
    if len({(frame.width, frame.height) for frame in frames}) > 1:
        reasons.append("mixed-size")
    return reasons


def _exposure_reasons(piece: Piece, limits: BracketLimits, views: Views) -> list[str]:
    if span(piece.evs) < SAME_EV:
        return [_equal_exposure_reason(piece, limits, views)]
    reasons = []
    if not spans(piece.evs, limits.min_span_ev):
        reasons.append("span-too-small")
    if not are_distinct(piece.evs):
        reasons.append("repeated-exposure")
    if not all(same_focal_length(a, b) for a, b in pairwise(piece.shots)):
        reasons.append("mixed-focal-length")
    varied = {"mixed-aperture": _aperture_varies(piece), "auto-iso": _iso_varies(piece)}
    if any(varied.values()) and not _compensation_explains(piece):
        reasons += [reason for reason, varies in varied.items() if varies]
    if _lost_frames(piece.shots):
        reasons.append("lost-frame")
    if piece.by == "manual" and pixels_ignore_exposure(piece, views):
        reasons.append("exif-contradicts-pixels")
    return reasons


def _equal_exposure_reason(piece: Piece, limits: BracketLimits, views: Views) -> str:
    if pixels_contradict(piece.shots, views, limits.min_span_ev):
        return "exif-contradicts-pixels"
    if len({shot.facts.white_balance for shot in piece.shots}) > 1:
        return "wb-bracket"
    distances = [shot.facts.focus_distance for shot in piece.shots]
    if len(distances) > 1 and None not in distances and len(set(distances)) == len(distances):
        return "focus-bracket"
    return "equal-exposures"


def _exposure_flags(piece: Piece) -> list[str]:
    frames = [shot.facts for shot in piece.shots]
    flags = {
        "aperture-varies": _aperture_varies(piece),
        "iso-varies": _iso_varies(piece),
        "irregular-steps": not has_regular_steps(piece.evs),
        "f-number-missing": not piece.flags and any(frame.f_number is None for frame in frames),
        "iso-missing": not piece.flags and any(frame.iso is None for frame in frames),
    }
    return [flag for flag, holds in flags.items() if holds]


def _aperture_varies(piece: Piece) -> bool:
    return (
        span([2 * math.log2(shot.facts.f_number) for shot in piece.shots if shot.facts.f_number] or [0])
        > SAME_EV
    )


def _iso_varies(piece: Piece) -> bool:
    return span([math.log2(shot.facts.iso) for shot in piece.shots if shot.facts.iso] or [0]) > SAME_EV


def _compensation_explains(piece: Piece) -> bool:
    """Whether EV differences agree with the exposure compensation within 1/3 EV."""
    biases = [shot.facts.bias_ev for shot in piece.shots]
    known = [bias for bias in biases if bias is not None]
    if len(known) < len(biases):
        return False
    metered = [ev + bias for ev, bias in zip(piece.evs, known, strict=True)]
    return span(metered) <= STEP_TOLERANCE + 0.01


def _lost_frames(shots: Sequence[Shot]) -> bool:
    """Whether file numbers are missing, and just as many of otherwise equal steps of exposure."""
    evs = sorted(shot.ev or 0.0 for shot in shots)
    steps = [b - a for a, b in pairwise(evs)]
    least = min(steps)
    if least < SAME_EV:
        return False
    missing_steps = sum(round(step / least) - 1 for step in steps)
    whole = all(abs(step - round(step / least) * least) <= STEP_TOLERANCE for step in steps)
    holes = _missing_numbers(shots)
    return whole and 0 < missing_steps <= MAX_LOST and holes == missing_steps


def _missing_numbers(shots: Sequence[Shot]) -> int:
    numbers = [shot.facts.number for shot in shots]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return 0
    jumps = [(b - a) % ROLLOVER for a, b in pairwise(known)]
    return sum(jump - 1 for jump in jumps) if all(1 <= jump <= MAX_LOST + 1 for jump in jumps) else 0
