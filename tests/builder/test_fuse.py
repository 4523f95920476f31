"""Recipes of candidates: windows grow with the photographs, unless somebody says otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from builder.scene_record import ExposureRecord, SceneRecord
from builder.settings import AlignSettings, FuseSettings, Settings
from builder.stages import fuse
from builder.stages.fuse import candidate_recipe
from builder.store import Store
from fusion_algos import ALGORITHMS, ExposureStack

SCALED = [name for name, algorithm in ALGORITHMS.items() if "radius_scale" in algorithm.parameters]


def scene(width: int, height: int) -> SceneRecord:
    path = "originals/church/1.jpg"
    exposure = ExposureRecord(path, "0" * 64, "jpeg", None, 1.0, 8.0, 100.0, 0.0, None, width, height)
    return SceneRecord("church", "", (exposure,) * 3, ())


def parameters(name: str, width: int, height: int, settings: Settings) -> dict[str, object]:
    return dict(candidate_recipe(scene(width, height), "key", name, settings).settings["parameters"])


def test_some_algorithms_have_windows_to_scale():
    assert {"li2013", "bruce2014"} <= set(SCALED)
    assert "mertens2009" not in SCALED


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(512, 384, 1.0), (300, 200, 1.0), (1024, 768, 2.0), (768, 1024, 2.0), (6000, 4000, 11.05)],
)
def test_windows_grow_with_the_sides_of_the_frames(name, width, height, scale):
    found = parameters(name, width, height, Settings())
    expected = {**ALGORITHMS[name].parameters, "radius_scale": scale}
    assert {**found, "deghost": None} == {**expected, "deghost": None}  # which another rule sets


def test_reduced_frames_count_by_their_reduced_size():
    settings = Settings(align=AlignSettings(scale=0.5))
    assert parameters("li2013", 2048, 1536, settings)["radius_scale"] == 2.0


def test_windows_can_keep_their_published_pixels():
    settings = Settings(fuse=FuseSettings(scale_windows=False))
    assert parameters("li2013", 6000, 4000, settings) == dict(ALGORITHMS["li2013"].parameters)


def test_a_parameter_written_by_hand_wins():
    settings = Settings(algorithms={"li2013": {"radius_scale": 3.0, "base_radius": 40}})
    by_hand = parameters("li2013", 6000, 4000, settings)
    assert (by_hand["radius_scale"], by_hand["base_radius"]) == (3.0, 40)
    assert parameters("bruce2014", 6000, 4000, settings)["radius_scale"] == 11.05


def test_algorithms_without_windows_in_pixels_get_nothing():
    assert parameters("mertens2009", 6000, 4000, Settings()) == {}


DEGHOSTING = [name for name, algorithm in ALGORITHMS.items() if "deghost" in algorithm.parameters]


def test_some_algorithm_can_deghost():
    assert "ma2017" in DEGHOSTING


@pytest.mark.parametrize("name", DEGHOSTING)
@pytest.mark.parametrize("moving", [False, True])
def test_ghosts_are_removed_where_something_moved(name, moving, tmp_path, monkeypatch):
    asked = []

    def spy(stack, **parameters):
        asked.append(parameters["deghost"])
        return stack.image(0)

    recipe = candidate_recipe(scene(512, 384), "key", name, Settings())
    monkeypatch.setitem(fuse.ALGORITHMS, name, spy)
    frames = [np.full((8, 8, 3), level, np.uint8) for level in (10, 60)]
    fuse.fuse_candidate(Store(tmp_path), recipe, ExposureStack(frames), moving)
    assert asked == [moving]


def test_a_ghost_switch_set_by_hand_wins():
    settings = Settings(algorithms={"ma2017": {"deghost": True}})
    assert parameters("ma2017", 512, 384, settings)["deghost"] is True
