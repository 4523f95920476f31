"""`croissant.json`: the dataset described for machines (MLCommons Croissant 1.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.atomic_files import digest_path
from builder.dataset.splits import SPLITS
from builder.settings import ExportSettings

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
LICENSE_ADDRESS = "https://spdx.org/licenses/{}.html"
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TEXT, FLOAT, INTEGER = "sc:Text", "sc:Float", "sc:Integer"
PAIR_FIELDS: tuple[tuple[str, str, str], ...] = (  # column of manifest.csv, type, what it is
    ("split", TEXT, "train, val or test"),
    ("group", TEXT, "scenes of one place; a group is never divided among splits"),
    ("scene", TEXT, "one bracket of exposures"),
    ("sice_number", INTEGER, "number of the scene in the SICE layout"),
    ("input", TEXT, "path of the exposure"),
    ("reference", TEXT, "path of the reference"),
    ("relative_ev", FLOAT, "exposure against the middle one, + brighter"),
    ("seconds", FLOAT, "exposure time as the camera printed it"),
    ("f_number", FLOAT, "aperture"),
    ("iso", FLOAT, "sensitivity"),
    ("width", INTEGER, "pixels"),
    ("height", INTEGER, "pixels"),
    ("input_sha256", TEXT, "checksum of the exposure's file"),
    ("reference_sha256", TEXT, "checksum of the reference's file"),
    ("algorithm", TEXT, "which candidate the reference is"),
    ("residual", FLOAT, "misplacement left after alignment, pixels"),
    ("ghost_score", FLOAT, "share of the picture whose content moved"),
    ("verdict", TEXT, "how the reference was decided"),
    ("stamp", TEXT, "empty, or why the reference must not be taken for people's choice"),
)


@dataclass(frozen=True)
class About:
    """What is said of the dataset in words."""

    name: str  # with its stamp
    description: str
    citation: str
    date: str  # of publication; "" if not known


def croissant_text(dataset: Path, settings: ExportSettings, about: About) -> str:
    """The description of a dataset whose tables are written."""
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": about.name,
        "description": about.description,
        "license": license_address(settings.license),
        "version": settings.version,
        "isLiveDataset": False,
        "citeAs": about.citation,
        "distribution": [
            *(_file_object(dataset, name) for name in ("manifest.csv", "excluded.csv")),
            *_sets(),
        ],
        "recordSet": [_split_records(), _pair_records()],
    }
    if settings.creator:
        document["creator"] = {"@type": "sc:Organization", "name": settings.creator}
    if settings.url:
        document["url"] = settings.url
    if about.date:
        document["datePublished"] = about.date
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def license_address(name: str) -> str:
    """An SPDX identifier as the address of its text; an address stays what it is."""
    return name if "://" in name or " " in name else LICENSE_ADDRESS.format(name)


def _file_object(dataset: Path, name: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{(dataset / name).stat().st_size} B",
        "encodingFormat": "text/csv",
        "sha256": digest_path(dataset / name),
    }


def _sets() -> list[dict[str, Any]]:
    """Pictures by split; their checksums are in manifest.csv."""
    kinds = (("inputs", ["image/jpeg", "image/png"]), ("references", ["image/png"]))
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"{split}-{kind}",
            "name": f"{split}-{kind}",
            "description": f"The {kind} of the split {split}.",
            "encodingFormat": formats,
            "includes": f"{split}/{kind}/**",
        }
        for split in SPLITS
        for kind, formats in kinds
    ]


def _split_records() -> dict[str, Any]:
    """Which splits there are, as the format wants it."""
    uses = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
    fields = [_data_field("splits", "name", TEXT), _data_field("splits", "url", "sc:URL")]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": fields,
        "data": [{"splits/name": name, "splits/url": use} for name, use in uses.items()],
    }


def _data_field(record_set: str, name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "dataType": kind}


def _pair_records() -> dict[str, Any]:
    fields: Sequence[dict[str, Any]] = [
        {
            "@type": "cr:Field",
            "@id": f"pairs/{name}",
            "name": name,
            "description": meaning,
            "dataType": kind,
            "source": {"fileObject": {"@id": "manifest.csv"}, "extract": {"column": name}},
            **({"references": {"field": {"@id": "splits/name"}}} if name == "split" else {}),
        }
        for name, kind, meaning in PAIR_FIELDS
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "pairs",
        "name": "pairs",
        "description": "An exposure and the reference of its scene.",
        "field": fields,
    }
