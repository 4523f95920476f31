"""What a camera wrote into its files: exposure, time stamps, body, orientation; from exifread and rawpy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class FrameFacts:
    """Facts of one camera file; the only thing that grouping looks at. `None` means: the file does not say."""

    path: str  # absolute, POSIX
    sha256: str
    kind: str  # "jpeg", "png", "tiff" or "raw"
    width: int  # upright, after `orientation`
    height: int
    orientation: int = 1  # EXIF 1..8
    body: str = "unknown"  # digest of the serial number where there is one, else the model, else "unknown:<kind>"
    lens: str | None = None
    focal_length: float | None = None  # mm
    seconds: float | None = None  # nominal exposure time as written
    f_number: float | None = None
    iso: float | None = None
    bias_ev: float | None = None
    captured_at: datetime | None = None  # with sub-second where known, without zone
    whole_second: bool = True  # the time stamp carries no fraction
    utc_offset_minutes: int | None = None
    number: int | None = None  # the file number of the camera, from the name's last digits
    software: str = ""
    white_balance: str | None = None  # "auto", "manual" or None
    focus_distance: float | None = None  # metres
    flags: tuple[str, ...] = ()  # e.g. "no-exif", "corrupt-exif"
