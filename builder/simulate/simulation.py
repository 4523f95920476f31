"""Photographs of the six scenes on disk, with the truth beside them; or one bracket in memory."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from builder.simulate import take as takes
from builder.simulate.camera import RESPONSES, SENSOR, bayer, expose, picture
from builder.simulate.dng import encode_dng
from builder.simulate.exif import Shot, jpeg_exif, nominal_seconds
from builder.simulate.sequences import KINDS, SEQUENCES, Sequence
from builder.simulate.take import Take

DEFAULT_SEED = 2018
SMALLEST, LARGEST = 32, 8192  # pixels a side
CONVENTION = (
    "maps reference pixel coordinates (x, y, 1), pixel centres at integers, to frame pixel coordinates"
)
UNIT = "linear Rec. 709, upright; radiance x true seconds = 1 fills the sensor's wells"


@dataclass(frozen=True)
class SimulationReport:
    """What a call of `simulate` did."""

    photos: Path  # what `scan` gets
    truth: Path
    written: tuple[str, ...]  # folders made now
    present: tuple[str, ...]  # folders that were there already


def simulate(
    output: Path,
    *,
    seed: int = DEFAULT_SEED,
    size: tuple[int, int] = (960, 640),
    count: int = 6,
    on_scene: Callable[[str], None] | None = None,
) -> SimulationReport:
    """Writes `count` sequences of camera files (`photos/`) with their truth (`truth/`), and distractors.

    `size` is the sensor's width and height in pixels, both even. The same seed gives the same bytes. Folders appear
    whole or not at all, and those that are there already stay: a second call does only what is missing.
    Raises ValueError for impossible arguments or for a folder made with another seed or size.
    """
    _check(seed, size, count)
    _claim(output, seed, size)
    written, present = [], []
    jobs: list[tuple[str, Callable[[Path], None]]] = []
    for index in range(count):
        sequence, variant = SEQUENCES[index % len(SEQUENCES)], index // len(SEQUENCES)
        sequence = variant_of(sequence, variant)
        jobs.append(
            (
                sequence.folder,
                lambda folder, s=sequence, i=index: _write_sequence(folder, s, size, seed * 4096 + i),
            )
        )
    jobs.append(("odds and ends", lambda folder: _write_distractors(folder, output, size, seed)))
    for name, write in jobs:
        if (output / "photos" / name).exists():
            present.append(name)
            continue
        if on_scene is not None:
            on_scene(name)
        _in_one_step(output, name, write)
        written.append(name)
    return SimulationReport(output / "photos", output / "truth", tuple(written), tuple(present))


def render_bracket(
    kind: str, width: int, height: int, frames: int, *, seed: int
) -> tuple[list[np.ndarray], list[float]]:
    """A bracket in memory: (uint8 frames of height x width x 3, dark to bright; their true seconds).

    The frames lie one to two EV apart about the sequence's reference. Raises ValueError for an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"scene kind: found {kind!r}; known are {', '.join(KINDS)}")
    sequence = KINDS[kind]
    take = takes.prepare(replace(sequence, hand_held=False, moving=False), width, height, seed)
    radiance = takes.frame_radiance(take, take.reference)
    gap = Fraction(12, max(frames - 1, 6))
    seconds = [
        float(sequence.reference_seconds) * 2.0 ** float(gap * (k - Fraction(frames - 1, 2)))
        for k in range(frames)
    ]
    pictures = [
        picture(expose(radiance, exposure, seed=seed, frame=k), sequence.response)
        for k, exposure in enumerate(seconds)
    ]
    return pictures, seconds


def variant_of(sequence: Sequence, variant: int) -> Sequence:
    """The sequence of a later round: another folder, other days, other file numbers; variant 0 is the table's."""
    if variant == 0:
        return sequence
    return replace(
        sequence,
        folder=f"{sequence.folder} {variant + 1:03d}"
        if " " in sequence.folder
        else f"{sequence.folder}-{variant + 1:03d}",
        captured_at=sequence.captured_at + timedelta(days=variant, minutes=37 * variant),
    )


def _check(seed: int, size: tuple[int, int], count: int) -> None:
    if any(side % 2 or not SMALLEST <= side <= LARGEST for side in size):
        raise ValueError(
            f"size: found {size[0]}x{size[1]}; both sides must be even and {SMALLEST} to {LARGEST} pixels"
        )
    if count < 1:
        raise ValueError(f"count: found {count}; at least 1 sequence is needed")
    if seed < 0:
        raise ValueError(f"seed: found {seed}; it must be 0 or more")


def _claim(output: Path, seed: int, size: tuple[int, int]) -> None:
    """Notes seed and size in the folder, so that no call mixes two simulations."""
    wanted = {"seed": seed, "width": size[0], "height": size[1]}
    note = output / "simulation.json"
    if note.exists():
        found = json.loads(note.read_text("utf-8"))
        if found != wanted:
            raise ValueError(
                f"{output} holds a simulation with {found}, asked for is {wanted}; choose another folder or delete it"
            )
        return
    for name in ("photos", "truth"):
        (output / name).mkdir(parents=True, exist_ok=True)
    unfinished = output / "unfinished-simulation.json"
    unfinished.write_text(json.dumps(wanted) + "\n", "utf-8")
    os.replace(unfinished, note)


def _in_one_step(output: Path, name: str, write: Callable[[Path], None]) -> None:
    """Lets `write` fill photos/ and truth/ of a scratch folder and moves both to their places, photos last."""
    scratch = output / f"unfinished-{name}"
    shutil.rmtree(scratch, ignore_errors=True)
    for part in ("photos", "truth"):
        (scratch / part).mkdir(parents=True)
    write(scratch)
    for part in ("truth", "photos"):
        final = output / part / name
        if part == "truth" and final.exists():
            shutil.rmtree(final)  # left by a run that ended between the two moves
        if any((scratch / part).iterdir()):
            os.rename(scratch / part, final)
    shutil.rmtree(scratch)


def shots_of(sequence: Sequence) -> list[Shot]:
    """What the camera prints into each frame: each begins after the one before has ended."""
    moment, shots = sequence.captured_at, []
    for step, seconds in zip(sequence.steps, sequence.exposures, strict=True):
        shots.append(
            Shot(
                seconds=nominal_seconds(seconds), f_number=sequence.f_number, iso=sequence.iso,
                bias=Fraction(0) if sequence.manual else Fraction(step), captured_at=moment,
                offset="+02:00" if 3 < moment.month < 11 else "+01:00",
                orientation=6 if sequence.portrait else 1, maker=sequence.body.maker, model=sequence.body.model,
                serial=sequence.body.serial, lens=sequence.body.lens, focal_length=sequence.focal_length,
                manual=sequence.manual,
            )
        )  # fmt: skip
        moment += timedelta(seconds=float(seconds) + sequence.gap)
    return shots


def stem_of(sequence: Sequence, position: int) -> str:
    """File name of a frame without its ending: the counter runs to 9999 and starts again at 0001."""
    return f"{sequence.prefix}{(sequence.first_number + position - 1) % 9999 + 1:04d}"


def _write_sequence(folder: Path, sequence: Sequence, size: tuple[int, int], seed: int) -> None:
    width, height = (size[1], size[0]) if sequence.portrait else size
    take = takes.prepare(sequence, width, height, seed)
    still = takes.still_radiance(take)
    masks = []
    for position, shot in enumerate(shots_of(sequence)):
        radiance = still if take.is_static else takes.frame_radiance(take, position)
        if position == take.reference:
            np.save(folder / "truth" / "radiance.npy", radiance)
        if sequence.moving:
            masks.append(takes.moved(take, radiance, still))
            _save_mask(folder / "truth" / f"motion_mask_{stem_of(sequence, position)}.png", masks[-1])
        numbers = expose(radiance, float(sequence.exposures[position]), seed=seed, frame=position)
        _write_frame(folder / "photos" / stem_of(sequence, position), sequence, shot, numbers)
    if masks:
        _save_mask(folder / "truth" / "motion_mask.png", np.any(masks, axis=0))
    _write_truth(folder / "truth" / "truth.json", take)


def _write_frame(path: Path, sequence: Sequence, shot: Shot, numbers: np.ndarray) -> None:
    """The camera's file(s) of one frame from its raw numbers (upright)."""
    if sequence.portrait:  # the camera was turned: the sensor's pixels lie a quarter turn to the left
        numbers = np.rot90(numbers, 1)
    if sequence.raw:
        path.with_name(path.name + ".DNG").write_bytes(encode_dng(bayer(numbers), shot))
    _save_jpeg(path.with_name(path.name + ".JPG"), picture(numbers, sequence.response), shot)


def _save_jpeg(path: Path, pixels: np.ndarray, shot: Shot) -> None:
    height, width = pixels.shape[:2]
    memory = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        memory, "JPEG", quality=95, subsampling="4:2:2", exif=jpeg_exif(shot, width, height)
    )
    path.write_bytes(memory.getvalue())


def _save_mask(path: Path, mask: np.ndarray) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def _write_truth(path: Path, take: Take) -> None:
    """truth.json: what the files themselves do not say."""
    sequence = take.sequence
    frames = [
        {
            "file": stem_of(sequence, position) + (".DNG" if sequence.raw else ".JPG"),
            "seconds": float(sequence.exposures[position]),
            "matrix": take.matrices[position].tolist(),
        }
        for position in range(len(sequence.steps))
    ]
    curve = np.linspace(0.0, 1.0, 65)
    flags = [name for name in ("hand_held", "moving", "raw", "portrait", "manual") if getattr(sequence, name)]
    truth = {
        "kind": sequence.kind,
        "seed": take.seed,
        "flags": flags,
        "reference": frames[take.reference]["file"],
        "frames": frames,
        "matrix_convention": CONVENTION,
        "radiance_unit": UNIT,
        "response": sequence.response,
        "response_curve": [round(float(value), 6) for value in RESPONSES[sequence.response](curve)],
        "sensor": {
            "full_well": SENSOR.full_well,
            "read_noise": SENSOR.read_noise,
            "black": SENSOR.black,
            "white": SENSOR.white,
        },
    }
    path.write_text(json.dumps(truth, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _write_distractors(folder: Path, output: Path, size: tuple[int, int], seed: int) -> None:
    """Files that are no bracket: an equal burst, a lone shot, a duplicate, a text."""
    sequence = replace(
        KINDS["courtyard"],
        steps=(0,) * 5,
        captured_at=datetime(2018, 7, 21, 17, 40, 2, 100000),
        first_number=261,
        gap=0.12,
    )
    small = replace(sequence, moving=False)
    take = takes.prepare(small, *size, seed * 4096 + 4095)
    radiance = takes.still_radiance(take)
    for position, shot in enumerate(shots_of(small)):
        numbers = expose(radiance, float(small.exposures[position]), seed=seed, frame=position)
        _write_frame(folder / "photos" / stem_of(small, position), small, shot, numbers)
    lone = replace(small, steps=(-1,), captured_at=datetime(2018, 7, 24, 9, 3, 44, 520000), first_number=290)
    numbers = expose(radiance, float(lone.exposures[0]), seed=seed, frame=99)
    _write_frame(folder / "photos" / stem_of(lone, 0), lone, shots_of(lone)[0], numbers)
    original = output / "photos" / SEQUENCES[0].folder / (stem_of(SEQUENCES[0], 0) + ".JPG")
    shutil.copyfile(original, folder / "photos" / f"Copy of {original.name}")
    (folder / "photos" / "notes.txt").write_text("Tripod plate is loose. Sensor needs cleaning.\n", "utf-8")
