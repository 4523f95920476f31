"""What a ray meets beyond the last object: day with hills, sunset with ridges, or night over a town."""

from __future__ import annotations

import math

from builder.simulate.noise import compiled, fractal_noise, smoothstep

# Columns of a world row. SUN: unit direction to it; LIGHT: its irradiance; SKY_KIND: see below.
SUN, LIGHT, SUN_RADIUS, SKY_KIND, ZENITH, HORIZON, GROUND, CLOUDS, CLOUD_COLOR, SKY_SEED = (
    0,
    3,
    6,
    7,
    8,
    11,
    14,
    17,
    18,
    21,
)
FOG, FOG_COLOR, AMBIENT, DISK, HAZE, OPEN_SKY, WORLD_COLUMNS = 22, 23, 26, 29, 32, 33, 34
DAY, SUNSET, NIGHT = 0, 1, 2


@compiled
def _mix(a: float, b: float, s: float) -> float:
    return a + (b - a) * s


@compiled
def _ridge_height(azimuth: float, layer: int, fp: float, seed: int) -> float:
    """Height (tangent of elevation) of a mountain skyline, with a fringe of trees on the near ones."""
    rough = fractal_noise(azimuth * (3.0 + 1.3 * layer), 3.7 * layer, 0.5, 7, fp * 4.0, seed + 31 * layer)
    height = (0.19 - 0.045 * layer) * (rough * 1.9 - 0.55) + 0.035 - 0.006 * layer
    if layer >= 2:
        trees = fractal_noise(azimuth * 160.0, 1.0 * layer, 0.0, 3, fp * 160.0, seed + 5)
        height += 0.012 * layer * 0.5 * trees
    return max(height, 0.0)


@compiled
def _cloud(dx: float, dy: float, dz: float, fp: float, seed: int) -> float:
    """Cloud density in [0, 1] on a plane far above; streaks towards the horizon."""
    if dy <= 0.015:
        return 0.0
    x, z = dx / (dy + 0.12), dz / (dy + 0.12)
    warp = fractal_noise(x * 0.7, z * 0.9, 2.0, 3, fp, seed + 9)
    density = fractal_noise(x * 1.1 + warp * 1.4, z * 2.3 + warp, 0.0, 7, fp * 3.0 / (dy + 0.12), seed)
    return density * smoothstep(0.015, 0.10, dy)


@compiled
def _glow(world, cosine: float, tight: float) -> float:
    """Forward scattering about the sun: a narrow and a wide lobe."""
    away = max(0.0, 1.0 - cosine)
    return math.exp(-away * 900.0) * tight + 0.35 * math.exp(-away * 60.0) + 0.22 * math.exp(-away * 7.0)


@compiled
def _clear_sky(world, dx: float, dy: float, dz: float):
    """Gradient from horizon to zenith plus the glow and disk of the sun."""
    lift = math.sqrt(max(dy, 0.0))
    red = _mix(world[HORIZON], world[ZENITH], lift)
    green = _mix(world[HORIZON + 1], world[ZENITH + 1], lift)
    blue = _mix(world[HORIZON + 2], world[ZENITH + 2], lift)
    cosine = dx * world[SUN] + dy * world[SUN + 1] + dz * world[SUN + 2]
    glow = _glow(world, cosine, 2.0)
    if world[SKY_KIND] == NIGHT:
        glow = 0.0
    red += glow * world[CLOUD_COLOR] * 1.5
    green += glow * world[CLOUD_COLOR + 1] * 1.3
    blue += glow * world[CLOUD_COLOR + 2] * 1.0
    return red, green, blue, cosine


@compiled
def _with_clouds(world, dx: float, dy: float, dz: float, fp: float):
    """Clear sky with lit clouds in front; the sun's disk shines through thin ones."""
    red, green, blue, cosine = _clear_sky(world, dx, dy, dz)
    seed = int(world[SKY_SEED])
    density = _cloud(dx, dy, dz, fp, seed)
    cover = smoothstep(1.0 - world[CLOUDS], 1.22 - world[CLOUDS], density)
    # Light through the cloud falls with density; towards the sun its rim burns (silver lining).
    thin = math.exp(-5.0 * cover * density) * (0.35 + 2.6 * max(0.0, cosine) ** 24)
    shade = 0.25 + thin
    if world[SKY_KIND] == DAY:
        shade = 0.55 + 0.9 * (1.0 - density) + thin * 0.3
    red = _mix(red, world[CLOUD_COLOR] * shade, cover)
    green = _mix(green, world[CLOUD_COLOR + 1] * shade * (0.72 if world[SKY_KIND] == SUNSET else 1.0), cover)
    blue = _mix(blue, world[CLOUD_COLOR + 2] * shade * (0.62 if world[SKY_KIND] == SUNSET else 1.0), cover)
    disk = smoothstep(math.cos(world[SUN_RADIUS] * 1.04), math.cos(world[SUN_RADIUS] * 0.96), cosine)
    disk *= math.exp(-3.0 * cover)
    return red + disk * world[DISK], green + disk * world[DISK + 1], blue + disk * world[DISK + 2]


@compiled
def sky_radiance(world, dx: float, dy: float, dz: float, fp: float):
    """Radiance (3) from direction d (unit), seen at `fp` radians a pixel."""
    if dy < -0.001:
        # Far ground, seen only where the scene has no floor.
        shade = 0.5 + fractal_noise(dx * 30.0, dz * 30.0, dy * 90.0, 5, fp * 60.0, 7)
        return world[GROUND] * shade, world[GROUND + 1] * shade, world[GROUND + 2] * shade
    red, green, blue = _with_clouds(world, dx, dy, dz, fp)
    if world[SKY_KIND] == NIGHT:
        return red, green, blue
    azimuth = math.atan2(dx, -dz)
    tangent = dy / math.sqrt(dx * dx + dz * dz)
    seed = int(world[SKY_SEED])
    layers = 4 if world[SKY_KIND] == SUNSET else 2
    for layer in range(layers):
        height = _ridge_height(azimuth, layer, fp, seed)
        cover = smoothstep(height + 0.5 * fp, height - 0.5 * fp, tangent)
        if cover <= 0.0:
            continue
        wood = fractal_noise(azimuth * 60.0, tangent * 110.0, 1.0 * layer, 5, fp * 110.0, seed + 3)
        # Aerial perspective: far layers keep most of the horizon's light, near ones little; mist in the valleys.
        air = math.exp(-1.15 * layer) * 0.5 * (1.0 + 0.8 * smoothstep(height, 0.0, tangent))
        dark = (0.4 + 1.2 * wood) * (0.012 if world[SKY_KIND] == SUNSET else 0.5)
        red = _mix(red, world[HORIZON] * air + world[GROUND] * dark, cover)
        green = _mix(green, world[HORIZON + 1] * air + world[GROUND + 1] * dark, cover)
        blue = _mix(blue, world[HORIZON + 2] * air * 1.1 + world[GROUND + 2] * dark, cover)
    return red, green, blue
