"""Kernels from a stage to linear radiance: soft light on a coarse grid, then supersampled pixels."""

from __future__ import annotations

import math

import numpy as np

from builder.simulate.geometry import nearest_hit
from builder.simulate.lighting import Stage, direct_light, lamp_haze, seen_along, window_light
from builder.simulate.materials import GLOW, MIRROR, PATTERN, ROUGH, THIN, bumped_normal, surface, triple
from builder.simulate.noise import Vector, along, compiled, dot, lattice, mixed, scaled, times, unit
from builder.simulate.patterns import ASPHALT
from builder.simulate.shapes import MATERIAL
from builder.simulate.sky import AMBIENT, FOG, FOG_COLOR, of, sky_radiance

# Columns of a camera row; MATRIX is the 2x3 affine map from frame to reference pixels.
ORIGIN, RIGHT, UP, FORWARD, MIDDLE, PITCH, MATRIX, CAMERA_COLUMNS = 0, 3, 6, 9, 12, 14, 15, 21
WINDOW_RAYS = 4  # squared
FAR = 200.0  # metres; haze ends here
MIRROR_BLUR = 3.0  # a reflection is seen that much less finely than its mirror
CONTRAST = 2.3  # of the first four samples, above which a pixel gets the second four
# Two rotated grids, the second between the points of the first.
_FIRST = [(-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375)]
_SECOND = [(0.125, -0.125), (-0.375, -0.375), (0.375, 0.375), (-0.125, 0.125)]
SAMPLES = np.array(_FIRST + _SECOND)


@compiled
def _direction(camera: np.ndarray, x: float, y: float) -> Vector:
    """Unit direction of the ray through frame coordinates (x, y), pixel centres at integers."""
    u = camera[MATRIX] * x + camera[MATRIX + 1] * y + camera[MATRIX + 2] - camera[MIDDLE]
    v = camera[MATRIX + 3] * x + camera[MATRIX + 4] * y + camera[MATRIX + 5] - camera[MIDDLE + 1]
    ahead = along(of(camera, FORWARD), u * camera[PITCH], of(camera, RIGHT))
    return unit(along(ahead, -v * camera[PITCH], of(camera, UP)))


@compiled
def _cosine_direction(n: Vector, a: float, b: float) -> Vector:
    """Direction about n with density cosine / pi, from two uniform values."""
    angle, height = 6.283185307 * a, 1.9999 * b - 1.0
    around = math.sqrt(max(0.0, 1.0 - height * height))
    return unit(along(n, 1.0, (around * math.cos(angle), around * math.sin(angle), height)))


@compiled
def gather_indirect(
    stage: Stage, camera: np.ndarray, height: int, width: int, step: int, rays: int
) -> np.ndarray:
    """Soft light (windows, other surfaces) on a coarse grid: float64 (h, w, 9), NaN for sky.

    The columns are position, normal, irradiance / pi.
    """
    points = np.full(((height - 1) // step + 2, (width - 1) // step + 2, 9), np.nan)
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            d = _direction(camera, float(column * step), float(row * step))
            t, i, n = nearest_hit(stage.nodes, stage.prims, of(camera, ORIGIN), d)
            if i < 0:
                continue
            p = along(of(camera, ORIGIN), t, d)
            light = window_light(stage, p, n, WINDOW_RAYS, row * 8192 + column)
            turn, lift = lattice(column, row, 1, 3), lattice(column, row, 2, 3)
            for k in range(rays):
                # R2 sequence, turned by a random amount at each point.
                a, b = turn + 0.7548776662 * k, lift + 0.5698402910 * k
                out = _cosine_direction(n, a - math.floor(a), b - math.floor(b))
                brought, _ = seen_along(stage, along(p, 2e-3, n), out, 0.2, 0.0, row * 8192 + column, k)
                light = along(light, 1.0 / rays, brought)
            points[row, column] = (p[0], p[1], p[2], n[0], n[1], n[2], light[0], light[1], light[2])
    return points


@compiled
def _blend(
    points: np.ndarray, row: float, column: float, reach: int, p: Vector, n: Vector, scale: float
) -> tuple[Vector, float]:
    """Weighted sum of irradiance over grid points near (row, column) on the surface; the weights' sum."""
    light, total = (0.0, 0.0, 0.0), 0.0
    top, left = math.floor(row), math.floor(column)
    for j in range(max(top - reach + 1, 0), min(top + reach + 1, points.shape[0])):
        for i in range(max(left - reach + 1, 0), min(left + reach + 1, points.shape[1])):
            alike = points[j, i, 3] * n[0] + points[j, i, 4] * n[1] + points[j, i, 5] * n[2]
            if not alike > 0.1:  # also where the point is sky (NaN)
                continue
            away = (
                (points[j, i, 0] - p[0]) * n[0]
                + (points[j, i, 1] - p[1]) * n[1]
                + (points[j, i, 2] - p[2]) * n[2]
            )
            near = max(0.0, 1.0 - abs(j - row) / reach) * max(0.0, 1.0 - abs(i - column) / reach)
            weight = (near + 1e-4) * alike * alike / (1.0 + (away / scale) ** 2)
            light = along(light, weight, (points[j, i, 6], points[j, i, 7], points[j, i, 8]))
            total += weight
    return light, total


@compiled
def smooth_indirect(points: np.ndarray, reach: int) -> np.ndarray:
    """Averages irradiance along surfaces, `reach` grid points each way: removes the gathering's noise."""
    smooth = points.copy()
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            q = points[row, column]
            if q[0] == q[0]:
                light, total = _blend(
                    points, float(row), float(column), reach, (q[0], q[1], q[2]), (q[3], q[4], q[5]), 0.03
                )
                smooth[row, column, 6:] = scaled(1.0 / total, light)
    return smooth


@compiled
def _reflection(
    stage: Stage,
    p: Vector,
    d: Vector,
    n: Vector,
    mirror: float,
    rough: float,
    footprint: float,
    seed: int,
    sample: int,
) -> Vector:
    """Mirror image with Schlick's reflectance, spread by roughness."""
    toward = dot(d, n)
    out = along(d, -2.0 * toward, n)
    spread = (
        lattice(seed, sample, 31, 5) - 0.5,
        lattice(seed, sample, 32, 5) - 0.5,
        lattice(seed, sample, 33, 5) - 0.5,
    )
    out = unit(along(out, rough, spread))
    if n[1] > 0.7:  # off floors and water nothing is reflected downwards
        out = (out[0], abs(out[1]), out[2])
    share = mirror + (1.0 - mirror) * (1.0 - min(1.0, abs(toward))) ** 5
    origin = along(p, 2e-3, n)
    light, far = seen_along(stage, origin, out, MIRROR_BLUR * footprint, 1.0, seed, sample)
    return scaled(share, along(light, 1.0, lamp_haze(stage, origin, out, min(far, FAR))))


@compiled
def _shaded(
    stage: Stage, points: np.ndarray, place: tuple[float, float], i: int, p: Vector, d: Vector, n: Vector,
    pitch: float, t: float, seed: int, sample: int,
) -> Vector:  # fmt: skip
    """Radiance that primitive i sends from p back along the ray."""
    m, footprint = int(stage.prims[i, MATERIAL]), pitch * t
    albedo, shade, mix = surface(stage.prims, stage.materials, i, p, n, footprint)
    bumped = bumped_normal(stage.prims, stage.materials, i, p, n, footprint)
    light = direct_light(stage, p, bumped, stage.materials[m, THIN], seed, sample)
    indirect, total = _blend(points, place[0], place[1], 2, p, n, 0.02 + footprint)
    if total > 0.0:
        light = along(light, 1.0 / total, indirect)
    else:
        light = along(light, 1.0, of(stage.world, AMBIENT))
    color = along(times(albedo, light), shade, triple(stage.materials, m, GLOW))
    mirror, rough = stage.materials[m, MIRROR], stage.materials[m, ROUGH]
    if mirror > 0.0:
        if (
            stage.materials[m, PATTERN] == ASPHALT
        ):  # puddles lie flat and shine, the stones between them scatter
            bumped, rough = mixed(bumped, n, mix), rough * (1.0 - 0.93 * mix)
        color = along(color, 1.0, _reflection(stage, p, d, bumped, mirror, rough, pitch, seed, sample))
    return color


@compiled
def _sample(
    stage: Stage,
    camera: np.ndarray,
    points: np.ndarray,
    step: int,
    x: float,
    y: float,
    seed: int,
    sample: int,
) -> Vector:
    """Radiance at frame coordinates (x, y)."""
    origin, d, pitch = of(camera, ORIGIN), _direction(camera, x, y), camera[PITCH]
    t, i, n = nearest_hit(stage.nodes, stage.prims, origin, d)
    haze = lamp_haze(stage, origin, d, min(t, FAR))
    if i < 0:
        return along(haze, 1.0, sky_radiance(stage.world, d, pitch))
    p = along(origin, t, d)
    color = _shaded(stage, points, (y / step, x / step), i, p, d, n, pitch, t, seed, sample)
    return along(haze, 1.0, mixed(of(stage.world, FOG_COLOR), color, math.exp(-t * stage.world[FOG])))


@compiled
def render_pixels(
    stage: Stage,
    camera: np.ndarray,
    points: np.ndarray,
    step: int,
    samples: np.ndarray,
    top: int,
    left: int,
    out: np.ndarray,
) -> None:
    """Fills `out` (float32 h x w x 3) with the frame from row `top` and column `left` on."""
    for row in range(top, top + out.shape[0]):
        for column in range(left, left + out.shape[1]):
            color, low, high, taken = (0.0, 0.0, 0.0), 1e30, 0.0, 0
            for s in range(samples.shape[0]):
                if s == 4 and high < CONTRAST * low:
                    break
                x, y = column + samples[s, 0], row + samples[s, 1]
                light = _sample(stage, camera, points, step, x, y, row * 16384 + column, s)
                color, taken = along(color, 1.0, light), taken + 1
                strength = light[0] + light[1] + light[2]
                low, high = min(low, strength), max(high, strength)
            for channel in range(3):
                out[row - top, column - left, channel] = color[channel] / taken
