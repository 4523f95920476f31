"""sequences.csv: what is written comes back, hands may edit it, contradictions are named with their line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from builder.brackets import BracketSequence, SequenceFile, SequenceFrame
from builder.sequence_rows import COLUMNS
from builder.sequences import read_hand_edits, read_sequences, write_sequences


def made(folder: Path, name: str = "church", *, count: int = 3, **changes: object) -> BracketSequence:
    """A sequence of `count` files that exist, one stop apart."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for position in range(count):
        path = folder / f"{name}_{position}.jpg"
        path.write_bytes(b"x")
        frames.append(
            SequenceFrame(
                path.as_posix(), f"{name}{position}", 2.0 ** (position - 8), 8.0, 100.0, 14.0 - position,
                position - (count - 1) // 2, datetime(2024, 5, 31, 17, 20, 45, position * 1000),
            )
        )  # fmt: skip
    return replace(BracketSequence(name, "accepted", "burst", tuple(frames)), **changes)


def edited(table: Path, **cells: tuple[int, str]) -> Path:
    """Write `column=(row, text)` into the table, rows from 0."""
    frame = pd.read_csv(table, dtype=str, na_filter=False)
    for column, (row, text) in cells.items():
        frame.loc[row, column] = text
    frame.to_csv(table, index=False, lineterminator="\n")
    return table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "sequences.csv"
    write_sequences(path, [made(tmp_path / "a"), made(tmp_path / "b", "dome")])
    return path


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    full = made(tmp_path / "a", reasons=("lost-frame",), flags=("irregular-steps",), status="ambiguous")
    pair = SequenceFile((tmp_path / "a" / "church_1.dng").as_posix(), "raw1")
    Path(pair.path).write_bytes(b"x")
    frames = (full.frames[0], replace(full.frames[1], companions=(pair,)), full.frames[2])
    full = replace(full, frames=frames, excluded=(SequenceFile("/gone/copy.jpg", "church0", "duplicate"),))
    bare = made(tmp_path / "b", "bare", status="rejected", reasons=("no-exif",), by="folder")
    nothing = {"seconds": None, "f_number": None, "iso": None, "ev100": None, "captured_at": None}
    bare = replace(bare, frames=tuple(replace(f, relative_ev=None, **nothing) for f in bare.frames))
    stepped = made(tmp_path / "c", "stepped", by="folder", flags=("given-ev-step",))
    stepped = replace(stepped, frames=tuple(replace(f, **nothing) for f in stepped.frames))
    path = tmp_path / "sequences.csv"
    write_sequences(path, [full, bare, stepped])
    assert read_sequences(path) == (full, bare, stepped)
    assert tuple(path.read_text().splitlines()[0].split(",")) == COLUMNS
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["sequences.csv"]


@pytest.mark.parametrize(
    "name", ['a, "b"', "line\nend", "line\r\nend", "cr\rend", " blank ", "Süd 教会", "=1+1", "NA"]
)
def test_awkward_file_names_survive(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(b"x")
    sequence = made(tmp_path)
    sequence = replace(
        sequence, frames=(replace(sequence.frames[0], path=path.as_posix()), *sequence.frames[1:])
    )
    write_sequences(tmp_path / "t.csv", [sequence])
    assert read_sequences(tmp_path / "t.csv") == (sequence,)


def test_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    sequence = made(tmp_path)
    bad = SequenceFile((tmp_path / "bad\udcff.jpg").as_posix(), "", "unreadable")
    write_sequences(tmp_path / "t.csv", [replace(sequence, excluded=(bad,))])
    assert read_sequences(tmp_path / "t.csv")[0].excluded == (bad,)


def test_hand_written_seconds_count(table: Path) -> None:
    changed = read_sequences(edited(table, seconds=(2, "0.125")))[0]
    assert [f.relative_ev for f in changed.frames] == pytest.approx([-1, 0, 4])
    assert changed.frames[2].seconds == 0.125


def test_rows_may_move_and_their_order_means_nothing(table: Path) -> None:
    frame = pd.read_csv(table, dtype=str, na_filter=False)
    frame.loc[3, "sequence"] = "church"
    frame.iloc[::-1].to_csv(table, index=False)
    found = {s.name: s for s in read_sequences(table)}
    assert [len(found["church"].frames), len(found["dome"].frames)] == [4, 2]
    seconds = [f.seconds for f in found["church"].frames]
    assert seconds == sorted(seconds)


def test_a_table_from_a_spreadsheet_with_byte_order_mark_and_blank_lines(table: Path) -> None:
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes() + b"\n,,,,,,,,,,,,,\n")
    assert [s.name for s in read_sequences(table)] == ["church", "dome"]


def test_relative_paths_are_meant_from_the_table(table: Path) -> None:
    found = read_sequences(edited(table, file=(0, "a/church_0.jpg")))
    assert found[0].frames[0].path == (table.parent / "a" / "church_0.jpg").as_posix()


def test_a_companion_without_its_frame_is_excluded(tmp_path: Path) -> None:
    sequence = made(tmp_path)
    companion = SequenceFile((tmp_path / "church_2.dng").as_posix(), "raw")
    Path(companion.path).write_bytes(b"x")
    frames = (*sequence.frames[:2], replace(sequence.frames[2], companions=(companion,)))
    write_sequences(tmp_path / "t.csv", [replace(sequence, frames=frames)])
    found = read_sequences(edited(tmp_path / "t.csv", role=(2, "excluded"), by=(2, "hand")))[0]
    assert {f.reason for f in found.excluded} == {"", "companion-without-frame"}
    assert found.by == "hand"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            {"status": (1, "good")},
            r"line 3: status is 'good'; it must be one of accepted, ambiguous, rejected",
        ),
        (
            {"role": (1, "bracket")},
            r"line 3: role is 'bracket'; it must be one of frame, companion, excluded",
        ),
        ({"by": (1, "me")}, r"line 3: by is 'me'; it must be one of burst, manual, folder, size, hand"),
        ({"sequence": (1, "My Church")}, r"line 3: .* 'My Church' is no safe folder name; write 'my-church'"),
        ({"sequence": (1, "../up")}, r"line 3: .*no safe folder name"),
        ({"status": (1, "rejected")}, r"line 3: 'church' is 'rejected' here, but 'accepted' in line 2"),
        ({"seconds": (1, "1/30")}, r"line 3: seconds is '1/30'; write a number such as 0.033"),
        ({"seconds": (1, "nan")}, r"line 3: seconds is 'nan'"),
        ({"seconds": (1, "-1")}, r"line 3: seconds is '-1'; it must be larger than 0"),
        ({"seconds": (1, "")}, r"line 3: .*church_1.jpg' has no seconds, but other frames of 'church' have"),
        ({"captured_at": (1, "yesterday")}, r"line 3: captured_at is 'yesterday'"),
        (
            {"file": (1, "/gone.jpg")},
            r"line 3: there is no file '/gone.jpg'; correct the path, delete the row",
        ),
        ({"file": (1, "")}, r"line 3: no file is named"),
        (
            {"file": (3, "a/church_0.jpg")},
            r"line 5: .* is in 'dome', but line 2 lists it in 'church'; delete one",
        ),
        ({"sequence": (1, "lonely")}, r"line 3: 'lonely' is accepted with 1 frame, needs at least 2"),
    ],
)
def test_contradictions_are_named_with_their_line(
    table: Path, cells: dict[str, tuple[int, str]], message: str
) -> None:
    with pytest.raises(ValueError, match=rf"sequences\.csv, {message}"):
        read_sequences(edited(table, **cells))


def test_lines_are_counted_across_names_with_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.jpg"
    path.write_bytes(b"x")
    sequence = made(tmp_path)
    sequence = replace(
        sequence, frames=(replace(sequence.frames[0], path=path.as_posix()), *sequence.frames[1:])
    )
    write_sequences(tmp_path / "t.csv", [sequence])
    with pytest.raises(ValueError, match="line 4: status"):
        read_sequences(edited(tmp_path / "t.csv", status=(1, "good")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no table of sequences"),
        ("a,b\n1,2\n", r"line 1: the columns must be sequence,status,.*; found a,b"),
        (",".join(COLUMNS) + "\n" + "x," * 20 + "\n", "line 2: more cells than columns"),
        (
            ",".join(COLUMNS) + "\n" + "x," * 13 + "\n" + "x," * 20 + "\n",
            "Expected 14 fields in line 3, saw 21",
        ),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "sequences.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_sequences(path)


def test_a_row_that_is_cut_short_is_refused(table: Path) -> None:
    table.write_text(table.read_text().rsplit(",", 9)[0] + "\n")
    with pytest.raises(ValueError, match="line 7"):
        read_sequences(table)


def test_hand_edits_are_found_with_the_names_of_all_others(table: Path) -> None:
    edits = read_hand_edits(edited(table, by=(4, "hand"), status=(3, "accepted")))
    assert [(s.name, s.by, len(s.frames)) for s in edits.sequences] == [("dome", "hand", 3)]
    assert dict(edits.names) == {f"church{n}": "church" for n in range(3)}
    assert read_hand_edits(table.with_name("none.csv")).sequences == ()


def test_a_failing_write_leaves_the_old_table(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = table.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("builder.sequence_rows.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_sequences(table, [])
    assert table.read_bytes() == before
    assert [p.name for p in table.parent.iterdir() if p.is_file()] == ["sequences.csv"]
