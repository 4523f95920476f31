"""The export of a real build: aligned, portrait and RAW scenes, and HDR against the simulation's truth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from builder.dataset.scene_files import Extras
from builder.images import decode_exr, read_image
from builder.scene_record import read_scene, scene_names
from builder.settings import Settings
from builder.stages.align import align_scene
from builder.store import Store
from tests.builder.exporting import contents, export, lines, rows

LARGEST_ERROR_EV = {"recovered": 0.1, "sensor": 0.05}
TRUTH_FOLDERS = {"treppenhaus-sued": "Treppenhaus Süd"}


@pytest.fixture(scope="module")
def exported(built, tmp_path_factory) -> tuple[Path, Path]:
    """A copy of the build with its export: (data, dataset)."""
    data = Path(shutil.copytree(built, tmp_path_factory.mktemp("hdr") / "data"))
    (data / "project.toml").write_text('[export]\nlicense = "CC0-1.0"\n')
    extras = Extras(hdr=True, candidates=True)
    return data, export(data, data.parent / "out", reference="algorithm:mertens2009", extras=extras).dataset


def test_every_scene_that_stands_still_is_there(exported):
    data, dataset = exported
    moving = {
        name
        for name in scene_names(data)
        if align_scene(Store(data), read_scene(data, name), Settings()).product.result["motion"] == "dynamic"
    }
    scenes = {row["scene"] for row in rows(dataset / "manifest.csv")}
    assert scenes >= {"interior", "sunset", "night-street", "treppenhaus-sued", "workshop"}
    assert scenes == set(scene_names(data)) - moving
    assert {row["scene"] for row in rows(dataset / "excluded.csv")} == moving


def test_inputs_are_the_aligned_frames_bit_for_bit(exported):
    data, dataset = exported
    for scene in lines(dataset / "scenes.jsonl"):
        frames = align_scene(Store(data), read_scene(data, scene["scene"]), Settings()).frames()
        assert len(frames) == len(scene["inputs"])
        for frame, one in zip(frames, scene["inputs"], strict=True):
            assert np.array_equal(read_image(dataset / one["path"]), frame), one["path"]


def test_tripod_jpegs_stay_jpegs_and_the_rest_is_png(exported):
    _, dataset = exported
    kinds = {
        scene["scene"]: {Path(one["path"]).suffix for one in scene["inputs"]}
        for scene in lines(dataset / "scenes.jsonl")
    }
    assert kinds["interior"] == kinds["night-street"] == {".jpg"}
    # resampled, turned upright, developed from RAW
    assert kinds["sunset"] == kinds["treppenhaus-sued"] == kinds["workshop"] == {".png"}


def test_all_candidates_are_there_and_named(exported):
    _, dataset = exported
    for row in rows(dataset / "candidates.csv"):
        assert (dataset / row["path"]).is_file()
        assert row["algorithm"] in row["path"]
    listed = {row["path"] for row in rows(dataset / "candidates.csv")}
    assert listed == {path for path in contents(dataset) if "/candidates/" in path}


def test_hdr_tells_its_scale_and_is_the_light_of_the_scene(exported, simulated):
    """Median error of the absolute values: no scale is fitted, 1.0 is the white of the middle exposure."""
    _, dataset = exported
    responses = set()
    for scene in lines(dataset / "scenes.jsonl"):
        picture = decode_exr((dataset / scene["hdr"]["path"]).read_bytes(), name=scene["scene"])
        assert picture.texts["scale"] == scene["hdr"]["scale"]
        assert picture.texts["scale"].startswith("linear Rec.709; 1.0 = white of exposure ")
        truth = _truth(simulated, scene, exported[0])
        seen = (truth.min(axis=2) > 0) & (picture.pixels.min(axis=2) > 0)
        error = np.abs(np.log2(picture.pixels[seen].mean(axis=1) / truth[seen].mean(axis=1)))
        assert np.median(error) <= LARGEST_ERROR_EV[scene["hdr"]["response"]], scene["scene"]
        responses.add(scene["hdr"]["response"])
    assert responses == {"recovered", "sensor"}


def _truth(simulated: Path, scene: dict, data: Path) -> np.ndarray:
    """True light in units of the white of the reference exposure, on the common crop."""
    folder = simulated / "truth" / TRUTH_FOLDERS.get(scene["scene"], scene["scene"])
    told = json.loads((folder / "truth.json").read_text("utf-8"))
    seconds = next(frame["seconds"] for frame in told["frames"] if frame["file"] == told["reference"])
    aligned = align_scene(Store(data), read_scene(data, scene["scene"]), Settings())
    x, y, width, height = aligned.product.result["crop"]
    return np.load(folder / "radiance.npy")[y : y + height, x : x + width] * seconds


def test_openexr_reads_the_exported_files(exported):
    openexr = pytest.importorskip("OpenEXR", reason="the extra export-check brings OpenEXR")
    _, dataset = exported
    for scene in lines(dataset / "scenes.jsonl"):
        with openexr.File(str(dataset / scene["hdr"]["path"])) as file:
            pixels = file.channels()["RGB"].pixels
            assert pixels.shape == (scene["height"], scene["width"], 3)
            assert file.header()["scale"] == scene["hdr"]["scale"]
            ours = decode_exr((dataset / scene["hdr"]["path"]).read_bytes(), name="x").pixels
            assert np.array_equal(pixels.astype(np.float32), ours)


def test_hdr_with_other_settings_than_the_builds_is_refused(exported, tmp_path):
    data = Path(shutil.copytree(exported[0], tmp_path / "data"))
    (data / "project.toml").write_text('[export]\nlicense = "CC0-1.0"\n[align]\nenabled = false\n')
    with pytest.raises(ValueError, match=r"was not aligned with the present settings.*without --hdr"):
        export(data, tmp_path / "out", reference="algorithm:mertens2009", extras=Extras(hdr=True))
    assert not (tmp_path / "out" / "1.0.0").exists()


def test_an_aligned_frame_that_was_changed_is_not_published(exported, tmp_path):
    data = Path(shutil.copytree(exported[0], tmp_path / "data"))
    frames = sorted((data / "aligned" / "sunset").glob("frame-*.png"))
    frames[0].write_bytes(frames[1].read_bytes())
    outcome = export(data, tmp_path / "out", reference="algorithm:mertens2009")
    assert [scene for scene, _ in outcome.damaged] == ["sunset"]
    assert frames[0].name in outcome.damaged[0][1]
