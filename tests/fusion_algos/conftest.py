"""A seeded synthetic bracket, small but with everything that algorithms stumble on."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

Bracket = Callable[..., list[np.ndarray]]


@pytest.fixture
def bracket() -> Bracket:
    """Makes `count` uint8 exposures, two stops apart: edges, noise, color and clipping."""

    def make(count: int = 3, height: int = 48, width: int = 64, seed: int = 1) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        smooth = cv2.resize(rng.random((4, 5, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
        stops = 4 * smooth + 0.5 * rng.standard_normal((height, width, 3)) - 3
        stops[height // 4 : height // 2, width // 3 : 2 * width // 3] += 5  # a window
        stops[-height // 5 :] -= 4  # a shadow
        exposures = [np.clip(np.exp2(stops + 2 * (k - count // 2)), 0, 1) for k in range(count)]
        return [np.floor(255 * light ** (1 / 2.2) + 0.5).astype(np.uint8) for light in exposures]

    return make


@pytest.fixture
def threads_restored():
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)
