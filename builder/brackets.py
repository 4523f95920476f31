"""A bracket sequence as scan reports it and ingest takes it; the words of its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

STATUSES = ("accepted", "ambiguous", "rejected")
RULES = ("burst", "manual", "folder", "size", "hand")

AMBIGUOUS_REASONS = {
    "mixed-aperture": "the aperture varies and the exposure compensation does not explain it",
    "auto-iso": "the ISO varies and the exposure compensation does not explain it",
    "mixed-focal-length": "the focal length varies by more than 1 %",
    "repeated-exposure": "an exposure occurs more than once",
    "size-not-mode": "other sets shot around it have another number of frames",
    "extra-frame": "it has more frames than the like sets shot around it",
    "lost-frame": "a frame seems to be missing",
    "exif-contradicts-pixels": "the brightness of the frames does not follow the exposures that they state",
    "damaged-frame": "a damaged file belongs to it; the frames that are left still make a bracket",
}
REJECTED_REASONS = {
    "one-frame": "a single frame is no bracket",
    "two-frames": "two frames are too few for a bracket",
    "equal-exposures": "all frames have the same exposure",
    "span-too-small": "the exposures differ too little for a bracket",
    "mixed-size": "the frames differ in width, height or orientation",
    "no-exif": "the files state no exposure; use `scan --by folder` or `--size N`, "
    "with `--ev-step S` if the step is known",
    "wb-bracket": "the white balance was varied, not the exposure",
    "focus-bracket": "the focus was varied, not the exposure",
    "merged-result": "the file is itself a merged HDR picture",
    "damaged": "a damaged file leaves too few frames",
}
FLAGS = {
    "irregular-steps": "the exposure steps are not equal",
    "aperture-varies": "the aperture varies as the exposure compensation says",
    "iso-varies": "the ISO varies as the exposure compensation says",
    "f-number-missing": "no f-number in the files; taken as constant",
    "iso-missing": "no ISO in the files; taken as 100",
    "no-time": "no capture time in the files",
    "estimated-exposures": "no exposures in the files; their ratios are estimated from the pixels",
    "given-ev-step": "exposures by `--ev-step`, in order of brightness",
}
MEANINGS = {**AMBIGUOUS_REASONS, **REJECTED_REASONS, **FLAGS}


@dataclass(frozen=True)
class SequenceFile:
    """A file that belongs to a sequence without being a frame of it; `reason` says why not."""

    path: str  # absolute, POSIX
    sha256: str
    reason: str = ""


@dataclass(frozen=True)
class SequenceFrame:
    """One exposure of a sequence. `None` means: unknown."""

    path: str  # absolute, POSIX
    sha256: str
    seconds: float | None = None  # nominal, as the camera or a person wrote it
    f_number: float | None = None
    iso: float | None = None
    ev100: float | None = None  # larger is darker
    relative_ev: float | None = None  # against the middle frame, + is brighter
    captured_at: datetime | None = None
    companions: tuple[SequenceFile, ...] = ()  # the JPEG of a RAW, or the other way round


@dataclass(frozen=True)
class BracketSequence:
    """A set of frames and its verdict; frames run from dark to bright where their exposures are known."""

    name: str  # a safe folder name, unique in a scan
    status: str  # one of STATUSES
    by: str  # the rule that made it, one of RULES
    frames: tuple[SequenceFrame, ...]
    reasons: tuple[str, ...] = ()  # keys of AMBIGUOUS_REASONS, REJECTED_REASONS, or a person's words
    flags: tuple[str, ...] = ()  # keys of FLAGS
    excluded: tuple[SequenceFile, ...] = ()

    @property
    def explanation(self) -> str:
        """The verdict as a sentence for people."""
        words = [MEANINGS.get(code, code) for code in (*self.reasons, *self.flags)]
        return f"{self.status}: {'; '.join(words)}" if words else self.status
