"""A data folder of tiny scenes as if it had been built and judged: quick to make, and full of private facts."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import IFD, Base

from builder.atomic_files import sha256_hex
from builder.catalog import Candidate, Exposure, Reference, Scene, catalog_url, open_catalog
from builder.images import encode_png

WIDTH, HEIGHT = 48, 32
ALGORITHMS = ("mertens2009", "li2013", "bruce2014")
SERIAL, OWNER, ARTIST = "SN-0815-4711-XY", "Erika Mustermann", "Photo Mustermann Ltd"
COMMENT, PLACE, XMP_SECRET = "seen at our summer house", b"GARDEN-OF-ERIKA", "xmp:CreatorTool=SecretTool"
NOON = datetime(2018, 7, 20, 12)
VOTED_AT = datetime(2026, 11, 3, 14, 7, 59)
SETTINGS = '[export]\nlicense = "CC-BY-4.0"\ntitle = "Tiny brackets"\ncreator = "A lab"\nurl = "https://example.org/t"\n'


@dataclass(frozen=True)
class FakeScene:
    """One scene to fake; `view` is the seed of what it shows."""

    name: str
    view: int
    verdict: str | None = "accept"
    rule_version: str = "posterior-1:0123456789ab"
    flags: tuple[str, ...] = ()
    status: str = "ready"
    group: str | None = None
    exposures: int = 3
    brightness: float = 1.0
    captured_at: datetime | None = None  # None: another day for every view


def view_of(seed: int, *, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.float32]:
    """Light in [0, 1] of a view that no other seed resembles."""
    coarse = np.random.default_rng(seed).random((10, 14, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0.02, 1)


def camera_jpeg(pixels: NDArray[np.uint8], number: int, captured_at: datetime) -> bytes:
    """A JPEG with all that cameras and their owners put into files."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model], exif[Base.Artist] = "Fabrik", "K 1", ARTIST
    exif[Base.ImageDescription] = f"IMG_{number:04d}"
    exif.get_ifd(IFD.Exif).update(
        {
            Base.BodySerialNumber: SERIAL,
            Base.CameraOwnerName: OWNER,
            Base.DateTimeOriginal: captured_at.strftime("%Y:%m:%d %H:%M:%S"),
            Base.ExposureTime: 0.01,
        }
    )
    exif.get_ifd(IFD.GPSInfo).update(
        {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0), 28: PLACE}
    )
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "JPEG", quality=92, exif=exif, comment=COMMENT)
    data = memory.getvalue()
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + XMP_SECRET.encode()
    iptc = b"Photoshop 3.0\x008BIM\x04\x04" + OWNER.encode()
    extra = b"".join(
        bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload
        for marker, payload in ((0xE1, xmp), (0xED, iptc))
    )
    return data[:2] + extra + data[2:] + b"\xff\xd8trailing preview of " + OWNER.encode()


def fake_dataset(data: Path, scenes: list[FakeScene], *, settings: str = SETTINGS) -> Path:
    """Write originals, candidates and the catalog; returns `data`."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "project.toml").write_text(settings)
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        for scene in scenes:
            row = _scene_row(data, scene)
            session.add(row)
            session.flush()
            if scene.verdict is not None:
                session.add(_reference(row, scene))
    catalog.close()
    return data


def many_scenes(count: int) -> list[FakeScene]:
    """So many scenes of as many views."""
    return [FakeScene(f"scene{number:04d}", number) for number in range(count)]


def _scene_row(data: Path, scene: FakeScene) -> Scene:
    light = np.clip(view_of(scene.view) * scene.brightness, 0, 1)
    middle = scene.exposures // 2
    row = Scene(
        name=scene.name, group_name=scene.group or scene.name, status=scene.status, width=WIDTH, height=HEIGHT,
        crop=[0, 0, WIDTH, HEIGHT], reference_position=middle, ghost_score=0.0, flags=list(scene.flags),
    )  # fmt: skip
    taken = scene.captured_at or datetime(2018, 1, 1, 12) + timedelta(days=scene.view)
    for position in range(scene.exposures):
        ev = 2.0 * (position - middle)
        pixels = np.round(255 * np.clip(light * 2**ev, 0, 1) ** (1 / 2.2)).astype(np.uint8)
        number = (scene.view * 10 + position) % 10_000
        content = camera_jpeg(pixels, number, taken)
        path = f"originals/{scene.name}/{position:02d}-IMG_{number:04d}.jpg"
        _write(data / path, content)
        method = "reference" if position == middle else "identity"
        row.exposures.append(
            Exposure(
                position=position, original_path=path, sha256=sha256_hex(content), seconds=0.01 * 2**ev,
                f_number=8.0, iso=100.0, relative_ev=ev, captured_at=taken, aligned_path=path,
                transform={"method": method, "residual_px": 0.01},
            )
        )  # fmt: skip
    for rank, algorithm in enumerate(ALGORITHMS):
        content = encode_png(np.round(255 * light ** (1 / (2.0 + 0.1 * rank))).astype(np.uint8))
        key = sha256_hex(f"{scene.name} {algorithm}".encode())
        path = f"fused/{scene.name}/{algorithm}-{key[:12]}.png"
        _write(data / path, content)
        row.candidates.append(
            Candidate(
                algorithm=algorithm, revision=1, parameters={}, key=key, path=path, sha256=sha256_hex(content),
                status="done", quality=0.9, gate_failures=[],
            )
        )  # fmt: skip
    return row


def _reference(row: Scene, scene: FakeScene) -> Reference:
    accepted = scene.verdict in ("accept", "accept-equivalent")
    chosen = row.candidates[scene.view % len(ALGORITHMS)]
    votes = {one.key: 9 if one is chosen else 1 for one in row.candidates}
    equals = [one.key for one in row.candidates[:2]] if scene.verdict == "accept-equivalent" else [chosen.key]
    return Reference(
        scene_id=row.id, candidate_id=chosen.id if accepted else None, verdict=str(scene.verdict),
        co_best=equals if accepted else [], raters=11, votes_by_candidate=votes, p_best=0.97,
        acceptable_share=0.9, rule_version=scene.rule_version, votes_digest="d" * 64, decided_at=VOTED_AT,
    )  # fmt: skip


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


MORNING = datetime(2019, 3, 2, 9)
LEFT_OUT = {
    "moving": "dynamic",
    "refused": "reject",
    "unclear": "ambiguous",
    "voided": "void",
    "undecided": "no-reference",
    "crooked": "not-aligned",
    "broken": "not-built",
}
JUDGED_SCENES = [
    *many_scenes(12),
    FakeScene("equals", 50, "accept-equivalent"),
    FakeScene("simulated", 51, rule_version="posterior-1:0123456789ab+simulated"),
    FakeScene("img_0520", 52),  # named after its first camera file
    FakeScene("twin", 53),
    FakeScene("twin-brighter", 53, brightness=0.93, captured_at=MORNING),
    FakeScene("market-1", 54, group="market"),
    FakeScene("market-2", 55, group="market"),
    FakeScene("moving", 60, flags=("dynamic",)),
    FakeScene("refused", 61, "reject"),
    FakeScene("unclear", 62, "ambiguous"),
    FakeScene("voided", 63, "void"),
    FakeScene("undecided", 64, None),
    FakeScene("crooked", 65, status="rejected"),
    FakeScene("broken", 66, status="failed"),
]
