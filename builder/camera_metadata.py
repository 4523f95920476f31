"""What a camera wrote into its files: exposure, time stamps, body, orientation; from exifread and rawpy."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from builder.codecs import tiff_tags
from builder.codecs.image_headers import HEADER_READERS, TIFF_MAGICS, ImageHeader

FACTS_REVISION = (
    1  # raised when the same file would give other facts: known_facts.py then forgets the old ones
)
SECONDS_RANGE = (1e-6, 86400.0)  # what a camera can have meant
APERTURE_RANGE = (0.5, 128.0)
ISO_RANGE = (1.0, 1e7)
BIAS_LIMIT = 15.0
WHITE_BALANCES: dict[float | None, str] = {0: "auto", 1: "manual"}  # EXIF 2.32, WhiteBalance
ISO_TAGS = ("ISOSpeedRatings", "RecommendedExposureIndex", "StandardOutputSensitivity", "ISOSpeed")
TIME_TAGS = (  # time stamp, fraction, zone; best first
    ("EXIF DateTimeOriginal", "EXIF SubSecTimeOriginal", "EXIF OffsetTimeOriginal"),
    ("EXIF DateTimeDigitized", "EXIF SubSecTimeDigitized", "EXIF OffsetTimeDigitized"),
    ("Image DateTime", "EXIF SubSecTime", "EXIF OffsetTime"),
)
# exifread promises nothing about damaged tags. Of 18,000 damaged blocks 245 raised IndexError, the rest
# nothing; the others are what unpacking, decoding and dividing such bytes can raise.
EXIF_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error)


@dataclass(frozen=True)
class FrameFacts:
    """Facts of one camera file; the only thing that grouping looks at. None: the file does not say."""

    path: str  # absolute, POSIX
    sha256: str
    kind: str  # "jpeg", "png", "tiff" or "raw"
    width: int  # upright, after `orientation`
    height: int
    orientation: int = 1  # EXIF 1..8
    body: str = (
        "unknown"  # digest of the serial number where there is one, else the model, else "unknown:<kind>"
    )
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


def read_facts(data: bytes, *, path: str, kind: str, width: int, height: int) -> FrameFacts:
    """What the tags of one file say; never raises for damaged tags: they give None and a flag.

    `width`, `height`: pixels as stored (image_headers.read_header). Flags: no-exif, corrupt-exif,
    impossible-exposure, impossible-aperture, impossible-iso, impossible-time, modification-time (no other was
    stored), adobe-rgb-untagged (the tags name a colour space that no profile backs).
    """
    header = HEADER_READERS[kind](data, path)
    tags, flags = _read_tags(data, header)
    facts = FrameFacts(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        kind=kind,
        width=height if header.orientation >= 5 else width,
        height=width if header.orientation >= 5 else height,
        orientation=header.orientation,
        number=file_number(path),
    )
    facts = _with_camera(facts, tags)
    facts = _with_exposure(facts, tags, flags)
    facts = _with_time(facts, tags, flags)
    if kind != "raw" and not header.icc_profile and _names_adobe_rgb(tags):
        flags.append("adobe-rgb-untagged")
    if kind == "raw" and facts.seconds is None:
        facts = _with_libraw_facts(facts, data, flags)
    return replace(facts, flags=tuple(dict.fromkeys(flags)))


def _names_adobe_rgb(tags: Mapping[str, Any]) -> bool:
    """DCF 2.0 marks Adobe RGB by the interoperability index R03; some cameras write ColorSpace 2 instead."""
    index = _text(tags, "Interoperability InteroperabilityIndex")
    return index == "R03" or _number(tags, "EXIF ColorSpace") == 2


def file_number(path: str) -> int | None:
    """The camera's file number: the last run of digits of the file's stem; None if it has none."""
    runs = re.findall(r"\d+", PurePosixPath(path).stem, re.ASCII)
    return int(runs[-1]) if runs and len(runs[-1]) <= 18 else None


def camera_position(data: bytes, header: ImageHeader) -> tuple[float, float] | None:
    """Degrees north and east as the camera stored them; None where it did not, or nonsense. Never published."""
    from exifread.utils import get_gps_coords

    tags, _ = _read_tags(data, header)
    try:
        found: Sequence[float] = get_gps_coords(tags) or ()
    except EXIF_ERRORS:
        return None
    if len(found) != 2 or not all(math.isfinite(degrees) for degrees in found):
        return None
    return float(found[0]), float(found[1])


def _read_tags(data: bytes, header: ImageHeader) -> tuple[Mapping[str, Any], list[str]]:
    """(tags by name, flags) of exifread; it silently gives {} for CR3 and RAF (exif-py 133)."""
    import exifread

    block = data[header.exif_start : header.exif_start + header.exif_length]
    if not block:
        return {}, ["no-exif"]
    is_tiff = header.kind != "raw" or block[:4] in TIFF_MAGICS
    flags = ["corrupt-exif"] if is_tiff and not _directories_are_whole(block) else []
    try:
        with _silent(logging.getLogger("exifread")):
            tags = exifread.process_file(io.BytesIO(block), details=False, extract_thumbnail=False)
    except EXIF_ERRORS:
        return {}, ["corrupt-exif"]
    if any(tag.startswith(("EXIF", "Image Make", "Image Model", "Image DateTime")) for tag in tags):
        return tags, flags
    return tags, flags or ["no-exif"]


def _directories_are_whole(block: bytes) -> bool:
    """Whether the main and the EXIF directory of a TIFF block and all their values lie inside it."""
    try:
        main = tiff_tags.first_directory(block)
        for offset in main.integers(tiff_tags.EXIF_IFD)[:1]:
            tiff_tags.read_directory(block, main.order, offset)
    except tiff_tags.TiffDamage:
        return False
    return True


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Mute a chatty library for one call; the flags say what it would have logged."""

    def nothing(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        yield
    finally:
        logger.removeFilter(nothing)


def _text(tags: Mapping[str, Any], name: str) -> str:
    """A text tag without control characters and the padding of cameras; "" if it is missing."""
    values = tags[name].values if name in tags else ""
    if not isinstance(values, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in values).strip()


def _number(tags: Mapping[str, Any], name: str) -> float | None:
    """First value of a numeric tag; nan where the file holds x/0; None if it is missing."""
    values = tags[name].values if name in tags else None
    if not isinstance(values, list) or not values:
        return None
    value = values[0]
    if getattr(value, "den", 1) == 0:
        return math.nan
    return float(value) if isinstance(value, int | float) or hasattr(value, "den") else None


def _in_range(value: float | None, allowed: tuple[float, float], flag: str, flags: list[str]) -> float | None:
    """`value` if a camera can have meant it, else None and a flag."""
    if value is None or allowed[0] <= value <= allowed[1]:
        return value
    flags.append(flag)
    return None


def _with_camera(facts: FrameFacts, tags: Mapping[str, Any]) -> FrameFacts:
    maker, model = _text(tags, "Image Make"), _text(tags, "Image Model")
    name = model if model.lower().startswith(maker.lower()) else f"{maker} {model}"
    serial = _text(tags, "EXIF BodySerialNumber") or _text(tags, "Image CameraSerialNumber")
    focal_length = _number(tags, "EXIF FocalLength")
    distance = _number(tags, "EXIF SubjectDistance")
    software = [_text(tags, tag) for tag in ("Image Software", "Image ProcessingSoftware")]
    return replace(
        facts,
        body=_body(name.strip(), serial, facts.kind),
        lens=_text(tags, "EXIF LensModel") or None,
        focal_length=focal_length if focal_length and focal_length > 0 else None,
        focus_distance=distance if distance and 0 < distance < 1e5 else None,
        white_balance=WHITE_BALANCES.get(_number(tags, "EXIF WhiteBalance")),
        software="; ".join(text for text in software if text),
    )


def _body(name: str, serial: str, kind: str) -> str:
    """Maker, model and digest of the serial number, which itself is private and never stored."""
    name = name or f"unknown:{kind}"
    if not serial.strip("0 "):
        return name
    return f"{name} #{hashlib.sha256(serial.encode()).hexdigest()[:12]}"


def _with_exposure(facts: FrameFacts, tags: Mapping[str, Any], flags: list[str]) -> FrameFacts:
    seconds = _in_range(_number(tags, "EXIF ExposureTime"), SECONDS_RANGE, "impossible-exposure", flags)
    if seconds is None:  # APEX: t = 2^-Tv
        seconds = _power_of_two(_number(tags, "EXIF ShutterSpeedValue"), -1.0, SECONDS_RANGE)
    f_number = _number(tags, "EXIF FNumber")
    if f_number == 0:  # a lens without contacts
        f_number = None
    f_number = _in_range(f_number, APERTURE_RANGE, "impossible-aperture", flags)
    if f_number is None and _number(tags, "EXIF ApertureValue"):  # APEX: N = 2^(Av/2)
        f_number = _power_of_two(_number(tags, "EXIF ApertureValue"), 0.5, APERTURE_RANGE)
    sensitivities = (_number(tags, f"EXIF {tag}") for tag in ISO_TAGS)
    # 65535 means "see the other tags" (EXIF 2.3, PhotographicSensitivity)
    iso = next((value for value in sensitivities if value and value != 65535), None)
    bias = _number(tags, "EXIF ExposureBiasValue")
    return replace(
        facts,
        seconds=seconds,
        f_number=f_number,
        iso=_in_range(iso, ISO_RANGE, "impossible-iso", flags),
        bias_ev=bias if bias is not None and abs(bias) <= BIAS_LIMIT else None,
    )


def _power_of_two(apex: float | None, factor: float, allowed: tuple[float, float]) -> float | None:
    if apex is None or not abs(apex) < 64:
        return None
    value = 2.0 ** (factor * apex)
    return value if allowed[0] <= value <= allowed[1] else None


def _with_time(facts: FrameFacts, tags: Mapping[str, Any], flags: list[str]) -> FrameFacts:
    for stamp_tag, fraction_tag, zone_tag in TIME_TAGS:
        stamp = _text(tags, stamp_tag)
        if not stamp.strip(": 0"):
            continue  # absent, or blanks and zeros: the clock was not set
        moment = _moment(stamp)
        if moment is None:
            flags.append("impossible-time")
            continue
        if stamp_tag == "Image DateTime":
            flags.append("modification-time")
        digits = re.match(r"\d*", _text(tags, fraction_tag), re.ASCII).group()[:6]  # type: ignore[union-attr]
        zone = _text(tags, zone_tag) or _text(tags, "EXIF OffsetTime")
        return replace(
            facts,
            captured_at=moment.replace(microsecond=int(digits.ljust(6, "0"))),
            whole_second=not digits.strip("0"),  # some cameras always write 00
            utc_offset_minutes=_offset_minutes(zone),
        )
    return facts


def _moment(stamp: str) -> datetime | None:
    """A time stamp "YYYY:MM:DD HH:MM:SS" (other separators occur), or None if there is no such moment."""
    parts = re.match(r"(\d{4})\D(\d\d?)\D(\d\d?)\D+(\d\d?)\D(\d\d?)\D(\d\d?)", stamp, re.ASCII)
    if parts is None:
        return None
    try:
        return datetime(*(int(part) for part in parts.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None


def _offset_minutes(zone: str) -> int | None:
    parts = re.fullmatch(r"([+-])(\d\d):?(\d\d)", zone, re.ASCII)
    if parts is None:
        return 0 if zone == "Z" else None
    minutes = 60 * int(parts[2]) + int(parts[3])
    return (minutes if parts[1] == "+" else -minutes) if minutes <= 14 * 60 else None


def _with_libraw_facts(facts: FrameFacts, data: bytes, flags: list[str]) -> FrameFacts:
    """Fill what exifread did not find with what libraw knows: no maker, model or bias, whole seconds."""
    from builder.codecs.raw import raw_exposure

    known = raw_exposure(data, name=facts.path)
    seconds = _in_range(known.seconds, SECONDS_RANGE, "impossible-exposure", flags)
    if seconds is not None and "no-exif" in flags:
        flags.remove("no-exif")
    return replace(
        facts,
        seconds=seconds,
        f_number=facts.f_number or _in_range(known.f_number, APERTURE_RANGE, "impossible-aperture", flags),
        iso=facts.iso or _in_range(known.iso, ISO_RANGE, "impossible-iso", flags),
        focal_length=facts.focal_length or known.focal_length,
        lens=facts.lens or known.lens,
        captured_at=facts.captured_at or known.captured_at,
    )
