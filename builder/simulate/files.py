"""Files of a simulated sequence, the truth beside them, and files that are no bracket."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from builder.simulate import take as takes
from builder.simulate.camera import RESPONSES, SENSOR, bayer, expose, picture
from builder.simulate.dng import encode_dng
from builder.simulate.exif import Shot, jpeg_exif
from builder.simulate.sequences import SEQUENCES, Sequence, shots_of, stem_of
from builder.simulate.take import Take

CONVENTION = (
    "maps reference pixel coordinates (x, y, 1), pixel centres at integers, to frame pixel coordinates"
)
UNIT = "linear Rec. 709, upright; radiance x true seconds = 1 fills the sensor's wells"
FLAGS = ("hand_held", "moving", "raw", "portrait", "manual")


def write_sequence(folder: Path, sequence: Sequence, size: tuple[int, int], seed: int) -> None:
    """Renders a sequence and writes `folder`/photos and `folder`/truth; `size` is the sensor's, in pixels."""
    width, height = (size[1], size[0]) if sequence.portrait else size
    take = takes.prepare(sequence, width, height, seed)
    still = takes.still_radiance(take)
    touched = np.zeros((height, width), bool)
    for position, shot in enumerate(shots_of(sequence)):
        radiance = still if take.is_static else takes.frame_radiance(take, position)
        if position == take.reference:
            np.save(folder / "truth" / "radiance.npy", radiance)
        if sequence.moving:
            mask = takes.moved(take, radiance, still)
            _save_mask(folder / "truth" / f"motion_mask_{stem_of(sequence, position)}.png", mask)
            touched |= mask
        numbers = expose(radiance, float(sequence.exposures[position]), seed=seed, frame=position)
        _write_frame(folder / "photos" / stem_of(sequence, position), sequence, shot, numbers)
    if sequence.moving:
        _save_mask(folder / "truth" / "motion_mask.png", touched)
    truth = json.dumps(_truth(take), indent=1, ensure_ascii=False)
    (folder / "truth" / "truth.json").write_text(truth + "\n", "utf-8")


def write_distractors(folder: Path, simulated: Path, seed: int) -> None:
    """Files in `folder`/photos that are no bracket: an equal burst, a lone shot, a duplicate, a text.

    They show the first sequence of `simulated` mirrored: another view, at no cost.
    """
    first = SEQUENCES[0]
    radiance = np.ascontiguousarray(np.load(simulated / "truth" / first.folder / "radiance.npy")[:, ::-1])
    burst = replace(
        first, steps=(0,) * 5, captured_at=datetime(2018, 7, 21, 17, 40, 2), first_number=6261, gap=0.12
    )
    lone = replace(first, steps=(1,), captured_at=datetime(2018, 7, 24, 9, 3, 44), first_number=6290)
    for sequence in (burst, lone):
        for position, shot in enumerate(shots_of(sequence)):
            frame = sequence.first_number + position
            numbers = expose(radiance, float(sequence.exposures[position]), seed=seed, frame=frame)
            _write_frame(folder / "photos" / stem_of(sequence, position), sequence, shot, numbers)
    original = simulated / "photos" / first.folder / f"{stem_of(first, 0)}.JPG"
    shutil.copyfile(original, folder / "photos" / f"Copy of {original.name}")
    (folder / "photos" / "notes.txt").write_text("Tripod plate is loose. Sensor needs cleaning.\n", "utf-8")


def _write_frame(path: Path, sequence: Sequence, shot: Shot, numbers: np.ndarray) -> None:
    """The camera's file or files of one frame, from its raw numbers (upright)."""
    if sequence.portrait:  # the camera was turned: the sensor's pixels lie a quarter turn to the left
        numbers = np.rot90(numbers, 1)
    if sequence.raw:
        path.with_name(path.name + ".DNG").write_bytes(encode_dng(bayer(numbers), shot))
    pixels = np.ascontiguousarray(picture(numbers, sequence.response))
    height, width = pixels.shape[:2]
    memory = io.BytesIO()
    exif = jpeg_exif(shot, width, height)
    Image.fromarray(pixels).save(memory, "JPEG", quality=95, subsampling="4:2:2", exif=exif)
    path.with_name(path.name + ".JPG").write_bytes(memory.getvalue())


def _save_mask(path: Path, mask: np.ndarray) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def _truth(take: Take) -> dict[str, object]:
    """What the camera's files themselves do not say, for truth.json."""
    sequence = take.sequence
    ending = ".DNG" if sequence.raw else ".JPG"
    frames = [
        {
            "file": stem_of(sequence, position) + ending,
            "seconds": float(sequence.exposures[position]),
            "matrix": take.matrices[position].tolist(),
        }
        for position in range(len(sequence.steps))
    ]
    encoded = RESPONSES[sequence.response](np.linspace(0.0, 1.0, 65))
    return {
        "kind": sequence.kind,
        "seed": take.seed,
        "flags": [flag for flag in FLAGS if getattr(sequence, flag)],
        "reference": frames[take.reference]["file"],
        "frames": frames,
        "matrix_convention": CONVENTION,
        "radiance_unit": UNIT,
        "response": sequence.response,
        "response_at_64ths": [round(float(value), 6) for value in encoded],
        "full_well": SENSOR.full_well,
        "read_noise": SENSOR.read_noise,
    }
