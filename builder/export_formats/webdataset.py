"""WebDataset shards (Aizman et al. 2019): `<split>-000000.tar` with `<scene>-<k>.input.jpg`, `.target.png`, `.json`.

A sample's key is its name up to the first dot; keys hold none. Inputs that the dataset keeps as PNG stay
`.input.png`, so ask for "input.jpg;input.png". `shards.csv` counts the samples of each shard.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path, PurePosixPath

from builder.dataset.finished import (
    Pair,
    checked_file,
    existing,
    link_notices,
    read_pairs,
    write_table,
)
from builder.dataset.splits import SPLITS
from builder.export_formats.archive import tar_entry

SHARD_BYTES = 1_000_000_000
TAR_BLOCK = 512


def write(dataset: Path, output: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
    """Fill `output` with shards of about `shard_bytes`, in the order of manifest.csv; train with a shuffling reader."""
    rows = []
    for split in SPLITS:
        in_split = (pair for pair in read_pairs(dataset) if pair.split == split)
        for number, pairs in _shards(dataset, in_split, shard_bytes):
            name = f"{split}-{number:06d}.tar"
            rows.append((name, split, _write_shard(dataset, output / name, pairs)))
    write_table(output / "shards.csv", ("shard", "split", "samples"), rows)
    link_notices(dataset, output)


def _shards(dataset: Path, pairs: Iterable[Pair], limit: int) -> Iterator[tuple[int, Iterator[Pair]]]:
    """(number, pairs) of each shard: a new one where the next sample would pass the limit."""

    def numbered() -> Iterator[tuple[int, Pair]]:
        number = filled = 0
        for pair in pairs:
            size = _sample_bytes(dataset, pair)
            if filled and filled + size > limit:
                number, filled = number + 1, 0
            filled += size
            yield number, pair

    for number, members in groupby(numbered(), key=lambda one: one[0]):
        yield number, (pair for _, pair in members)


def _write_shard(dataset: Path, path: Path, pairs: Iterable[Pair]) -> int:
    """How many samples were written."""
    count = 0
    with path.open("wb") as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as shard:
            for pair in pairs:
                _add_sample(dataset, shard, pair)
                count += 1
        stream.flush()
        os.fsync(stream.fileno())
    return count


def _add_sample(dataset: Path, shard: tarfile.TarFile, pair: Pair) -> None:
    pictures = ("input", pair.input, pair.input_sha256), ("target", pair.reference, pair.reference_sha256)
    for role, name, sha256 in pictures:
        size = existing(dataset, name).stat().st_size
        entry = tar_entry(f"{pair.key}.{role}{PurePosixPath(name).suffix}", size=size)
        with checked_file(dataset, name, sha256) as content:
            shard.addfile(entry, content)
    facts = _facts(pair)
    shard.addfile(tar_entry(f"{pair.key}.json", size=len(facts)), io.BytesIO(facts))


def _facts(pair: Pair) -> bytes:
    return (json.dumps({**asdict(pair), "position": pair.position}, allow_nan=False) + "\n").encode()


def _sample_bytes(dataset: Path, pair: Pair) -> int:
    sizes = [existing(dataset, name).stat().st_size for name in (pair.input, pair.reference)]
    return sum(TAR_BLOCK + -(-size // TAR_BLOCK) * TAR_BLOCK for size in [*sizes, len(_facts(pair))])
