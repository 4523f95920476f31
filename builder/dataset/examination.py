"""A look at every scene before anything is written: do reference and exposures belong together, who looks alike?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from builder.camera_metadata import camera_position, read_facts
from builder.catalog import Candidate, Exposure, Scene
from builder.dataset.duplicates import Circumstances, perceptual_hash, same_views
from builder.dataset.records import Excluded
from builder.dataset.selection import ChosenScene
from builder.images import (
    UnreadableImage,
    as_8_bit,
    image_size,
    read_bytes,
    read_header,
    read_image,
    sniff_kind,
)
from builder.settings import ScanSettings

SMALLEST_AGREEMENT = 0.2
SURROUNDINGS = 4.0  # standard deviation in pixels of the small picture
NOISE_VARIANCE = 4.0  # of levels: what is flat stays flat
LOOK_SIDE = 480


@dataclass(frozen=True)
class Examined:
    """Scenes that passed, pairs of scenes that must share a split, and those that did not pass."""

    passed: tuple[ChosenScene, ...]
    links: tuple[tuple[str, str], ...]  # catalog's names
    excluded: tuple[Excluded, ...]


def examine(
    session: Session,
    data: Path,
    chosen: Sequence[ChosenScene],
    by_hand: frozenset[str],
    limits: ScanSettings,
    on_scene: Callable[[str], None],
) -> Examined:
    """Check each scene on small pictures; find scenes that show the same view or hold the same files.

    Pairs of which a person named both groups (`by_hand`) are joined only if they hold equal files.
    """
    passed, hashes, excluded = [], [], []
    for one in chosen:
        try:
            reason, sentence, view = _look(session, data, one, limits)
        except (UnreadableImage, OSError):
            reason, sentence, view = "damaged", "a file of this scene cannot be read", 0
        if reason:
            excluded.append(Excluded(one.name, one.group, reason, sentence))
        else:
            passed.append(one)
            hashes.append(view)
        session.expunge_all()  # what is known of a scene is not kept: there may be thousands
        on_scene(one.name)
    pairs = same_views(hashes, lambda k: _circumstances(session, data, passed[k], limits))
    links = [(passed[i].scene, passed[j].scene) for i, j in pairs]
    links = [pair for pair in links if not by_hand.issuperset(pair)]
    return Examined(tuple(passed), (*links, *_equal_files(passed)), tuple(excluded))


def agreement(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Correlation of the structure of two pictures of equal size; 0 where one is flat.

    Each pixel's brightness counts against its surroundings and in units of their spread, because fusion changes
    tones on a large scale: plain correlation is 0.27 to 0.48 for right references of hard scenes. Measured on the
    simulated scenes and the thirteen algorithms: right ones from 0.41, those of other scenes up to 0.03.
    """
    first, second = _structure(one), _structure(other)
    size = float(np.sqrt(np.sum(first * first, dtype=np.float64) * np.sum(second * second, dtype=np.float64)))
    return float(np.sum(first * second, dtype=np.float64)) / size if size else 0.0


def _structure(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    difference = gray - cv2.GaussianBlur(gray, (0, 0), SURROUNDINGS)
    variance = cv2.GaussianBlur(difference * difference, (0, 0), SURROUNDINGS)
    normalized = difference / np.sqrt(variance + NOISE_VARIANCE)
    return np.asarray(normalized - normalized.mean(), np.float32)


def _look(session: Session, data: Path, one: ChosenScene, limits: ScanSettings) -> tuple[str, str, int]:
    """(reason against it or "", sentence, perceptual hash of its middle exposure)."""
    scene, candidate = session.get_one(Scene, one.id), session.get_one(Candidate, one.candidate_id)
    content = read_bytes(data / str(candidate.path), limits)
    size = image_size(content, str(sniff_kind(content)), name=str(candidate.path))
    if size != (scene.width, scene.height):
        found = f"the reference has {size[0]}x{size[1]} pixels, the exposures {scene.width}x{scene.height}"
        return "reference-size", found, 0
    middle = _small(data, middle_exposure(scene), limits)
    reference = _small(data, candidate, limits)
    reference = cv2.resize(reference, (middle.shape[1], middle.shape[0]), interpolation=cv2.INTER_AREA)
    found_agreement = agreement(middle, reference)
    if found_agreement < SMALLEST_AGREEMENT:
        found = f"the reference does not show what the exposures show (agreement {found_agreement:.2f})"
        return "reference-mismatch", found, 0
    return "", "", perceptual_hash(middle)


def middle_exposure(scene: Scene) -> Exposure:
    """The exposure that alignment took as its reference."""
    return scene.exposures[scene.reference_position or 0]


def _small(data: Path, row: Exposure | Candidate, limits: ScanSettings) -> NDArray[np.uint8]:
    """The small preview, or the picture itself reduced where previews are missing."""
    if row.preview_path:
        sizes = {int(path.stem[1:]): path for path in (data / row.preview_path).glob("w*.jpg")}
        if sizes:
            return read_image(sizes[min(sizes)], limits)
    path = row.aligned_path if isinstance(row, Exposure) else row.path
    picture = read_image(data / str(path), limits)
    scale = LOOK_SIDE / max(picture.shape[:2])
    small = (
        cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    )
    return as_8_bit(small)


def _circumstances(session: Session, data: Path, one: ChosenScene, limits: ScanSettings) -> Circumstances:
    """From the original of the middle exposure; nothing of it is published."""
    exposure = middle_exposure(session.get_one(Scene, one.id))
    try:
        content = read_bytes(data / exposure.original_path, limits)
        header = read_header(content, name=exposure.original_path, limits=limits)
    except UnreadableImage:
        return Circumstances("", None, None)
    facts = read_facts(
        content, path=exposure.original_path, kind=header.kind, width=header.width, height=header.height
    )
    return Circumstances(facts.body, exposure.captured_at, camera_position(content, header))


def _equal_files(scenes: Sequence[ChosenScene]) -> Iterator[tuple[str, str]]:
    """Pairs of scenes that share an original."""
    owner: dict[str, str] = {}
    for one in scenes:
        for sha256 in one.originals:
            if owner.setdefault(sha256, one.scene) != one.scene:
                yield owner[sha256], one.scene
