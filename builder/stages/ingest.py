"""From `sequences.csv` to scenes: accepted sequences are copied (or hard-linked) below the data folder.

The source is never changed. A scene exists once its `scene.json` is written, which happens last, so an
interrupted ingest is simply run again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from builder.atomic_files import NotDeterministic, readable_name, sha256_hex, write_once
from builder.brackets import BracketSequence, SequenceFrame
from builder.images import UnreadableImage, image_size, read_bytes, sniff_kind
from builder.scene_record import (
    SCENE_FILE,
    ExposureRecord,
    SceneRecord,
    SceneRecordError,
    originals_folder,
    read_scene,
    write_scene,
)
from builder.settings import ScanSettings

SUFFIXES = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif"}


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did, by scene name."""

    ingested: tuple[str, ...]
    unchanged: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]  # scene, sentence


def ingest(
    data: Path,
    sequences: Iterable[BracketSequence],
    *,
    limits: ScanSettings,
    place: Callable[[Path, Path, bytes], None],
    on_scene: Callable[[str], None] = lambda _name: None,
) -> IngestReport:
    """Take sequences into the data folder; one that fails is reported and never stops the others.

    `place` puts a source file under its new name: `copy_file` or `link_file`.
    """
    ingested, unchanged, problems = [], [], []
    for sequence in sequences:
        try:
            if _is_ingested(data, sequence):
                unchanged.append(sequence.name)
            else:
                write_scene(data, _take(data, sequence, limits, place))
                ingested.append(sequence.name)
        except (UnreadableImage, IngestError, SceneRecordError, NotDeterministic) as error:
            problems.append((sequence.name, str(error)))
        on_scene(sequence.name)
    return IngestReport(tuple(ingested), tuple(unchanged), tuple(problems))


class IngestError(ValueError):
    """A sequence does not fit what is on disk; the message says what to do."""


def copy_file(_source: Path, target: Path, data: bytes) -> None:
    """Write the bytes that were verified."""
    write_once(target, data)


def link_file(source: Path, target: Path, data: bytes) -> None:
    """Hard-link the source; a copy where the file system cannot."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        copy_file(source, target, data)


def _is_ingested(data: Path, sequence: BracketSequence) -> bool:
    if not (originals_folder(data, sequence.name) / SCENE_FILE).exists():
        return False
    before = read_scene(data, sequence.name)
    if [e.sha256 for e in before.exposures] == [frame.sha256 for frame in sequence.frames] and [
        e.relative_ev for e in before.exposures
    ] == [frame.relative_ev for frame in sequence.frames]:
        return True
    raise IngestError(
        f"scene {sequence.name!r} is already ingested with other frames or exposures; rename the sequence in "
        f"sequences.csv, or delete originals/{sequence.name} to replace the scene (its votes then refer to "
        f"pictures that are no longer made)"
    )


def _take(
    data: Path, sequence: BracketSequence, limits: ScanSettings, place: Callable[[Path, Path, bytes], None]
) -> SceneRecord:
    exposures = tuple(
        _take_frame(data, sequence, position, frame, limits, place)
        for position, frame in enumerate(sequence.frames)
    )
    sizes = sorted({(exposure.width, exposure.height) for exposure in exposures})
    if len(sizes) > 1:
        found = ", ".join(f"{width}x{height}" for width, height in sizes)
        raise IngestError(
            f"sequence {sequence.name!r}: its frames have different sizes ({found}); take the odd ones out in "
            f"sequences.csv (role 'excluded')"
        )
    return SceneRecord(sequence.name, sequence.name, exposures, sequence.flags)


def _take_frame(
    data: Path,
    sequence: BracketSequence,
    position: int,
    frame: SequenceFrame,
    limits: ScanSettings,
    place: Callable[[Path, Path, bytes], None],
) -> ExposureRecord:
    source = Path(frame.path)
    content = _verified(source, frame.sha256, sequence.name, limits)
    kind = sniff_kind(content)
    if kind is None:
        raise IngestError(f"sequence {sequence.name!r}: {source} is not a JPEG, PNG, TIFF or RAW file")
    width, height = image_size(content, kind, name=str(source))
    path = _stored_name(sequence.name, position, source, kind)
    place(source, data / path, content)
    companion = None
    for other in frame.companions:
        other_source = Path(other.path)
        other_content = _verified(other_source, other.sha256, sequence.name, limits)
        companion = _stored_name(sequence.name, position, other_source, sniff_kind(other_content) or "raw")
        place(other_source, data / companion, other_content)
    return ExposureRecord(
        path,
        frame.sha256,
        kind,
        companion,
        frame.seconds,
        frame.f_number,
        frame.iso,
        frame.relative_ev,
        frame.captured_at.isoformat() if frame.captured_at else None,
        width,
        height,
    )


def _verified(source: Path, sha256: str, sequence: str, limits: ScanSettings) -> bytes:
    content = read_bytes(source, limits)
    if sha256_hex(content) != sha256:
        raise IngestError(
            f"sequence {sequence!r}: {source} changed after the scan (its SHA-256 differs); scan again"
        )
    return content


def _stored_name(scene: str, position: int, source: Path, kind: str) -> str:
    suffix = SUFFIXES.get(kind, source.suffix.lower() or ".raw")
    return str(PurePosixPath("originals", scene, f"{position:02d}-{readable_name(source.stem)}{suffix}"))
