"""Rays against boxes, cylinders, balls, leaves and arched walls, found through a bounding-volume tree."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from builder.simulate.noise import compiled

BOX, CYLINDER, BALL, LEAF, ARCHES = 0, 1, 2, 3, 4
# Columns of a primitive's row. INVERSE: 3x4 world -> unit shape, row by row; HALF: half sizes in metres;
# SHAPE: opening half width, spring height, period, openings (arched walls only).
KIND, INVERSE, HALF, SHAPE, MATERIAL, OFFSET, SHADOW, PRIMITIVE_COLUMNS = 0, 1, 13, 16, 20, 21, 22, 23
MISS = 1e30


@compiled
def _box(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, near: float):
    """First face of the cube [-1, 1]^3 beyond `near`: (t, normal)."""
    ax, bx = (-1.0 - ox) / dx, (1.0 - ox) / dx
    ay, by = (-1.0 - oy) / dy, (1.0 - oy) / dy
    az, bz = (-1.0 - oz) / dz, (1.0 - oz) / dz
    lx, ly, lz = min(ax, bx), min(ay, by), min(az, bz)
    hx, hy, hz = max(ax, bx), max(ay, by), max(az, bz)
    enter, leave = max(lx, ly, lz), min(hx, hy, hz)
    if enter > leave or leave < near:
        return MISS, 0.0, 0.0, 0.0
    if enter > near:
        if enter == lx:
            return enter, -math.copysign(1.0, dx), 0.0, 0.0
        if enter == ly:
            return enter, 0.0, -math.copysign(1.0, dy), 0.0
        return enter, 0.0, 0.0, -math.copysign(1.0, dz)
    if leave == hx:
        return leave, math.copysign(1.0, dx), 0.0, 0.0
    if leave == hy:
        return leave, 0.0, math.copysign(1.0, dy), 0.0
    return leave, 0.0, 0.0, math.copysign(1.0, dz)


@compiled
def _ball(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, near: float):
    """Unit ball: the smaller root beyond `near` of |o + t d|^2 = 1."""
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    root = b * b - a * (ox * ox + oy * oy + oz * oz - 1.0)
    if root < 0.0:
        return MISS, 0.0, 0.0, 0.0
    root = math.sqrt(root)
    t = (-b - root) / a
    if t < near:
        t = (-b + root) / a
    if t < near:
        return MISS, 0.0, 0.0, 0.0
    return t, ox + t * dx, oy + t * dy, oz + t * dz


@compiled
def _cylinder(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, near: float):
    """Unit cylinder about y, |y| <= 1, with caps."""
    best, nx, ny, nz = MISS, 0.0, 0.0, 0.0
    a, b = dx * dx + dz * dz, ox * dx + oz * dz
    root = b * b - a * (ox * ox + oz * oz - 1.0)
    if root < 0.0:
        return MISS, 0.0, 0.0, 0.0
    root = math.sqrt(root)
    for sign in (-1.0, 1.0):
        t = (-b + sign * root) / a
        if near < t < best and abs(oy + t * dy) <= 1.0:
            best, nx, ny, nz = t, ox + t * dx, 0.0, oz + t * dz
        t = (sign - oy) / dy
        if near < t < best and (ox + t * dx) ** 2 + (oz + t * dz) ** 2 <= 1.0:
            best, nx, ny, nz = t, 0.0, sign, 0.0
    return best, nx, ny, nz


@compiled
def _leaf(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, near: float):
    """Flat leaf in the plane y = 0: |x| <= 1 - z^2."""
    t = -oy / dy
    if t > near:
        z = oz + t * dz
        if abs(ox + t * dx) <= 1.0 - z * z:
            return t, 0.0, 1.0, 0.0
    return MISS, 0.0, 0.0, 0.0


@compiled
def _in_opening(x: float, y: float, half: float, spring: float, period: float, count: float) -> bool:
    """Whether a point of the wall's face (metres, y from its foot) lies in one of its arched openings."""
    cell = math.floor(x / period + 0.5 * count)
    if cell < 0 or cell >= count:
        return False
    x -= (cell + 0.5 - 0.5 * count) * period
    if abs(x) >= half:
        return False
    return y < spring or x * x + (y - spring) ** 2 < half * half


@compiled
def _arches(prims, i, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, near: float):
    """Wall with a row of arched openings through its thickness (local z), in unit-box coordinates."""
    t, nx, ny, nz = _box(ox, oy, oz, dx, dy, dz, near)
    if t == MISS:
        return t, nx, ny, nz
    sx, sy, sz = prims[i, HALF], prims[i, HALF + 1], prims[i, HALF + 2]
    half, spring, period, count = (
        prims[i, SHAPE],
        prims[i, SHAPE + 1],
        prims[i, SHAPE + 2],
        prims[i, SHAPE + 3],
    )
    inside = abs(ox + near * dx) < 1.0 and abs(oy + near * dy) < 1.0 and abs(oz + near * dz) < 1.0
    start = near if inside else t
    px, py = (ox + start * dx) * sx, (oy + start * dy + 1.0) * sy
    if not inside and (nz == 0.0 or not _in_opening(px, py, half, spring, period, count)):
        return t, nx, ny, nz
    cell = math.floor(px / period + 0.5 * count)
    px -= (cell + 0.5 - 0.5 * count) * period
    vx, vy = dx * sx, dy * sy
    end = max((1.0 - oz) / dz, (-1.0 - oz) / dz)
    best, ax, ay = MISS, 0.0, 0.0
    jamb = (math.copysign(half, vx) - px) / vx
    if jamb > 1e-6 and py + jamb * vy <= spring:
        best, ax, ay = start + jamb, -math.copysign(1.0, vx), 0.0
    qy = py - spring
    a, b = vx * vx + vy * vy, px * vx + qy * vy
    root = b * b - a * (px * px + qy * qy - half * half)
    if root > 0.0:
        arc = (-b + math.sqrt(root)) / a
        if 1e-6 < arc < best - start and qy + arc * vy > 0.0:
            best, ax, ay = start + arc, -(px + arc * vx) / half, -(qy + arc * vy) / half
    if best >= end:
        return MISS, 0.0, 0.0, 0.0
    return best, ax * sx, ay * sy, 0.0


@compiled
def _hit(prims, i, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, near: float):
    """Ray against primitive i: (t, normal in its unit coordinates)."""
    k = INVERSE
    lx = prims[i, k] * ox + prims[i, k + 1] * oy + prims[i, k + 2] * oz + prims[i, k + 3]
    ly = prims[i, k + 4] * ox + prims[i, k + 5] * oy + prims[i, k + 6] * oz + prims[i, k + 7]
    lz = prims[i, k + 8] * ox + prims[i, k + 9] * oy + prims[i, k + 10] * oz + prims[i, k + 11]
    vx = prims[i, k] * dx + prims[i, k + 1] * dy + prims[i, k + 2] * dz
    vy = prims[i, k + 4] * dx + prims[i, k + 5] * dy + prims[i, k + 6] * dz
    vz = prims[i, k + 8] * dx + prims[i, k + 9] * dy + prims[i, k + 10] * dz
    kind = prims[i, KIND]
    if kind == BOX:
        return _box(lx, ly, lz, vx, vy, vz, near)
    if kind == CYLINDER:
        return _cylinder(lx, ly, lz, vx, vy, vz, near)
    if kind == BALL:
        return _ball(lx, ly, lz, vx, vy, vz, near)
    if kind == LEAF:
        return _leaf(lx, ly, lz, vx, vy, vz, near)
    return _arches(prims, i, lx, ly, lz, vx, vy, vz, near)


@compiled
def _enters(
    nodes, node, ox: float, oy: float, oz: float, rx: float, ry: float, rz: float, far: float
) -> bool:
    """Slab test of a node's bounds, with the reciprocals of the direction."""
    ax, bx = (nodes[node, 0] - ox) * rx, (nodes[node, 3] - ox) * rx
    ay, by = (nodes[node, 1] - oy) * ry, (nodes[node, 4] - oy) * ry
    az, bz = (nodes[node, 2] - oz) * rz, (nodes[node, 5] - oz) * rz
    enter = max(min(ax, bx), min(ay, by), min(az, bz))
    leave = min(max(ax, bx), max(ay, by), max(az, bz))
    return enter <= leave and leave > 0.0 and enter < far


@compiled
def nearest_hit(nodes, prims, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float):
    """Nearest surface along a ray of unit direction: (t, primitive or -1, unit normal towards the viewer)."""
    rx, ry, rz = 1.0 / dx, 1.0 / dy, 1.0 / dz
    best, found, ux, uy, uz = MISS, -1, 0.0, 0.0, 0.0
    node, count = 0, nodes.shape[0]
    while node < count:
        if not _enters(nodes, node, ox, oy, oz, rx, ry, rz, best):
            node = int(nodes[node, 6])
            continue
        i = int(nodes[node, 7])
        if i >= 0:
            t, nx, ny, nz = _hit(prims, i, ox, oy, oz, dx, dy, dz, 1e-4)
            if t < best:
                best, found, ux, uy, uz = t, i, nx, ny, nz
        node += 1
    if found < 0:
        return best, found, 0.0, 0.0, 1.0
    k = INVERSE  # normals transform with the transposed inverse
    nx = prims[found, k] * ux + prims[found, k + 4] * uy + prims[found, k + 8] * uz
    ny = prims[found, k + 1] * ux + prims[found, k + 5] * uy + prims[found, k + 9] * uz
    nz = prims[found, k + 2] * ux + prims[found, k + 6] * uy + prims[found, k + 10] * uz
    scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz)
    if nx * dx + ny * dy + nz * dz > 0.0:
        scale = -scale
    return best, found, nx * scale, ny * scale, nz * scale


@compiled
def is_shadowed(
    nodes, prims, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, far: float
) -> bool:
    """Whether anything that casts a shadow lies between 0 and `far` along a ray of unit direction."""
    rx, ry, rz = 1.0 / dx, 1.0 / dy, 1.0 / dz
    node, count = 0, nodes.shape[0]
    while node < count:
        if not _enters(nodes, node, ox, oy, oz, rx, ry, rz, far):
            node = int(nodes[node, 6])
            continue
        i = int(nodes[node, 7])
        if i >= 0 and prims[i, SHADOW] > 0.0 and _hit(prims, i, ox, oy, oz, dx, dy, dz, 1e-4)[0] < far:
            return True
        node += 1
    return False


@njit
def build_tree(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Bounding-volume tree of n boxes in depth-first order: rows (low, high, next node if missed, box or -1).

    A subtree of n boxes has 2n - 1 nodes, so indices follow from the counts and traversal needs no stack.
    """
    count = low.shape[0]
    order = np.arange(count)
    nodes = np.empty((2 * count - 1, 8))
    stack = [(0, count, 0)]
    while len(stack) > 0:
        start, end, node = stack.pop()
        members = order[start:end]
        for axis in range(3):
            nodes[node, axis] = low[members, axis].min()
            nodes[node, 3 + axis] = high[members, axis].max()
        nodes[node, 6] = node + 2 * (end - start) - 1
        nodes[node, 7] = -1
        if end - start == 1:
            nodes[node, 7] = members[0]
            continue
        centres = low[members] + high[members]
        widest, axis = -1.0, 0
        for candidate in range(3):
            spread = centres[:, candidate].max() - centres[:, candidate].min()
            if spread > widest:
                widest, axis = spread, candidate
        order[start:end] = members[np.argsort(centres[:, axis], kind="mergesort")]
        middle = (start + end) // 2
        stack.append((start, middle, node + 1))
        stack.append((middle, end, node + 2 * (middle - start)))
    return nodes
