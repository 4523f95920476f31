"""Surfaces at a point: albedo, glow and relief, from the material's pattern and the place on the object."""

from __future__ import annotations

import math

import numpy as np

from builder.simulate.noise import Vector, along, compiled, cross, mixed, scaled, unit
from builder.simulate.patterns import pattern
from builder.simulate.shapes import HALF, MATERIAL, OFFSET, to_unit

# Columns of a material's row. COLOR/SECOND: albedos between which the pattern mixes; SIZE: its unit (m);
# ASPECT: the pattern's own second figure; MIRROR: reflectance at normal incidence; GRAIN: axis of wood;
# THIN: share of light let through.
PATTERN, COLOR, SECOND, SIZE, ASPECT, MIRROR, ROUGH, GLOW = 0, 1, 4, 7, 8, 9, 10, 11
BUMP, GRAIN, THIN, MATERIAL_COLUMNS = 14, 15, 16, 17


@compiled
def triple(table: np.ndarray, row: int, column: int) -> Vector:
    """Three neighbouring columns as a vector."""
    return table[row, column], table[row, column + 1], table[row, column + 2]


@compiled
def _coordinates(prims: np.ndarray, i: int, p: Vector, n: Vector) -> Vector:
    """Metric coordinates (u, v, w) of a world point on primitive i; w runs along the facing axis."""
    q, m = to_unit(prims, i, p, 1.0), to_unit(prims, i, n, 0.0)
    hx, hy, hz = prims[i, HALF], prims[i, HALF + 1], prims[i, HALF + 2]
    x, y, z = abs(m[0]) * hx, abs(m[1]) * hy, abs(m[2]) * hz
    if y >= x and y >= z:
        return q[0] * hx, q[2] * hz, q[1] * hy
    if x >= z:
        return q[2] * hz, q[1] * hy, q[0] * hx
    return q[0] * hx, q[1] * hy, q[2] * hz


@compiled
def _pattern_at(
    prims: np.ndarray, materials: np.ndarray, i: int, p: Vector, n: Vector, footprint: float
) -> Vector:
    """The pattern (mix, shade, height) of primitive i at a world point."""
    m, seed = int(prims[i, MATERIAL]), int(prims[i, OFFSET] * 65536.0)
    row = materials[m]
    return pattern(
        row[PATTERN], _coordinates(prims, i, p, n), row[SIZE], row[ASPECT], row[GRAIN], footprint, seed
    )


@compiled
def surface(
    prims: np.ndarray, materials: np.ndarray, i: int, p: Vector, n: Vector, footprint: float
) -> tuple[Vector, float, float]:
    """Albedo, shade (factor of the glow) and mix of primitive i at a point with unit normal n."""
    mix, shade, _ = _pattern_at(prims, materials, i, p, n, footprint)
    m = int(prims[i, MATERIAL])
    color = mixed(triple(materials, m, COLOR), triple(materials, m, SECOND), mix)
    tone = shade * (0.85 + 0.3 * prims[i, OFFSET])
    return (max(color[0], 0.0) * tone, max(color[1], 0.0) * tone, max(color[2], 0.0) * tone), shade, mix


@compiled
def bumped_normal(
    prims: np.ndarray, materials: np.ndarray, i: int, p: Vector, n: Vector, footprint: float
) -> Vector:
    """Normal tilted by the slope of the pattern's height: finite differences over about a pixel."""
    depth = materials[int(prims[i, MATERIAL]), BUMP]
    if depth == 0.0:
        return n
    tangent = (1.0, 0.0, 0.0)
    if abs(n[1]) < 0.9:
        tangent = scaled(1.0 / math.sqrt(n[0] * n[0] + n[2] * n[2]), (n[2], 0.0, -n[0]))
    other = cross(n, tangent)
    step = max(footprint, 0.001)
    here, slopes = 0.0, (0.0, 0.0)
    for k in range(3):
        place = p if k == 0 else along(p, step, tangent if k == 1 else other)
        height = _pattern_at(prims, materials, i, place, n, footprint)[2] * depth / step
        if k == 0:
            here = height
        elif k == 1:
            slopes = (max(-1.5, min(1.5, height - here)), 0.0)
        else:
            slopes = (slopes[0], max(-1.5, min(1.5, height - here)))
    return unit(along(along(n, -slopes[0], tangent), -slopes[1], other))
