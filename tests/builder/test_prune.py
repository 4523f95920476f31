"""What `prune` may take and what it must leave, above all what a study refers to."""

from __future__ import annotations

import json
import shutil

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, insert, select

from builder.catalog import Base, Candidate, DamagedCopy, Exposure, Scene, catalog_url, open_catalog
from builder.commands.prune import prune_dataset
from builder.settings import load_settings
from builder.store import Store
from tests.builder.test_build import rows

SCENE = "interior"


@pytest.fixture
def data(built, tmp_path):
    """A copy of the folder with one scene only, whose files may go."""
    for name in ("originals", "aligned", "fused", "previews"):
        shutil.copytree(built / name / SCENE, tmp_path / name / SCENE)
    for path in built.glob("catalog.sqlite*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def supersede(data, monkeypatch, algorithm="mertens2009"):
    """Let the settings leave an algorithm out and its row say so, as the next build would."""
    names = [row[0] for row in rows(data, select(Candidate.algorithm).distinct()) if row[0] != algorithm]
    monkeypatch.setenv("FOUNDRY_FUSE_ALGORITHMS", json.dumps(names))
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        for candidate in session.scalars(select(Candidate).where(Candidate.algorithm == algorithm)):
            candidate.status = "superseded"
    catalog.close()


def prune(data):
    report = prune_dataset(data, load_settings(None), delete=True)
    return set(report.tables["Not needed"]["file"])


@pytest.fixture
def settings_of_the_build(monkeypatch, built):
    (run,) = built.glob("runs/*/run.json")
    chosen = json.loads(run.read_text())["settings"]["fuse"]["algorithms"]
    monkeypatch.setenv("FOUNDRY_FUSE_ALGORITHMS", json.dumps(chosen))


def refer(data, table, query):
    """What a study does: a table that the builder does not know points to a row."""
    catalog = open_catalog(catalog_url(data))
    foreign = MetaData()
    Base.metadata.tables[table].to_metadata(foreign)
    study = Table(
        "foreign_study",
        foreign,
        Column("id", Integer, primary_key=True),
        Column("target", ForeignKey(f"{table}.id", ondelete="RESTRICT"), nullable=False),
    )
    study.create(catalog.engine)
    with catalog.writing() as session:
        session.execute(insert(study).values(target=session.scalar(query)))
    catalog.close()


def scene_id():
    return select(Scene.id).where(Scene.name == SCENE).scalar_subquery()


def candidate(algorithm):
    return select(Candidate.id).where(Candidate.algorithm == algorithm, Candidate.scene_id == scene_id())


def folders(data):
    return {path.name for path in (data / "previews" / SCENE).iterdir() if path.is_dir()}


@pytest.mark.usefixtures("settings_of_the_build")
def test_nothing_of_a_current_scene_goes(data):
    before = folders(data)
    assert prune(data) == set()
    assert folders(data) == before


@pytest.mark.usefixtures("settings_of_the_build")
def test_a_superseded_candidate_goes_with_its_previews_and_damaged_copies(data, monkeypatch):
    sound = select(Candidate.algorithm).join(DamagedCopy).where(DamagedCopy.scene_id == scene_id()).distinct()
    ((algorithm,),) = rows(data, sound)
    supersede(data, monkeypatch, algorithm)
    gone = {name.split("/")[2].rsplit("-", 1)[0] for name in prune(data)}
    assert {algorithm, "halo-clear", "ghost-strong"} <= gone
    assert rows(data, candidate(algorithm)) == []
    assert rows(data, select(DamagedCopy.id).where(DamagedCopy.scene_id == scene_id())) == []
    assert not list((data / "fused" / SCENE).glob(f"{algorithm}-*"))


@pytest.mark.usefixtures("settings_of_the_build")
@pytest.mark.parametrize("target", ["candidate", "damaged_copy"])
def test_a_superseded_candidate_that_a_study_holds_stays(data, monkeypatch, target):
    ((algorithm,),) = rows(
        data,
        select(Candidate.algorithm).join(DamagedCopy).where(DamagedCopy.scene_id == scene_id()).distinct(),
    )
    copies = select(DamagedCopy.id).where(DamagedCopy.scene_id == scene_id())
    refer(data, target, candidate(algorithm) if target == "candidate" else copies.limit(1))
    before = folders(data)
    supersede(data, monkeypatch, algorithm)
    prune(data)
    assert rows(data, candidate(algorithm)) != []
    assert len(rows(data, copies)) == 10
    assert folders(data) == before
    assert list((data / "fused" / SCENE).glob(f"{algorithm}-*.png"))


@pytest.mark.usefixtures("settings_of_the_build")
@pytest.mark.parametrize("is_held", [False, True])
def test_previews_of_an_older_kind_stay_only_where_a_study_shows_them(data, monkeypatch, is_held):
    """Exposures are the hard case: no row of theirs can be referred to, only their scene."""
    old = {
        path for (path,) in rows(data, select(Exposure.preview_path).where(Exposure.scene_id == scene_id()))
    }
    if is_held:
        refer(data, "scene", select(scene_id()))
    monkeypatch.setenv("FOUNDRY_PREVIEW_QUALITY", "90")
    prune(data)
    assert {path for path in old if (data / path).is_dir()} == (old if is_held else set())


@pytest.mark.usefixtures("settings_of_the_build")
def test_damaged_copies_stay_when_the_scene_is_no_practice_scene_any_more(data, monkeypatch):
    monkeypatch.setenv("FOUNDRY_PREVIEW_PRACTICE_SCENES", "0")
    before = folders(data)
    assert prune(data) == set()
    assert folders(data) == before
    found = [product for product in Store(data).products("previews", SCENE) if "damage" in product.settings]
    assert len(found) == 10
