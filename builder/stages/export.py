"""From catalog and references to a dataset that others can use: selected, examined, split, written, described."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from builder.atomic_files import digest_path, new_text
from builder.catalog import Candidate, Catalog, Reference, Scene
from builder.dataset.datasheet import write_descriptions
from builder.dataset.examination import Examined, examine
from builder.dataset.frozen_splits import read_groups, read_lock, write_lock
from builder.dataset.records import Excluded, SceneFact
from builder.dataset.scene_files import DamagedScene, Extras, SceneWriter
from builder.dataset.selection import ChosenScene, Selection, reference_algorithm, select_scenes
from builder.dataset.splits import Member, Place, Shares, place_scenes
from builder.dataset.summary import Summary
from builder.dataset.tables import open_tables, write_excluded, write_groups
from builder.dataset.unfinished import UnfinishedDataset
from builder.images import UnreadableImage
from builder.settings import ExportSettings, Settings
from builder.store import canonical_json

EXPORT_REVISION = 1  # raise it when the same scene would give other files
CHECKSUMS = "manifest-sha256.txt"
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}")
NO_EXTRAS = Extras()
OnScene = Callable[[str, str, int], None]  # stage, scene, number of scenes of this stage


@dataclass(frozen=True)
class ExportRequest:
    """What was asked for on the command line."""

    output: Path
    version: str | None = None
    reference: str | None = None  # "algorithm:NAME"
    exact_splits: bool = False
    extras: Extras = NO_EXTRAS


@dataclass(frozen=True)
class ExportOutcome:
    """What an export did."""

    dataset: Path
    places: tuple[Place, ...]
    excluded: tuple[Excluded, ...]
    damaged: tuple[tuple[str, str], ...]  # catalog's scene, what is wrong; not published
    kept: int  # scenes that an interrupted export had finished
    stamps: tuple[str, ...]


def check_request(settings: ExportSettings, request: ExportRequest) -> str:
    """The version to make. ValueError if the settings or the request do not allow an export."""
    if not settings.license:
        raise ValueError(
            'the export needs a licence: write it into project.toml, e.g. [export] license = "CC-BY-4.0". It says on '
            "which terms others may use these photographs; nobody can assume it for you"
        )
    version = request.version or settings.version
    if not VERSION.fullmatch(version):
        raise ValueError(f"version {version!r}: use letters, digits, '.', '_', '+' and '-', e.g. 1.0.0")
    return version


def require_new(dataset: Path) -> None:
    """ValueError if a dataset of this version is there."""
    if dataset.exists():
        raise ValueError(
            f"{dataset} is there already, and a published dataset is never overwritten; give another --version or "
            f"--output (--format and --archive add views to it)"
        )


def export_dataset(
    data: Path, settings: Settings, catalog: Catalog, request: ExportRequest, on_scene: OnScene
) -> ExportOutcome:
    """Write `output/version`; it appears only when it is complete.

    Raises ValueError for what a person can mend (no licence, no references, damaged lock), CannotWrite.
    """
    version = check_request(settings.export, request)
    require_new(request.output / version)
    algorithm = reference_algorithm(request.reference)
    by_hand, frozen = read_groups(data), read_lock(data)
    shares = Shares(settings.export.val_share, settings.export.test_share)
    work = _Export(data, settings, request, UnfinishedDataset(request.output, version), on_scene)
    with catalog.reading() as session:
        selection = select_scenes(session, algorithm, by_hand)
        examined = work.examine(session, selection.chosen, frozenset(by_hand))
        members = [Member(one.scene, one.name, one.group) for one in examined.passed]
        placement = place_scenes(
            members,
            examined.links,
            frozen,
            salt=settings.export.salt,
            shares=shares,
            exact=request.exact_splits,
        )
        written = work.write_scenes(session, examined.passed, placement.places)
    excluded = _all_excluded(selection, examined, placement.bridges, work.damaged)
    places = tuple(place for place in placement.places if place.name in written)
    work.describe(places, excluded, version)
    if algorithm is None:  # a trial freezes nothing
        write_lock(data, frozen, places)
    work.unfinished.finish()
    stamps = tuple(sorted({one.stamp for one in examined.passed if one.stamp}))
    return ExportOutcome(
        work.unfinished.final, places, excluded, tuple(work.damaged.items()), work.kept, stamps
    )


class _Export:
    """The writing part: scene by scene, then tables and descriptions."""

    def __init__(
        self,
        data: Path,
        settings: Settings,
        request: ExportRequest,
        unfinished: UnfinishedDataset,
        on_scene: OnScene,
    ) -> None:
        self.unfinished = unfinished
        self.damaged: dict[str, str] = {}
        self.kept = 0
        self._data = data
        self._settings = settings
        self._extras = request.extras
        self._writer = SceneWriter(data, unfinished.folder, settings, request.extras)
        self._on_scene = on_scene

    def examine(self, session: Session, chosen: Sequence[ChosenScene], by_hand: frozenset[str]) -> Examined:
        """Look at every scene before anything is written."""

        def looked_at(name: str) -> None:
            self._on_scene("examine", name, len(chosen))

        return examine(session, self._data, chosen, by_hand, self._settings.scan, looked_at)

    def write_scenes(
        self, session: Session, chosen: Sequence[ChosenScene], places: Sequence[Place]
    ) -> frozenset[str]:
        """Write what is not written; published names of the scenes that are. A damaged one is left out."""
        place_of = {place.scene: place for place in places}
        written = []
        for one in chosen:
            place = place_of.get(one.scene)
            if place is None:
                continue
            key = self._key(session, one, place)
            if self.unfinished.done(place.name, key) is not None:
                self.kept += 1
                written.append(place.name)
            else:
                try:
                    self.unfinished.note(self._writer.write(session, one, place), key)
                    written.append(place.name)
                except (DamagedScene, UnreadableImage) as error:
                    self.damaged[one.scene] = str(error)
            session.expunge_all()
            self._on_scene("write", place.name, len(places))
        return frozenset(written)

    def describe(self, places: Sequence[Place], excluded: Sequence[Excluded], version: str) -> None:
        """Tables, splits, descriptions and checksums of the written scenes."""
        folder, summary = self.unfinished.folder, Summary()
        sums: dict[str, str] = {}
        owners: dict[str, tuple[str, str]] = {}
        with open_tables(folder) as tables:
            for place in sorted(places, key=lambda place: place.name.encode()):
                scene = self.unfinished.read(place.name)
                tables.add(scene)
                summary.add(scene)
                _require_one_split(owners, scene)
                sums |= {file.path: file.sha256 for file in scene.files}
        write_excluded(folder, excluded)
        write_groups(folder, sorted(places, key=lambda place: place.name.encode()))
        settings = replace(self._settings.export, version=version)
        described = write_descriptions(folder, settings, summary, excluded)
        expected = {*sums, *described, *TABLE_FILES, CHECKSUMS}
        self.unfinished.remove_all_but(expected)
        _write_checksums(folder, self.unfinished.files(), sums)

    def _key(self, session: Session, one: ChosenScene, place: Place) -> str:
        """Digest of all that decides the scene's files and facts."""
        scene = session.get_one(Scene, one.id)
        reference = session.get(Reference, one.reference_id) if one.reference_id is not None else None
        recipe = {
            "revision": EXPORT_REVISION,
            "place": asdict(place),
            "stamp": one.stamp,
            "extras": asdict(self._extras),
            "candidate": session.get_one(Candidate, one.candidate_id).key,
            "reference": None
            if reference is None
            else [
                reference.verdict, reference.raters, reference.votes_by_candidate, reference.p_best,
                reference.acceptable_share, reference.rule_version, reference.co_best,
            ],
            "exposures": [
                [row.sha256, row.aligned_path, row.relative_ev, row.seconds, row.f_number, row.iso, row.transform]
                for row in scene.exposures
            ],
            "candidates": sorted((row.key, row.status, row.quality or 0.0) for row in scene.candidates),
            "scene": [scene.width, scene.height, scene.flags, scene.ghost_score],
        }  # fmt: skip
        return hashlib.sha256(canonical_json(recipe).encode()).hexdigest()


TABLE_FILES = (
    "manifest.csv", "scenes.jsonl", "candidates.csv", "excluded.csv", "splits/groups.csv",
    *(f"splits/{split}.txt" for split in ("train", "val", "test")),
    *(f"{split}/{name}" for split in ("train", "val", "test") for name in ("metadata.jsonl", "meta_info.txt")),
)  # fmt: skip


def _all_excluded(
    selection: Selection, examined: Examined, bridges: Mapping[str, str], damaged: Mapping[str, str]
) -> tuple[Excluded, ...]:
    by_scene = {one.scene: one for one in examined.passed}
    bridging = [
        Excluded(by_scene[scene].name, by_scene[scene].group, "bridges-splits", sentence)
        for scene, sentence in bridges.items()
    ]
    broken = [
        Excluded(by_scene[scene].name, by_scene[scene].group, "damaged", "a file of this scene is damaged")
        for scene in damaged
    ]
    return (*selection.excluded, *examined.excluded, *bridging, *broken)


def _require_one_split(owners: dict[str, tuple[str, str]], scene: SceneFact) -> None:
    """Different originals can hold the same picture once their metadata is gone."""
    for file in scene.files:
        split, name = owners.setdefault(file.sha256, (scene.split, scene.name))
        if split != scene.split:
            raise ValueError(
                f"{file.path} is the same picture as one of scene {name!r} in {split}; put both scenes into one group "
                f"in groups.csv"
            )


def _write_checksums(folder: Path, files: Iterator[str], known: Mapping[str, str]) -> None:
    """`sha256sum -c manifest-sha256.txt` checks the whole dataset."""
    names = [path for path in files if path != CHECKSUMS]
    with new_text(folder / CHECKSUMS) as stream:
        for path in names:
            stream.write(f"{known.get(path) or digest_path(folder / path)}  {path}\n")
