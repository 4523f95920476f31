"""MEF-SSIM of the tone-mapped algorithms on real sequences without exposure times: ranges, no fidelity."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fusion_algos import ALGORITHMS, ExposureStack
from fusion_algos.mef_ssim import gray_plane, score_many

pytestmark = pytest.mark.oracle
WATERLOO = Path(__file__).resolve().parents[2].parent / "shared" / "oracle" / "waterloo"

# Every scene's range and the mean: what a plain merge with these tone curves scored when they were specified.
EXPECTED = {"oh2015": (0.76, 0.98, 0.893), "paris2011": (0.73, 0.94, 0.853)}
ALLOWED_OF_MEAN = 0.03  # only a part of the sequences of those means is at hand


def test_scores_lie_in_the_expected_ranges():
    if not WATERLOO.is_dir():
        pytest.skip(f"{WATERLOO} is absent: the sequences are not part of the project")
    scores = {name: [] for name in EXPECTED}
    for scene in sorted(path for path in WATERLOO.iterdir() if path.is_dir()):
        images = [np.ascontiguousarray(cv2.imread(str(p))[..., ::-1]) for p in sorted(scene.iterdir())]
        stack = ExposureStack(images)
        found = score_many(stack, [gray_plane(ALGORITHMS[name](stack)) for name in EXPECTED])
        for name, score in zip(EXPECTED, found, strict=True):
            scores[name].append(score)
    for name, (lowest, highest, mean) in EXPECTED.items():
        assert min(scores[name]) > lowest
        assert max(scores[name]) < highest
        assert np.mean(scores[name]) == pytest.approx(mean, abs=ALLOWED_OF_MEAN)
