"""Camera RAW files through libraw: one white balance per sequence, linear values, no automatic anything."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import rawpy

from builder.image_headers import read_header
from builder.settings import ScanSettings
from builder.unreadable_image import UnreadableImage, corrupt, truncated, unsupported

# libraw's flip -> EXIF orientation and number of counter-clockwise quarter turns (numpy.rot90)
FLIP_ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}
FLIP_QUARTER_TURNS = {0: 0, 3: 2, 5: 1, 6: 3}


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[rawpy.RawPy]:
    """libraw's view of the file; its errors become UnreadableImage."""
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            yield raw
    except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError) as error:
        remedy = "convert it to DNG with a recent converter, or give the camera's JPEG"
        raise unsupported(
            name, f"libraw {rawpy.libraw_version} cannot read this RAW file ({_said(error)})", remedy
        ) from None
    except rawpy.LibRawUnsufficientMemoryError as error:
        raise MemoryError(f"{name!r}: libraw has too little memory") from error
    except rawpy.LibRawIOError as error:
        raise truncated(name, f"this RAW file of {len(data)} bytes ends too early ({_said(error)})") from None
    except rawpy.LibRawTooBigError as error:
        remedy = "convert it to TIFF with another program"
        raise UnreadableImage(
            "too-large", name, f"libraw refuses its size ({_said(error)})", remedy
        ) from None
    except rawpy.LibRawError as error:
        raise corrupt(name, f"libraw cannot decode this RAW file ({_said(error)})") from None


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else type(error).__name__
    return said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)


def raw_geometry(data: bytes, *, name: str) -> tuple[int, int, int]:
    """(width, height, EXIF orientation) of a RAW file's picture, sizes before the orientation is applied."""
    with _opened(data, name) as raw:
        sizes = raw.sizes
        return sizes.iwidth, sizes.iheight, FLIP_ORIENTATIONS.get(sizes.flip, 1)


@dataclass(frozen=True)
class RawExposure:
    """What libraw found in the maker's own structures; None: not stored."""

    seconds: float | None
    f_number: float | None
    iso: float | None
    focal_length: float | None
    lens: str | None
    captured_at: datetime | None  # whole seconds, local time


def raw_exposure(data: bytes, *, name: str) -> RawExposure:
    """Exposure and time of a RAW file whose tags exifread cannot find (CR3, RAF)."""
    with _opened(data, name) as raw:
        other, lens = raw.other, raw.lens
    return RawExposure(
        other.shutter_speed or None,
        other.aperture or None,
        other.iso_speed or None,
        other.focal_length or None,
        lens.model.strip() or None,
        other.timestamp,
    )


def raw_white_balance(data: bytes, *, name: str) -> tuple[float, float, float, float]:
    """As-shot multipliers of red, green, blue and second green; libraw's daylight ones if there are none."""
    with _opened(data, name) as raw:
        for stored in (raw.camera_whitebalance, raw.daylight_whitebalance):
            red, green, blue, green2 = (float(value) for value in stored)
            if all(np.isfinite(value) and value > 0 for value in (red, green, blue)):
                return red, green, blue, green2 if green2 > 0 else green
    return 1.0, 1.0, 1.0, 1.0


def develop_raw(
    data: bytes, *, white_balance: tuple[float, float, float, float], name: str, limits: ScanSettings
) -> np.ndarray:
    """Linear Rec.709 light, uint16 HxWx3, upright; 65535 = the sensor's white level in every channel.

    `white_balance` is the reference frame's for all frames of a sequence (`raw_white_balance`).
    UnreadableImage for damaged files. libraw divides by the smallest multiplier, so the scale depends on
    `white_balance` alone and each channel clips at 65535. Every automatic step is off: with the default
    adjust_maximum_thr a frame with its peak at 75-100 % of white is stretched by a factor of its own.
    """
    read_header(data, name=name, limits=limits)
    with _opened(data, name) as raw:
        flip = raw.sizes.flip  # postprocess overwrites it with user_flip
        pixels = raw.postprocess(
            gamma=(1, 1),
            output_bps=16,
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            user_wb=list(white_balance),
            user_flip=0,
            output_color=rawpy.ColorSpace.sRGB,
            highlight_mode=rawpy.HighlightMode.Clip,
        )
    if pixels.shape[2] == 1:  # a monochrome sensor
        pixels = np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(np.rot90(pixels, FLIP_QUARTER_TURNS.get(flip, 0)))
