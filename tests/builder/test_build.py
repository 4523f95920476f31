"""The whole build on simulated photographs: what it makes, that it resumes, that every executor makes the same."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from sqlalchemy import select

from builder.build import SceneIndex, Selection, Shard, build
from builder.catalog import Candidate, DamagedCopy, Scene, catalog_url, open_catalog
from builder.execution.ledger import Ledger
from builder.images import read_image
from builder.registration.alignment import FrameTransform
from builder.scene_record import read_scene, scene_names
from builder.settings import Settings
from builder.stages.damage import practice_scenes
from builder.store import Store
from tests.builder.foundry import CHOSEN, assert_same_store, build_command, foundry, store_contents

SCENES = ("courtyard", "interior", "night-street", "sunset", "treppenhaus-sued", "workshop")


def rows(data, query):
    catalog = open_catalog(catalog_url(data))
    with catalog.reading() as session:
        found = session.execute(query).all()
    catalog.close()
    return found


def alignment_result(data, scene):
    (product,) = Store(data).products("aligned", scene)
    return product.result


def test_every_scene_has_every_candidate(built):
    assert tuple(scene_names(built)) == SCENES
    states = rows(built, select(Scene.name, Scene.status).order_by(Scene.name))
    assert [tuple(row) for row in states] == [(name, "ready") for name in SCENES]
    made = rows(built, select(Candidate.path, Candidate.quality, Candidate.preview_path))
    assert len(made) == len(SCENES) * len(CHOSEN)
    for path, quality, preview in made:
        picture = read_image(built / path)
        assert picture.dtype == np.uint8
        assert picture.std() > 5  # a picture, not a blank
        assert 0.3 < quality <= 1
        assert {"w480.jpg", "w2048.jpg", "tiles.dzi"} <= {file.name for file in (built / preview).iterdir()}


def test_the_catalog_tells_how_the_candidates_of_a_scene_compare(built):
    query = select(Scene.id, Scene.pairwise_psnr, Scene.disagreement_points, Scene.near_duplicates)
    for number, pairs, points, groups in rows(built, query):
        keys = {key for (key,) in rows(built, select(Candidate.key).where(Candidate.scene_id == number))}
        assert len(pairs) == len(CHOSEN) * (len(CHOSEN) - 1) / 2
        assert {key for pair in pairs for key in pair[:2]} == keys
        assert all(5 < decibels <= 100 for _, _, decibels in pairs)
        alike = {frozenset(pair[:2]) for pair in pairs if pair[2] >= 45}
        assert all(frozenset(group[:2]) in alike for group in groups)
        assert all(0.02 <= share <= 0.98 for point in points for share in point)
    assert any(points for _, _, points, _ in rows(built, query))


def test_tripod_scenes_pass_through_bit_for_bit(built):
    for name in ("interior", "courtyard"):
        result = alignment_result(built, name)
        assert result["identity"]
        assert all(frame["passed_through"] for frame in result["frames"])
        assert [frame["path"] for frame in result["frames"]] == [
            exposure.path for exposure in read_scene(built, name).exposures
        ]


def test_the_hand_held_scene_is_registered_and_cropped(built):
    result = alignment_result(built, "sunset")
    assert not result["identity"]
    assert result["width"] < 192
    assert {FrameTransform(**frame["transform"]).method for frame in result["frames"]} > {"reference"}


def test_a_scene_in_portrait_is_upright(built):
    result = alignment_result(built, "treppenhaus-sued")
    assert (result["width"], result["height"]) == (128, 192)


def test_each_frame_is_decoded_once_for_all_algorithms(built):
    (run,) = (built / "runs").glob("*/run.json")
    counts = json.loads(run.read_text())["counts"]
    frames = sum(len(read_scene(built, name).exposures) for name in SCENES)
    assert counts["frames_decoded"] == frames
    assert counts["candidates_made"] == len(SCENES) * len(CHOSEN)


def test_sidecars_hold_recipe_result_and_run_but_no_absolute_path(built):
    for path in (built / "fused").rglob("*.json"):
        document = json.loads(path.read_text())
        assert set(document) == {"key", "recipe", "result", "run"}
        assert str(built) not in path.read_text()


def test_a_second_build_makes_nothing_anew(own_copy, simulated):
    before = {path: path.stat().st_mtime_ns for path in own_copy.rglob("*") if path.parent.name != "runs"}
    answer = build_command(own_copy, simulated / "photos")
    assert answer.returncode == 0, answer.stderr
    assert "0 candidates made, 6 of 6 scenes were up to date, 0 frames decoded" in answer.stdout
    for path, modified in before.items():
        if path.is_file() and path.suffix not in (".sqlite", ".csv") and "sqlite" not in path.name:
            assert path.stat().st_mtime_ns == modified, path


@pytest.mark.parametrize("executor", ["local:2", "dask", "shards"])
def test_every_executor_makes_the_same_bytes(executor, built, simulated, tmp_path, request):
    photos, data = simulated / "photos", tmp_path / "data"
    if executor == "dask":
        address = request.getfixturevalue("cluster").scheduler_address
        answers = [build_command(data, photos, executor=f"dask:{address}")]
    elif executor == "shards":
        answers = [
            build_command(data, photos, options=("--shard", "1/2")),
            build_command(data, options=("--shard", "2/2")),
        ]
        assert not (data / "catalog.sqlite").exists()
        answers.append(foundry("status", "--data", data))
    else:
        answers = [build_command(data, photos, executor=executor)]
    for answer in answers:
        assert answer.returncode == 0, answer.stdout + answer.stderr
    assert_same_store(data, built)
    assert catalog_facts(data) == catalog_facts(built)


def catalog_facts(data):
    scenes = rows(
        data, select(Scene.name, Scene.status, Scene.width, Scene.ghost_score, Scene.crop, Scene.flags)
    )
    compared = rows(data, select(Scene.pairwise_psnr, Scene.near_duplicates, Scene.disagreement_points))
    candidates = rows(
        data,
        select(
            Candidate.key, Candidate.path, Candidate.sha256, Candidate.quality, Candidate.gate_failures,
            Candidate.preview_path,
        ),
    )  # fmt: skip
    copies = rows(data, select(DamagedCopy.key, DamagedCopy.fault, DamagedCopy.at, DamagedCopy.preview_path))
    return [sorted(map(repr, found)) for found in (scenes, compared, candidates, copies)]


def test_a_lost_catalog_is_rebuilt_from_the_files(own_copy, built):
    for path in own_copy.glob("catalog.sqlite*"):
        path.unlink()
    assert foundry("status", "--data", own_copy).returncode == 0
    assert catalog_facts(own_copy) == catalog_facts(built)


def test_a_scene_that_is_whole_is_ready_whatever_is_held_against_a_step(own_copy):
    """A host that was cut off and charged for it may have finished the step after all."""
    ledger = Ledger(own_copy / "ledger")
    ledger.record_kill("sunset", "preview", "its process on host-b was killed, or the host was cut off")
    answer = foundry("status", "--data", own_copy)
    assert answer.returncode == 0, answer.stdout
    next((own_copy / "previews" / "sunset").glob("li2013-*.json")).unlink()
    answer = foundry("status", "--data", own_copy)
    assert answer.returncode == 1
    assert "its process on host-b was killed" in answer.stdout


def test_lost_pictures_are_made_again_the_same(own_copy, built):
    shutil.rmtree(own_copy / "fused" / "sunset")
    shutil.rmtree(own_copy / "cache")
    next((own_copy / "fused" / "interior").glob("li2013-*.png")).unlink()
    answer = build_command(own_copy)
    assert answer.returncode == 0, answer.stderr
    contents, expected = store_contents(own_copy), store_contents(built)
    assert {path: content for path, content in expected.items() if not path.startswith("cache")} == {
        path: content for path, content in contents.items() if not path.startswith("cache")
    }


def test_a_record_broken_while_its_scene_is_made_is_reported_and_stops_nothing(own_copy, monkeypatch):
    def break_and_settle(settings, tasks, ledger, settle):
        (own_copy / "originals" / "interior" / "scene.json").write_text("{")
        for task in tasks:
            settle(task, None)

    monkeypatch.setattr("builder.build._run", break_and_settle)
    settled = []
    chosen = Selection(only=("interior", "sunset"))
    report = build(own_copy, Settings(), chosen, None, lambda scene, outcome: settled.append(scene))
    assert sorted(settled) == ["interior", "sunset"]
    assert [scene for scene, _ in report.broken] == ["interior"]
    assert report.scenes == 2


def test_a_changed_parameter_is_a_new_file_and_the_old_stays(own_copy):
    settings = own_copy / "project.toml"
    settings.write_text("[algorithms.li2013]\nradius_scale = 0.5\n")
    before = set(store_contents(own_copy))
    answer = build_command(own_copy)
    assert answer.returncode == 0, answer.stderr
    new = {path for path in set(store_contents(own_copy)) - before if path.endswith(".png")}
    assert {path.split("/")[2].split("-")[0] for path in new} == {"li2013"}
    assert before < set(store_contents(own_copy))
    states = rows(own_copy, select(Candidate.status).where(Candidate.algorithm == "li2013"))
    assert sorted(row[0] for row in states) == ["done"] * 6 + ["superseded"] * 6
    listed = foundry("prune", "--data", own_copy)
    assert "superseded" in listed.stdout
    assert foundry("prune", "--data", own_copy, "--yes").returncode == 0
    assert len(list((own_copy / "fused").rglob("li2013-*.png"))) == 6
    assert foundry("status", "--data", own_copy).returncode == 0


def test_prune_frees_the_cache_and_a_build_does_not_miss_it(own_copy):
    assert list((own_copy / "cache").rglob("*.npy"))
    assert foundry("prune", "--data", own_copy, "--yes").returncode == 0
    assert not list((own_copy / "cache").rglob("*.npy"))
    assert "6 of 6 scenes were up to date" in build_command(own_copy).stdout


def test_practice_scenes_keep_their_copies_and_a_dataset_without_them_has_none(own_copy, simulated, tmp_path):
    settings = own_copy / "project.toml"
    settings.write_text("[preview]\npractice_scenes = 0\n")
    before = catalog_facts(own_copy)
    assert "6 of 6 scenes were up to date" in build_command(own_copy).stdout
    assert catalog_facts(own_copy) == before
    assert len(before[3]) == 10 * len(SCENES)
    none = tmp_path / "none"
    answer = build_command(none, simulated / "photos" / "interior", FOUNDRY_PREVIEW_PRACTICE_SCENES="0")
    assert answer.returncode == 0, answer.stderr
    assert catalog_facts(none)[3] == []


def test_the_practice_scenes_do_not_depend_on_the_part_of_the_dataset_that_is_built(built):
    settings = Settings().replaced("preview", practice_scenes=2)
    parts = [Selection(only=(name,)) for name in SCENES]
    parts += [Selection(limit=3), Selection(shard=Shard(1, 2)), Selection(shard=Shard(2, 2))]
    for part in parts:
        for name, plan in SceneIndex(built, settings, part).plans.items():
            assert plan.is_practice == (name in practice_scenes(list(SCENES), 2))


def test_verify_finds_a_flipped_byte(own_copy):
    path = next((own_copy / "fused" / "sunset").glob("bruce2014-*.png"))
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    answer = foundry("status", "--verify", "--data", own_copy)
    assert answer.returncode == 1
    assert path.name in answer.stdout


def test_a_changed_original_is_named(own_copy):
    shutil.rmtree(own_copy / "aligned" / "interior")
    path = next((own_copy / "originals" / "interior").glob("00-*.jpg"))
    path.write_bytes(path.read_bytes() + b"x")
    answer = build_command(own_copy)
    assert answer.returncode == 1
    assert "is not the file that was ingested" in answer.stderr
    assert rows(own_copy, select(Scene.status).where(Scene.name == "interior")) == [("failed",)]


def test_dry_run_writes_nothing(own_copy):
    next((own_copy / "fused" / "sunset").glob("bruce2014-*.png")).unlink()
    before = sorted(own_copy.rglob("*"))
    answer = build_command(own_copy, options=("--dry-run",))
    assert answer.returncode == 0
    assert "bruce2014" in answer.stdout
    assert sorted(own_copy.rglob("*")) == before


def test_scale_makes_small_candidates(simulated, tmp_path):
    answer = build_command(
        tmp_path, simulated / "photos" / "interior", options=("--scale", "1/2", "--limit", "1")
    )
    assert answer.returncode == 0, answer.stderr
    assert read_image(next((tmp_path / "fused" / "interior").glob("mertens2009-*.png"))).shape == (64, 96, 3)


def test_only_and_json(own_copy):
    answer = build_command(own_copy, options=("--only", "sunset", "--json"))
    assert answer.returncode == 0
    assert {row["scene"] for row in json.loads(answer.stdout)["Scenes"]} == set(SCENES)
    wrong = build_command(own_copy, options=("--only", "sunrise"))
    assert wrong.returncode == 2
    assert "no scene 'sunrise'" in wrong.stderr
    assert "sunset" in wrong.stderr


def test_no_control_characters_without_a_terminal(own_copy):
    answer = build_command(own_copy)
    assert not {"\r", "\x1b"} & set(answer.stdout + answer.stderr)


def test_a_read_only_place_is_named(simulated, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    answer = build_command(tmp_path / "data", simulated / "photos")
    assert answer.returncode == 2
    assert "data" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_contact_sheets(own_copy):
    answer = foundry("contact-sheet", "--data", own_copy, "--only", "sunset")
    assert answer.returncode == 0, answer.stderr
    sheet = read_image(own_copy / "contact_sheets" / "sunset.jpg")
    assert sheet.shape[1] == 2400
    assert sheet.std() > 20


def test_doctor_is_content(own_copy):
    answer = foundry("doctor", "--data", own_copy, "--executor", "local:1")
    assert answer.returncode == 0, answer.stdout
    assert "All well." in answer.stdout
