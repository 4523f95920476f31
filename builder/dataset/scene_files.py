"""The files of one scene in a dataset, and the facts about them: one scene in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from builder.atomic_files import replace_file, sha256_hex
from builder.catalog import Candidate, Exposure, Reference, Scene
from builder.dataset.records import (
    CandidateFact,
    FileFact,
    HdrFact,
    InputFact,
    ReferenceFact,
    SceneFact,
)
from builder.dataset.selection import ChosenScene
from builder.dataset.splits import Place
from builder.images import (
    LinearPicture,
    as_8_bit,
    decode_image,
    encode_exr,
    encode_png,
    read_bytes,
    read_header,
    sniff_kind,
    without_metadata,
)
from builder.scene_record import read_scene
from builder.settings import ScanSettings, Settings
from builder.stages.align import align_scene, alignment_recipe
from builder.store import Store
from fusion_algos.radiance import merge

HALF_MAXIMUM = 65504.0
HDR_RESPONSE = "debevec"
NOT_CHOSEN = "not-chosen"
USUAL_FRAMES, START_OF_SCAN = (0xC0, 0xC1, 0xC2), 0xDA  # baseline, extended, progressive with Huffman codes
CHANNELS_BYTE = 9  # of the frame segment: marker 2, length 2, precision 1, height 2, width 2, channels


class DamagedScene(ValueError):
    """A file of the scene is not what the catalog says; the message names it."""


@dataclass(frozen=True)
class Extras:
    """What is added to inputs and references."""

    hdr: bool = False
    candidates: bool = False


class SceneWriter:
    """Writes scenes into the folder of an unfinished dataset."""

    def __init__(self, data: Path, dataset: Path, settings: Settings, extras: Extras) -> None:
        self._data = data
        self._dataset = dataset
        self._settings = settings
        self._limits: ScanSettings = settings.scan
        self._extras = extras
        self._store = Store(data)

    def write(self, session: Session, chosen: ChosenScene, place: Place) -> SceneFact:
        """Write all files of one scene. DamagedScene or UnreadableImage if one cannot be used."""
        scene = session.get_one(Scene, chosen.id)
        inputs = tuple(self._input(scene, exposure, place) for exposure in scene.exposures)
        reference = self._reference(session, chosen, place)
        candidates, files = self._candidates(session, scene, chosen, place)
        hdr = self._hdr(scene, place) if self._extras.hdr else None
        years = {row.captured_at.year for row in scene.exposures if row.captured_at}
        return SceneFact(
            name=place.name,
            split=place.split,
            group=place.joined,
            number=place.number,
            width=int(scene.width or 0),
            height=int(scene.height or 0),
            year=min(years) if years else None,
            flags=tuple(scene.flags),
            ghost_score=scene.ghost_score,
            inputs=inputs,
            reference=reference,
            candidates=candidates,
            candidate_files=files,
            hdr=hdr,
        )

    def _input(self, scene: Scene, exposure: Exposure, place: Place) -> InputFact:
        content, as_shot = self._input_bytes(scene, exposure)
        suffix = "jpg" if as_shot else "png"
        path = f"{place.split}/inputs/{place.name}/{exposure.position + 1}.{suffix}"
        transform = exposure.transform or {}
        return InputFact(
            file=self._put(path, content),
            relative_ev=exposure.relative_ev,
            seconds=exposure.seconds,
            f_number=exposure.f_number,
            iso=exposure.iso,
            residual=transform.get("residual_px"),
            alignment=str(transform.get("method", "")),
            as_shot=as_shot,
        )

    def _input_bytes(self, scene: Scene, exposure: Exposure) -> tuple[bytes, bool]:
        """A file that decodes to the aligned frame, and whether it is the camera's JPEG without its metadata."""
        path = str(exposure.aligned_path)
        content = read_bytes(self._data / path, self._limits)
        if path != exposure.original_path:
            self._require(self._stored_sha256(scene.name, path), content, path)
            return content, False
        self._require(exposure.sha256, content, path)
        header = read_header(content, name=path, limits=self._limits)
        is_plain = header.kind == "jpeg" and header.orientation == 1 and not header.icc_profile
        if is_plain and (header.width, header.height) == (scene.width, scene.height):
            stripped = without_metadata(content, name=path)
            if _has_color(stripped):
                return stripped, True
        pixels = decode_image(content, name=path, limits=self._limits)
        return encode_png(as_8_bit(pixels)), False

    def _reference(self, session: Session, chosen: ChosenScene, place: Place) -> ReferenceFact:
        candidate = session.get_one(Candidate, chosen.candidate_id)
        row = session.get_one(Reference, chosen.reference_id) if chosen.reference_id is not None else None
        votes = {key: int(count) for key, count in row.votes_by_candidate.items()} if row else {}
        names = {one.key: one.algorithm for one in candidate.scene.candidates}
        content = self._candidate_bytes(candidate)
        return ReferenceFact(
            file=self._put(f"{place.split}/references/{place.name}.png", content),
            algorithm=candidate.algorithm,
            revision=candidate.revision,
            parameters=candidate.parameters,
            key=candidate.key,
            verdict=row.verdict if row else NOT_CHOSEN,
            raters=row.raters if row else 0,
            p_best=row.p_best if row else None,
            acceptable_share=row.acceptable_share if row else None,
            first_picks=votes.get(candidate.key, 0),
            margin=_margin(votes, candidate.key, row.co_best if row else ()),
            co_best=tuple(names[key] for key in row.co_best if key in names) if row else (),
            rule_version=row.rule_version if row else "",
            stamp=chosen.stamp,
        )

    def _candidates(
        self, session: Session, scene: Scene, chosen: ChosenScene, place: Place
    ) -> tuple[tuple[CandidateFact, ...], tuple[FileFact, ...]]:
        row = session.get_one(Reference, chosen.reference_id) if chosen.reference_id is not None else None
        votes = row.votes_by_candidate if row else {}
        facts, files = [], []
        for one in sorted(scene.candidates, key=lambda one: (one.algorithm, one.key)):
            if one.status == "superseded" and one.id != chosen.candidate_id and one.key not in votes:
                continue
            path = ""
            if self._extras.candidates and one.status in ("done", "superseded") and one.path:
                path = f"{place.split}/candidates/{place.name}/{one.algorithm}-{one.key[:8]}.png"
                files.append(self._put(path, self._candidate_bytes(one)))
            facts.append(
                CandidateFact(
                    one.algorithm, one.revision, one.parameters, one.key, one.sha256 or "", one.status,
                    int(votes[one.key]) if one.key in votes else None, one.id == chosen.candidate_id,
                    bool(row and one.key in row.co_best), one.quality, tuple(one.gate_failures), one.imported,
                    path,
                )
            )  # fmt: skip
        return tuple(facts), tuple(files)

    def _hdr(self, scene: Scene, place: Place) -> HdrFact:
        """Linear light merged from all exposures; 1.0 is the white of the reference exposure."""
        record = read_scene(self._data, scene.name)
        if self._store.find(alignment_recipe(record, self._settings)) is None:
            raise ValueError(
                f"scene {scene.name!r} was not aligned with the present settings ([align] in project.toml), so its "
                f"light cannot be merged; run `build` again, or export without --hdr"
            )
        aligned = align_scene(self._store, record, self._settings)
        stack = aligned.stack()
        radiance = merge(stack, response=HDR_RESPONSE)
        middle = stack.order.index(scene.reference_position or 0)
        radiance *= np.float32(stack.relative_seconds[middle])
        scale = f"linear Rec.709; 1.0 = white of exposure {(scene.reference_position or 0) + 1}"
        if stack.seconds_are_estimated:
            scale += "; exposure ratios estimated from the pixels"
        response = "sensor" if stack.linear_images is not None else "recovered"
        texts = {"scale": scale, "response": response}
        clipped = int(np.count_nonzero((radiance > HALF_MAXIMUM).any(axis=2)))
        content = encode_exr(LinearPicture(radiance, texts))
        path = f"{place.split}/hdr/{place.name}.exr"
        return HdrFact(self._put(path, content), scale, response, float(radiance.max()), clipped)

    def _candidate_bytes(self, candidate: Candidate) -> bytes:
        path = str(candidate.path)
        content = read_bytes(self._data / path, self._limits)
        self._require(candidate.sha256 or "", content, path)
        if sniff_kind(content) != "png":
            raise DamagedScene(f"{path} is not a PNG; build the scene again")
        return content

    def _stored_sha256(self, scene: str, path: str) -> str:
        """What the alignment's sidecar says of a frame; "" if no finished product has it."""
        files = (file for product in self._store.products("aligned", scene) for file in product.files)
        return next((file.sha256 for file in files if file.path == path), "")

    def _require(self, sha256: str, content: bytes, path: str) -> None:
        if sha256_hex(content) != sha256:
            raise DamagedScene(
                f"{path} is not the file that the catalog describes (its SHA-256 differs); put it back, or delete "
                f"it and build again"
            )

    def _put(self, path: str, content: bytes) -> FileFact:
        replace_file(self._dataset / path, content)
        return FileFact(path, sha256_hex(content), len(content))


def _margin(votes: dict[str, int], key: str, equals: Sequence[str]) -> float | None:
    """Share of first picks minus the largest of those that do not share the verdict.

    Near-duplicates all carry their common item's picks, so equals are left out of the comparison.
    """
    others = {other: count for other, count in votes.items() if other != key and other not in equals}
    total = votes.get(key, 0) + sum(others.values())
    if not total:
        return None
    return round((votes.get(key, 0) - max(others.values(), default=0)) / total, 3)


def _has_color(jpeg: bytes) -> bool:
    """Whether the frame has three channels: other loaders would read a gray file as HxW."""
    position = 2
    while jpeg[position + 1] != START_OF_SCAN:
        if jpeg[position + 1] in USUAL_FRAMES:
            return jpeg[position + CHANNELS_BYTE] == 3
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
    return False  # arithmetic coding, which most loaders cannot read
