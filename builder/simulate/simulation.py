"""Photographs of the six scenes on disk, with the truth beside them; or one bracket in memory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from builder.simulate import take as takes
from builder.simulate.camera import expose, picture
from builder.simulate.files import write_distractors, write_sequence
from builder.simulate.sequences import KINDS, SEQUENCES, variant_of

DEFAULT_SEED, DEFAULT_SIZE, DEFAULT_COUNT = 2018, (960, 640), 6
SMALLEST, LARGEST = 32, 8192  # pixels a side
MOST = 6000  # sequences
DISTRACTORS = "odds and ends"
BRACKET_SPAN = 12.0  # EV between the outer frames of `render_bracket`, at most 2 EV a step
Writer = Callable[[Path], None]


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
    size: tuple[int, int] = DEFAULT_SIZE,
    count: int = DEFAULT_COUNT,
    on_scene: Callable[[str], None] | None = None,
) -> SimulationReport:
    """Writes `count` sequences of camera files (`photos/`) with their truth (`truth/`), and distractors.

    `size` is the sensor's width and height in pixels, both even. The same seed gives the same bytes. A folder
    appears whole or not at all, and stays: a second call does only what is missing. `on_scene` hears each
    folder's name before it is made. Raises ValueError for impossible arguments or where another seed or size
    was simulated.
    """
    output = Path(output)
    _check(seed, size, count)
    _claim(output, seed, size)
    written, present = [], []
    for name, write in _jobs(output, seed, size, count):
        if (output / "photos" / name).exists():
            present.append(name)
            continue
        if on_scene is not None:
            on_scene(name)
        _make_whole(output, name, write)
        written.append(name)
    return SimulationReport(output / "photos", output / "truth", tuple(written), tuple(present))


def render_bracket(
    kind: str, width: int, height: int, frames: int, *, seed: int = DEFAULT_SEED
) -> tuple[list[np.ndarray], list[float]]:
    """A bracket in memory: uint8 frames (height, width, 3), dark to bright, and their true seconds.

    Nothing moves and the camera stands still. Beyond a megapixel the scene is rendered smaller, enlarged and
    given fine grain. Raises ValueError for an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"scene kind: found {kind!r}; known are {', '.join(KINDS)}")
    sequence = replace(KINDS[kind], hand_held=False, moving=False)
    take = takes.prepare(sequence, width, height, seed)
    radiance = takes.still_radiance(take)
    step = min(2.0, BRACKET_SPAN / max(frames - 1, 1))
    reference = float(sequence.reference_seconds)
    seconds = [reference * 2.0 ** (step * (k - (frames - 1) / 2)) for k in range(frames)]
    pictures = [
        picture(expose(radiance, s, seed=seed, frame=k), sequence.response) for k, s in enumerate(seconds)
    ]
    return pictures, seconds


def _jobs(output: Path, seed: int, size: tuple[int, int], count: int) -> Iterator[tuple[str, Writer]]:
    """Folder names and what writes them, in order."""
    for index in range(count):
        sequence = variant_of(SEQUENCES[index % len(SEQUENCES)], index // len(SEQUENCES))
        own_seed = seed * MOST + index
        yield sequence.folder, partial(write_sequence, sequence=sequence, size=size, seed=own_seed)
    yield DISTRACTORS, partial(write_distractors, simulated=output, seed=seed)


def _check(seed: int, size: tuple[int, int], count: int) -> None:
    if any(side % 2 or not SMALLEST <= side <= LARGEST for side in size):
        raise ValueError(
            f"size: found {size[0]}x{size[1]}; both sides must be even, {SMALLEST} to {LARGEST} pixels"
        )
    if not 1 <= count <= MOST:
        raise ValueError(f"count: found {count}; 1 to {MOST} sequences can be simulated")
    if seed < 0:
        raise ValueError(f"seed: found {seed}; it must be 0 or more")


def _claim(output: Path, seed: int, size: tuple[int, int]) -> None:
    """Notes seed and size in the folder, so that no two simulations mix."""
    wanted = {"seed": seed, "width": size[0], "height": size[1]}
    note = output / "simulation.json"
    if note.exists():
        found = json.loads(note.read_text("utf-8"))
        if found != wanted:
            raise ValueError(
                f"{output}: holds a simulation with {found}, asked for is one with {wanted}; "
                "choose another folder or delete this one"
            )
    for name in ("photos", "truth"):
        (output / name).mkdir(parents=True, exist_ok=True)
    unfinished = output / "unfinished-simulation.json"
    unfinished.write_text(json.dumps(wanted) + "\n", "utf-8")
    os.replace(unfinished, note)


def _make_whole(output: Path, name: str, write: Writer) -> None:
    """Lets `write` fill photos/ and truth/ of a scratch folder, then moves both in place, photos last."""
    scratch = output / f"unfinished-{name}"
    if scratch.exists():  # left by a run that was killed
        shutil.rmtree(scratch)
    for part in ("photos", "truth"):
        (scratch / part).mkdir(parents=True)
    write(scratch)
    for part in ("truth", "photos"):
        final = output / part / name
        if final.exists():  # the truth of a run that was killed between the two moves
            shutil.rmtree(final)
        if any((scratch / part).iterdir()):
            os.rename(scratch / part, final)
    shutil.rmtree(scratch)
