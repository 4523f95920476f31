"""The search of Sen et al. for what a latent image shows where its reference is clipped.

Sen et al., "Robust patch-based HDR reconstruction of dynamic scenes", ACM TOG 31(6), 203, 2012, after Simakov, Caspi,
Shechtman, Irani, "Summarizing visual data using bidirectional similarity", CVPR 2008: each patch of the image stands
in the source (coherence), and each of the source's in the image (completeness).
"""

from __future__ import annotations

import numpy as np

from fusion_algos.hole_filling import Bytes, Hole, filled
from fusion_algos.patch_match import NearestNeighbours, nearest_neighbours, shown, similarity, voted

PATCH = 7
COARSEST = 35  # least side of the coarsest level
MOST_ITERATIONS, LEAST_ITERATIONS = 12, 3
COHERENCE, COMPLETENESS = np.float32(0.7), np.float32(0.3)


def search(hole: Hole) -> tuple[Bytes, NearestNeighbours]:
    """The hole's latent image, HxWx3 uint8, and where its patches stand in the source."""
    return filled(hole, _rebuilt, patch=PATCH, coarsest=COARSEST, iterations=_iterations)


def _iterations(level: int) -> int:
    return min(LEAST_ITERATIONS + 3 * level, MOST_ITERATIONS)


def _rebuilt(hole: Hole, field: NearestNeighbours, depth: float) -> Bytes:
    """The latent image that patches vote for: coherence, and in the coarser half of the levels completeness."""
    whole = slice(0, hole.missing.shape[0]), slice(0, hole.missing.shape[1])
    votes = voted(hole.source, field, similarity(field), *whole)
    if depth >= 0.5:
        still = np.zeros_like(field.offsets)
        back = nearest_neighbours(hole.source, hole.latent, hole.missing, still, patch=PATCH, radius=16)
        sums, count = shown(hole.source, back)
        share = COMPLETENESS / COHERENCE / PATCH**2
        votes = (votes + share * sums) / (1 + share * count)[..., np.newaxis]
    return (votes + np.float32(0.5)).astype(np.uint8)
