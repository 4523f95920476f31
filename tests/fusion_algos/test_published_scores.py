"""Fidelity: MEF-SSIM of every algorithm on real sequences against the published table."""

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import cv2
import pytest

from fusion_algos import ALGORITHMS, ExposureStack
from fusion_algos.mef_ssim import gray_plane, score_many

pytestmark = pytest.mark.oracle
ORACLE = Path(__file__).resolve().parents[2].parent / "shared" / "oracle"
SCENES = ["Arno", "Balloons", "BelgiumHouse", "Cave", "ChineseGarden", "House", "Landscape", "Office", "Set"]
SCENES += ["Tower", "Venice"]

# Half a unit of the table's third digit, and what the authors' programs round elsewhere. Measured: .0005.
TOLERANCE = 0.001

# Of one scene, and of the average: shen2011 is reconstructed and calibrated to the average (measured: .0281 at
# Tower, .0014); shen2014 finds strong edges otherwise than the authors' Canny (measured: .0085 at House, .0013).
LOOSER = {"shen2011": (0.03, 0.005), "shen2014": (0.015, 0.005)}

# The authors' program for shen2014 gave its exponents .8, 1, 1.2 in the order of the files, here dark to bright.
FILE_ORDER = {
    "ChineseGarden": (1.2, 1.0, 0.8),
    "Landscape": (1.2, 0.8, 1.0),
    "Tower": (1.2, 0.8, 1.0),
    "Venice": (1.2, 0.8, 1.0),
}


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, str]]:
    table = ORACLE / "mef_ssim_published.csv"
    if not table.is_file():
        pytest.skip(f"{table} is absent: the published scores are not part of the project")
    with table.open(newline="") as rows:
        return {row["scene"]: row for row in csv.DictReader(rows)}


@pytest.fixture(scope="module")
def deviations(published) -> Callable[[str], dict[str, float]]:
    """Our score less the published one of every algorithm in the table, for a scene; computed once."""
    return cache(lambda scene: _deviations(scene, published[scene]))


def _deviations(scene: str, table: dict[str, str]) -> dict[str, float]:
    paths = sorted((ORACLE / "waterloo" / scene).iterdir())
    stack = ExposureStack([cv2.imread(str(path))[..., ::-1] for path in paths])
    parameters = {"shen2014": {"base_gamma": FILE_ORDER.get(scene)}}
    names = sorted(ALGORITHMS.keys() & table.keys())
    fused = (ALGORITHMS[name](stack, **parameters.get(name, {})) for name in names)
    scores = score_many(stack, [gray_plane(image) for image in fused])
    return {name: score - float(table[name]) for name, score in zip(names, scores, strict=True)}


@pytest.mark.parametrize("scene", SCENES)
def test_scores_of_the_table(scene, deviations):
    found = deviations(scene)
    assert len(found) >= 7
    tolerances = {name: LOOSER[name][0] if name in LOOSER else TOLERANCE for name in found}
    assert {n: d for n, d in found.items() if abs(d) > tolerances[n]} == {}


@pytest.mark.parametrize("name", LOOSER)
def test_averages_of_the_table(name, deviations):
    assert fmean(deviations(scene)[name] for scene in SCENES) == pytest.approx(0, abs=LOOSER[name][1])
