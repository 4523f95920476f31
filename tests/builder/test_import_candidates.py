"""Pictures made elsewhere become candidates if they fit their scene."""

from __future__ import annotations

import numpy as np
from sqlalchemy import select

from builder.catalog import Candidate, Scene
from builder.images import read_image, write_image
from tests.builder.foundry import build_command, foundry
from tests.builder.test_build import alignment_result, rows


def picture(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_sizes_that_fit_are_taken_and_others_refused(own_copy, tmp_path):
    folder = tmp_path / "made elsewhere"
    folder.mkdir()
    write_image(folder / "interior.png", picture(192, 128))
    write_image(folder / "sunset.png", picture(192, 128))  # the full frame: cut like the aligned ones
    write_image(folder / "workshop.png", picture(100, 50))
    answer = foundry("import-candidates", folder, "--name", "photomatix", "--data", own_copy)
    assert answer.returncode == 1
    assert "workshop.png is 100x50; scene 'workshop' needs 192x128" in answer.stdout
    query = select(Scene.name, Candidate.path, Candidate.imported, Candidate.preview_path).join(
        Candidate.scene
    )
    found = {row[0]: row for row in rows(own_copy, query.where(Candidate.algorithm == "photomatix"))}
    assert set(found) == {"interior", "sunset"}
    assert all(row[2] and row[3] for row in found.values())
    assert np.array_equal(read_image(own_copy / found["interior"][1]), picture(192, 128))
    x, y, width, height = alignment_result(own_copy, "sunset")["crop"]
    cut = picture(192, 128)[y : y + height, x : x + width]
    assert np.array_equal(read_image(own_copy / found["sunset"][1]), cut)


def test_an_imported_candidate_is_compared_with_the_others(own_copy, tmp_path):
    twin = next((own_copy / "fused" / "interior").glob("mertens2009-*.png"))
    write_image(tmp_path / "interior.png", read_image(twin))
    assert foundry("import-candidates", tmp_path, "--name", "enfuse", "--data", own_copy).returncode == 0
    query = select(Candidate.algorithm, Candidate.key).join(Candidate.scene).where(Scene.name == "interior")
    keys = dict(tuple(row) for row in rows(own_copy, query))
    ((groups, pairs),) = rows(
        own_copy, select(Scene.near_duplicates, Scene.pairwise_psnr).where(Scene.name == "interior")
    )
    assert [keys["mertens2009"], keys["enfuse"]] in groups
    assert [keys["mertens2009"], keys["enfuse"], 100.0] in pairs


def test_imported_candidates_survive_build_and_prune(own_copy, tmp_path):
    write_image(tmp_path / "interior.png", picture(192, 128))
    assert foundry("import-candidates", tmp_path, "--name", "enfuse", "--data", own_copy).returncode == 0
    assert "6 of 6 scenes were up to date" in build_command(own_copy).stdout
    assert foundry("prune", "--yes", "--data", own_copy).returncode == 0
    query = select(Candidate.status).where(Candidate.algorithm == "enfuse")
    assert rows(own_copy, query) == [("done",)]
    assert list((own_copy / "fused" / "interior").glob("enfuse-*.png"))
    assert list((own_copy / "previews" / "interior").glob("enfuse-*/tiles.dzi"))


def test_a_folder_without_a_scene_of_ours_is_refused(own_copy, tmp_path):
    write_image(tmp_path / "kitchen.png", picture(192, 128))
    answer = foundry("import-candidates", tmp_path, "--name", "enfuse", "--data", own_copy)
    assert answer.returncode == 2
    assert "holds no file named like one of the scenes: courtyard" in answer.stderr
