"""Procedural surfaces: colour, glow and relief of a point, from its place on the object."""

from __future__ import annotations

import math

from builder.simulate.geometry import HALF, INVERSE, MATERIAL, OFFSET
from builder.simulate.noise import compiled, fractal_noise, lattice, smoothstep

PLASTER, WOOD, BOARDS, BRICKS, FLAGSTONES, FABRIC, PAINTING, RUG, FOLIAGE, METAL, ASPHALT, WATER, PANES = (
    range(13)
)
# Columns of a material's row. COLOR/SECOND: albedos between which the pattern mixes; SIZE: metres of its unit;
# ASPECT: pattern's own second figure; MIRROR: reflectance at normal incidence; GRAIN: axis of wood.
PATTERN, COLOR, SECOND, SIZE, ASPECT, MIRROR, ROUGH, GLOW, BUMP, GRAIN, THIN, MATERIAL_COLUMNS = (
    0, 1, 4, 7, 8, 9, 10, 11, 14, 15, 16, 17,
)  # fmt: skip


@compiled
def _grain(u: float, v: float, w: float, footprint: float, seed: int):
    """Wood fibre along u (metres): (mix, shade)."""
    wander = fractal_noise(u * 0.9, v * 6.0, w * 6.0, 3, footprint * 6.0, seed)
    ring = 0.5 + 0.5 * math.sin(6.2832 * (wander * 5.0 + v * 9.0))
    keep = min(1.0, max(0.0, 1.5 - footprint * 60.0))
    fibre = fractal_noise(u * 7.0, v * 160.0, w * 160.0, 3, footprint * 160.0, seed + 7)
    return 0.5 + keep * (ring - 0.5) * 0.9, 0.72 + 0.56 * fibre


@compiled
def _blocks(u: float, v: float, width: float, height: float, joint: float, footprint: float, seed: int):
    """Running bond: (column, row, 0 in the joint .. 1 on the block)."""
    row = math.floor(v / height)
    shift = 0.5 * (row % 2) + 0.15 * lattice(int(row), 0, 0, seed)
    column = math.floor(u / width + shift)
    a, b = (u / width + shift - column) * width, v - row * height
    edge = min(a, width - a, b, height - b)
    soft = max(joint * 0.4, footprint)
    return column, row, smoothstep(joint - soft, joint + soft, edge)


@compiled
def _cells(u: float, v: float, seed: int):
    """Irregular paving (Voronoi): (distance to the nearest joint, hash of the stone)."""
    iu, iv = int(math.floor(u)), int(math.floor(v))
    first, second, stone = 9.0, 9.0, 0.0
    for j in range(iv - 1, iv + 2):
        for i in range(iu - 1, iu + 2):
            x = i + 0.15 + 0.7 * lattice(i, j, 1, seed) - u
            y = j + 0.15 + 0.7 * lattice(i, j, 2, seed) - v
            # The cube-ish norm gives hewn stones rather than round cells.
            distance = max(abs(x), abs(y)) * 0.7 + 0.3 * math.sqrt(x * x + y * y)
            if distance < first:
                first, second, stone = distance, first, lattice(i, j, 3, seed)
            elif distance < second:
                second = distance
    return second - first, stone


@compiled
def _pattern_masonry(
    kind: float, u: float, v: float, w: float, size: float, aspect: float, fp: float, seed: int
):
    """Boards, bricks and flagstones: (mix, shade, height)."""
    if kind == BOARDS:
        column, row, face = _blocks(v, u, size * aspect, size, 0.0025, fp, seed)
        own = lattice(int(column), int(row), 5, seed)
        mix, shade = _grain(v + own * 9.0, u, w + own * 31.0, fp, seed)
        return mix, shade * (0.62 + 0.6 * own) * (0.18 + 0.82 * face), face
    if kind == BRICKS:
        wobble = 0.012 * (fractal_noise(u * 9.0, v * 9.0, w * 9.0, 2, fp * 9.0, seed + 3) - 0.5)
        column, row, face = _blocks(
            u + wobble, v + wobble, size, size * aspect, 0.006 + 0.02 * size, fp, seed
        )
        own = lattice(int(column), int(row), 5, seed)
        rough = fractal_noise(u * 22.0, v * 22.0, w * 22.0 + own * 9.0, 4, fp * 22.0, seed + 11)
        large = fractal_noise(u * 0.7, v * 0.7, w * 0.7, 3, fp, seed + 17)
        return (
            1.0 - face,
            (0.55 + 0.45 * own) * (0.6 + 0.8 * rough) * (0.65 + 0.7 * large),
            face + 0.5 * rough,
        )
    gap, own = _cells(u / size, v / size, seed)
    soft = fp / size
    face = smoothstep(0.03 - soft, 0.09 + soft, gap)
    rough = fractal_noise(u * 14.0, v * 14.0, w * 14.0 + own * 9.0, 5, fp * 14.0, seed + 13)
    large = fractal_noise(u * 0.8, v * 0.8, w * 0.8, 3, fp, seed + 19)
    return 1.0 - face, (0.6 + 0.4 * own) * (0.6 + 0.8 * rough) * (0.6 + 0.8 * large), face + 0.6 * rough


@compiled
def _pattern_ground(kind: float, u: float, v: float, w: float, size: float, fp: float, seed: int):
    """Asphalt, water, metal and plaster: (mix, shade, height)."""
    if kind == ASPHALT:
        puddle = fractal_noise(u * 0.55, v * 0.55, 0.0, 4, fp, seed)
        stones = fractal_noise(u * 70.0, v * 70.0, w, 2, fp * 70.0, seed + 5)
        return smoothstep(0.46, 0.54, puddle), 0.55 + 0.9 * stones, stones
    if kind == WATER:
        swell = fractal_noise(u / size, v * 2.2 / size, 0.0, 5, fp / size, seed)
        return 0.0, 1.0, swell
    if kind == METAL:
        patina = fractal_noise(u / size, v / size, w / size, 4, fp / size, seed)
        scratch = fractal_noise(
            u * 12.0 / size, v * 0.7 / size, w * 12.0 / size, 3, fp * 12.0 / size, seed + 3
        )
        return smoothstep(0.45, 0.7, patina), 0.75 + 0.5 * scratch, 0.3 * scratch
    large = fractal_noise(u / size, v / size, w / size, 4, fp / size, seed)
    fine = fractal_noise(u * 16.0 / size, v * 16.0 / size, w * 16.0 / size, 4, fp * 16.0 / size, seed + 9)
    return smoothstep(0.3, 0.7, large), 0.78 + 0.44 * fine, fine + 0.5 * large


@compiled
def _pattern_cloth(
    kind: float, u: float, v: float, w: float, size: float, aspect: float, fp: float, seed: int
):
    """Fabric, paintings, rugs, foliage and lit windows: (mix, shade, height)."""
    if kind == FABRIC:
        keep = min(1.0, max(0.0, 1.5 - fp * 400.0))
        weave = 0.5 + keep * 0.5 * math.sin(u * 1600.0) * math.sin(v * 1600.0)
        nap = fractal_noise(u * 30.0, v * 30.0, w * 30.0, 4, fp * 30.0, seed)
        stripe = smoothstep(-0.2, 0.2, math.sin(6.2832 * u / size) - aspect)
        return stripe, (0.7 + 0.3 * weave) * (0.65 + 0.7 * nap), weave + nap
    if kind == PAINTING:
        bend = fractal_noise(u * 3.0 / size, v * 3.0 / size, w, 4, fp * 3.0 / size, seed)
        stroke = fractal_noise(u * 9.0 / size + 4.0 * bend, v * 40.0 / size, w, 3, fp * 40.0 / size, seed + 3)
        horizon = smoothstep(-0.1, 0.1, v / size + 0.6 * (bend - 0.5))
        return horizon, 0.35 + 1.1 * stroke * (0.4 + bend), stroke
    if kind == RUG:
        nap = fractal_noise(u * 50.0, v * 50.0, w, 3, fp * 50.0, seed)
        lines = math.sin(6.2832 * max(abs(u) * 1.3, abs(v)) / size)
        motif = math.sin(18.85 * u / size) * math.sin(18.85 * v / size)
        return smoothstep(-0.15, 0.15, lines * 0.6 + motif * 0.5), 0.6 + 0.8 * nap, nap
    if kind == PANES:
        blind = fractal_noise(u * 2.0, v * 9.0, w, 3, fp * 9.0, seed)
        return 0.0, (0.35 + 1.1 * blind) * (0.75 + 0.5 * smoothstep(-0.8, 0.8, v)), 0.0
    vein = smoothstep(0.0, 0.12, abs(u) / (0.001 + size))
    mottle = fractal_noise(u / size, v * 3.0 / size, w / size, 3, fp * 3.0 / size, seed)
    return 0.35 * (1.0 - vein) + 0.9 * mottle, 0.6 + 0.8 * mottle, mottle


@compiled
def pattern(
    kind: float, u: float, v: float, w: float, size: float, aspect: float, grain: float, fp: float, seed: int
):
    """A pattern at surface coordinates u, v and depth w (metres), seen at `fp` metres a pixel: (mix, shade, height)."""
    if kind == WOOD:
        if grain == 1.0:
            u, v = v, u
        mix, shade = _grain(u / size, v / size, w / size, fp / size, seed)
        return mix, shade, shade
    if kind == BOARDS or kind == BRICKS or kind == FLAGSTONES:
        return _pattern_masonry(kind, u, v, w, size, aspect, fp, seed)
    if kind == PLASTER or kind == ASPHALT or kind == WATER or kind == METAL:
        return _pattern_ground(kind, u, v, w, size, fp, seed)
    return _pattern_cloth(kind, u, v, w, size, aspect, fp, seed)


@compiled
def surface_coordinates(prims, i, x: float, y: float, z: float, nx: float, ny: float, nz: float):
    """Metric coordinates (u, v, w) of a world point on primitive i; w points along the facing axis."""
    k, h = INVERSE, HALF
    ax = (prims[i, k] * x + prims[i, k + 1] * y + prims[i, k + 2] * z + prims[i, k + 3]) * prims[i, h]
    ay = (prims[i, k + 4] * x + prims[i, k + 5] * y + prims[i, k + 6] * z + prims[i, k + 7]) * prims[i, h + 1]
    az = (prims[i, k + 8] * x + prims[i, k + 9] * y + prims[i, k + 10] * z + prims[i, k + 11]) * prims[
        i, h + 2
    ]
    sx = abs(prims[i, k] * nx + prims[i, k + 1] * ny + prims[i, k + 2] * nz) * prims[i, h]
    sy = abs(prims[i, k + 4] * nx + prims[i, k + 5] * ny + prims[i, k + 6] * nz) * prims[i, h + 1]
    sz = abs(prims[i, k + 8] * nx + prims[i, k + 9] * ny + prims[i, k + 10] * nz) * prims[i, h + 2]
    if sy >= sx and sy >= sz:
        return ax, az, ay
    if sx >= sz:
        return az, ay, ax
    return ax, ay, az


@compiled
def surface(prims, materials, i, x: float, y: float, z: float, nx: float, ny: float, nz: float, fp: float):
    """Albedo (3), glow factor, pattern's mix at a world point of primitive i with unit normal n."""
    m = int(prims[i, MATERIAL])
    u, v, w = surface_coordinates(prims, i, x, y, z, nx, ny, nz)
    own = prims[i, OFFSET]
    seed = int(own * 65536.0)
    kind, size, aspect, grain = (
        materials[m, PATTERN],
        materials[m, SIZE],
        materials[m, ASPECT],
        materials[m, GRAIN],
    )
    mix, shade, _ = pattern(kind, u, v, w, size, aspect, grain, fp, seed)
    tone = shade * (0.85 + 0.3 * own)
    c, s = COLOR, SECOND
    red = (materials[m, c] + (materials[m, s] - materials[m, c]) * mix) * tone
    green = (materials[m, c + 1] + (materials[m, s + 1] - materials[m, c + 1]) * mix) * tone
    blue = (materials[m, c + 2] + (materials[m, s + 2] - materials[m, c + 2]) * mix) * tone
    return max(red, 0.0), max(green, 0.0), max(blue, 0.0), shade, mix


@compiled
def bumped_normal(
    prims, materials, i, x: float, y: float, z: float, nx: float, ny: float, nz: float, fp: float
):
    """Normal tilted by the slope of the pattern's height: finite differences over about a pixel, metres/metre."""
    m = int(prims[i, MATERIAL])
    depth = materials[m, BUMP]
    if depth == 0.0:
        return nx, ny, nz
    kind, size, aspect, grain = (
        materials[m, PATTERN],
        materials[m, SIZE],
        materials[m, ASPECT],
        materials[m, GRAIN],
    )
    seed = int(prims[i, OFFSET] * 65536.0)
    # Two tangents: t = n x axis, b = n x t.
    if abs(ny) < 0.9:
        scale = 1.0 / math.sqrt(nx * nx + nz * nz)
        tx, ty, tz = nz * scale, 0.0, -nx * scale
    else:
        tx, ty, tz = 1.0, 0.0, 0.0
    bx, by, bz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
    step = max(fp, 0.001)
    u, v, w = surface_coordinates(prims, i, x, y, z, nx, ny, nz)
    here = pattern(kind, u, v, w, size, aspect, grain, fp, seed)[2]
    u, v, w = surface_coordinates(prims, i, x + step * tx, y + step * ty, z + step * tz, nx, ny, nz)
    along_t = (pattern(kind, u, v, w, size, aspect, grain, fp, seed)[2] - here) * depth / step
    u, v, w = surface_coordinates(prims, i, x + step * bx, y + step * by, z + step * bz, nx, ny, nz)
    along_b = (pattern(kind, u, v, w, size, aspect, grain, fp, seed)[2] - here) * depth / step
    along_t, along_b = max(-1.5, min(1.5, along_t)), max(-1.5, min(1.5, along_b))
    rx = nx - along_t * tx - along_b * bx
    ry = ny - along_t * ty - along_b * by
    rz = nz - along_t * tz - along_b * bz
    scale = 1.0 / math.sqrt(rx * rx + ry * ry + rz * rz)
    return rx * scale, ry * scale, rz * scale
