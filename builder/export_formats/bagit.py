"""A bag (BagIt 1.0, RFC 8493), as libraries and archives take data in: the dataset below `data/`, and checksums."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.atomic_files import digest_path, new_text
from builder.dataset.finished import dataset_files, existing, link

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
ESCAPED = (("%", "%25"), ("\n", "%0A"), ("\r", "%0D"))  # RFC 8493, 2.1.3


def write(dataset: Path, output: Path) -> None:
    """Fill `output`; the payload's checksums are the dataset's own, so a damaged file shows in the bag too."""
    files = dataset_files(dataset)
    for name in files:
        link(existing(dataset, name), output / "data" / name)
    _write(output / "bagit.txt", DECLARATION)
    _write(output / "bag-info.txt", "".join(_information(dataset, files)))
    _write(output / "manifest-sha256.txt", _checksums({f"data/{name}": sum_ for name, sum_ in files.items()}))
    tags = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt")
    _write(output / "tagmanifest-sha256.txt", _checksums({tag: digest_path(output / tag) for tag in tags}))


def _information(dataset: Path, files: Mapping[str, str]) -> Iterator[str]:
    """Lines of bag-info.txt, taken from croissant.json; no date, so that a bag is the same every day."""
    about = json.loads(existing(dataset, "croissant.json").read_text(encoding="utf-8"))
    size = sum((dataset / name).stat().st_size for name in files)
    labels = {
        "Source-Organization": about.get("creator", {}).get("name", ""),
        "External-Identifier": f"{about['name']} {about['version']}",
        "External-Description": about["description"],
        "Payload-Oxum": f"{size}.{len(files)}",
    }
    for label, text in labels.items():
        if text:
            yield f"{label}: {' '.join(text.split())}\n"


def _checksums(sums: Mapping[str, str]) -> str:
    return "".join(f"{sum_}  {_escaped(name)}\n" for name, sum_ in sums.items())


def _escaped(name: str) -> str:
    for sign, code in ESCAPED:
        name = name.replace(sign, code)
    return name


def _write(path: Path, text: str) -> None:
    with new_text(path) as stream:
        stream.write(text)
