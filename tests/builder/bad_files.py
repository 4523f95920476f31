"""Files that go wrong, for the tests of reading and for end-to-end runs: what to write and what must be said.

BAD_FILES cannot be used: `builder.images.UnreadableImage` with this reason and this part of its sentence.
FLAGGED_FILES can, but their tags are damaged. ODD_FILES look strange and are fine.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.builder.image_files import (
    ADOBE_RGB_D50,
    ASCII,
    RATIONAL,
    SHORT,
    SRATIONAL,
    Tags,
    dng_bytes,
    exif_block,
    gamma_curve,
    jpeg_with,
    jpeg_with_exif,
    matrix_profile,
    picture_tags,
    pillow_bytes,
    tiff_bytes,
)

MAX_FILE_MB = 1.0  # the limit that `oversize` exceeds; tests set it
MAX_MEGAPIXELS = 250.0


@dataclass(frozen=True)
class BadFile:
    """A file name, how to write it into a folder, and the refusal that must follow."""

    name: str
    write: Callable[[Path], None]
    reason: str
    says: str
    found_by: str = "header"  # "bytes" (read_bytes), "header" (read_header) or "pixels" (decoding)


@dataclass(frozen=True)
class OddFile:
    """A file that can be used; `flag` is what `read_facts` must report of it, "" for nothing."""

    name: str
    content: Callable[[], bytes]
    flag: str = ""


def picture(height: int = 64, width: int = 96, seed: int = 7) -> np.ndarray:
    """Textured HxWx3 uint8."""
    rows, columns = np.mgrid[:height, :width]
    texture = np.random.default_rng(seed).integers(0, 60, (height, width, 3))
    shading = np.stack([rows * 190 // height, columns * 190 // width, (rows + columns) % 190], axis=-1)
    return (shading + texture).astype(np.uint8)


def camera_tags(seconds: object = (1, 60), date: str = "2024:05:06 07:08:09") -> Tags:
    """EXIF tags of an ordinary frame."""
    return {
        33434: (RATIONAL, seconds),
        33437: (RATIONAL, (8, 1)),
        34855: (SHORT, 100),
        36867: (ASCII, date),
        37380: (SRATIONAL, (0, 1)),
        37386: (RATIONAL, (35, 1)),
    }


MAKER_TAGS: Tags = {271: (ASCII, "Test"), 272: (ASCII, "Camera")}


def jpeg(pixels: np.ndarray | None = None) -> bytes:
    return pillow_bytes(picture() if pixels is None else pixels, "JPEG", quality=92)


def camera_jpeg(exif: Tags | None = None) -> bytes:
    return jpeg_with_exif(jpeg(), exif_block(camera_tags() if exif is None else exif, MAKER_TAGS))


def png() -> bytes:
    return pillow_bytes(picture(), "PNG")


def tiff(compression: str = "tiff_lzw") -> bytes:
    return pillow_bytes(picture(), "TIFF", compression=compression)


def dng() -> bytes:
    mosaic = 512 + 50 * picture()[:, :, 0].astype(np.uint16)
    return dng_bytes(mosaic, exif=camera_tags())


def with_garbage(data: bytes, seed: int = 3) -> bytes:
    """`data` with 64 random bytes in its middle, none of them a JPEG marker."""
    garbage = np.random.default_rng(seed).integers(0, 255, 64, dtype=np.uint8).tobytes()
    middle = len(data) // 2
    return data[:middle] + garbage + data[middle + 64 :]


def bomb_png() -> bytes:
    """A PNG whose header, with a correct checksum, claims 60000 x 60000 pixels."""
    import zlib

    header = b"IHDR" + struct.pack(">2I", 60000, 60000) + png()[24:29]
    return png()[:12] + header + struct.pack(">I", zlib.crc32(header)) + png()[33:]


def bomb_jpeg() -> bytes:
    data = bytearray(jpeg())
    frame = data.find(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, 60000, 60000)
    return bytes(data)


def bomb_tiff() -> bytes:
    tags = picture_tags(picture()) | {256: (4, 60000), 257: (4, 60000)}
    return tiff_bytes(tags, picture().tobytes())


def table_profile() -> bytes:
    """A matrix profile that also holds a lookup table (mft1: 3 -> 3 channels, two grid points, identity)."""
    identity = struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9)))
    ramp = bytes(range(256)) * 3
    corners = bytes(255 * ((corner >> shift) & 1) for corner in range(8) for shift in (2, 1, 0))
    table = b"mft1\0\0\0\0" + bytes((3, 3, 2, 0)) + identity + ramp + corners + ramp
    return matrix_profile(ADOBE_RGB_D50, gamma_curve(2.2), {b"A2B0": table})


HEIC_START = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def broken_profile_jpeg() -> bytes:
    return jpeg_with(jpeg(), (0xE2, b"ICC_PROFILE\0\1\1" + bytes(range(200))))


def tiff_16(profile: bytes) -> bytes:
    pixels = picture().astype("<u2") * 257
    return tiff_bytes(picture_tags(pixels) | {34675: (7, profile)}, pixels.tobytes())


def _bytes_writer(name: str, content: Callable[[], bytes]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content())

    return write


def _bad(
    name: str, content: Callable[[], bytes], reason: str, says: str, found_by: str = "header"
) -> BadFile:
    return BadFile(name, _bytes_writer(name, content), reason, says, found_by)


def _link(name: str, target: str) -> Callable[[Path], None]:
    return lambda folder: os.symlink(target, folder / name)


def _folder(parent: Path) -> None:
    (parent / "folder.jpg").mkdir()


def _forbidden(folder: Path) -> None:
    (folder / "forbidden.jpg").write_bytes(camera_jpeg())
    (folder / "forbidden.jpg").chmod(0)


def _latin_name(folder: Path) -> None:
    with open(os.path.join(os.fsencode(folder), b"caf\xe9.jpg"), "wb") as file:
        file.write(camera_jpeg())


def _cut_files() -> list[BadFile]:
    """Every kind cut at 99.9, 90, 50, 10 and 0.1 % of its length."""
    kinds = {"jpg": camera_jpeg, "png": png, "tif": tiff, "dng": dng}
    cut = []
    for suffix, content in kinds.items():
        for percent in (99.9, 90.0, 50.0, 10.0, 0.1):
            if (suffix, percent) == ("dng", 99.9):
                continue  # costs its tags only, not its pixels

            def shortened(content: Callable[[], bytes] = content, percent: float = percent) -> bytes:
                whole = content()
                return whole[: max(1, int(len(whole) * percent / 100))]

            cut.append(_bad(f"cut_{percent:g}.{suffix}", shortened, "truncated", "bytes"))
    return cut


BAD_FILES: tuple[BadFile, ...] = (
    *_cut_files(),
    _bad("empty.jpg", bytes, "empty", "no bytes", "bytes"),
    _bad("zeros.jpg", lambda: bytes(5000), "unsupported-format", "no JPEG, PNG, TIFF or RAW"),
    _bad("garbage.jpg", lambda: with_garbage(camera_jpeg()), "corrupt", "damaged", "pixels"),
    _bad("garbage.png", lambda: with_garbage(png()), "corrupt", "damaged", "pixels"),
    _bad("garbage.tif", lambda: with_garbage(tiff()), "corrupt", "damaged", "pixels"),
    _bad("text.CR2", lambda: b"This is a text file\n" * 20, "unsupported-format", "This is a te"),
    _bad("bomb.png", bomb_png, "too-large", "60000 x 60000"),
    _bad("bomb.jpg", bomb_jpeg, "too-large", "60000 x 60000"),
    _bad("bomb.tif", bomb_tiff, "too-large", "60000 x 60000"),
    _bad("oversize.jpg", lambda: camera_jpeg() + bytes(1_100_000), "too-large", "1.1 MB", "bytes"),
    _bad("cmyk.jpg", lambda: pillow_bytes(picture(), "JPEG", "CMYK"), "unsupported-format", "CMYK"),
    _bad("cmyk.tif", lambda: pillow_bytes(picture(), "TIFF", "CMYK"), "unsupported-format", "CMYK"),
    _bad(
        "float.tif",
        lambda: tiff_bytes(picture_tags(np.zeros((8, 8, 3), np.float32)), bytes(768)),
        "unsupported-format",
        "floating-point",
    ),
    _bad(
        "pages.tif",
        lambda: tiff_bytes(picture_tags(picture()), picture().tobytes(), pages=3),
        "unsupported-format",
        "3 pages",
    ),
    _bad("phone.heic", lambda: HEIC_START + bytes(64), "unsupported-format", "HEIC"),
    _bad("broken_icc.jpg", broken_profile_jpeg, "unsupported-profile", "broken", "pixels"),
    _bad("table_icc_16.tif", lambda: tiff_16(table_profile()), "unsupported-profile", "tables", "pixels"),
    BadFile("folder.jpg", _folder, "unreadable", "is a folder", "bytes"),
    BadFile("pipe.jpg", lambda folder: os.mkfifo(folder / "pipe.jpg"), "unreadable", "pipe", "bytes"),
    BadFile("dangling.jpg", _link("dangling.jpg", "nowhere.jpg"), "unreadable", "'nowhere.jpg'", "bytes"),
    BadFile("loop.jpg", _link("loop.jpg", "loop.jpg"), "unreadable", "leads back to itself", "bytes"),
    BadFile("forbidden.jpg", _forbidden, "unreadable", "permissions", "bytes"),
    BadFile(os.fsdecode(b"caf\xe9.jpg"), _latin_name, "unreadable", "not valid UTF-8", "bytes"),
)  # fmt: skip

FLAGGED_FILES: tuple[OddFile, ...] = (
    OddFile("no_exif.jpg", jpeg, "no-exif"),
    OddFile("garbage_exif.jpg", lambda: jpeg_with_exif(jpeg(), bytes(range(7, 207))), "corrupt-exif"),
    OddFile("cut_exif.jpg",
            lambda: jpeg_with_exif(jpeg(), exif_block(camera_tags(), MAKER_TAGS)[:90]), "corrupt-exif"),
    OddFile("zero_exposure.jpg", lambda: camera_jpeg(camera_tags((0, 0))), "impossible-exposure"),
    OddFile("negative_exposure.jpg",
            lambda: camera_jpeg({**camera_tags(), 33434: (SRATIONAL, (-1, 60))}), "impossible-exposure"),
    OddFile("endless_exposure.jpg",
            lambda: camera_jpeg(camera_tags((2**32 - 1, 1))), "impossible-exposure"),
    OddFile("impossible_date.jpg",
            lambda: camera_jpeg(camera_tags(date="2024:13:45 27:61:00")), "impossible-time"),
)  # fmt: skip

ODD_FILES: tuple[OddFile, ...] = (
    OddFile("png_named.jpg", png, "no-exif"),
    OddFile("tiny.png", lambda: pillow_bytes(picture(16, 16), "PNG"), "no-exif"),
    OddFile("black.jpg", lambda: jpeg(np.zeros((64, 96, 3), np.uint8)), "no-exif"),
    OddFile("white.jpg", lambda: jpeg(np.full((64, 96, 3), 255, np.uint8)), "no-exif"),
    OddFile("two words.jpg", camera_jpeg),
    OddFile("two\nlines.jpg", camera_jpeg),
    OddFile("Übersicht 写真.jpg", camera_jpeg),
    OddFile("trailing.jpg", lambda: camera_jpeg() + b"film behind the picture" * 50),
)
