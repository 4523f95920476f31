"""A tiny finished dataset with everything that views have to cope with, and all views of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from sqlalchemy import select

from builder.atomic_files import digest_path, sha256_hex, write_folder_once
from builder.catalog import Exposure, Scene, catalog_url, open_catalog
from builder.export_formats import FORMATS, view_writer
from builder.export_formats.archive import write as write_archive
from builder.images import LinearPicture, encode_exr, encode_png, read_image
from tests.builder.exporting import export, lines
from tests.builder.faked_dataset import HEIGHT, WIDTH, FakeScene, fake_dataset, many_scenes

SIMULATED, AS_PNG = "simulated", "scene0002"
SCENES = [*many_scenes(9), FakeScene(SIMULATED, 51, rule_version="posterior-1:0123456789ab+simulated")]


def tiny_dataset(folder: Path) -> Path:
    """Ten scenes x three exposures in all three splits, one exposure a PNG, with HDR pictures."""
    data = fake_dataset(folder / "data", SCENES)
    _replace_by_png(data)
    dataset = export(data, folder / "exports", exact_splits=True).dataset
    _add_hdr_pictures(dataset)
    return dataset


def make_views(dataset: Path, output: Path) -> Path:
    """Every view and both archives in one folder."""
    for name in FORMATS:
        write = view_writer(name)
        write_folder_once(output / name, lambda view, write=write: write(dataset, view))
    for suffix in (".tar", ".zip"):
        write_archive(dataset, output / f"packed{suffix}")
    return output


def _replace_by_png(data: Path) -> None:
    """The brightest exposure of a scene as the alignment writes warped ones: 16 bits deep."""
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        query = select(Exposure).join(Scene).where(Scene.name == AS_PNG).order_by(Exposure.position.desc())
        row = session.scalars(query.limit(1)).one()
        content = encode_png(read_image(data / row.original_path).astype(np.uint16) * 257)
        row.original_path = row.aligned_path = f"originals/{AS_PNG}/02-warped.png"
        row.sha256 = sha256_hex(content)
        (data / row.original_path).write_bytes(content)
    catalog.close()


def _add_hdr_pictures(dataset: Path) -> None:
    """As `export --hdr` writes them, of made-up light: merging needs scenes that were really built."""
    table = dataset / "scenes.jsonl"
    documents = lines(table)
    for number, scene in enumerate(documents):
        light = np.full((HEIGHT, WIDTH, 3), 0.25 + number, np.float32)
        path = dataset / scene["split"] / "hdr" / f"{scene['scene']}.exr"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_exr(LinearPicture(light)))
        scene["hdr"] = {"path": path.relative_to(dataset).as_posix(), "scale": "1.0 = white of exposure 2"}
    write_documents(table, documents)


def write_documents(table: Path, documents: list[dict[str, object]]) -> None:
    """A changed scenes.jsonl, with the checksums that belong to it."""
    table.write_text("".join(json.dumps(one) + "\n" for one in documents))
    write_checksums(table.parent)


def write_checksums(dataset: Path) -> None:
    """The checksum list anew."""
    listing = dataset / "manifest-sha256.txt"
    names = sorted(
        path.relative_to(dataset).as_posix()
        for path in dataset.rglob("*")
        if path.is_file() and path != listing
    )
    listing.write_text("".join(f"{digest_path(dataset / name)}  {name}\n" for name in names))


if __name__ == "__main__":
    make_views(Path(sys.argv[1]), Path(sys.argv[2]))
