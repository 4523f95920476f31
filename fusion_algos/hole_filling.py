"""Filling what a clipped reference leaves open with patches of another exposure, coarse to fine.

Wexler, Shechtman, Irani, "Space-time completion of video", IEEE TPAMI 29(3), 2007: find the nearest patches,
rebuild the hole from them, repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.patch_match import NearestNeighbours, nearest_neighbours

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


FIRST_ROUNDS = 8  # of the search over the whole image at the coarsest level
ROUNDS, RADIUS = 2, 16  # of the searches that follow, near what was found before


@dataclass(frozen=True)
class Hole:
    """A region of a latent image to be filled from the exposure that the image stands for.

    `latent`: HxWx3 uint8, right outside `missing` and a first guess in it; `reference`, `source`: HxWx3
    uint8; `inverse`: the source mapped to the reference's exposure; `missing`: HxW bool.
    """

    latent: Bytes
    reference: Bytes
    source: Bytes
    inverse: Bytes
    missing: Mask

    def with_latent(self, latent: Bytes) -> Hole:
        """The same hole with another guess in it; outside nothing changes."""
        merged = np.where(self.missing[..., np.newaxis], latent, self.latent)
        return Hole(merged, self.reference, self.source, self.inverse, self.missing)

    def halved(self) -> Hole:
        """The hole at half the resolution; a pixel is missing if a part of it is."""
        size = (-(-self.missing.shape[1] // 2), -(-self.missing.shape[0] // 2))

        def small(image: NDArray[Any]) -> NDArray[Any]:
            return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

        return Hole(
            small(self.latent),
            small(self.reference),
            small(self.source),
            small(self.inverse),
            small(self.missing.astype(np.float32)) > 0,
        )


# Makes the next latent image of a hole from its patches; the number says how coarse the level is: 0 to 1.
Rebuild = Callable[[Hole, NearestNeighbours, float], Bytes]


def filled(
    hole: Hole, rebuild: Rebuild, *, patch: int, coarsest: int, iterations: Callable[[int], int]
) -> tuple[Bytes, NearestNeighbours]:
    """The latent image with the hole filled by `rebuild`, and the last field of patches.

    `patch`: side in pixels; `coarsest`: least side of the coarsest level; `iterations(level)`: rounds of
    search and rebuilding, at least 1, level 0 being the finest. A patch is compared in the tones of both exposures: the
    latent image with the source, and the reference with the source mapped to it, which says that what is
    clipped in the reference must be bright (or dark) enough in the source.
    """
    holes = [hole]
    while min(holes[-1].missing.shape) >= 2 * coarsest:
        holes.append(holes[-1].halved())
    field = _search(holes[-1], None, patch)
    guess = holes[-1].latent
    for level in range(len(holes) - 1, -1, -1):
        size = holes[level].missing.shape[::-1]
        here = holes[level].with_latent(cv2.resize(guess, size, interpolation=cv2.INTER_LINEAR))
        for _ in range(iterations(level)):
            field = _search(here, field, patch)
            here = here.with_latent(rebuild(here, field, level / max(1, len(holes) - 1)))
        guess = here.latent
    return guess, field


def _search(hole: Hole, field: NearestNeighbours | None, patch: int) -> NearestNeighbours:
    touching = cv2.dilate(hole.missing.view(np.uint8), np.ones((patch, patch), np.uint8)).view(bool)
    target = np.concatenate((hole.latent, hole.reference), axis=2)
    source = np.concatenate((hole.source, hole.inverse), axis=2)
    if field is None:
        still = np.zeros((*touching.shape, 2), np.int32)
        return nearest_neighbours(target, source, touching, still, patch=patch, rounds=FIRST_ROUNDS)
    guess = field.resized(touching)
    return nearest_neighbours(target, source, touching, guess, patch=patch, rounds=ROUNDS, radius=RADIUS)
