"""Facts from the tags of camera files, whole and damaged."""

import hashlib
import logging
import subprocess
import sys
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

from builder.camera_metadata import FrameFacts, file_number, read_facts
from builder.images import read_header
from builder.settings import ScanSettings
from tests.builder.bad_files import MAKER_TAGS, camera_tags, dng, jpeg, picture
from tests.builder.image_files import (
    ASCII,
    LONG,
    RATIONAL,
    SHORT,
    SRATIONAL,
    Tags,
    directory_bytes,
    dng_bytes,
    exif_block,
    jpeg_with_exif,
    picture_tags,
    tiff_bytes,
)

BRACKETS = Path(__file__).resolve().parents[2].parent / "shared" / "brackets"


def facts_of(data: bytes, path: str = "/photos/IMG_0042.JPG") -> FrameFacts:
    header = read_header(data, name=path, limits=ScanSettings())
    return read_facts(data, path=path, kind=header.kind, width=header.width, height=header.height)


def facts_with(exif: Tags, main: Tags = MAKER_TAGS) -> FrameFacts:
    """Facts of an ordinary JPEG frame with some tags replaced."""
    return facts_of(jpeg_with_exif(jpeg(), exif_block({**camera_tags(), **exif}, main)))


def test_an_ordinary_frame() -> None:
    data = jpeg_with_exif(jpeg(), exif_block(camera_tags(), MAKER_TAGS))
    assert facts_of(data) == FrameFacts(
        path="/photos/IMG_0042.JPG",
        sha256=hashlib.sha256(data).hexdigest(),
        kind="jpeg",
        width=96,
        height=64,
        body="Test Camera",
        focal_length=35.0,
        seconds=1 / 60,
        f_number=8.0,
        iso=100.0,
        bias_ev=0.0,
        captured_at=datetime(2024, 5, 6, 7, 8, 9),
        number=42,
    )


def test_the_same_tags_in_every_container() -> None:
    pixels = picture()
    in_tiff = tiff_bytes(picture_tags(pixels) | dict(MAKER_TAGS), pixels.tobytes(), camera_tags())
    for data in (jpeg_with_exif(jpeg(), exif_block(camera_tags(), MAKER_TAGS)), in_tiff, dng()):
        facts = facts_of(data)
        assert (facts.seconds, facts.f_number, facts.iso, facts.focal_length) == (1 / 60, 8.0, 100.0, 35.0)
        assert facts.captured_at == datetime(2024, 5, 6, 7, 8, 9)
        assert facts.flags == ()


def test_sizes_are_upright() -> None:
    for orientation in (5, 6, 7, 8):
        facts = facts_with({}, {**MAKER_TAGS, 274: (SHORT, orientation)})
        assert (facts.width, facts.height, facts.orientation) == (64, 96, orientation)
    assert facts_with({}, {**MAKER_TAGS, 274: (SHORT, 9)}).orientation == 1
    raw = facts_of(dng_bytes(picture()[:, :, 0].astype("u2"), orientation=6, exif=camera_tags()))
    assert (raw.width, raw.height, raw.orientation, raw.kind) == (64, 96, 6, "raw")


@pytest.mark.parametrize(
    ("exif", "seconds", "flags"),
    [
        ({33434: (RATIONAL, (30, 1))}, 30.0, ()),
        ({33434: (RATIONAL, (0, 0))}, None, ("impossible-exposure",)),
        ({33434: (RATIONAL, (1, 0))}, None, ("impossible-exposure",)),
        ({33434: (RATIONAL, (0, 60))}, None, ("impossible-exposure",)),
        ({33434: (SRATIONAL, (-1, 60))}, None, ("impossible-exposure",)),
        ({33434: (RATIONAL, (4294967295, 1))}, None, ("impossible-exposure",)),
        # APEX Tv = 6: 2^-6 s stands in for the missing or impossible time
        ({33434: (RATIONAL, (0, 0)), 37377: (SRATIONAL, (6, 1))}, 1 / 64, ("impossible-exposure",)),
        ({33434: (ASCII, "fast"), 37377: (SRATIONAL, (6, 1))}, 1 / 64, ()),
        ({33434: (ASCII, "fast"), 37377: (SRATIONAL, (2147483647, 1))}, None, ()),
    ],
)
def test_exposure_times(exif: Tags, seconds: float | None, flags: tuple[str, ...]) -> None:
    facts = facts_with(exif)
    assert (facts.seconds, facts.flags) == (seconds, flags)


@pytest.mark.parametrize(
    ("exif", "f_number", "flags"),
    [
        ({33437: (RATIONAL, (0, 1))}, None, ()),  # a lens without contacts
        ({33437: (RATIONAL, (0, 0))}, None, ("impossible-aperture",)),
        ({33437: (RATIONAL, (9999, 1))}, None, ("impossible-aperture",)),
        ({33437: (ASCII, "?"), 37378: (RATIONAL, (4, 1))}, 4.0, ()),  # N = 2^(Av/2)
        ({33437: (RATIONAL, (0, 1)), 37378: (RATIONAL, (0, 1))}, None, ()),
    ],
)
def test_apertures(exif: Tags, f_number: float | None, flags: tuple[str, ...]) -> None:
    facts = facts_with(exif)
    assert (facts.f_number, facts.flags) == (f_number, flags)


@pytest.mark.parametrize(
    ("exif", "iso", "flags"),
    [
        ({34855: (SHORT, 65535), 34866: (4, 102400)}, 102400.0, ()),  # RecommendedExposureIndex
        ({34855: (SHORT, 0)}, None, ()),
        ({34855: (SHORT, [400, 0])}, 400.0, ()),
        ({34855: (4, 4000000000)}, None, ("impossible-iso",)),
    ],
)
def test_sensitivities(exif: Tags, iso: float | None, flags: tuple[str, ...]) -> None:
    facts = facts_with(exif)
    assert (facts.iso, facts.flags) == (iso, flags)


@pytest.mark.parametrize(
    ("exif", "moment", "whole_second", "offset"),
    [
        ({37521: (ASCII, "25")}, datetime(2024, 5, 6, 7, 8, 9, 250000), False, None),
        ({37521: (ASCII, "123456789")}, datetime(2024, 5, 6, 7, 8, 9, 123456), False, None),
        ({37521: (ASCII, "00")}, datetime(2024, 5, 6, 7, 8, 9), True, None),
        ({37521: (ASCII, "  ")}, datetime(2024, 5, 6, 7, 8, 9), True, None),
        ({36880: (ASCII, "+02:00")}, datetime(2024, 5, 6, 7, 8, 9), True, 120),
        (
            {36881: (ASCII, "-05:30"), 36880: (ASCII, "+01:00")},
            datetime(2024, 5, 6, 7, 8, 9),
            True,
            -330,
        ),
        ({36881: (ASCII, "+99:00")}, datetime(2024, 5, 6, 7, 8, 9), True, None),
        ({36867: (ASCII, "2024-05-06T07:08:10")}, datetime(2024, 5, 6, 7, 8, 10), True, None),
        ({36867: (ASCII, "    :  :     :  :  ")}, None, True, None),
        ({36867: (ASCII, "0000:00:00 00:00:00")}, None, True, None),
    ],
)
def test_time_stamps(exif: Tags, moment: datetime | None, whole_second: bool, offset: int | None) -> None:
    facts = facts_with(exif)
    assert (facts.captured_at, facts.whole_second, facts.utc_offset_minutes) == (moment, whole_second, offset)
    assert facts.flags == ()


def test_impossible_dates_fall_back_to_the_next_stamp() -> None:
    impossible = (ASCII, "2024:02:30 10:00:00")
    assert facts_with({36867: impossible}).flags == ("impossible-time",)
    facts = facts_with({36867: impossible, 36868: (ASCII, "2024:02:28 10:00:00")})
    assert facts.captured_at == datetime(2024, 2, 28, 10)
    edited = facts_with({36867: (ASCII, "")}, {**MAKER_TAGS, 306: (ASCII, "2025:01:01 00:00:00")})
    assert edited.captured_at == datetime(2025, 1, 1)
    assert edited.flags == ("modification-time",)


def test_the_serial_number_becomes_a_digest() -> None:
    facts = facts_with({42033: (ASCII, "033024001432")})
    assert facts.body == "Test Camera #" + hashlib.sha256(b"033024001432").hexdigest()[:12]
    assert "033024001432" not in repr(facts)
    assert facts_with({42033: (ASCII, "000000")}).body == "Test Camera"  # cameras that hide it write zeros


def test_names_are_cleaned() -> None:
    dirty: Tags = {
        271: (ASCII, b"Canon\0   "),
        272: (ASCII, b"Canon EOS\x07 6D \0"),
        305: (ASCII, b"GIMP\r\n\0"),
    }
    facts = facts_with({42036: (ASCII, b" 24-105\x1b[31m \0")}, dirty)
    assert (facts.body, facts.software) == ("Canon EOS  6D", "GIMP")
    assert facts.lens is not None
    assert facts.lens.isprintable()


def test_white_balance_and_focus() -> None:
    assert facts_with({}).white_balance is None
    assert facts_with({41987: (SHORT, 0)}).white_balance == "auto"
    assert facts_with({41987: (SHORT, 1)}).white_balance == "manual"
    assert facts_with({37382: (RATIONAL, (5, 2))}).focus_distance == 2.5
    for unknown_or_infinite in ((0, 1), (4294967295, 1), (1, 0)):
        assert facts_with({37382: (RATIONAL, unknown_or_infinite)}).focus_distance is None


def test_colours_that_only_the_tags_name_are_flagged() -> None:
    assert facts_with({40961: (SHORT, 2)}).flags == ("adobe-rgb-untagged",)
    assert facts_with({40961: (SHORT, 1)}).flags == ()
    start = len(exif_block({**camera_tags(), 40965: (LONG, 0)}, MAKER_TAGS))
    block = exif_block({**camera_tags(), 40965: (LONG, start)}, MAKER_TAGS)
    interoperability = directory_bytes({1: (ASCII, "R03")}, start)
    assert facts_of(jpeg_with_exif(jpeg(), block + interoperability)).flags == ("adobe-rgb-untagged",)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/a/IMG_9999.JPG", 9999),
        ("/a/2024/DSC00017.ARW", 17),
        ("/a/PXL_20230102_123456789.jpg", 123456789),
        ("/a/12/frame.jpg", None),
        ("/a/0a1.0b2.jpg", 2),
        ("/a/1234567890123456789012.jpg", None),
    ],
)
def test_file_numbers(path: str, number: int | None) -> None:
    assert file_number(path) == number


def test_a_raw_without_readable_tags_is_asked_through_libraw(monkeypatch: pytest.MonkeyPatch) -> None:
    """exifread gives {} for CR3 and RAF; here for a DNG, of which libraw knows the same."""
    import exifread

    monkeypatch.setattr(exifread, "process_file", lambda *arguments, **options: {})
    facts = facts_of(dng())
    assert facts.seconds == pytest.approx(1 / 60)
    assert (facts.f_number, facts.iso, facts.focal_length) == (8.0, 100.0, 35.0)
    assert (facts.body, facts.bias_ev, facts.flags) == ("unknown:raw", None, ())
    assert facts.captured_at == datetime(2024, 5, 6, 7, 8, 9)


def test_a_raw_with_cut_tags_is_flagged() -> None:
    assert "corrupt-exif" in facts_of(dng()[:-12]).flags


def test_damaged_tags_make_no_noise(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        facts_of(jpeg_with_exif(jpeg(), b"II*\0\x08\0\0\0\xff\x00" + bytes(range(256))))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("exifread").filters == []


def test_importing_the_facts_loads_no_numpy() -> None:
    code = "import sys, builder.camera_metadata; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "cv2", "rawpy", "exifread"} & set(loaded.stdout.split())


# --- real files ---------------------------------------------------------------------------------------


def index() -> pd.DataFrame:
    if not BRACKETS.exists():
        pytest.skip(f"no real brackets at {BRACKETS}")
    return pd.read_csv(BRACKETS / "index.csv")


@pytest.mark.oracle
def test_real_exposure_times_are_those_of_the_index() -> None:
    """The index rounds to what cameras display: 0.3 for 0.3125, 1/401 for 1/401.6."""
    for row in index().itertuples():
        if row.exif != "yes" or not isinstance(row.exposure_seconds, str):
            continue
        paths = [path for path in (BRACKETS / row.folder).iterdir() if path.suffix.lower() == ".jpg"]
        facts = [facts_of(path.read_bytes(), str(path)) for path in paths]
        expected = sorted(float(Fraction(text)) for text in row.exposure_seconds.split())
        assert sorted(fact.seconds or 0.0 for fact in facts) == pytest.approx(expected, rel=0.05), row.folder
        assert {(fact.width, fact.height) for fact in facts} == {(row.width, row.height)}, row.folder
        assert all(fact.flags == () and fact.captured_at for fact in facts), row.folder


@pytest.mark.oracle
def test_real_files_without_tags_and_a_real_dng() -> None:
    index()
    memorial = sorted((BRACKETS / "debevec_memorial").glob("*.png"))
    assert len(memorial) == 16
    for path in memorial:
        facts = facts_of(path.read_bytes(), str(path))
        assert (facts.seconds, facts.flags, facts.body) == (None, ("no-exif",), "unknown:png")
    path = BRACKETS / "photoprism_photoprism_canon_eos_6d" / "photoprism_canon_eos_6d.dng"
    facts = facts_of(path.read_bytes(), str(path))
    assert (facts.kind, facts.seconds, facts.f_number, facts.iso) == ("raw", 1 / 60, 5.6, 1000.0)
    assert facts.utc_offset_minutes == 120
    assert facts.body.startswith("Canon EOS 6D #")
