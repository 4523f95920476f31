"""Rays against the unit shapes that everything is built of: boxes, cylinders, balls, leaves, arched walls."""

from __future__ import annotations

import math

import numpy as np

from builder.simulate.noise import Vector, compiled, dot

BOX, CYLINDER, BALL, LEAF, ARCHES = 0, 1, 2, 3, 4
# Columns of a primitive's row. INVERSE: 3x4 world -> unit shape, row by row; HALF: half sizes in metres;
# SHAPE: opening's half width, spring height, period, number of openings (arched walls only).
KIND, INVERSE, HALF, SHAPE, MATERIAL, OFFSET, SHADOW, COLUMNS = 0, 1, 13, 16, 20, 21, 22, 23
MISS = 1e30
Hit = tuple[float, Vector]  # distance along the ray and normal, both in the coordinates of the ray given
NOTHING = (MISS, (0.0, 0.0, 1.0))


@compiled
def _box(o: Vector, d: Vector, near: float) -> Hit:
    """First face of the cube [-1, 1]^3 beyond `near` (slab test)."""
    ax, bx = (-1.0 - o[0]) / d[0], (1.0 - o[0]) / d[0]
    ay, by = (-1.0 - o[1]) / d[1], (1.0 - o[1]) / d[1]
    az, bz = (-1.0 - o[2]) / d[2], (1.0 - o[2]) / d[2]
    low = min(ax, bx), min(ay, by), min(az, bz)
    high = max(ax, bx), max(ay, by), max(az, bz)
    enter, leave = max(low[0], low[1], low[2]), min(high[0], high[1], high[2])
    if enter > leave or leave < near:
        return NOTHING
    if enter > near:
        distance, sides, sign = enter, low, -1.0
    else:
        distance, sides, sign = leave, high, 1.0
    if distance == sides[0]:
        return distance, (math.copysign(sign, sign * d[0]), 0.0, 0.0)
    if distance == sides[1]:
        return distance, (0.0, math.copysign(sign, sign * d[1]), 0.0)
    return distance, (0.0, 0.0, math.copysign(sign, sign * d[2]))


@compiled
def _ball(o: Vector, d: Vector, near: float) -> Hit:
    """Unit ball: the smaller root beyond `near` of |o + t d|^2 = 1."""
    a, b = dot(d, d), dot(o, d)
    root = b * b - a * (dot(o, o) - 1.0)
    if root < 0.0:
        return NOTHING
    root = math.sqrt(root)
    t = (-b - root) / a
    if t < near:
        t = (-b + root) / a
    if t < near:
        return NOTHING
    return t, (o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])


@compiled
def _cylinder(o: Vector, d: Vector, near: float) -> Hit:
    """Unit cylinder about y, |y| <= 1, with caps."""
    best, normal = NOTHING
    a, b = d[0] * d[0] + d[2] * d[2], o[0] * d[0] + o[2] * d[2]
    root = b * b - a * (o[0] * o[0] + o[2] * o[2] - 1.0)
    if root < 0.0:
        return NOTHING
    root = math.sqrt(root)
    for sign in (-1.0, 1.0):
        t = (-b + sign * root) / a
        if near < t < best and abs(o[1] + t * d[1]) <= 1.0:
            best, normal = t, (o[0] + t * d[0], 0.0, o[2] + t * d[2])
        t = (sign - o[1]) / d[1]
        if near < t < best and (o[0] + t * d[0]) ** 2 + (o[2] + t * d[2]) ** 2 <= 1.0:
            best, normal = t, (0.0, sign, 0.0)
    return best, normal


@compiled
def _leaf(o: Vector, d: Vector, near: float) -> Hit:
    """Flat leaf in the plane y = 0: |x| <= 1 - z^2."""
    t = -o[1] / d[1]
    if t > near:
        z = o[2] + t * d[2]
        if abs(o[0] + t * d[0]) <= 1.0 - z * z:
            return t, (0.0, 1.0, 0.0)
    return NOTHING


@compiled
def _opening_at(x: float, y: float, half: float, spring: float, period: float, count: float) -> bool:
    """Whether a point of the wall's face (metres, y from its foot) lies in one of its arched openings."""
    cell = math.floor(x / period + 0.5 * count)
    x -= (cell + 0.5 - 0.5 * count) * period
    if cell < 0 or cell >= count or abs(x) >= half:
        return False
    return y < spring or x * x + (y - spring) ** 2 < half * half


@compiled
def _reveal(x: float, y: float, vx: float, vy: float, half: float, spring: float) -> Hit:
    """From inside an opening (x from its middle, m): first jamb or arc met; normal in the wall's plane."""
    best, normal = NOTHING
    jamb = (math.copysign(half, vx) - x) / vx
    if jamb > 1e-6 and y + jamb * vy <= spring:
        best, normal = jamb, (-math.copysign(1.0, vx), 0.0, 0.0)
    y -= spring
    a, b = vx * vx + vy * vy, x * vx + y * vy
    root = b * b - a * (x * x + y * y - half * half)
    if root > 0.0:
        arc = (-b + math.sqrt(root)) / a
        if 1e-6 < arc < best and y + arc * vy > 0.0:
            best, normal = arc, (-(x + arc * vx) / half, -(y + arc * vy) / half, 0.0)
    return best, normal


@compiled
def _arches(prims: np.ndarray, i: int, o: Vector, d: Vector, near: float) -> Hit:
    """Wall with a row of arched openings through its thickness (local z), in unit-box coordinates."""
    t, normal = _box(o, d, near)
    if t == MISS:
        return NOTHING
    sx, sy = prims[i, HALF], prims[i, HALF + 1]
    half, spring, period, count = (
        prims[i, SHAPE],
        prims[i, SHAPE + 1],
        prims[i, SHAPE + 2],
        prims[i, SHAPE + 3],
    )
    inside = max(abs(o[0] + near * d[0]), abs(o[1] + near * d[1]), abs(o[2] + near * d[2])) < 1.0
    start = near if inside else t
    x, y = (o[0] + start * d[0]) * sx, (o[1] + start * d[1] + 1.0) * sy
    if not inside and (normal[2] == 0.0 or not _opening_at(x, y, half, spring, period, count)):
        return t, normal
    x -= (math.floor(x / period + 0.5 * count) + 0.5 - 0.5 * count) * period
    best, side = _reveal(x, y, d[0] * sx, d[1] * sy, half, spring)
    if start + best >= max((1.0 - o[2]) / d[2], (-1.0 - o[2]) / d[2]):
        return NOTHING
    return start + best, (side[0] * sx, side[1] * sy, 0.0)  # back to unit coordinates


@compiled
def to_unit(prims: np.ndarray, i: int, p: Vector, place: float) -> Vector:
    """A world point (place 1) or direction (place 0) in the coordinates of primitive i's unit shape."""
    k = INVERSE
    return (
        prims[i, k] * p[0] + prims[i, k + 1] * p[1] + prims[i, k + 2] * p[2] + place * prims[i, k + 3],
        prims[i, k + 4] * p[0] + prims[i, k + 5] * p[1] + prims[i, k + 6] * p[2] + place * prims[i, k + 7],
        prims[i, k + 8] * p[0] + prims[i, k + 9] * p[1] + prims[i, k + 10] * p[2] + place * prims[i, k + 11],
    )


@compiled
def normal_to_world(prims: np.ndarray, i: int, n: Vector) -> Vector:
    """A normal of the unit shape in the world (by the transposed inverse), of any length."""
    k = INVERSE
    return (
        prims[i, k] * n[0] + prims[i, k + 4] * n[1] + prims[i, k + 8] * n[2],
        prims[i, k + 1] * n[0] + prims[i, k + 5] * n[1] + prims[i, k + 9] * n[2],
        prims[i, k + 2] * n[0] + prims[i, k + 6] * n[1] + prims[i, k + 10] * n[2],
    )


@compiled
def hit(prims: np.ndarray, i: int, origin: Vector, direction: Vector, near: float) -> Hit:
    """Ray against primitive i: distance and the normal in its unit coordinates."""
    o, d = to_unit(prims, i, origin, 1.0), to_unit(prims, i, direction, 0.0)
    kind = prims[i, KIND]
    if kind == BOX:
        return _box(o, d, near)
    if kind == CYLINDER:
        return _cylinder(o, d, near)
    if kind == BALL:
        return _ball(o, d, near)
    if kind == LEAF:
        return _leaf(o, d, near)
    return _arches(prims, i, o, d, near)
