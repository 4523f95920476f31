"""Camera files to bracket sequences: facts in, sequences with a verdict out. Pure: no files, no pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from builder.brackets import BracketSequence, SequenceFile, SequenceFrame
from builder.camera_metadata import FrameFacts
from builder.exposure_values import exposure_values, reference_position
from builder.grouping.by_hand import HandJoin, Views, join_leftovers, join_monotone_neighbours
from builder.grouping.estimated_exposures import with_explicit_exposures
from builder.grouping.pieces import BracketLimits, Piece, automatic_pieces, bursts, judge_against_session
from builder.grouping.shots import Shot, clean, in_capture_order
from builder.grouping.verdicts import judge
from builder.scene_names import derived_names


@dataclass(frozen=True)
class GroupingOptions:
    """How frames are grouped. Times in seconds, exposures in EV."""

    by: str | None = None  # "folder": a folder is a sequence
    size: int | None = None  # this many frames in capture order are a sequence
    ev_step: float | None = None  # between frames whose files state no exposure
    prefer: str = "raw"  # of a RAW+JPEG pair
    limits: BracketLimits = field(default_factory=BracketLimits)
    burst_pause: float = 2.0  # automatic bracketing: between the end of a frame and the start of the next
    hand_pause: float = 90.0  # bracketing by hand
    view_agreement: float = 0.4  # rank correlation of thumbnails
    earlier_names: tuple[tuple[str, str], ...] = ()  # (sha256 of a frame, name of its sequence)
    taken_names: frozenset[str] = frozenset()


def group_frames(
    frames: Iterable[FrameFacts], options: GroupingOptions, views: Views
) -> tuple[BracketSequence, ...]:
    """All frames as sequences in capture order, each file in exactly one of them.

    Raises ValueError for `size` where a folder holds no multiple of it, and for `by` and `size` together.
    """
    shots, merged = clean(frames, options.prefer)
    if options.by or options.size:
        pieces = _explicit_pieces(shots, options, views)
    else:
        pieces = _automatic_pieces(shots, options, views)
    pieces.sort(key=_capture_key)
    sequences = [_sequence(piece, options, views) for piece in pieces] + [
        _merged_result(frame) for frame in merged
    ]
    names = derived_names(sequences, dict(options.earlier_names), options.taken_names)
    return tuple(replace(sequence, name=name) for sequence, name in zip(sequences, names, strict=True))


def _capture_key(piece: Piece) -> tuple[bool, str, str]:
    time = piece.shots[0].facts.captured_at
    return time is None, time.isoformat() if time else "", piece.shots[0].facts.path


def _explicit_pieces(shots: Sequence[Shot], options: GroupingOptions, views: Views) -> list[Piece]:
    """A folder is a sequence, or every `size` frames of one camera in a folder."""
    if options.by and options.size:
        raise ValueError(
            f"`--by {options.by}` and `--size {options.size}` contradict each other: give one of them"
        )
    if options.by not in (None, "folder"):
        raise ValueError(f"`--by {options.by}` is unknown: the only rule to ask for is `--by folder`")
    if options.size is None:
        folders = _parts(shots, lambda shot: shot.folder)
        pieces = [Piece(tuple(in_capture_order(part)), by="folder") for part in folders]
    else:
        cameras = _parts(shots, lambda shot: (shot.folder, shot.facts.body))
        pieces = [piece for part in cameras for piece in _sized(in_capture_order(part), options.size)]
    pieces = [replace(piece, shots=_with_evs(piece.shots)) for piece in pieces]
    least = options.limits.min_span_ev
    return [with_explicit_exposures(piece, views, options.ev_step, least) for piece in pieces]


def _sized(shots: Sequence[Shot], size: int) -> list[Piece]:
    if len(shots) % size:
        facts = shots[0].facts
        raise ValueError(
            f"`--size {size}`: {shots[0].folder} holds {len(shots)} frames of camera '{facts.body}', "
            f"no multiple of {size}; move strays away or group this folder with `--by folder`"
        )
    return [Piece(tuple(shots[i : i + size]), by="size") for i in range(0, len(shots), size)]


def _automatic_pieces(shots: Sequence[Shot], options: GroupingOptions, views: Views) -> list[Piece]:
    """Cluster by camera and size, cut into bursts and sets, join what was taken by hand."""
    unexposed = [shot for shot in shots if shot.facts.seconds is None]
    exposed = [shot for shot in shots if shot.facts.seconds is not None]
    pieces = [Piece(tuple(in_capture_order(part))) for part in _parts(unexposed, lambda shot: shot.folder)]
    join = HandJoin(options.hand_pause, options.view_agreement, options.limits, views)
    for cluster in _parts(exposed, _camera):
        ordered = _with_evs(in_capture_order(cluster))
        found = automatic_pieces(ordered, options.burst_pause, options.limits)
        found = judge_against_session(join_monotone_neighbours(found, join), options.limits)
        pieces += join_leftovers(found, join)
    return _join_mixed_sizes(pieces, options)


def _camera(shot: Shot) -> Hashable:
    facts = shot.facts
    return facts.body, facts.width, facts.height, facts.captured_at is None


def _join_mixed_sizes(pieces: Sequence[Piece], options: GroupingOptions) -> list[Piece]:
    """Join leftovers of one burst that differ in size only, so that they are named for what they are."""
    least = options.limits.min_frames
    result = [piece for piece in pieces if len(piece.shots) >= least or not piece.evs]
    small = {piece.shots[0]: piece for piece in pieces if len(piece.shots) < least and piece.evs}
    loose = chain.from_iterable(piece.shots for piece in small.values())
    for of_one_body in _parts(loose, lambda shot: shot.facts.body):
        for burst in bursts(in_capture_order(of_one_body), options.burst_pause):
            members = [small[shot] for shot in burst if shot in small]
            whole = {shot for piece in members for shot in piece.shots} == set(burst)
            if whole and _sizes_differ(burst) and options.limits.hold(burst):
                members = [Piece(tuple(burst))]
            result += members
    return result


def _sizes_differ(shots: Sequence[Shot]) -> bool:
    return len({(shot.facts.width, shot.facts.height) for shot in shots}) > 1


def _parts(shots: Iterable[Shot], key: Callable[[Shot], Hashable]) -> list[list[Shot]]:
    parts: dict[Hashable, list[Shot]] = defaultdict(list)
    for shot in shots:
        parts[key(shot)].append(shot)
    return list(parts.values())


def _with_evs(shots: Sequence[Shot]) -> tuple[Shot, ...]:
    evs = exposure_values([shot.facts for shot in shots])
    return tuple(replace(shot, ev=ev) for shot, ev in zip(shots, evs, strict=True))


def _sequence(piece: Piece, options: GroupingOptions, views: Views) -> BracketSequence:
    status, reasons, flags = judge(piece, options.limits, views)
    shots = list(piece.shots)
    reference = None
    if len(piece.evs) == len(shots):
        shots.sort(key=lambda shot: (-(shot.ev or 0.0), shot.facts.path))
        reference = shots[reference_position(len(shots))].ev
    return BracketSequence(
        name="",
        status=status,
        by=piece.by,
        frames=tuple(_frame(shot, reference, stated="given-ev-step" not in flags) for shot in shots),
        reasons=reasons,
        flags=flags,
        excluded=tuple(
            SequenceFile(copy.path, copy.sha256, "duplicate") for shot in shots for copy in shot.duplicates
        ),
    )


def _frame(shot: Shot, reference_ev: float | None, stated: bool) -> SequenceFrame:
    facts = shot.facts
    return SequenceFrame(
        path=facts.path,
        sha256=facts.sha256,
        seconds=facts.seconds if stated else None,
        f_number=facts.f_number,
        iso=facts.iso,
        ev100=shot.ev if stated and facts.seconds is not None else None,
        relative_ev=None if reference_ev is None or shot.ev is None else reference_ev - shot.ev,
        captured_at=facts.captured_at,
        companions=tuple(SequenceFile(other.path, other.sha256) for other in shot.companions),
    )


def _merged_result(frame: FrameFacts) -> BracketSequence:
    file = SequenceFile(frame.path, frame.sha256, "merged-result")
    return BracketSequence("", "rejected", "burst", (), ("merged-result",), excluded=(file,))
