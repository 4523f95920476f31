"""What ingest knows about a scene, kept beside its originals as `scene.json`: where later stages start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.atomic_files import replace_file

SCENE_FILE = "scene.json"
SCENE_SCHEMA = 1


class SceneRecordError(ValueError):
    """A `scene.json` is missing, damaged or of another version."""


@dataclass(frozen=True)
class ExposureRecord:
    """One original; in a scene they stand from dark to bright."""

    path: str  # POSIX, relative to the data folder
    sha256: str
    kind: str  # "jpeg", "png", "tiff" or "raw"
    companion: str | None  # the other half of a RAW+JPEG pair
    seconds: float | None
    f_number: float | None
    iso: float | None
    relative_ev: float | None  # against the middle frame, + brighter; None: not known from the files
    captured_at: str | None  # ISO 8601, local time of the camera
    width: int  # upright
    height: int


@dataclass(frozen=True)
class SceneRecord:
    """One bracket of one view."""

    name: str
    group: str
    exposures: tuple[ExposureRecord, ...]
    flags: tuple[str, ...]

    @property
    def megapixels(self) -> float:
        """Size of one frame."""
        return self.exposures[0].width * self.exposures[0].height / 1e6

    @property
    def exposure_seconds(self) -> tuple[float, ...] | None:
        """Effective seconds at one aperture and ISO, for merging; None where the files do not tell."""
        relative = [exposure.relative_ev for exposure in self.exposures]
        known = [ev for ev in relative if ev is not None]
        if len(known) < len(relative):
            return None
        middle = min(range(len(known)), key=lambda k: (abs(known[k]), k))
        base = self.exposures[middle].seconds or 1.0
        return tuple(base * 2.0 ** (ev - known[middle]) for ev in known)


def originals_folder(data: Path, scene: str) -> Path:
    """Where the originals of a scene are."""
    return data / "originals" / scene


def write_scene(data: Path, scene: SceneRecord) -> None:
    """Write `scene.json`; until then the scene does not exist for any later stage."""
    document = {"schema": SCENE_SCHEMA, **asdict(scene)}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(originals_folder(data, scene.name) / SCENE_FILE, text.encode())


def read_scene(data: Path, name: str) -> SceneRecord:
    """Read one `scene.json`; raises SceneRecordError."""
    path = originals_folder(data, name) / SCENE_FILE
    try:
        document = json.loads(path.read_bytes())
        if document.pop("schema") != SCENE_SCHEMA:
            raise SceneRecordError(
                f"{path}: written by another version of this program; ingest the scene again"
            )
        exposures = tuple(ExposureRecord(**exposure) for exposure in document.pop("exposures"))
        return SceneRecord(**{**document, "exposures": exposures, "flags": tuple(document["flags"])})
    except OSError as error:
        raise SceneRecordError(f"{path}: cannot be read ({error.strerror}); run `ingest` again") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, SceneRecordError):
            raise
        raise SceneRecordError(f"{path}: damaged ({error}); delete it and run `ingest` again") from error


def scene_names(data: Path) -> Iterator[str]:
    """Names of all ingested scenes, sorted."""
    for path in sorted((data / "originals").glob(f"*/{SCENE_FILE}")):
        yield path.parent.name
