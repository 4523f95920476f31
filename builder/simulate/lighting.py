"""Light at a surface: sun, windows and lamps with soft shadows, and what walls throw back."""

from __future__ import annotations

import math

from builder.simulate.geometry import MATERIAL, SHADOW, is_shadowed, nearest_hit
from builder.simulate.materials import GLOW, THIN, surface
from builder.simulate.noise import compiled, lattice, smoothstep
from builder.simulate.sky import AMBIENT, HAZE, LIGHT, OPEN_SKY, SUN, SUN_RADIUS, sky_radiance

# Columns of a light's row. WINDOW: one-sided rectangle CENTER +- U +- V shining along AXIS with radiance POWER;
# LAMP: ball of SPREAD metres with radiant intensity POWER, within a cone about AXIS between cosines OUTER and INNER.
WINDOW, LAMP = 0, 1
LIGHT_KIND, CENTER, EDGE_U, EDGE_V, AXIS, POWER, SPREAD, OUTER, INNER, LIGHT_COLUMNS = (
    0,
    1,
    4,
    7,
    10,
    13,
    16,
    17,
    18,
    19,
)


@compiled
def _sun(nodes, prims, world, x, y, z, nx, ny, nz, thin, a, b):
    """Irradiance factor of the sun at a point, one shadow ray to a random point of its disk."""
    angle, radius = 6.2832 * a, world[SUN_RADIUS] * math.sqrt(b)
    sx = world[SUN] + radius * math.cos(angle)
    sy = world[SUN + 1] + radius * math.sin(angle) * 0.7
    sz = world[SUN + 2] + radius * math.sin(angle) * 0.7
    scale = 1.0 / math.sqrt(sx * sx + sy * sy + sz * sz)
    sx, sy, sz = sx * scale, sy * scale, sz * scale
    cosine = nx * sx + ny * sy + nz * sz
    if cosine < 0.0:
        cosine *= -thin  # leaves let light through
    if cosine <= 0.0 or is_shadowed(nodes, prims, x, y, z, sx, sy, sz, 1e9):
        return 0.0
    return cosine


@compiled
def _light(nodes, prims, lights, k, x, y, z, nx, ny, nz, thin, a, b):
    """Irradiance factor (times POWER) of light k at a point: one shadow ray to a random point of it."""
    if lights[k, LIGHT_KIND] == WINDOW:
        a, b = 2.0 * a - 1.0, 2.0 * b - 1.0
        lx = lights[k, CENTER] + a * lights[k, EDGE_U] + b * lights[k, EDGE_V] - x
        ly = lights[k, CENTER + 1] + a * lights[k, EDGE_U + 1] + b * lights[k, EDGE_V + 1] - y
        lz = lights[k, CENTER + 2] + a * lights[k, EDGE_U + 2] + b * lights[k, EDGE_V + 2] - z
    else:
        angle, height, radius = 6.2832 * a, 2.0 * b - 1.0, lights[k, SPREAD]
        around = radius * math.sqrt(1.0 - height * height)
        lx = lights[k, CENTER] + around * math.cos(angle) - x
        ly = lights[k, CENTER + 1] + radius * height - y
        lz = lights[k, CENTER + 2] + around * math.sin(angle) - z
    square = lx * lx + ly * ly + lz * lz
    distance = math.sqrt(square)
    lx, ly, lz = lx / distance, ly / distance, lz / distance
    cosine = nx * lx + ny * ly + nz * lz
    if cosine < 0.0:
        cosine *= -thin
    facing = -(lx * lights[k, AXIS] + ly * lights[k, AXIS + 1] + lz * lights[k, AXIS + 2])
    if lights[k, LIGHT_KIND] == WINDOW:
        # 4 |u x v| is the rectangle's area; |u| and |v| are at right angles.
        area = 4.0 * math.sqrt(
            (lights[k, EDGE_U] ** 2 + lights[k, EDGE_U + 1] ** 2 + lights[k, EDGE_U + 2] ** 2)
            * (lights[k, EDGE_V] ** 2 + lights[k, EDGE_V + 1] ** 2 + lights[k, EDGE_V + 2] ** 2)
        )
        strength = area * max(facing, 0.0) / (math.pi * max(square, 0.05))
    else:
        strength = smoothstep(lights[k, OUTER], lights[k, INNER], facing) / max(square, 0.01)
    strength *= cosine
    if strength <= 0.0 or is_shadowed(nodes, prims, x, y, z, lx, ly, lz, distance * 0.995 - 0.002):
        return 0.0
    return strength


@compiled
def direct_light(nodes, prims, lights, world, x, y, z, nx, ny, nz, thin, seed, sample):
    """Irradiance / pi (3) from the sun and all lights at a world point with unit normal n."""
    red, green, blue = 0.0, 0.0, 0.0
    ox, oy, oz = x + nx * 1e-3, y + ny * 1e-3, z + nz * 1e-3
    if world[LIGHT] + world[LIGHT + 1] + world[LIGHT + 2] > 0.0:
        a, b = lattice(seed, sample, 11, 1), lattice(seed, sample, 12, 1)
        share = _sun(nodes, prims, world, ox, oy, oz, nx, ny, nz, thin, a, b)
        red, green, blue = share * world[LIGHT], share * world[LIGHT + 1], share * world[LIGHT + 2]
    for k in range(lights.shape[0]):
        a, b = lattice(seed, sample, 2 * k + 13, 2), lattice(seed, sample, 2 * k + 14, 2)
        # Stratified over the four samples of a pixel.
        a, b = 0.5 * ((sample & 1) + a), 0.5 * (((sample >> 1) & 1) + b)
        share = _light(nodes, prims, lights, k, ox, oy, oz, nx, ny, nz, thin, a, b)
        red += share * lights[k, POWER]
        green += share * lights[k, POWER + 1]
        blue += share * lights[k, POWER + 2]
    return red, green, blue


@compiled
def seen_along(nodes, prims, materials, lights, world, ox, oy, oz, dx, dy, dz, fp, bulbs, seed, sample):
    """Radiance (3) a secondary ray brings: glow (of lamps times `bulbs`), direct light, a constant for later orders."""
    t, i, nx, ny, nz = nearest_hit(nodes, prims, ox, oy, oz, dx, dy, dz)
    if i < 0:
        if bulbs == 0.0 and oz > world[OPEN_SKY]:
            return 0.0, 0.0, 0.0, t  # that sky is a window light already
        red, green, blue = sky_radiance(world, dx, dy, dz, fp)
        return red, green, blue, t
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    m = int(prims[i, MATERIAL])
    red, green, blue, shade, _ = surface(prims, materials, i, x, y, z, nx, ny, nz, fp * t)
    shade *= bulbs if prims[i, SHADOW] == 0.0 else 1.0
    er, eg, eb = direct_light(
        nodes, prims, lights, world, x, y, z, nx, ny, nz, materials[m, THIN], seed, sample
    )
    return (
        red * (er + world[AMBIENT]) + materials[m, GLOW] * shade,
        green * (eg + world[AMBIENT + 1]) + materials[m, GLOW + 1] * shade,
        blue * (eb + world[AMBIENT + 2]) + materials[m, GLOW + 2] * shade,
        t,
    )


@compiled
def lamp_haze(lights, world, ox, oy, oz, dx, dy, dz, far):
    """Light scattered into a ray by haze around lamps: (atan((far - b)/h) + atan(b/h)) / h for each (3)."""
    red, green, blue = 0.0, 0.0, 0.0
    if world[HAZE] == 0.0:
        return red, green, blue
    for k in range(lights.shape[0]):
        if lights[k, LIGHT_KIND] != LAMP:
            continue
        lx, ly, lz = lights[k, CENTER] - ox, lights[k, CENTER + 1] - oy, lights[k, CENTER + 2] - oz
        along = lx * dx + ly * dy + lz * dz
        height = (
            math.sqrt(max(lx * lx + ly * ly + lz * lz - along * along, 0.0)) + 2.0 * lights[k, SPREAD] + 0.02
        )
        share = world[HAZE] * (math.atan((far - along) / height) + math.atan(along / height)) / height
        red += share * lights[k, POWER]
        green += share * lights[k, POWER + 1]
        blue += share * lights[k, POWER + 2]
    return red, green, blue
