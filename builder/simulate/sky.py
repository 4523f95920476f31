"""What a ray meets beyond the last object: day with hills, sunset with ridges, or night over a town."""

from __future__ import annotations

import math

import numpy as np

from builder.simulate.noise import Vector, along, compiled, dot, fractal_noise, mixed, scaled, smoothstep

# Columns of the world row. SUN: unit direction to it; LIGHT: its irradiance / pi; DISK: radiance of its disk.
SUN, LIGHT, SUN_RADIUS, SKY_KIND, ZENITH, HORIZON, GROUND, CLOUDS = 0, 3, 6, 7, 8, 11, 14, 17
CLOUD_COLOR, SKY_SEED, FOG, FOG_COLOR, AMBIENT, DISK, HAZE, INDOORS, WORLD_COLUMNS = (
    18,
    21,
    22,
    23,
    26,
    29,
    32,
    33,
    34,
)
DAY, SUNSET, NIGHT = 0, 1, 2
HIGHEST = 0.3  # tangent of elevation above which no ridge rises


@compiled
def of(world: np.ndarray, column: int) -> Vector:
    """Three neighbouring columns of the world row."""
    return world[column], world[column + 1], world[column + 2]


@compiled
def _ridge_height(azimuth: float, layer: int, footprint: float, seed: int) -> float:
    """Height (tangent of elevation) of a mountain skyline, with a fringe of trees on the near ones."""
    rough = fractal_noise(
        azimuth * (3.0 + 1.3 * layer), 3.7 * layer, 0.5, 7, footprint * 4.0, seed + 31 * layer
    )
    height = (0.19 - 0.045 * layer) * (rough * 1.9 - 0.55) + 0.035 - 0.006 * layer
    if layer >= 2:
        trees = fractal_noise(azimuth * 160.0, 1.0 * layer, 0.0, 3, footprint * 160.0, seed + 5)
        height += 0.006 * layer * trees
    return max(height, 0.0)


@compiled
def _cloud(d: Vector, footprint: float, seed: int) -> float:
    """Cloud density in [0, 1] on a plane far above; streaks towards the horizon."""
    if d[1] <= 0.015:
        return 0.0
    depth = d[1] + 0.12
    x, z = d[0] / depth, d[2] / depth
    warp = fractal_noise(x * 0.7, z * 0.9, 2.0, 3, footprint, seed + 9)
    density = fractal_noise(x * 1.1 + warp * 1.4, z * 2.3 + warp, 0.0, 7, footprint * 3.0 / depth, seed)
    return density * smoothstep(0.015, 0.10, d[1])


@compiled
def _clear_sky(world: np.ndarray, d: Vector, cosine: float) -> Vector:
    """Gradient from horizon to zenith plus the glow about the sun: a narrow, a middle and a wide lobe."""
    color = mixed(of(world, HORIZON), of(world, ZENITH), math.sqrt(max(d[1], 0.0)))
    if world[SKY_KIND] == NIGHT:
        return color
    away = max(0.0, 1.0 - cosine)
    glow = 2.0 * math.exp(-away * 900.0) + 0.35 * math.exp(-away * 60.0) + 0.13 * math.exp(-away * 7.0)
    tint = of(world, CLOUD_COLOR)
    return along(color, glow, (1.5 * tint[0], 1.3 * tint[1], tint[2]))


@compiled
def _with_clouds(world: np.ndarray, d: Vector, footprint: float) -> Vector:
    """Clear sky with lit clouds in front; the sun's disk shines through thin ones."""
    cosine = dot(d, of(world, SUN))
    color = _clear_sky(world, d, cosine)
    density = _cloud(d, footprint, int(world[SKY_SEED]))
    color = scaled(0.88 + 0.24 * density, color)  # haze is never even
    cover = smoothstep(1.0 - world[CLOUDS], 1.22 - world[CLOUDS], density)
    # Light through the cloud falls with density; towards the sun its rim burns (silver lining).
    thin = math.exp(-5.0 * cover * density) * (0.35 + 2.6 * max(0.0, cosine) ** 24)
    tint = scaled(0.25 + thin, of(world, CLOUD_COLOR))
    if world[SKY_KIND] == DAY:
        tint = scaled(0.55 + 0.9 * (1.0 - density) + thin * 0.3, of(world, CLOUD_COLOR))
    elif world[SKY_KIND] == SUNSET:
        tint = (tint[0], 0.72 * tint[1], 0.62 * tint[2])
    disk = smoothstep(math.cos(world[SUN_RADIUS] * 1.04), math.cos(world[SUN_RADIUS] * 0.96), cosine)
    return along(mixed(color, tint, cover), disk * math.exp(-3.0 * cover), of(world, DISK))


@compiled
def _ridges(world: np.ndarray, color: Vector, d: Vector, footprint: float) -> Vector:
    """Hills in front of the sky, the farthest first; air lightens them with distance, mist in the valleys."""
    tangent = d[1] / math.sqrt(d[0] * d[0] + d[2] * d[2])
    if tangent > HIGHEST:
        return color
    azimuth, seed = math.atan2(d[0], -d[2]), int(world[SKY_SEED])
    sunset = world[SKY_KIND] == SUNSET
    for layer in range(4 if sunset else 2):
        height = _ridge_height(azimuth, layer, footprint, seed)
        cover = smoothstep(height + 0.5 * footprint, height - 0.5 * footprint, tangent)
        if cover <= 0.0:
            continue
        wood = fractal_noise(azimuth * 60.0, tangent * 110.0, 1.0 * layer, 5, footprint * 110.0, seed + 3)
        air = math.exp(-1.15 * layer) * 0.5 * (1.0 + 0.8 * smoothstep(height, 0.0, tangent))
        dark = (0.4 + 1.2 * wood) * (0.012 if sunset else 0.5)
        color = mixed(color, along(scaled(air, of(world, HORIZON)), dark, of(world, GROUND)), cover)
    return color


@compiled
def sky_radiance(world: np.ndarray, d: Vector, footprint: float) -> Vector:
    """Radiance from a unit direction, seen at `footprint` radians a pixel."""
    if d[1] < -0.001:  # far ground, seen only where the scene has no floor
        shade = 0.5 + fractal_noise(d[0] * 30.0, d[2] * 30.0, d[1] * 90.0, 5, footprint * 60.0, 7)
        return scaled(shade, of(world, GROUND))
    color = _with_clouds(world, d, footprint)
    if world[SKY_KIND] == NIGHT:
        return color
    return _ridges(world, color, d, footprint)
