"""Procedural patterns: each gives (mix of two colours, shade, height) at a place on a surface."""

from __future__ import annotations

import math

from builder.simulate.noise import Vector, compiled, fractal_noise, lattice, smoothstep

PLASTER, WOOD, BOARDS, BRICKS, FLAGSTONES, FABRIC, PAINTING, RUG, FOLIAGE, METAL, ASPHALT, WATER, PANES = (
    range(13)
)


@compiled
def _grain(u: float, v: float, w: float, footprint: float, seed: int) -> tuple[float, float]:
    """Wood with its fibre along u (metres): (mix, shade)."""
    wander = fractal_noise(u * 0.9, v * 6.0, w * 6.0, 3, footprint * 6.0, seed)
    ring = 0.5 + 0.5 * math.sin(6.2832 * (wander * 5.0 + v * 9.0))
    keep = min(1.0, max(0.0, 1.5 - footprint * 60.0))
    fibre = fractal_noise(u * 7.0, v * 160.0, w * 160.0, 3, footprint * 160.0, seed + 7)
    return 0.5 + keep * (ring - 0.5) * 0.9, 0.72 + 0.56 * fibre


@compiled
def _blocks(
    u: float, v: float, width: float, height: float, joint: float, footprint: float, seed: int
) -> Vector:
    """Running bond: (column, row, 0 in the joint .. 1 on the block)."""
    row = float(math.floor(v / height))
    shift = 0.5 * (row % 2) + 0.15 * lattice(int(row), 0, 0, seed)
    column = float(math.floor(u / width + shift))
    a, b = (u / width + shift - column) * width, v - row * height
    edge = min(a, width - a, b, height - b)
    soft = max(joint * 0.4, footprint)
    return column, row, smoothstep(joint - soft, joint + soft, edge)


@compiled
def _cells(u: float, v: float, seed: int) -> tuple[float, float]:
    """Irregular paving (Voronoi): (distance to the nearest joint, hash of the stone)."""
    iu, iv = math.floor(u), math.floor(v)
    first, second, stone = 9.0, 9.0, 0.0
    for j in range(iv - 1, iv + 2):
        for i in range(iu - 1, iu + 2):
            x = i + 0.15 + 0.7 * lattice(i, j, 1, seed) - u
            y = j + 0.15 + 0.7 * lattice(i, j, 2, seed) - v
            # Part of the maximum norm gives hewn stones rather than round cells.
            distance = max(abs(x), abs(y)) * 0.7 + 0.3 * math.sqrt(x * x + y * y)
            if distance < first:
                first, second, stone = distance, first, lattice(i, j, 3, seed)
            elif distance < second:
                second = distance
    return second - first, stone


@compiled
def _masonry(kind: float, q: Vector, size: float, aspect: float, footprint: float, seed: int) -> Vector:
    """Boards, bricks and flagstones."""
    u, v, w = q
    if kind == BOARDS:
        column, row, face = _blocks(v, u, size * aspect, size, 0.0025, footprint, seed)
        own = lattice(int(column), int(row), 5, seed)
        mix, shade = _grain(v + own * 9.0, u, w + own * 31.0, footprint, seed)
        return mix, shade * (0.62 + 0.6 * own) * (0.18 + 0.82 * face), face
    scale, own, face = 22.0, 0.0, 0.0
    if kind == BRICKS:
        wobble = 0.012 * (fractal_noise(u * 9.0, v * 9.0, w * 9.0, 2, footprint * 9.0, seed + 3) - 0.5)
        joint = 0.006 + 0.02 * size
        column, row, face = _blocks(u + wobble, v + wobble, size, size * aspect, joint, footprint, seed)
        own = lattice(int(column), int(row), 5, seed)
    else:
        gap, own = _cells(u / size, v / size, seed)
        face = smoothstep(0.03 - footprint / size, 0.09 + footprint / size, gap)
        scale = 14.0
    rough = fractal_noise(u * scale, v * scale, w * scale + own * 9.0, 4, footprint * scale, seed + 11)
    large = fractal_noise(u * 0.8, v * 0.8, w * 0.8, 3, footprint, seed + 17)
    return 1.0 - face, (0.58 + 0.42 * own) * (0.6 + 0.8 * rough) * (0.63 + 0.74 * large), face + 0.55 * rough


@compiled
def _ground(kind: float, q: Vector, size: float, footprint: float, seed: int) -> Vector:
    """Asphalt, water, metal and plaster."""
    u, v, w = q
    if kind == ASPHALT:
        puddle = fractal_noise(u * 0.55, v * 0.55, 0.0, 4, footprint, seed)
        stones = fractal_noise(u * 70.0, v * 70.0, w, 2, footprint * 70.0, seed + 5)
        return smoothstep(0.46, 0.54, puddle), 0.55 + 0.9 * stones, stones
    u, v, w, footprint = u / size, v / size, w / size, footprint / size
    if kind == WATER:
        return 0.0, 1.0, fractal_noise(u, v * 2.2, 0.0, 5, footprint, seed)
    large = fractal_noise(u, v, w, 4, footprint, seed)
    if kind == METAL:
        scratch = fractal_noise(u * 12.0, v * 0.7, w * 12.0, 3, footprint * 12.0, seed + 3)
        return smoothstep(0.45, 0.7, large), 0.75 + 0.5 * scratch, 0.3 * scratch
    fine = fractal_noise(u * 16.0, v * 16.0, w * 16.0, 4, footprint * 16.0, seed + 9)
    return smoothstep(0.3, 0.7, large), 0.78 + 0.44 * fine, fine + 0.5 * large


@compiled
def _cloth(kind: float, q: Vector, size: float, aspect: float, footprint: float, seed: int) -> Vector:
    """Fabric, paintings and rugs."""
    u, v, w = q
    if kind == PAINTING:
        u, v, footprint = u / size, v / size, footprint / size
        bend = fractal_noise(u * 3.0, v * 3.0, w, 4, footprint * 3.0, seed)
        stroke = fractal_noise(u * 9.0 + 4.0 * bend, v * 40.0, w, 3, footprint * 40.0, seed + 3)
        return smoothstep(-0.1, 0.1, v + 0.6 * (bend - 0.5)), 0.35 + 1.1 * stroke * (0.4 + bend), stroke
    nap = fractal_noise(u * 40.0, v * 40.0, w * 40.0, 4, footprint * 40.0, seed)
    if kind == RUG:
        lines = math.sin(6.2832 * max(abs(u) * 1.3, abs(v)) / size)
        motif = math.sin(18.85 * u / size) * math.sin(18.85 * v / size)
        return smoothstep(-0.15, 0.15, lines * 0.6 + motif * 0.5), 0.6 + 0.8 * nap, nap
    keep = min(1.0, max(0.0, 1.5 - footprint * 400.0))
    weave = 0.5 + keep * 0.5 * math.sin(u * 1600.0) * math.sin(v * 1600.0)
    stripe = smoothstep(-0.2, 0.2, math.sin(6.2832 * u / size) - aspect)
    return stripe, (0.7 + 0.3 * weave) * (0.65 + 0.7 * nap), weave + nap


@compiled
def _living(kind: float, q: Vector, size: float, footprint: float, seed: int) -> Vector:
    """Lit windows and leaves."""
    u, v, w = q
    if kind == PANES:
        blind = fractal_noise(u * 2.0, v * 9.0, w, 3, footprint * 9.0, seed)
        return 0.0, (0.35 + 1.1 * blind) * (0.75 + 0.5 * smoothstep(-0.8, 0.8, v)), 0.0
    vein = smoothstep(0.0, 0.12, abs(u) / size)
    mottle = fractal_noise(u / size, v * 3.0 / size, w / size, 3, footprint * 3.0 / size, seed)
    return 0.35 * (1.0 - vein) + 0.9 * mottle, 0.6 + 0.8 * mottle, mottle


@compiled
def pattern(
    kind: float, q: Vector, size: float, aspect: float, grain: float, footprint: float, seed: int
) -> Vector:
    """(mix, shade, height) at coordinates q = (u, v, depth) in metres, seen at `footprint` metres a pixel."""
    if kind == WOOD:
        u, v, w = (
            (q[1] / size, q[0] / size, q[2] / size)
            if grain == 1.0
            else (q[0] / size, q[1] / size, q[2] / size)
        )
        mix, shade = _grain(u, v, w, footprint / size, seed)
        return mix, shade, shade
    if kind in (BOARDS, BRICKS, FLAGSTONES):
        return _masonry(kind, q, size, aspect, footprint, seed)
    if kind in (PLASTER, ASPHALT, WATER, METAL):
        return _ground(kind, q, size, footprint, seed)
    if kind in (FABRIC, PAINTING, RUG):
        return _cloth(kind, q, size, aspect, footprint, seed)
    return _living(kind, q, size, footprint, seed)
