"""Reading and writing pictures: the only place that knows codecs and bit depth.

Pictures are HxWx3 RGB arrays, uint8 or uint16, sRGB-encoded and upright; `develop_raw` gives linear ones.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pyvips
import simplejpeg
from numpy.typing import NDArray

from builder.codecs.color_profiles import to_srgb
from builder.codecs.exr import LinearPicture, decode_exr, encode_exr
from builder.codecs.image_headers import ImageHeader, image_size, read_header, sniff_kind
from builder.codecs.jpeg_privacy import without_metadata
from builder.codecs.raw import develop, raw_white_balance
from builder.codecs.unreadable_image import UnreadableImage, corrupt, truncated
from builder.settings import ScanSettings
from fusion_algos.color import linear_to_srgb

__all__ = [
    "ImageHeader",
    "LinearPicture",
    "UnreadableImage",
    "as_8_bit",
    "decode_exr",
    "decode_image",
    "develop_raw",
    "display_from_linear",
    "encode_exr",
    "encode_jpeg",
    "encode_png",
    "image_size",
    "raw_white_balance",
    "read_bytes",
    "read_header",
    "read_image",
    "read_strips",
    "sniff_kind",
    "upright",
    "without_metadata",
    "write_image",
]

DEFAULT_LIMITS = ScanSettings()


def as_8_bit(pixels: np.ndarray) -> NDArray[np.uint8]:
    """The uint8 picture nearest to a uint16 one (65535 is 255); a uint8 one as it is, not copied."""
    if pixels.dtype == np.uint8:
        return pixels
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), dtype=np.uint8)


def read_bytes(path: str | os.PathLike[str], limits: ScanSettings = DEFAULT_LIMITS) -> bytes:
    """The bytes of a regular file of at most `limits.max_file_mb`; UnreadableImage if not to be had."""
    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        found = f"its name is not valid UTF-8 ({os.fsencode(name)!r})"
        raise UnreadableImage("unreadable", name, found, "rename it") from None
    try:
        status = os.stat(name)
        _check_file(name, status, limits)
        return Path(name).read_bytes()
    except OSError as error:
        raise _unreadable(name, error) from None


def _check_file(name: str, status: os.stat_result, limits: ScanSettings) -> None:
    if not stat.S_ISREG(status.st_mode):
        found = "it is a folder" if stat.S_ISDIR(status.st_mode) else "it is a device, pipe or socket"
        raise UnreadableImage("unreadable", name, f"{found}, not a picture file", "rename it or leave it out")
    if status.st_size == 0:
        raise UnreadableImage("empty", name, "the file holds no bytes", "copy it from the camera again")
    megabytes = status.st_size / 1e6
    if megabytes > limits.max_file_mb:
        found = f"the file has {megabytes:.1f} MB"
        remedy = f"raise max_file_mb (now {limits.max_file_mb:g}) if it is really a picture"
        raise UnreadableImage("too-large", name, found, remedy)


def _unreadable(name: str, error: OSError) -> UnreadableImage:
    """The sentence for an error of the file system."""
    if error.errno == errno.ELOOP:
        found, remedy = "its link leads back to itself", "repair or delete the link"
    elif error.errno == errno.ENOENT and os.path.islink(name):
        found = f"it is a link to {os.readlink(name)!r}, which does not exist"
        remedy = "repair or delete the link"
    elif error.errno == errno.ENOENT:
        found, remedy = "there is no such file", "check its name; if it was moved after a scan, scan again"
    elif error.errno in (errno.EACCES, errno.EPERM):
        found, remedy = "its permissions forbid reading it", "allow reading it (chmod u+r)"
    else:
        found, remedy = f"the system says: {os.strerror(error.errno or 0)}", "check the disk"
    return UnreadableImage("unreadable", name, found, remedy)


def develop_raw(
    data: bytes,
    *,
    white_balance: tuple[float, float, float, float],
    name: str,
    limits: ScanSettings = DEFAULT_LIMITS,
) -> np.ndarray:
    """A RAW file as linear Rec.709 light, HxWx3 uint16, upright; 65535 = the sensor's white (see raw.develop).

    UnreadableImage if the file is damaged, too large or unsupported.
    """
    read_header(data, name=name, limits=limits)
    return develop(data, white_balance=white_balance, name=name)


def decode_image(data: bytes, *, name: str, limits: ScanSettings = DEFAULT_LIMITS) -> np.ndarray:
    """A JPEG, PNG or TIFF as HxWx3 RGB, uint8 or uint16, sRGB-encoded, upright; alpha is dropped.

    UnreadableImage if the file is damaged, too large or unsupported; RAW files are for `develop_raw`.
    """
    header = read_header(data, name=name, limits=limits)
    if header.kind == "raw":
        raise ValueError(f"{name!r} is a RAW file: use develop_raw")
    decode = _decode_jpeg if header.kind == "jpeg" else _decode_with_vips
    pixels = _without_alpha(decode(data, name))
    if header.icc_profile:
        pixels = to_srgb(pixels, header.icc_profile, name=name)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return upright(pixels, header.orientation)


def _decode_jpeg(data: bytes, name: str) -> np.ndarray:
    """libjpeg-turbo, strict: other decoders give wrong pixels for garbage in the middle of a file."""
    try:
        grey = simplejpeg.decode_jpeg_header(data)[2] == "Gray"
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if grey else "RGB", strict=True)
    except ValueError as error:
        make_error = truncated if "Premature end" in str(error) else corrupt
        raise make_error(name, f"its pixels are damaged ({error})") from None
    return pixels[:, :, 0] if grey else pixels


def _decode_with_vips(data: bytes, name: str) -> np.ndarray:
    """PNG and TIFF by libvips: cv2 multiplies TIFF colours by alpha and always turns TIFFs upright itself."""
    try:
        return pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on="error").numpy()
    except pyvips.Error as error:
        detail = " ".join(str(error.detail).split())
        if "out of memory" in detail:
            raise MemoryError(f"{name!r}: {detail}") from None
        raise corrupt(name, f"its pixels are damaged ({detail})") from None


def _without_alpha(pixels: np.ndarray) -> np.ndarray:
    """HxW for grey with or without alpha, HxWx3 for colour."""
    if pixels.ndim == 3 and pixels.shape[2] < 3:
        return pixels[:, :, 0]
    return pixels[:, :, :3] if pixels.ndim == 3 else pixels


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Stored pixels HxWxC turned as EXIF `orientation` 1..8 asks (EXIF 2.32, 4.6.4 A), contiguous."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def display_from_linear(linear: np.ndarray, *, bits: int = 8) -> np.ndarray:
    """Linear uint16 -> sRGB-encoded uint8 (or uint16 for 16 `bits`) of the same shape."""
    return np.take(_display_table(bits), linear)


@cache
def _display_table(bits: int) -> np.ndarray:
    """The sRGB-encoded level of each of the 65536 levels of linear light."""
    encoded = linear_to_srgb(np.arange(65536, dtype=np.uint16))
    return np.round(encoded * (2**bits - 1)).astype({8: np.uint8, 16: np.uint16}[bits])


def encode_png(pixels: np.ndarray) -> bytes:
    """HxWx3 RGB uint8 or uint16 as PNG without metadata, in cv2's default compression (others are slower)."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(_picture(pixels), cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"cv2 cannot encode a picture of shape {pixels.shape} as PNG")
    return encoded.tobytes()


def encode_jpeg(pixels: np.ndarray, quality: int = 95) -> bytes:
    """HxWx3 RGB uint8 as baseline JPEG, 4:4:4, without metadata (viewers then take it for sRGB)."""
    if pixels.dtype != np.uint8:
        raise ValueError(f"a JPEG holds 8 bits per channel, got {pixels.dtype}; use encode_png")
    return simplejpeg.encode_jpeg(_picture(pixels), quality, "RGB", "444")


def _picture(pixels: np.ndarray) -> np.ndarray:
    """Checked at the edge: what may become a file."""
    is_picture = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size > 0
    if not is_picture or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a picture is HxWx3 uint8 or uint16, got {pixels.shape} {pixels.dtype}")
    return np.ascontiguousarray(pixels)


def read_image(path: str | os.PathLike[str], limits: ScanSettings = DEFAULT_LIMITS) -> np.ndarray:
    """Any supported file as HxWx3 RGB, sRGB-encoded, upright; RAW as shot, 8 bits."""
    name, data = os.fspath(path), read_bytes(path, limits)
    if sniff_kind(data) != "raw":
        return decode_image(data, name=name, limits=limits)
    white_balance = raw_white_balance(data, name=name)
    return display_from_linear(develop_raw(data, white_balance=white_balance, name=name, limits=limits))


def read_strips(path: str | os.PathLike[str], rows: int) -> Iterator[np.ndarray]:
    """A stored 8-bit RGB picture (no orientation, no profile) as strips of `rows` rows, from the top, once.

    UnreadableImage if the file is damaged.
    """
    name = os.fspath(path)
    try:
        image = pyvips.Image.new_from_file(name, access="sequential", fail_on="error")
        region = pyvips.Region.new(image)
        for top in range(0, image.height, rows):
            height = min(rows, image.height - top)
            content = region.fetch(0, top, image.width, height)
            yield np.frombuffer(content, np.uint8).reshape(height, image.width, 3)
    except pyvips.Error as error:
        raise corrupt(name, f"its pixels are damaged ({' '.join(str(error.detail).split())})") from None


def write_image(path: str | os.PathLike[str], pixels: np.ndarray) -> None:
    """Write HxWx3 RGB uint8/uint16 as .png or uint8 as .jpg/.jpeg; replaces what is there."""
    encoders = {".png": encode_png, ".jpg": encode_jpeg, ".jpeg": encode_jpeg}
    suffix = Path(path).suffix.lower()
    if suffix not in encoders:
        raise ValueError(f"{os.fspath(path)!r}: pictures are written as .png, .jpg or .jpeg, not {suffix!r}")
    Path(path).write_bytes(encoders[suffix](pixels))
