"""Which sequence a file belonged to that cannot be read any more."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from builder.brackets import BracketSequence, SequenceFile


@dataclass(frozen=True)
class DamagedFile:
    """A picture file that cannot be used."""

    path: str  # absolute, POSIX
    reason: str  # truncated, corrupt, empty, too-large, unsupported-format, unsupported-profile or unreadable
    sentence: str  # what was wrong, where, what to do


def with_damaged_files(
    sequences: Sequence[BracketSequence], damaged: Iterable[DamagedFile]
) -> tuple[BracketSequence, ...]:
    """Sequences with the damaged files that belong to them as excluded ones, and their verdict changed by it.

    A file belongs to the sequence of its folder that holds its neighbours by file number; where no name has
    a number, to the folder's only sequence. Accepted becomes ambiguous; rejected gets one more reason. Files
    of unsupported formats belong nowhere: they are often results, not frames.
    """
    result = list(sequences)
    of_folder: dict[PurePosixPath, list[int]] = defaultdict(list)
    for position, sequence in enumerate(sequences):
        for folder in {PurePosixPath(frame.path).parent for frame in sequence.frames}:
            of_folder[folder].append(position)
    frames = [file for file in damaged if not file.reason.startswith("unsupported")]
    for file in sorted(frames, key=lambda file: file.path):
        candidates = of_folder[PurePosixPath(file.path).parent]
        alike = {
            position: sequences[position] for position in candidates if _is_alike(file, sequences[position])
        }
        owner = _owner(file, alike)
        if owner is not None:
            result[owner] = _with(result[owner], file)
    return tuple(result)


def _is_alike(file: DamagedFile, sequence: BracketSequence) -> bool:
    """Whether the sequence has a frame with the file's suffix."""
    suffix = PurePosixPath(file.path).suffix.lower()
    return any(PurePosixPath(frame.path).suffix.lower() == suffix for frame in sequence.frames)


def _owner(file: DamagedFile, candidates: dict[int, BracketSequence]) -> int | None:
    """Sequence around the file's number; else an incomplete one beside it; else the only one beside it."""
    prefix, number = _prefix_and_number(file.path)
    only = next(iter(candidates.values())) if len(candidates) == 1 else None
    if only and (only.by == "folder" or (number < 0 and not _has_numbers(only))):
        return next(iter(candidates))
    beside: list[int] = []
    for position, sequence in candidates.items():
        numbers = [n for p, n in (_prefix_and_number(frame.path) for frame in sequence.frames) if p == prefix]
        if number < 0 or not numbers:
            continue
        if min(numbers) < number < max(numbers):
            return position
        if min(numbers) - 1 <= number <= max(numbers) + 1:
            beside.append(position)
    incomplete = [position for position in beside if candidates[position].status == "rejected"]
    choice = incomplete or beside
    return choice[0] if len(choice) == 1 else None


def _has_numbers(sequence: BracketSequence) -> bool:
    return any(_prefix_and_number(frame.path)[1] >= 0 for frame in sequence.frames)


def _prefix_and_number(path: str) -> tuple[str, int]:
    """("img_", 812) of .../IMG_0812.JPG; the number is -1 where a name has none."""
    match = re.fullmatch(r"(.*?)(\d{1,18})", PurePosixPath(path).stem, re.ASCII | re.DOTALL)
    return (match[1].lower(), int(match[2])) if match else ("", -1)


def _with(sequence: BracketSequence, file: DamagedFile) -> BracketSequence:
    excluded = (*sequence.excluded, SequenceFile(file.path, "", file.reason))
    reason = "damaged" if sequence.status == "rejected" else "damaged-frame"
    others = [known for known in sequence.reasons if known != "lost-frame"]  # it is found now
    return replace(
        sequence,
        status="rejected" if sequence.status == "rejected" else "ambiguous",
        reasons=tuple(dict.fromkeys((*others, reason))),
        excluded=excluded,
    )
