"""The simulated input: files as a camera writes them, and a truth that the pixels obey."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import exifread
import numpy as np
import pytest
from PIL import Image

from builder.simulate import render_bracket, simulate
from builder.simulate import take as takes
from builder.simulate.camera import RESPONSES
from builder.simulate.sequences import SEQUENCES, Sequence

SIZE = (360, 240)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
FOLDERS = {sequence.kind: sequence for sequence in SEQUENCES}
FRAMES = {"interior": 7, "sunset": 5, "night-street": 9, "courtyard": 7, "workshop": 5, "staircase": 3}


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("simulated")
    simulate(output, size=SIZE)
    return output


def photos_of(simulated: Path, sequence: Sequence, ending: str = ".JPG") -> list[Path]:
    """Files of a sequence in order of capture."""
    paths = (simulated / "photos" / sequence.folder).glob(f"*{ending}")
    return sorted(paths, key=lambda path: str(tags_of(path)["EXIF DateTimeOriginal"]) + subseconds_of(path))


def tags_of(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        return exifread.process_file(file, details=False)


def subseconds_of(path: Path) -> str:
    return str(tags_of(path)["EXIF SubSecTimeOriginal"])


def truth_of(simulated: Path, sequence: Sequence) -> tuple[dict, np.ndarray]:
    folder = simulated / "truth" / sequence.folder
    return json.loads((folder / "truth.json").read_text("utf-8")), np.load(folder / "radiance.npy")


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def decoded(path: Path, response: str) -> np.ndarray:
    """Linear values of a JPEG by the inverse of its response; NaN where 8 bits say little."""
    levels = np.linspace(0.0, 1.0, 4096)
    pixels = pixels_of(path) / 255.0
    linear = np.interp(pixels, RESPONSES[response](levels), levels)
    return np.where((pixels > 0.1) & (pixels < 0.96), linear, np.nan)


def pixels_of(path: Path) -> np.ndarray:
    """As stored, the orientation tag apart."""
    with Image.open(path) as image:
        return np.asarray(image)


def upright(pixels: np.ndarray, sequence: Sequence) -> np.ndarray:
    return np.rot90(pixels, -1) if sequence.portrait else pixels


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda s: s.kind)
def test_sequence_has_its_frames_and_true_exif(simulated: Path, sequence: Sequence) -> None:
    paths = photos_of(simulated, sequence)
    assert len(paths) == FRAMES[sequence.kind]
    end = datetime.min
    for path, seconds in zip(paths, sequence.exposures, strict=True):
        tags = tags_of(path)
        printed = float(tags["EXIF ExposureTime"].values[0])
        # The traditional series rounds powers of two by up to 7 % (1/15 for 1/16, 30 for 32).
        assert printed == pytest.approx(float(seconds), rel=0.07)
        fraction = timedelta(milliseconds=10 * int(subseconds_of(path)))
        start = datetime.strptime(str(tags["EXIF DateTimeOriginal"]), "%Y:%m:%d %H:%M:%S") + fraction
        assert start >= end
        end = start + timedelta(seconds=float(seconds))
        assert str(tags["EXIF BodySerialNumber"]) == sequence.body.serial
        assert float(tags["EXIF FNumber"].values[0]) == pytest.approx(float(sequence.f_number))
        assert tags["EXIF ISOSpeedRatings"].values[0] == sequence.iso
        assert tags["Image Orientation"].values[0] == (6 if sequence.portrait else 1)
        assert str(tags["EXIF OffsetTimeOriginal"]) in ("+01:00", "+02:00")
        assert pixels_of(path).shape == (*SIZE[::-1], 3)


def test_printed_seconds_are_the_traditional_ones(simulated: Path) -> None:
    printed = {
        str(tags_of(path)["EXIF ExposureTime"])
        for sequence in SEQUENCES
        for path in photos_of(simulated, sequence)
    }
    assert {"1/60", "1/15", "1/250", "1/1000", "30", "1/125"} <= printed
    assert not {"1/64", "1/16", "1/256", "1/1024", "32", "1/128"} & printed


def test_names_roll_over_and_hold_space_and_umlaut(simulated: Path) -> None:
    night = [path.stem for path in photos_of(simulated, FOLDERS["night-street"])]
    assert night[:5] == ["IMG_9996", "IMG_9997", "IMG_9998", "IMG_9999", "IMG_0001"]
    stairs = photos_of(simulated, FOLDERS["staircase"])[0]
    for name in (stairs.name, stairs.parent.name):
        assert {" ", "ü"} <= set(name)


def test_bias_is_zero_where_exposed_by_hand(simulated: Path) -> None:
    def biases(kind: str) -> list[float]:
        return [
            float(tags_of(p)["EXIF ExposureBiasValue"].values[0]) for p in photos_of(simulated, FOLDERS[kind])
        ]

    assert biases("interior") == [0, -2, 2, -4, 4, -6, 6]
    assert set(biases("night-street")) == {0.0}


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda s: s.kind)
def test_scene_spans_fourteen_stops_and_has_texture(simulated: Path, sequence: Sequence) -> None:
    _, radiance = truth_of(simulated, sequence)
    assert radiance.dtype == np.float32
    assert radiance.shape == ((*SIZE, 3) if sequence.portrait else (*SIZE[::-1], 3))
    assert np.isfinite(radiance).all()
    assert radiance.min() > 0
    light = radiance @ LUMINANCE
    low, high = np.percentile(light, (0.1, 99.9))
    assert np.log2(high / low) >= 14
    # Share of 8x8 blocks whose log luminance is flat: alignment and MEF-SSIM have nothing to hold on there.
    logs = np.log2(light[: light.shape[0] // 8 * 8, : light.shape[1] // 8 * 8])
    blocks = logs.reshape(logs.shape[0] // 8, 8, -1, 8).std(axis=(1, 3))
    assert np.mean(blocks < 0.02) < 0.1


@pytest.mark.parametrize("kind", [k for k in FRAMES if k != "courtyard"])
def test_pictures_obey_radiance_times_seconds(simulated: Path, kind: str) -> None:
    sequence = FOLDERS[kind]
    truth, radiance = truth_of(simulated, sequence)
    frames = {Path(frame["file"]).stem: frame for frame in truth["frames"]}
    for path in photos_of(simulated, sequence):
        frame = frames[path.stem]
        seen = upright(decoded(path, truth["response"]), sequence)
        matrix = np.array(frame["matrix"])[:2]
        expected = cv2.warpAffine(radiance, matrix, seen.shape[1::-1], flags=cv2.INTER_CUBIC, borderValue=-1)
        expected = expected * frame["seconds"]
        valid = np.isfinite(seen) & (expected > 0)
        if valid.sum() < 500:
            continue
        error = np.abs(np.log2(seen[valid] / expected[valid]))
        # Halved chroma on fine texture leaves 0.05 EV; resampling glitter for a shifted frame adds to it.
        assert np.median(error) < (0.2 if np.any(matrix[:, 2]) else 0.1)


def test_shake_of_the_sunset_is_in_the_pixels() -> None:
    take = takes.prepare(FOLDERS["sunset"], *SIZE, 5)
    views = [np.log(takes.frame_radiance(take, k)).mean(axis=2) for k in range(len(take.matrices))]
    centre = np.array([(SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2, 1.0])
    assert np.array_equal(take.matrices[take.reference], np.eye(3))
    for position, matrix in enumerate(take.matrices):
        if position == take.reference:
            continue
        shift = (matrix @ centre - centre)[:2]
        turn = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
        assert 0.3 < np.hypot(*shift) <= 12
        assert 0 < abs(turn) <= 0.2
        back = cv2.warpAffine(views[position], matrix[:2], SIZE, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        inner = [
            np.ascontiguousarray(image[12 : SIZE[1] // 2, 12:-12]) for image in (views[take.reference], back)
        ]
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-7)
        start = np.eye(2, 3, dtype=np.float32)
        likeness, rest = cv2.findTransformECC(*inner, start, cv2.MOTION_EUCLIDEAN, criteria, None, 3)
        assert likeness > 0.95
        middle = np.array([inner[0].shape[1] / 2, inner[0].shape[0] / 2, 1.0])
        # Above the water, whose glitter aliases. The geometry is exact; this is what resampling leaves.
        assert np.hypot(*(rest @ middle - middle[:2])) < 0.05


def test_truth_names_matrices_and_convention(simulated: Path) -> None:
    for sequence in SEQUENCES:
        truth, _ = truth_of(simulated, sequence)
        assert sum(frame["file"] == truth["reference"] for frame in truth["frames"]) == 1
        assert "reference pixel coordinates (x, y, 1)" in truth["matrix_convention"]
        still = [np.array_equal(frame["matrix"], np.eye(3)) for frame in truth["frames"]]
        assert sum(still) == (1 if sequence.hand_held else len(still))


def test_walker_mask_is_where_the_frames_differ(simulated: Path) -> None:
    folder = simulated / "truth" / "courtyard"
    union = pixels_of(folder / "motion_mask.png") > 0
    single = [pixels_of(path) > 0 for path in sorted(folder.glob("motion_mask_*.png"))]
    assert len(single) == 7
    assert np.array_equal(union, np.any(single, axis=0))
    assert 0.005 < union.mean() < 0.3
    centres = [np.argwhere(mask).mean(axis=0) for mask in single]
    assert np.ptp([centre[1] for centre in centres]) > 0.1 * SIZE[0]  # he walks
    sequence = FOLDERS["courtyard"]
    truth, _ = truth_of(simulated, sequence)
    paths = {path.stem: path for path in photos_of(simulated, sequence)}
    linear = [decoded(paths[Path(f["file"]).stem], truth["response"]) / f["seconds"] for f in truth["frames"]]
    error = np.abs(np.log2(linear[1] / linear[2])).mean(axis=2)
    either = single[1] | single[2]
    assert np.nanmedian(error[either]) > 3 * np.nanmedian(error[~either])
    assert np.nanmedian(error[~either]) < 0.1  # 8 bits, noise, halved chroma


def test_distractors_are_there(simulated: Path) -> None:
    folder = simulated / "photos" / "odds and ends"
    shots = {path.name: tags_of(path) for path in folder.glob("IMG_*.JPG")}
    times = [str(tags["EXIF ExposureTime"]) for tags in shots.values()]
    assert sorted(times.count(time) for time in times) == [1, 5, 5, 5, 5, 5]
    copies = list(folder.glob("Copy of *"))
    known = {hashlib.sha256(p.read_bytes()).digest() for p in (simulated / "photos" / "interior").iterdir()}
    assert [hashlib.sha256(copy.read_bytes()).digest() in known for copy in copies] == [True]
    assert (folder / "notes.txt").read_text("utf-8")


def test_same_seed_same_bytes_and_another_seed_other_pictures(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        simulate(tmp_path / name, seed=seed, size=(96, 64), count=6)
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert first == second
    assert first.keys() == other.keys()
    same = [name for name in first if first[name] == other[name]]
    assert not [name for name in same if name.endswith((".JPG", ".DNG", ".npy"))]


def test_second_run_only_adds_what_is_missing(tmp_path: Path) -> None:
    first = simulate(tmp_path, size=(64, 48), count=2)
    assert (first.written, first.present) == (("interior", "sunset", "odds and ends"), ())
    before = digests(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.JPG")}
    heard: list[str] = []
    again = simulate(tmp_path, size=(64, 48), count=2, on_scene=heard.append)
    assert (again.written, heard, again.present) == ((), [], first.written)
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.JPG")}
    more = simulate(tmp_path, size=(64, 48), count=8, on_scene=heard.append)
    assert more.written == (
        "night-street",
        "courtyard",
        "workshop",
        "Treppenhaus Süd",
        "interior-002",
        "sunset-002",
    )
    assert heard == list(more.written)
    assert before.items() <= digests(tmp_path).items()


def test_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(name: str) -> None:
        if name == "sunset":
            raise Killed

    with pytest.raises(Killed):
        simulate(tmp_path / "a", size=(64, 48), count=2, on_scene=kill)
    # What a kill within a scene leaves: a scratch folder, or the truth without its photos.
    (tmp_path / "a" / "unfinished-sunset" / "photos").mkdir(parents=True)
    (tmp_path / "a" / "unfinished-sunset" / "photos" / "IMG_4833.JPG").write_bytes(b"half")
    (tmp_path / "a" / "truth" / "sunset").mkdir()
    assert [path.name for path in (tmp_path / "a" / "photos").iterdir()] == ["interior"]
    simulate(tmp_path / "a", size=(64, 48), count=2)
    simulate(tmp_path / "b", size=(64, 48), count=2)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_impossible_arguments_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"size: found 97x64; both sides must be even, 32 to 8192 pixels"):
        simulate(tmp_path, size=(97, 64))
    with pytest.raises(ValueError, match=r"count: found 0; 1 to 6000"):
        simulate(tmp_path, count=0)
    with pytest.raises(ValueError, match=r"seed: found -1"):
        simulate(tmp_path, seed=-1)
    with pytest.raises(ValueError, match=r"scene kind: found 'moon'; known are interior, sunset"):
        render_bracket("moon", 64, 48, 3)
    assert not list(tmp_path.iterdir())
    simulate(tmp_path, size=(64, 48), count=1)
    with pytest.raises(ValueError, match=r"holds a simulation with .*'seed': 2018.* choose another folder"):
        simulate(tmp_path, seed=1, size=(64, 48), count=1)


def test_variants_look_different(tmp_path: Path) -> None:
    simulate(tmp_path, size=(96, 64), count=13)
    for kind in ("interior", "sunset"):
        views = [np.load(tmp_path / "truth" / f"{kind}{end}" / "radiance.npy") for end in ("", "-002")]
        logs = [np.log(view @ LUMINANCE) for view in views]
        assert np.corrcoef(logs[0].ravel(), logs[1].ravel())[0, 1] < 0.95


@pytest.mark.parametrize("frames", [2, 7])
def test_bracket_in_memory_gets_brighter(frames: int) -> None:
    pictures, seconds = render_bracket("staircase", 120, 80, frames, seed=3)
    assert len(pictures) == len(seconds) == frames
    assert {(picture.dtype, picture.shape) for picture in pictures} == {(np.dtype(np.uint8), (80, 120, 3))}
    assert np.all(np.diff([picture.mean() for picture in pictures]) > 5)
    steps = np.diff(np.log2(seconds))
    assert steps == pytest.approx(np.full(frames - 1, 2.0))


def test_large_bracket_is_enlarged_with_fine_grain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.simulate.take.RENDERED_PIXELS", 6000)
    large, _ = render_bracket("workshop", 240, 160, 3)
    monkeypatch.undo()
    native, _ = render_bracket("workshop", 240, 160, 3)
    mean = [cv2.resize(f[1], (60, 40), interpolation=cv2.INTER_AREA).astype(float) for f in (large, native)]
    assert np.corrcoef(mean[0].ravel(), mean[1].ravel())[0, 1] > 0.95  # the same scene
    fine = cv2.Laplacian(large[1], cv2.CV_32F).std() / cv2.Laplacian(native[1], cv2.CV_32F).std()
    assert fine > 0.2  # not a blur
