"""The export as a whole: what is in a dataset, what is not, and that it is the same every time."""

from __future__ import annotations

import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sqlalchemy import select

from builder.__main__ import main
from builder.atomic_files import digest_path, sha256_hex
from builder.catalog import Candidate, Reference, Scene, catalog_url, open_catalog
from builder.dataset.duplicates import hash_distance, perceptual_hash
from builder.images import encode_png, read_image
from tests.builder.exporting import contents, export, rows, splits_of
from tests.builder.faked_dataset import (
    JUDGED_SCENES,
    LEFT_OUT,
    VOTED_AT,
    FakeScene,
    fake_dataset,
    many_scenes,
)
from tests.builder.foundry import foundry_process


def test_two_exports_on_two_folders_are_byte_identical(judged, published, tmp_path):
    views = []
    for seed in ("1", "77"):
        own = tmp_path / f"elsewhere-{seed}" / "data"
        shutil.copytree(judged, own)
        answer = foundry_process("export", "--data", own, "--output", own.parent / "out", PYTHONHASHSEED=seed)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        made = contents(own.parent / "out" / "1.0.0")
        views.append({path: made.pop(path) for path in list(made) if path.startswith("views/")})
        assert made == contents(published)
        assert [path.name for path in (own.parent / "out").iterdir()] == ["1.0.0"]
    assert views[0] == views[1]
    assert {path.split("/")[1] for path in views[0]} == {"sice"}  # the view that is made unasked


def test_every_checksum_is_right_and_no_file_is_missing(published):
    sums = dict(
        reversed(line.split("  ", 1)) for line in (published / "manifest-sha256.txt").read_text().splitlines()
    )
    assert sorted(sums) == sorted(set(contents(published)) - {"manifest-sha256.txt"})
    assert all(digest_path(published / path) == sha256 for path, sha256 in sums.items())


def test_manifest_has_a_row_per_pair_with_facts_that_are_true(published):
    table = rows(published / "manifest.csv")
    accepted = len(JUDGED_SCENES) - len(LEFT_OUT)
    assert len(table) == accepted * 3
    assert sorted({int(row["sice_number"]) for row in table}) == list(range(1, accepted + 1))
    for row in table:
        exposure, reference = (read_image(published / row[column]) for column in ("input", "reference"))
        assert exposure.shape == reference.shape == (int(row["height"]), int(row["width"]), 3)
        assert digest_path(published / row["input"]) == row["input_sha256"]
        assert digest_path(published / row["reference"]) == row["reference_sha256"]
        assert row["input"].startswith(f"{row['split']}/inputs/{row['scene']}/")
    by_scene: dict[str, list[float]] = {}
    for row in table:
        by_scene.setdefault(row["scene"], []).append(float(row["relative_ev"]))
    assert all(evs == [-2.0, 0.0, 2.0] for evs in by_scene.values())


def test_inputs_are_the_cameras_pixels(judged, published):
    for k, name in enumerate(sorted((judged / "originals" / "scene0003").iterdir()), start=1):
        split = splits_of(published)["scene0003"]
        assert np.array_equal(
            read_image(name), read_image(published / split / "inputs/scene0003" / f"{k}.jpg")
        )


def test_scenes_left_out_are_named_with_their_reason(published):
    found = {row["scene"]: row["reason"] for row in rows(published / "excluded.csv")}
    assert found == LEFT_OUT
    assert all(len(row["sentence"]) > 20 for row in rows(published / "excluded.csv"))
    assert not set(found) & set(splits_of(published))


def test_splits_are_disjoint_by_group_by_file_and_by_look(published):
    splits, looks = splits_of(published), {}
    owners: dict[tuple[str, str], set[str]] = {}
    for row in rows(published / "manifest.csv"):
        assert splits[row["scene"]] == row["split"]
        for kind in ("group", "input_sha256", "reference_sha256"):
            owners.setdefault((kind, row[kind]), set()).add(row["split"])
        if row["relative_ev"] == "0":
            looks[row["scene"]] = perceptual_hash(read_image(published / row["input"]))
    assert all(len(found) == 1 for found in owners.values())
    near = [
        (one, other)
        for one in looks
        for other in looks
        if one < other and hash_distance(looks[one], looks[other]) <= 6
    ]
    assert near == [("twin", "twin-brighter")]
    assert splits["twin"] == splits["twin-brighter"]
    assert splits["market-1"] == splits["market-2"]
    groups = {row["scene"]: row["group"] for row in rows(published / "splits" / "groups.csv")}
    assert groups["twin"] == groups["twin-brighter"] == "twin"
    assert groups["market-1"] == groups["market-2"] == "market"


def test_a_hand_made_groups_file_wins_over_looks(judged, tmp_path):
    own = Path(shutil.copytree(judged, tmp_path / "data"))
    text = "scene,group\ntwin,twin\ntwin-brighter,other view\nscene0001,pair\nscene0002,pair\n"
    (own / "groups.csv").write_text(text)
    export(own, tmp_path / "out")
    groups = {row["scene"]: row["group"] for row in rows(tmp_path / "out/1.0.0/splits/groups.csv")}
    assert groups["twin"] != groups["twin-brighter"]
    assert groups["scene0001"] == groups["scene0002"] == "pair"


def test_adding_scenes_moves_none_and_changes_no_number(tmp_path):
    scenes = many_scenes(30)
    data = fake_dataset(tmp_path / "data", scenes[10:])
    first = export(data, tmp_path / "out", exact_splits=True)
    fake_dataset(data, scenes[:10])
    second = export(data, tmp_path / "out", exact_splits=True, version="1.1.0")
    before = {place.scene: (place.split, place.number) for place in first.places}
    after = {place.scene: (place.split, place.number) for place in second.places}
    assert {scene: after[scene] for scene in before} == before
    assert sorted(number for _, number in after.values()) == list(range(1, 31))
    counts = [sum(split == name for split, _ in after.values()) for name in ("train", "val", "test")]
    assert counts == [21, 3, 6]


def test_a_version_is_never_overwritten(judged, published):
    before = contents(published)
    with pytest.raises(ValueError, match="never overwritten"):
        export(judged, published.parent)
    assert contents(published) == before


@pytest.mark.parametrize("folder", ["originals", "fused"])
def test_a_file_that_is_not_the_one_the_catalog_means_is_not_published(judged, tmp_path, folder):
    """A sound picture of the same scene, but of another processing."""
    own = Path(shutil.copytree(judged, tmp_path / "data"))
    for path in (own / folder / "scene0002").iterdir():
        with Image.open(path) as opened:
            opened.quantize(64).convert("RGB").save(path)
    outcome = export(own, tmp_path / "out")
    assert [scene for scene, _ in outcome.damaged] == ["scene0002"]
    assert f"{folder}/scene0002/" in outcome.damaged[0][1]
    assert "SHA-256 differs" in outcome.damaged[0][1]
    assert "scene0002" not in splits_of(outcome.dataset)


def test_a_damaged_scene_is_left_out_and_told(judged, tmp_path):
    own = Path(shutil.copytree(judged, tmp_path / "data"))
    original = sorted((own / "originals" / "scene0002").iterdir())[2]
    original.write_bytes(original.read_bytes()[:-40])
    answer = CliRunner().invoke(main, ["export", "--data", str(own)])
    assert answer.exit_code == 1
    assert original.name in answer.stdout
    found = {row["scene"]: row["reason"] for row in rows(own / "exports/1.0.0/excluded.csv")}
    assert found["scene0002"] == "damaged"
    assert not [path for path in contents(own / "exports/1.0.0") if "scene0002" in path]


def replace_candidate(data: Path, scene: str, content: bytes) -> None:
    """Another picture under the chosen candidate's name, as if the catalog had meant it."""
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        for row in session.scalars(select(Candidate).where(Candidate.path.like(f"fused/{scene}/%"))):
            row.sha256 = sha256_hex(content)
            (data / str(row.path)).write_bytes(content)
    catalog.close()


def test_the_memory_does_not_grow_with_pictures(tmp_path):
    """Only names and checksums stay: some kilobytes a scene, whatever the size of its pictures."""
    peaks = []
    for count in (10, 50):
        data = fake_dataset(tmp_path / f"data{count}", many_scenes(count))
        tracemalloc.start()
        export(data, tmp_path / f"out{count}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 40 * 16_384


def test_a_catalog_in_another_order_gives_the_same_dataset(tmp_path):
    one = fake_dataset(tmp_path / "one", many_scenes(6))
    other = fake_dataset(tmp_path / "other", many_scenes(6)[::-1])
    assert contents(export(one, tmp_path / "a").dataset) == contents(export(other, tmp_path / "b").dataset)


def test_a_scene_with_a_reference_of_another_view_or_size_is_left_out(judged, tmp_path):
    own = Path(shutil.copytree(judged, tmp_path / "data"))
    replace_candidate(own, "scene0001", (own / next_candidate(own, "scene0005")).read_bytes())
    replace_candidate(own, "scene0002", encode_png(np.full((32, 50, 3), 90, np.uint8)))
    outcome = export(own, tmp_path / "out")
    found = {one.scene: one.reason for one in outcome.excluded}
    assert found["scene0001"] == "reference-mismatch"
    assert found["scene0002"] == "reference-size"
    assert "scene0005" in splits_of(outcome.dataset)


def next_candidate(data: Path, scene: str) -> str:
    return next((data / "fused" / scene).iterdir()).relative_to(data).as_posix()


def test_a_changed_reference_is_written_anew_in_the_next_version(tmp_path):
    data = fake_dataset(tmp_path / "data", many_scenes(3))
    export(data, tmp_path / "out")
    other = fake_dataset(tmp_path / "other", [replace(one, brightness=0.8) for one in many_scenes(3)])
    second = export(other, tmp_path / "out", version="2")
    assert second.kept == 0
    first = rows(tmp_path / "out/1.0.0/manifest.csv")
    assert {row["reference_sha256"] for row in first}.isdisjoint(
        row["reference_sha256"] for row in rows(second.dataset / "manifest.csv")
    )


def test_views_are_added_to_a_version_that_is_there_and_leave_it_as_it_is(judged, tmp_path):
    own = Path(shutil.copytree(judged, tmp_path / "data"))
    call = ["export", "--data", str(own)]
    assert CliRunner().invoke(main, [*call, "--format", "none"]).exit_code == 0
    dataset = own / "exports" / "1.0.0"
    before = contents(dataset)
    assert not (dataset / "views").exists()
    again = CliRunner().invoke(main, call)
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr
    added = CliRunner().invoke(main, [*call, "--format", "paired", "--archive", "tar"])
    assert added.exit_code == 0, added.output
    assert "stays as it is" in added.stdout
    after = contents(dataset)
    assert {path: after[path] for path in before} == before
    assert all(path.startswith("views/paired/") for path in set(after) - set(before))
    assert sorted(path.name for path in (own / "exports").iterdir()) == ["1.0.0", "1.0.0.tar"]


def test_equal_files_are_never_divided_whatever_a_person_wrote(tmp_path):
    data = fake_dataset(tmp_path / "data", [*many_scenes(4), FakeScene("copy", 3)])
    (data / "groups.csv").write_text("scene,group\nscene0003,mine\ncopy,yours\n")
    dataset = export(data, tmp_path / "out").dataset
    groups = {row["scene"]: row["group"] for row in rows(dataset / "splits" / "groups.csv")}
    assert groups["copy"] == groups["scene0003"]


def test_only_the_current_reference_counts(tmp_path):
    data = fake_dataset(tmp_path / "data", many_scenes(2))
    catalog = open_catalog(catalog_url(data))
    with catalog.writing() as session:
        scene = session.scalars(select(Scene).order_by(Scene.name)).first()
        assert scene is not None
        old = Reference(
            scene_id=scene.id, candidate_id=scene.candidates[2].id, verdict="reject", raters=3, current=False,
            votes_by_candidate={}, rule_version="old", votes_digest="e" * 64, decided_at=VOTED_AT,
        )  # fmt: skip
        session.add(old)
    catalog.close()
    dataset = export(data, tmp_path / "out").dataset
    assert sorted(splits_of(dataset)) == ["scene0000", "scene0001"]
    assert {row["verdict"] for row in rows(dataset / "manifest.csv")} == {"accept"}
