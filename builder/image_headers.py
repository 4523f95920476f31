"""What a file is, before a single pixel is decoded: kind by magic bytes, size, orientation, profile, damage.

Loads no numpy: the scan reads the headers of thousands of files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from builder import tiff_tags
from builder.settings import ScanSettings
from builder.tiff_tags import TiffDamage, TiffDirectory
from builder.unreadable_image import UnreadableImage, corrupt, truncated, unsupported

TIFF_MAGICS = (b"II*\0", b"MM\0*")
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
RAW_MAGICS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
RAW_BRANDS = (b"crx ",)  # Canon CR3
RAW_PHOTOMETRICS = (32803, 34892)  # colour filter array, linear raw (DNG 1.4)
TIFF_COLOUR_MODELS = (0, 1, 2, 3, 6)  # grey (either polarity), RGB, palette, YCbCr
OTHER_COLOUR_MODELS = {4: "a mask", 5: "CMYK", 8: "CIE Lab", 9: "CIE Lab", 10: "CIE Lab", 32845: "LogLuv"}
MAX_PROFILE_BYTES = 1 << 24
SHORTEST_HEADER = 16
JPEG_FRAME_BYTES = 6
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15 without DHT, JPG, DAC
JPEG_DECODABLE_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # baseline, extended, progressive; Huffman, arithmetic
RAW_COMPRESSIONS = (32767, 32769, 32770, 34713, 65535)  # Sony, Samsung x2, Nikon, Pentax
FOREIGN_MAGICS = (
    (0, b"GIF8", "a GIF"),
    (0, b"RIFF", "a WebP or another RIFF file"),
    (0, b"BM", "a BMP"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"II+\0", "a BigTIFF"),
    (0, b"MM\0+", "a BigTIFF"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (4, b"JXL ", "a JPEG XL image"),
    (4, b"ftyphe", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC image"),
    (4, b"ftypmsf1", "a HEIC image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyp", "a film"),
    (0, b"%PDF", "a PDF document"),
)


@dataclass(frozen=True)
class ImageHeader:
    """What the header of a supported file says; sizes as stored, before `orientation` (EXIF 1..8)."""

    kind: str  # "jpeg", "png", "tiff" or "raw"
    width: int
    height: int
    orientation: int = 1
    icc_profile: bytes = b""
    exif_start: int = 0  # first byte and length of the TIFF block that holds the EXIF tags
    exif_length: int = 0


def sniff_kind(data: bytes) -> str | None:
    """ "jpeg", "png", "tiff" or "raw" by magic bytes and, among TIFFs, by tags; None for others."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == PNG_MAGIC:
        return "png"
    if data[:16].startswith(RAW_MAGICS) or (data[4:8] == b"ftyp" and data[8:12] in RAW_BRANDS):
        return "raw"
    if data[:4] in TIFF_MAGICS:
        return "raw" if _is_tiff_based_raw(data) else "tiff"
    return None


def _is_tiff_based_raw(data: bytes) -> bool:
    """DNG, CR2, NEF, ARW, PEF, SRW, IIQ ... among TIFFs, as far as the (maybe cut) file can be read."""
    if data[8:10] == b"CR" or data[8:12] in (b"IIII", b"MMMM"):
        return True
    try:
        return any(_holds_sensor_data(directory) for directory in tiff_tags.all_directories(data))
    except TiffDamage:
        return _has_camera_sub_directories(data)


def _has_camera_sub_directories(data: bytes) -> bool:
    """A cut file whose first directory is whole and names a maker (tag 271) and sub-directories."""
    try:
        fields = tiff_tags.first_directory(data).fields
    except TiffDamage:
        return False
    return 271 in fields and tiff_tags.SUB_IFDS in fields


def _holds_sensor_data(directory: TiffDirectory) -> bool:
    return (
        tiff_tags.DNG_VERSION in directory.fields
        or directory.integer(tiff_tags.PHOTOMETRIC, -1) in RAW_PHOTOMETRICS
        or directory.integer(tiff_tags.COMPRESSION, -1) in RAW_COMPRESSIONS
    )


def read_header(data: bytes, *, name: str, limits: ScanSettings) -> ImageHeader:
    """Check everything that can be known without decoding; UnreadableImage if the file cannot be used.

    Finds files that are empty, cut, of a foreign or unsupported format, or larger than `limits` allow.
    """
    if not data:
        raise UnreadableImage("empty", name, "the file holds no bytes", "copy it from the camera again")
    kind = sniff_kind(data)
    if kind is None:
        raise _foreign_format(data, name)
    header = HEADER_READERS[kind](data, name)
    megapixels = header.width * header.height / 1e6
    if megapixels > limits.max_megapixels:
        found = f"its header claims {header.width} x {header.height} pixels ({megapixels:.0f} megapixels)"
        remedy = f"raise max_megapixels (now {limits.max_megapixels:g}) if the picture is really that large"
        raise UnreadableImage("too-large", name, found, remedy)
    if header.width < 1 or header.height < 1:
        raise corrupt(name, f"its header claims {header.width} x {header.height} pixels")
    return header


def image_size(data: bytes, kind: str, *, name: str = "image") -> tuple[int, int]:
    """(width, height) in pixels as stored, from the header of a file whose kind is known."""
    header = HEADER_READERS[kind](data, name)
    return header.width, header.height


def _foreign_format(data: bytes, name: str) -> UnreadableImage:
    if len(data) < SHORTEST_HEADER:
        return truncated(name, f"the file holds only {len(data)} bytes")
    for start, magic, found in FOREIGN_MAGICS:
        if data[start : start + len(magic)] == magic:
            remedy = "convert it to JPEG, PNG or TIFF, or give the camera's RAW file"
            return unsupported(name, f"it is {found}, which is not read here", remedy)
    found = f"it is no JPEG, PNG, TIFF or RAW file (it begins with {data[:12]!r})"
    return unsupported(name, found, "leave it out, or put the photograph itself in its place")


def _tiff_header(data: bytes, name: str) -> ImageHeader:
    try:
        pages = [page for page in tiff_tags.walk_directories(data) if not _is_thumbnail(page)]
    except TiffDamage as damage:
        make_error = truncated if damage.truncated else corrupt
        raise make_error(name, f"this TIFF or RAW file has {damage}") from None
    if not pages:
        raise corrupt(name, "this TIFF holds no full-size image")
    page = pages[0]
    _check_tiff_page(page, len(pages), name)
    missing = tiff_tags.missing_pixel_bytes(page)
    if missing:
        raise truncated(name, f"{missing} bytes of pixels are missing at the end of this TIFF")
    width, height = page.integer(tiff_tags.WIDTH, 0), page.integer(tiff_tags.HEIGHT, 0)
    return ImageHeader(
        "tiff",
        width,
        height,
        _valid_orientation(page.integer(tiff_tags.ORIENTATION, 1)),
        page.raw_bytes(tiff_tags.ICC_PROFILE),
        exif_length=len(data),
    )


def _is_thumbnail(page: TiffDirectory) -> bool:
    return bool(page.integer(tiff_tags.NEW_SUBFILE_TYPE, 0) & 1)


def _check_tiff_page(page: TiffDirectory, pages: int, name: str) -> None:
    """unsupported-format for what builder.md section 2 does not read."""
    if pages > 1:
        raise unsupported(name, f"this TIFF holds {pages} pages", "save each page as a file of its own")
    bits = set(page.integers(tiff_tags.BITS_PER_SAMPLE)) or {1}
    sample_formats = set(page.integers(tiff_tags.SAMPLE_FORMAT)) or {1}
    if sample_formats != {1}:
        remedy = "save it with 8 or 16 bits per channel, or give the frames it was merged from"
        raise unsupported(
            name, f"this TIFF holds floating-point or signed samples of {max(bits)} bits", remedy
        )
    if len(bits) > 1 or not bits <= {1, 2, 4, 8, 16}:
        found = f"this TIFF has {sorted(bits)} bits per channel"
        raise unsupported(name, found, "save it with 8 or 16 bits per channel")
    photometric = page.integer(tiff_tags.PHOTOMETRIC, -1)
    if photometric not in TIFF_COLOUR_MODELS:
        model = OTHER_COLOUR_MODELS.get(photometric, f"the colour model {photometric}")
        raise unsupported(name, f"this TIFF is in {model}", "save it as RGB or grey")


def _valid_orientation(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def _exif_orientation(data: bytes, start: int, length: int) -> int:
    """Orientation 1..8 from the TIFF block of EXIF tags; 1 where there is none or it is damaged."""
    try:
        directory = tiff_tags.first_directory(data[start : start + length])
    except TiffDamage:
        return 1
    return _valid_orientation(directory.integer(tiff_tags.ORIENTATION, 1))


def _png_header(data: bytes, name: str) -> ImageHeader:
    """IHDR, iCCP and eXIf of a PNG whose chunks are all there (PNG 3rd edition, section 11)."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        make_error = truncated if len(data) < 33 else corrupt
        raise make_error(name, f"this PNG of {len(data)} bytes does not begin with a whole IHDR chunk")
    width, height = struct.unpack_from(">II", data, 16)
    profile, exif = b"", (0, 0)
    position, chunk = 8, b""
    while chunk != b"IEND":
        if position + 12 > len(data):
            raise truncated(name, f"this PNG ends after {len(data)} bytes, before its IEND chunk")
        length, chunk = struct.unpack_from(">I4s", data, position)
        if chunk == b"iCCP":
            profile = _png_profile(data[position + 8 : position + 8 + length])
        elif chunk == b"eXIf":
            exif = (position + 8, length)
        position += 12 + length
    if position > len(data):
        raise truncated(name, f"this PNG ends after {len(data)} bytes, inside its IEND chunk")
    return ImageHeader("png", width, height, _exif_orientation(data, *exif), profile, *exif)


def _png_profile(chunk: bytes) -> bytes:
    """The ICC profile of an iCCP chunk (name, 0, method 0, zlib stream); a broken one as it is."""
    packed = chunk[chunk.find(b"\0") + 2 :]
    inflater = zlib.decompressobj()
    try:
        return inflater.decompress(packed, MAX_PROFILE_BYTES) or packed
    except zlib.error:
        return packed


def _jpeg_header(data: bytes, name: str) -> ImageHeader:
    """Frame size, EXIF block and ICC profile from the marker segments (T.81 annex B; ICC.1 B.4)."""
    size, exif, profile_parts = None, (0, 0), {}
    for marker, start, length in _jpeg_segments(data, name):
        if marker in JPEG_FRAMES and size is None:
            size = _jpeg_frame(data, marker, start, length, name)
        elif marker == 0xE1 and data[start : start + 6] == b"Exif\0\0" and length > 6 and not exif[1]:
            exif = (start + 6, length - 6)
        elif marker == 0xE2 and data[start : start + 12] == b"ICC_PROFILE\0" and length >= 14:
            profile_parts[data[start + 12]] = data[start + 14 : start + length]
        elif marker == 0xDA and data.rfind(b"\xff\xd9", start) < 0:
            raise truncated(name, f"this JPEG ends after {len(data)} bytes, in the middle of its pixels")
    if size is None:
        raise corrupt(name, "this JPEG has no frame header before its pixels")
    profile = b"".join(profile_parts[number] for number in sorted(profile_parts))
    return ImageHeader("jpeg", *size, _exif_orientation(data, *exif), profile, *exif)


def _jpeg_segments(data: bytes, name: str) -> Iterator[tuple[int, int, int]]:
    """(marker, first byte of the payload, its length) up to and including start of scan."""
    position, marker = 2, 0
    while marker != 0xDA:
        while data[position : position + 2] == b"\xff\xff":
            position += 1  # fill bytes (T.81, B.1.1.2)
        if position + 4 > len(data):
            raise truncated(name, f"this JPEG ends after {len(data)} bytes, before its pixels")
        mark, marker, length = struct.unpack_from(">BBH", data, position)
        if mark != 0xFF or length < 2:
            raise corrupt(name, f"byte {position} of this JPEG should start a segment and is 0x{mark:02x}")
        if position + 2 + length > len(data):
            raise truncated(name, f"this JPEG ends after {len(data)} bytes, before its pixels")
        yield marker, position + 4, length - 2
        position += 2 + length


def _jpeg_frame(data: bytes, marker: int, start: int, length: int, name: str) -> tuple[int, int]:
    if length < JPEG_FRAME_BYTES:
        raise corrupt(name, f"the frame header of this JPEG has only {length} bytes")
    precision, height, width, components = struct.unpack_from(">BHHB", data, start)
    if marker not in JPEG_DECODABLE_FRAMES or precision != 8:
        found = (
            f"this JPEG is of a kind with {precision} bits that cameras do not write (marker 0x{marker:02x})"
        )
        raise unsupported(name, found, "save it as a baseline JPEG or a 16-bit PNG or TIFF")
    if components not in (1, 3):
        model = "CMYK" if components == 4 else f"{components} channels"
        raise unsupported(name, f"this JPEG is in {model}", "save it as RGB or grey")
    return width, height


def _raw_header(data: bytes, name: str) -> ImageHeader:
    from builder.raw import raw_geometry  # libraw knows the sizes; the other kinds must not load it

    missing = _missing_sensor_bytes(data)
    if missing:
        raise truncated(name, f"{missing} bytes of pixels are missing at the end of this RAW file")
    return ImageHeader("raw", *raw_geometry(data, name=name), exif_length=len(data))


def _missing_sensor_bytes(data: bytes) -> int:
    """libraw reads what is left of a cut file in silence, so the strips are checked here."""
    if data[:4] not in TIFF_MAGICS:
        return 0
    try:
        directories = [entry for entry in tiff_tags.all_directories(data) if _holds_sensor_data(entry)]
    except TiffDamage:
        return 0  # makers bend TIFF: libraw judges the rest
    return max((tiff_tags.missing_pixel_bytes(directory) for directory in directories), default=0)


HEADER_READERS: dict[str, Callable[[bytes, str], ImageHeader]] = {
    "jpeg": _jpeg_header,
    "png": _png_header,
    "tiff": _tiff_header,
    "raw": _raw_header,
}
