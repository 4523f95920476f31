"""Facts kept from earlier scans: they save the parsing and change nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder import known_facts
from builder.camera_metadata import FrameFacts, read_facts
from builder.codecs.image_headers import read_header
from builder.known_facts import KnownFacts
from builder.settings import ScanSettings
from builder.stages import scan as scan_stage
from tests.builder.bad_files import dng
from tests.builder.test_scan import AEB, jpeg, put, run

LIMITS = ScanSettings()


def parsed(data: bytes, path: str) -> FrameFacts:
    header = read_header(data, name=path, limits=LIMITS)
    return read_facts(data, path=path, kind=header.kind, width=header.width, height=header.height)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "facts.json"


@pytest.mark.parametrize("data", [jpeg(1 / 60, 0.25), jpeg(None, 0), dng()], ids=["exif", "no-exif", "raw"])
def test_kept_facts_are_those_of_the_parsed_file(data: bytes, kept: Path) -> None:
    KnownFacts(kept).keep([parsed(data, "/a/IMG_0007.JPG")])
    assert KnownFacts(kept).find(data, "/b/copy-12.jpg") == parsed(data, "/b/copy-12.jpg")


def test_another_content_is_not_known(kept: Path) -> None:
    KnownFacts(kept).keep([parsed(jpeg(1 / 60, 0), "/a.jpg")])
    assert KnownFacts(kept).find(jpeg(1 / 250, 0), "/a.jpg") is None


def test_facts_of_files_that_are_gone_are_forgotten(kept: Path) -> None:
    first, second = jpeg(1 / 60, 0), jpeg(1 / 250, 0)
    KnownFacts(kept).keep([parsed(first, "/a.jpg"), parsed(second, "/b.jpg")])
    KnownFacts(kept).keep([parsed(second, "/b.jpg")])
    assert KnownFacts(kept).find(first, "/a.jpg") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"facts"', b'"fact"'), (b"{", b"["), (b'"kind": "jpeg", ', b""), (b'"captured_at": "', b'"captured_at": "x')],
    ids=["other-layout", "no-json", "field-missing", "no-time"],
)  # fmt: skip
def test_a_damaged_file_knows_nothing(kept: Path, old: bytes, new: bytes) -> None:
    KnownFacts(kept).keep([parsed(jpeg(1 / 60, 0), "/a.jpg")])
    content = kept.read_bytes()
    assert old in content
    kept.write_bytes(content.replace(old, new))
    assert KnownFacts(kept).find(jpeg(1 / 60, 0), "/a.jpg") is None


def test_other_readers_parse_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KnownFacts(kept).keep([parsed(jpeg(1 / 60, 0), "/a.jpg")])
    monkeypatch.setattr(known_facts, "FACTS_REVISION", known_facts.FACTS_REVISION + 1)
    assert KnownFacts(kept).find(jpeg(1 / 60, 0), "/a.jpg") is None


def test_a_second_scan_parses_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, table = tmp_path / "photos", tmp_path / "data" / "sequences.csv"
    put(photos, AEB)
    first = run(photos, table)
    asked: list[str] = []

    def noted(data: bytes, *, path: str, **header: object) -> FrameFacts:
        asked.append(Path(path).name)
        return read_facts(data, path=path, **header)  # type: ignore[arg-type]

    monkeypatch.setattr(scan_stage, "read_facts", noted)
    assert run(photos, table) == first
    assert asked == []
    (photos / "IMG_0002.JPG").write_bytes(jpeg(1 / 250, 0.5, seed=2))
    run(photos, table)
    assert asked == ["IMG_0002.JPG"]


def test_a_limit_that_was_lowered_holds_for_known_files(tmp_path: Path) -> None:
    photos, table = tmp_path / "photos", tmp_path / "data" / "sequences.csv"
    put(photos, AEB)
    run(photos, table)
    lower = replace(LIMITS, max_megapixels=0.005)
    report = scan_stage.scan([photos], sequences_csv=table, settings=lower)
    assert [file.reason for file in report.damaged] == ["too-large"] * 3
