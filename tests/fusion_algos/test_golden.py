"""Every algorithm gives the pixels that its revision gave before.

After a wanted change: raise the algorithm's `revision` and write golden.json anew with
`python tests/fusion_algos/test_golden.py`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from fusion_algos import ALGORITHMS, ExposureStack

GOLDEN = Path(__file__).with_name("golden.json")
TOLERANCE = 2e-4  # other processors round otherwise; a changed parameter moves several of the numbers by more


def bracket() -> ExposureStack:
    """Three 8-bit exposures of 96 x 80 pixels, from arithmetic that is the same everywhere."""
    y, x = np.mgrid[0:96, 0:80]
    texture = ((7 * x + 13 * y + 5 * ((x * y) % 17)) % 31)[..., np.newaxis]
    light = 2.0 ** ((x + y)[..., np.newaxis] // 16 - 9 + 2 * (x[..., np.newaxis] > 50)) * [1, 0.8, 0.6]
    exposures = [light * (1 + texture / 40) * 4**k for k in range(3)]
    images = [np.floor(255 * np.clip(exposure, 0, 1) ** (1 / 2.2) + 0.5) for exposure in exposures]
    return ExposureStack([image.astype(np.uint8) for image in images], [1, 4, 16])


def statistics(fused: np.ndarray) -> list[float]:
    """Means of channels and quarters, spread, gradient and percentiles."""
    quarters = [half for rows in np.split(fused, 2) for half in np.split(rows, 2, axis=1)]
    gradient = np.abs(np.diff(fused, axis=1)).mean()
    values = [*fused.mean(axis=(0, 1)), *(q.mean() for q in quarters), fused.std(), gradient]
    return [round(float(v), 6) for v in (*values, *np.percentile(fused, [5, 50, 95]))]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_pixels_of_the_revision(name):
    golden = json.loads(GOLDEN.read_text()).get(name)
    assert golden is not None, f"{name} has no golden statistics: run python {Path(__file__).name}"
    assert golden["revision"] == ALGORITHMS[name].revision, f"{name}: new revision, old {GOLDEN.name}"
    found = statistics(ALGORITHMS[name](bracket()))
    assert found == pytest.approx(golden["statistics"], abs=TOLERANCE), (
        f"{name}: the pixels changed. If that is wanted, raise its revision and write {GOLDEN.name} anew"
    )


if __name__ == "__main__":
    results = {
        name: {"revision": algorithm.revision, "statistics": statistics(algorithm(bracket()))}
        for name, algorithm in ALGORITHMS.items()
    }
    GOLDEN.write_text(json.dumps(results, indent=1) + "\n")
