"""`scan`: folders of camera files to `sequences.csv`; nothing in the folders is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from builder.brackets import STATUSES, BracketSequence, SequenceFrame
from builder.camera_metadata import FrameFacts, read_facts
from builder.codecs.image_headers import read_header
from builder.codecs.unreadable_image import UnreadableImage
from builder.grouping.damaged_files import DamagedFile, with_damaged_files
from builder.grouping.group import GroupingOptions, group_frames
from builder.grouping.pieces import BracketLimits
from builder.images import read_bytes
from builder.known_facts import KnownFacts
from builder.picture_files import find_picture_files
from builder.sequences import HandEdits, read_hand_edits, with_relative_evs, write_sequences
from builder.settings import ScanSettings
from builder.thumbnails import Thumbnails

FACTS_FILE = "camera_facts.json"  # beside sequences.csv
Progress = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True)
class ScanReport:
    """What a scan found."""

    sequences: tuple[BracketSequence, ...]
    damaged: tuple[DamagedFile, ...]  # files and folders that cannot be used, with a sentence each
    pictures: int  # picture files found, damaged ones among them
    ignored: int  # other files

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of sequences by status."""
        found = Counter(sequence.status for sequence in self.sequences)
        return MappingProxyType({status: found[status] for status in STATUSES})


def scan(
    directories: Sequence[Path],
    *,
    sequences_csv: Path,
    settings: ScanSettings,
    by: str | None = None,
    size: int | None = None,
    ev_step: float | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Read facts of all pictures below `directories`, group them and write `sequences_csv`.

    Sequences that a person edited in an earlier `sequences_csv` (`by=hand`) are kept as they are; others keep
    their names. ValueError for folders without pictures, for options that contradict each other or the files,
    and for a `sequences_csv` that contradicts itself (with its line).
    """
    _check_options(size, ev_step)
    edits = read_hand_edits(sequences_csv)
    found = find_picture_files(directories, left_out=_own_folders(sequences_csv, directories))
    if not found.paths and not found.damaged:
        places = ", ".join(repr(str(directory)) for directory in directories)
        raise ValueError(
            f"no pictures below {places} ({found.ignored} other files); give a folder of camera files"
        )
    known = KnownFacts(sequences_csv.with_name(FACTS_FILE))
    facts, damaged = _read_all(found.paths, settings, known, progress)
    known.keep(facts)
    kept = tuple(_refreshed(sequence, facts) for sequence in edits.sequences)
    options = _options(settings, edits, by, size, ev_step)
    grouped = group_frames(_without(facts, kept), options, Thumbnails())
    sequences = (*kept, *with_damaged_files(grouped, damaged))
    write_sequences(sequences_csv, sequences)
    return ScanReport(sequences, (*found.damaged, *damaged), len(found.paths), found.ignored)


def _check_options(size: int | None, ev_step: float | None) -> None:
    if size is not None and size < 1:
        raise ValueError(
            f"`--size {size}`: a sequence has at least one frame; give the number of frames of a bracket"
        )
    if ev_step is not None and not 0 < ev_step <= 10:
        raise ValueError(f"`--ev-step {ev_step:g}`: a step is more than 0 and at most 10 EV")


def _own_folders(sequences_csv: Path, directories: Sequence[Path]) -> list[Path]:
    """The data folder, where it lies below a scanned one: its pictures are ours."""
    own = sequences_csv.parent.resolve()
    return [own] if any(directory.resolve() in own.parents for directory in directories) else []


def _options(
    settings: ScanSettings, edits: HandEdits, by: str | None, size: int | None, ev_step: float | None
) -> GroupingOptions:
    return GroupingOptions(
        by=by,
        size=size,
        ev_step=ev_step,
        prefer=settings.prefer,
        limits=BracketLimits(settings.min_frames, settings.min_span_ev),
        burst_pause=settings.burst_pause_s,
        hand_pause=settings.hand_pause_s,
        view_agreement=settings.view_agreement,
        earlier_names=edits.names,
        taken_names=frozenset(sequence.name for sequence in edits.sequences),
    )


def _read_all(
    paths: Sequence[str], settings: ScanSettings, known: KnownFacts, progress: Progress | None
) -> tuple[list[FrameFacts], list[DamagedFile]]:
    """Facts of all files in the order of `paths`; each is read once, hash and facts from the same bytes."""
    facts: list[FrameFacts] = []
    damaged: list[DamagedFile] = []
    for done, result in enumerate(_results(paths, settings, known), start=1):
        if isinstance(result, FrameFacts):
            facts.append(result)
        else:
            damaged.append(result)
        if progress:
            progress(done, len(paths))
    return facts, damaged


def _results(
    paths: Sequence[str], settings: ScanSettings, known: KnownFacts
) -> Iterator[FrameFacts | DamagedFile]:
    with ThreadPoolExecutor(settings.read_threads) as threads:
        yield from threads.map(lambda path: _read(path, settings, known), paths)


def _read(path: str, settings: ScanSettings, known: KnownFacts) -> FrameFacts | DamagedFile:
    try:
        data = read_bytes(path, settings)
        facts = known.find(data, path)
        if facts is not None and facts.width * facts.height <= 1e6 * settings.max_megapixels:
            return facts
        header = read_header(data, name=path, limits=settings)
        return read_facts(data, path=path, kind=header.kind, width=header.width, height=header.height)
    except UnreadableImage as error:
        return DamagedFile(path, error.reason, str(error))


def _without(facts: Sequence[FrameFacts], kept: Sequence[BracketSequence]) -> list[FrameFacts]:
    """Facts of the files that no hand-made sequence holds."""
    held: set[str] = set()
    for sequence in kept:
        held |= {frame.path for frame in sequence.frames}
        held |= {file.path for file in sequence.excluded}
        held |= {file.path for frame in sequence.frames for file in frame.companions}
    return [frame for frame in facts if frame.path not in held]


def _refreshed(sequence: BracketSequence, facts: Sequence[FrameFacts]) -> BracketSequence:
    """A hand-made sequence with today's hashes, and the facts that its person left out."""
    known = {frame.path: frame for frame in facts}
    frames = [_completed(frame, known.get(frame.path)) for frame in sequence.frames]
    return replace(sequence, frames=with_relative_evs(frames))


def _completed(frame: SequenceFrame, facts: FrameFacts | None) -> SequenceFrame:
    if facts is None:
        return frame
    return replace(
        frame,
        sha256=facts.sha256,
        seconds=facts.seconds if frame.seconds is None else frame.seconds,
        f_number=facts.f_number if frame.f_number is None else frame.f_number,
        iso=facts.iso if frame.iso is None else frame.iso,
        captured_at=frame.captured_at or facts.captured_at,
    )
