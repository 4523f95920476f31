"""589 simulated brackets with 4,413 frames: as many as SICE has (Cai, Gu, Zhang, IEEE TIP 2018), in small."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from builder.simulate.files import write_sequence
from builder.simulate.sequences import SEQUENCES, Sequence, variant_of

SCENES, FRAMES = 589, 4413
SPAN = 12  # EV between the outer frames, at most
SEED = 589


def take_photographs(folder: Path, scenes: int, size: tuple[int, int], processes: int) -> int:
    """Writes `scenes` folders of photographs, what is missing of them; returns the number of their frames."""
    folder.mkdir(parents=True, exist_ok=True)
    sequences = [sequence_of(index) for index in range(scenes)]
    with ProcessPoolExecutor(processes) as pool:
        taken = [pool.submit(_take, folder, sequence, size, SEED + i) for i, sequence in enumerate(sequences)]
        for future in taken:
            future.result()
    return sum(len(sequence.steps) for sequence in sequences)


def sequence_of(index: int) -> Sequence:
    """One of the six kinds in turn, seen from elsewhere each time, with 5, 7 or 9 frames."""
    sequence = variant_of(SEQUENCES[index % len(SEQUENCES)], index // len(SEQUENCES))
    frames = _frames_of(index)
    step = min(max(abs(s) for s in sequence.steps) * 2 // (len(sequence.steps) - 1), SPAN // (frames - 1))
    middle = frames // 2
    return replace(sequence, steps=tuple(step * (k - middle) for k in range(frames)))


def _frames_of(index: int) -> int:
    """Of 589: 100 of 5 frames, 244 of 7 and 245 of 9, in no order; in all 4,413."""
    place = index * 211 % SCENES  # 211 has no factor in common with 589: each place once
    return 5 if place < 100 else 7 if place < 344 else 9


def _take(folder: Path, sequence: Sequence, size: tuple[int, int], seed: int) -> None:
    final = folder / sequence.folder
    if final.exists():
        return
    scratch = folder.parent / f"unfinished-{sequence.folder}"
    shutil.rmtree(scratch, ignore_errors=True)
    for part in ("photos", "truth"):
        (scratch / part).mkdir(parents=True)
    write_sequence(scratch, sequence, size, seed)
    os.rename(scratch / "photos", final)
    shutil.rmtree(scratch)
