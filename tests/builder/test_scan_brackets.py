"""scan on whole folders whose truth is known: simulated brackets and real ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from builder.brackets import BracketSequence
from builder.settings import ScanSettings
from builder.stages.scan import ScanReport, scan


def run(folder: Path, table: Path, **options: object) -> ScanReport:
    return scan([folder], sequences_csv=table, settings=ScanSettings(), **options)


def names(sequence: BracketSequence) -> set[str]:
    return {Path(frame.path).name for frame in sequence.frames}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sequences.csv"


# Simulated brackets


def test_the_simulated_folder_gives_six_sequences_and_rejects_the_rest_by_name(
    simulated: Path, table: Path
) -> None:
    report = run(simulated / "photos", table)
    found = {s.name: (s.status, len(s.frames), s.reasons) for s in report.sequences}
    assert found == {
        "interior": ("accepted", 7, ()),
        "sunset": ("accepted", 5, ()),
        "night-street": ("accepted", 9, ()),
        "courtyard": ("accepted", 7, ()),
        "workshop": ("accepted", 5, ()),
        "treppenhaus-sued": ("accepted", 3, ()),
        "img_6261": ("rejected", 5, ("equal-exposures",)),
        "img_6290": ("rejected", 1, ("one-frame",)),
    }
    by_name = {s.name: s for s in report.sequences}
    assert (report.ignored, report.damaged) == (1, ())
    assert [Path(f.path).name for f in by_name["interior"].excluded] == ["Copy of IMG_4801.JPG"]
    assert all(Path(f.path).suffix == ".DNG" and len(f.companions) == 1 for f in by_name["workshop"].frames)
    assert [f.relative_ev for f in by_name["workshop"].frames] == pytest.approx([-6, -3, 0, 3, 6])
    night = by_name["night-street"]
    assert [f.captured_at for f in night.frames] == sorted(f.captured_at for f in night.frames)  # across 9999


# Real brackets

BRACKETS = Path(__file__).resolve().parents[2].parent / "shared" / "brackets"
real = [
    pytest.mark.oracle,
    pytest.mark.skipif(not BRACKETS.is_dir(), reason="../shared/brackets is absent"),
]
ACCEPTED = {  # folder: (frames, flags)
    "lbasek_dataset1": (15, ("irregular-steps",)),  # 1/1000, 1/1600, 1/3200: two thirds, then a stop
    "lbasek_dataset2": (11, ()),
    "banterle_stack": (7, ("irregular-steps",)),
    "banterle_stack_alignment": (3, ()),
    "banterle_stack_ghost": (3, ()),
    "fy_meng_bonsai": (5, ("irregular-steps",)),
    "fy_meng_mug": (8, ()),
    "fy_meng_house": (3, ()),
    "kenyu910645_original_image": (11, ()),
    "jyi468_marble": (5, ()),
    "u2fsdgvkx41_stainedglass1": (7, ("aperture-varies",)),  # f/11 .. f/1.4, as the compensation says
    "chengyehliou_pingpong": (3, ()),
    "xuyiwen_scene05": (8, ("irregular-steps",)),  # frames of the series are missing: a step of 3.3 EV
    "markymarklee_mine": (6, ()),
    "mercuryyen_exposures": (13, ("irregular-steps", "iso-missing")),
    "yi_hsuan_su_03": (14, ()),
    "hangxiaotian_d5_villa": (3, ()),
}
OTHERS = {  # folder: each sequence's status, reasons and number of frames
    "u2fsdgvkx41_arch": [("ambiguous", ("exif-contradicts-pixels",), 5)],
    "adrianomelo_test2": [("ambiguous", ("repeated-exposure", "auto-iso"), 9)],
    "photoprism_photoprism_canon_eos_6d": [("rejected", ("one-frame",), 1)],
    "debevec_memorial": [("rejected", ("no-exif",), 16)],
    # Looked at: 08191 and 08192 are one view shot twice, 08193 another focal length, 08194 and 08195 the
    # first two frames of a five-frame program, which then ran twice with two views.
    "dsoprea_images": [
        ("rejected", ("two-frames", "equal-exposures"), 2),
        ("rejected", ("one-frame",), 1),
        ("rejected", ("two-frames", "span-too-small", "lost-frame"), 2),
        ("accepted", (), 5),
        ("accepted", (), 5),
    ],
}  # fmt: skip


def by_origin(report: ScanReport) -> dict[str, list[BracketSequence]]:
    """Sequences by the bracket folder that their frames come from; fails where a sequence mixes two."""
    found: dict[str, list[BracketSequence]] = {}
    for sequence in report.sequences:
        (origin,) = {Path(frame.path).resolve().parent.name for frame in sequence.frames}
        found.setdefault(origin, []).append(sequence)
    return found


def check_real_verdicts(report: ScanReport) -> None:
    found = by_origin(report)
    assert set(found) == set(ACCEPTED) | set(OTHERS)
    assert report.damaged == ()
    for folder, (count, flags) in ACCEPTED.items():
        (sequence,) = found[folder]
        assert (folder, sequence.status, sequence.reasons) == (folder, "accepted", ())
        assert (folder, len(sequence.frames), sequence.flags) == (folder, count, flags)
    for folder, verdicts in OTHERS.items():
        assert [(s.status, s.reasons, len(s.frames)) for s in found[folder]] == verdicts, folder


class TestRealBrackets:
    pytestmark = real

    def test_every_folder_gets_its_true_verdict(self, table: Path) -> None:
        index = pd.read_csv(BRACKETS / "index.csv")
        assert set(index["folder"]) == set(ACCEPTED) | set(OTHERS)
        report = run(BRACKETS, table)
        check_real_verdicts(report)
        assert report.pictures == index["n_exposures"].sum()
        found = by_origin(report)
        for folder, span in zip(index["folder"], index["ev_range"], strict=True):
            if folder in ACCEPTED:
                (sequence,) = found[folder]
                evs = [frame.relative_ev for frame in sequence.frames]
                assert (folder, sequence.name) == (folder, folder)
                assert evs == sorted(evs)
                # The index computes with nominal times, whose names are off by up to 0.1 EV at either end.
                assert (folder, evs[-1] - evs[0]) == (folder, pytest.approx(span, abs=0.2))
        assert [names(s) for s in found["dsoprea_images"]][-1] == {f"DSC0820{n}.JPG" for n in range(1, 6)}

    def test_all_in_one_flat_folder_give_the_same_sets(self, tmp_path: Path, table: Path) -> None:
        flat = tmp_path / "flat"
        flat.mkdir()
        for path in sorted(BRACKETS.glob("*/*")):
            target = flat / path.name
            target = target if not target.exists() else flat / f"{path.parent.name}_{path.name}"
            target.symlink_to(path)
        report = run(flat, table)
        check_real_verdicts(report)
        assert len({sequence.name for sequence in report.sequences}) == len(report.sequences)

    def test_frames_without_exif_by_folder(self, table: Path) -> None:
        (given,) = run(BRACKETS / "debevec_memorial", table, by="folder", ev_step=1.0).sequences
        assert (given.status, given.flags) == ("accepted", ("given-ev-step", "no-time"))
        # shutter_times.txt: 32 s for memorial0061 down to 1/1024 s for memorial0076
        assert [Path(f.path).stem for f in given.frames] == [f"memorial{n:04d}" for n in range(76, 60, -1)]
        assert given.frames[-1].relative_ev - given.frames[0].relative_ev == pytest.approx(15)
        (estimated,) = run(BRACKETS / "debevec_memorial", table, by="folder").sequences
        assert (estimated.status, estimated.flags) == ("accepted", ("estimated-exposures", "no-time"))
        # An unknown response bends single steps; over 15 stops it may lose one.
        assert estimated.frames[-1].relative_ev - estimated.frames[0].relative_ev == pytest.approx(
            15, abs=1.5
        )
