"""What is known about an exported scene: written beside the unfinished dataset, read when the tables are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

NOT_PEOPLE = "not chosen by people"
SIMULATED = "chosen by simulated raters"


@dataclass(frozen=True)
class FileFact:
    """One exported file; path POSIX, relative to the dataset."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class InputFact:
    """One exposure, dark to bright."""

    file: FileFact
    relative_ev: float | None
    seconds: float | None
    f_number: float | None
    iso: float | None
    residual: float | None  # misplacement left after alignment, in pixels
    alignment: str  # method of alignment
    as_shot: bool  # the camera's own JPEG data, bit for bit, without metadata


@dataclass(frozen=True)
class ReferenceFact:
    """The chosen candidate and how sure the choice is."""

    file: FileFact
    algorithm: str
    revision: int
    parameters: Mapping[str, Any]
    key: str
    verdict: str
    raters: int
    p_best: float | None
    acceptable_share: float | None
    first_picks: int
    margin: float | None  # its share of the first picks minus the next one's
    co_best: tuple[str, ...]  # algorithms that share the verdict
    rule_version: str
    stamp: str


@dataclass(frozen=True)
class CandidateFact:
    """One candidate of the scene and what people made of it."""

    algorithm: str
    revision: int
    parameters: Mapping[str, Any]
    key: str
    sha256: str
    status: str
    first_picks: int | None
    is_reference: bool
    is_co_best: bool
    mef_ssim: float | None
    gate_failures: tuple[str, ...]
    imported: bool
    path: str  # in the dataset, "" if it is not part of it


@dataclass(frozen=True)
class HdrFact:
    """The merged linear picture."""

    file: FileFact
    scale: str  # what 1.0 means
    response: str  # how light was read from the files
    largest: float
    clipped: int  # values beyond the largest half float


@dataclass(frozen=True)
class SceneFact:
    """All of one exported scene."""

    name: str
    split: str
    group: str
    number: int
    width: int
    height: int
    year: int | None
    flags: tuple[str, ...]
    ghost_score: float | None
    inputs: tuple[InputFact, ...]
    reference: ReferenceFact
    candidates: tuple[CandidateFact, ...]
    candidate_files: tuple[FileFact, ...]
    hdr: HdrFact | None

    @property
    def files(self) -> tuple[FileFact, ...]:
        """Every file of the scene."""
        hdr = () if self.hdr is None else (self.hdr.file,)
        inputs = (one.file for one in self.inputs)
        return (*inputs, self.reference.file, *self.candidate_files, *hdr)


@dataclass(frozen=True)
class Excluded:
    """A scene that is not in the dataset: published name, a reason code, a sentence free of private facts."""

    scene: str
    group: str
    reason: str
    sentence: str


def to_json(fact: SceneFact) -> str:
    """One line of JSON that `from_json` reads."""
    return json.dumps(asdict(fact), sort_keys=True, allow_nan=False)


def from_json(text: str) -> SceneFact:
    """Read what `to_json` wrote; KeyError, TypeError or ValueError for anything else."""
    document = json.loads(text)
    reference = {**document["reference"], "co_best": tuple(document["reference"]["co_best"])}
    hdr = document["hdr"]
    return SceneFact(
        **{
            **document,
            "flags": tuple(document["flags"]),
            "inputs": tuple(InputFact(**_with_file(one)) for one in document["inputs"]),
            "reference": ReferenceFact(**_with_file(reference)),
            "candidates": tuple(
                CandidateFact(**{**one, "gate_failures": tuple(one["gate_failures"])})
                for one in document["candidates"]
            ),
            "candidate_files": tuple(FileFact(**one) for one in document["candidate_files"]),
            "hdr": None if hdr is None else HdrFact(**_with_file(hdr)),
        }
    )


def _with_file(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "file": FileFact(**document["file"])}
