"""Fidelity: MEF-SSIM of every algorithm on real sequences against the published table."""

import csv
from pathlib import Path

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


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, str]]:
    table = ORACLE / "mef_ssim_published.csv"
    if not table.is_file():
        pytest.skip(f"{table} is absent: the published scores are not part of the project")
    with table.open(newline="") as rows:
        return {row["scene"]: row for row in csv.DictReader(rows)}


@pytest.mark.parametrize("scene", SCENES)
def test_scores_of_the_table(scene, published):
    paths = sorted((ORACLE / "waterloo" / scene).iterdir())
    stack = ExposureStack([cv2.imread(str(path))[..., ::-1] for path in paths])
    names = sorted(ALGORITHMS.keys() & published[scene].keys())
    assert len(names) >= 6
    scores = score_many(stack, [gray_plane(ALGORITHMS[name](stack)) for name in names])
    table = {name: float(published[scene][name]) for name in names}
    assert dict(zip(names, scores, strict=True)) == pytest.approx(table, abs=TOLERANCE)
