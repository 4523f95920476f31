"""scan: folders in, sequences.csv out; real brackets, bad files, hand edits."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from builder.brackets import BracketSequence
from builder.camera_metadata import FrameFacts
from builder.picture_files import find_picture_files
from builder.sequences import read_sequences
from builder.settings import ScanSettings
from builder.stages.scan import ScanReport, scan
from builder.thumbnails import Thumbnails

EXIF_IFD = 0x8769
AEB = [1 / 60, 1 / 250, 1 / 15]


def picture(seed: int = 1, level: float = 1.0) -> Image.Image:
    """A textured 96x64 scene; `level` scales its light."""
    light = np.random.default_rng(seed).random((8, 12, 3)).repeat(8, 0).repeat(8, 1)
    return Image.fromarray((255 * np.clip(light * level, 0, 1) ** (1 / 2.2)).astype(np.uint8))


def jpeg(seconds: float | None, second: float, *, seed: int = 1, **tags: object) -> bytes:
    """A camera file as Pillow writes it; `second` after 17:20:00."""
    exif = Image.Exif()
    if seconds:
        whole, fraction = divmod(second, 1)
        minutes, rest = divmod(int(whole), 60)
        exif[0x0110] = str(tags.get("model", "F-1"))
        exif.get_ifd(EXIF_IFD).update({
            0x829A: IFDRational(1, round(1 / seconds)), 0x829D: IFDRational(8), 0x8827: 100,
            0x920A: IFDRational(24),
            0x9003: f"2024:05:31 17:{20 + minutes:02d}:{rest:02d}", 0x9291: f"{int(fraction * 100):02d}",
        })  # fmt: skip
    buffer = io.BytesIO()
    picture(seed, (seconds or 1 / 60) * 60).save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def put(
    folder: Path, times: list[float], *, first: int = 1, at: float = 0.0, step: float = 0.4, seed: int = 1
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, seconds in enumerate(times, start=first):
        (folder / f"IMG_{number:04d}.JPG").write_bytes(jpeg(seconds, at, seed=seed))
        at += seconds + step


def run(folder: Path, table: Path, **options: object) -> ScanReport:
    return scan([folder], sequences_csv=table, settings=ScanSettings(), **options)


def names(sequence: BracketSequence) -> set[str]:
    return {Path(frame.path).name for frame in sequence.frames}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    put(tmp_path / "photos" / "Church", AEB)
    put(tmp_path / "photos" / "Dom St. Gallen", AEB, first=11, at=300)
    return tmp_path / "photos"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sequences.csv"


def edit(table: Path, change: Callable[[pd.DataFrame], None]) -> None:
    frame = pd.read_csv(table, dtype=str, na_filter=False)
    change(frame)
    frame.to_csv(table, index=False)


def test_a_scan_writes_what_it_reports_and_changes_nothing_else(photos: Path, table: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in photos.rglob("*")}
    steps: list[tuple[int, int]] = []
    report = run(photos, table, progress=lambda done, of: steps.append((done, of)))
    listed = read_sequences(table)
    assert [(s.name, s.status, s.by, names(s)) for s in listed] == [
        (s.name, s.status, s.by, names(s)) for s in report.sequences
    ]
    assert [s.name for s in report.sequences] == ["church", "dom-st-gallen"]
    assert dict(report.counts) == {"accepted": 2, "ambiguous": 0, "rejected": 0}
    assert steps == [(n, 6) for n in range(1, 7)]
    frame = report.sequences[0].frames[0]
    assert frame.sha256 == hashlib.sha256(Path(frame.path).read_bytes()).hexdigest()
    assert [f.relative_ev for f in report.sequences[0].frames] == pytest.approx([-2, 0, 2], abs=1e-3)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in photos.rglob("*")} == before


def test_a_second_scan_writes_the_same_bytes(photos: Path, table: Path) -> None:
    run(photos, table)
    before = table.read_bytes()
    run(photos, table)
    assert table.read_bytes() == before


def test_notes_sidecars_and_hidden_files_are_ignored(photos: Path, table: Path) -> None:
    for name in ("ev.txt", "IMG_0001.xmp", "notes.csv", ".hidden.jpg", "film.mov", "no_suffix"):
        (photos / "Church" / name).write_bytes(b"text")
    (photos / "Church" / ".trash").mkdir()
    (photos / "Church" / "shot").write_bytes(jpeg(1 / 1000, 1.2))
    report = run(photos, table)
    assert (report.pictures, report.ignored, report.damaged) == (7, 5, ())
    assert names(report.sequences[0]) == {"IMG_0001.JPG", "IMG_0002.JPG", "IMG_0003.JPG", "shot"}


def test_damaged_files_are_reported_and_the_rest_is_done(photos: Path, table: Path) -> None:
    church, dome = photos / "Church", photos / "Dom St. Gallen"
    whole = (dome / "IMG_0012.JPG").read_bytes()
    (dome / "IMG_0012.JPG").write_bytes(whole[: len(whole) // 2])
    (dome / "IMG_0014.JPG").write_bytes(jpeg(1 / 1000, 301.4))
    (church / "IMG_0004.CR2").write_text("These are notes of the day, and no picture at all.")
    (church / "empty.png").touch()
    (church / "there.jpg").mkdir()
    (church / "there.jpg" / "IMG_0005.JPG").symlink_to(church / "nowhere.jpg")
    (church / "me.jpg").symlink_to(church / "me.jpg")
    (church / "round").symlink_to(photos)
    (church / "IMG_0009.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    report = run(photos, table)
    assert {(Path(d.path).name, d.reason) for d in report.damaged} == {
        ("IMG_0012.JPG", "truncated"), ("IMG_0004.CR2", "unsupported-format"), ("empty.png", "empty"),
        ("IMG_0005.JPG", "unreadable"), ("me.jpg", "unreadable"), ("IMG_0009.HEIC", "unsupported-format"),
    }  # fmt: skip
    assert all(d.path in d.sentence and ";" in d.sentence for d in report.damaged)
    found = {s.name: s for s in report.sequences}
    assert (found["dom-st-gallen"].status, found["dom-st-gallen"].reasons) == (
        "ambiguous",
        ("damaged-frame",),
    )
    assert [Path(f.path).name for f in found["dom-st-gallen"].excluded] == ["IMG_0012.JPG"]
    assert found["church"].status == "accepted"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_without_permission_are_reported(photos: Path, table: Path) -> None:
    (photos / "Church").chmod(0)
    try:
        report = run(photos, table)
    finally:
        (photos / "Church").chmod(0o755)
    assert [(d.path, d.reason) for d in report.damaged] == [(str(photos / "Church"), "unreadable")]


def test_folders_that_cannot_be_listed_are_reported(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listdir = os.listdir

    def forbidden(path: str) -> list[str]:
        if str(path).endswith("Church"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr("builder.picture_files.os.listdir", forbidden)
    found = find_picture_files([photos])
    assert len(found.paths) == 3
    assert "Permission denied" in found.damaged[0].sentence


def test_awkward_names_never_stop_a_scan(tmp_path: Path, table: Path) -> None:
    folder = tmp_path / 'Süd \n\t,"'
    folder.mkdir()
    for name, seconds, at in [
        ("IMG_1.jpg", 1 / 60, 0.0),
        ("img_2.jpg", 1 / 250, 0.4),
        ("IMG_2.jpg", 1 / 15, 0.8),
    ]:
        (folder / name).write_bytes(jpeg(seconds, at))
    with open(os.fsencode(folder) + b"/bad\xff.jpg", "wb") as stream:
        stream.write(jpeg(1 / 60, 60))
    report = run(tmp_path, table)
    found = {s.status: s for s in report.sequences}
    assert (found["accepted"].name, len(found["accepted"].frames)) == ("sued", 3)
    assert [names(s) for s in read_sequences(table)] == [names(s) for s in report.sequences]


def test_duplicates_and_links_are_one_frame(photos: Path, table: Path) -> None:
    church = photos / "Church"
    shutil.copy(church / "IMG_0001.JPG", church / "Kopie.JPG")
    (photos / "link.jpg").symlink_to(church / "IMG_0002.JPG")
    report = run(photos, table)
    assert [(Path(f.path).name, f.reason) for f in report.sequences[0].excluded] == [
        ("link.jpg", "duplicate"),
        ("Kopie.JPG", "duplicate"),
    ]


def test_our_own_folder_is_left_out(photos: Path) -> None:
    put(photos / "data" / "originals", AEB, first=50, at=900)
    report = run(photos, photos / "data" / "sequences.csv")
    assert len(report.sequences) == 2


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gone", {}, r"cannot scan '.*gone': there is no such folder"),
        ("photos/Church/IMG_0001.JPG", {}, r"it is a file; give a folder"),
        ("empty", {}, r"no pictures below '.*empty' \(1 other files\)"),
        ("photos", {"size": 0}, r"`--size 0`"),
        ("photos", {"size": 2}, r"`--size 2`: .*Church holds 3 frames"),
        ("photos", {"ev_step": -1.0}, r"`--ev-step -1`"),
        ("photos", {"by": "day"}, r"`--by day` is unknown"),
    ],
)
def test_wrong_requests_are_named(photos: Path, table: Path, name: str, options: dict, message: str) -> None:
    empty = photos.parent / "empty"
    empty.mkdir()
    (empty / "note.txt").write_text("x")
    with pytest.raises(ValueError, match=message):
        run(photos.parent / name, table, **options)
    assert not table.exists()


# Hand edits


def test_hand_edits_survive_and_new_frames_find_their_place(photos: Path, table: Path) -> None:
    put(photos / "Lone", [1 / 60], first=90, at=900)
    run(photos, table)

    def change(frame: pd.DataFrame) -> None:
        of_dome = frame["sequence"] == "dom-st-gallen"
        frame.loc[of_dome, ["sequence", "by"]] = ["dome", "hand"]
        frame.loc[frame["file"].str.endswith("IMG_0012.JPG"), "seconds"] = "0.001"
        moved = frame["file"].str.endswith("IMG_0090.JPG")
        frame.loc[moved, ["sequence", "status", "reason", "by"]] = ["dome", "accepted", "", "hand"]

    edit(table, change)
    put(photos / "New", AEB, first=70, at=1200)
    report = run(photos, table)
    dome = next(s for s in report.sequences if s.by == "hand")
    assert (dome.name, dome.status, len(dome.frames)) == ("dome", "accepted", 4)
    assert min(f.seconds for f in dome.frames if f.seconds) == 0.001
    assert sorted(s.name for s in report.sequences) == ["church", "dome", "new"]
    assert run(photos, table).sequences == report.sequences


def test_a_row_added_by_hand_gets_its_facts(photos: Path, table: Path) -> None:
    run(photos, table)
    extra = photos / "Church" / "IMG_0099.JPG"
    extra.write_bytes(jpeg(1 / 1000, 800))

    def change(frame: pd.DataFrame) -> None:
        frame.loc[len(frame)] = [
            "church", "accepted", "", "hand", "", str(extra), "frame", "", "", "", "", "", "", ""
        ]  # fmt: skip

    edit(table, change)
    church = next(s for s in run(photos, table).sequences if s.name == "church")
    assert len(church.frames) == 4
    assert church.frames[0].sha256 == hashlib.sha256(extra.read_bytes()).hexdigest()
    assert church.frames[0].relative_ev == pytest.approx(-2)  # against 1/250, the darker middle frame


def test_names_given_by_hand_stay_even_without_by_hand(photos: Path, table: Path) -> None:
    run(photos, table)

    def rename(frame: pd.DataFrame) -> None:
        frame.loc[frame["sequence"] == "church", "sequence"] = "minster"

    edit(table, rename)
    put(photos / "Church", [1 / 1000], first=4, at=1.3)
    assert [s.name for s in run(photos, table).sequences] == ["minster", "dom-st-gallen"]


def test_a_table_that_contradicts_itself_stops_the_scan_and_stays(photos: Path, table: Path) -> None:
    run(photos, table)
    edit(table, lambda frame: frame.__setitem__("status", ["good", *frame["status"][1:]]))
    before = table.read_bytes()
    with pytest.raises(ValueError, match="line 2: status is 'good'"):
        run(photos, table)
    assert table.read_bytes() == before


# Thumbnails


def facts(path: Path) -> FrameFacts:
    return FrameFacts(str(path), path.name, "jpeg", 96, 64)


def test_thumbnails_tell_views_brightness_and_steps(tmp_path: Path) -> None:
    for name, level, seed in [("a", 0.4, 1), ("b", 0.2, 1), ("c", 0.2, 2)]:
        picture(seed, level).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    a, b, c, broken = (facts(tmp_path / f"{name}.png") for name in ("a", "b", "c", "broken"))
    views = Thumbnails()
    assert views.agreement(a, b) == pytest.approx(1, abs=0.02)
    assert views.agreement(a, c) == pytest.approx(0, abs=0.3)  # 96 independent cells
    assert views.ev_between(b, a) == pytest.approx(1, abs=0.1)  # 2.2 is not quite the sRGB curve
    assert views.brightness(a) > 1.5 * views.brightness(b)
    assert (views.agreement(a, broken), views.brightness(broken), views.ev_between(a, broken)) == (None,) * 3


def test_frames_without_common_unclipped_pixels_are_not_comparable(tmp_path: Path) -> None:
    Image.new("RGB", (96, 64), "white").save(tmp_path / "white.png")
    picture().save(tmp_path / "a.png")
    views = Thumbnails()
    white, a = facts(tmp_path / "white.png"), facts(tmp_path / "a.png")
    assert views.agreement(white, a) is None
    assert views.ev_between(a, white) is None
