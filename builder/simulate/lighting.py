"""Light at a surface: sun, windows and lamps with soft shadows, and what other surfaces send on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from builder.simulate.geometry import is_shadowed, nearest_hit
from builder.simulate.materials import GLOW, THIN, surface, triple
from builder.simulate.noise import Vector, along, compiled, dot, lattice, scaled, smoothstep, times, unit
from builder.simulate.shapes import MATERIAL, SHADOW
from builder.simulate.sky import AMBIENT, HAZE, INDOORS, LIGHT, SUN, SUN_RADIUS, of, sky_radiance

# Columns of a light's row. WINDOW: one-sided rectangle CENTER +- U +- V of radiance POWER, shining along
# AXIS; LAMP: ball of SPREAD metres, of radiant intensity POWER in a cone about AXIS (cosines OUTER, INNER).
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
NEGLIGIBLE = (
    0.05  # share of the unshadowed light below which a light is not asked for its shadow, but left out
)
BLACK = (0.0, 0.0, 0.0)


class Stage(NamedTuple):
    """Everything a ray can meet."""

    nodes: np.ndarray  # (8, 2n - 1, 8), geometry.py
    prims: np.ndarray  # (n, 23), shapes.py
    materials: np.ndarray  # (m, 17), materials.py
    lights: np.ndarray  # (k, 19)
    world: np.ndarray  # (34,), sky.py


@compiled
def _sunlight(stage: Stage, p: Vector, n: Vector, thin: float, a: float, b: float) -> float:
    """Cosine towards a random point of the sun's disk, 0 in shadow."""
    world = stage.world
    angle, radius = 6.2832 * a, world[SUN_RADIUS] * math.sqrt(b)
    spread = (radius * math.cos(angle), radius * math.sin(angle) * 0.7, radius * math.sin(angle) * 0.7)
    to_sun = unit(along(of(world, SUN), 1.0, spread))
    cosine = dot(n, to_sun)
    if cosine < 0.0:
        cosine *= -thin  # leaves let light through
    if cosine <= 0.0 or is_shadowed(stage.nodes, stage.prims, p, to_sun, 1e9):
        return 0.0
    return cosine


@compiled
def _towards(lights: np.ndarray, k: int, p: Vector, a: float, b: float) -> Vector:
    """Vector from a point to a random point of light k."""
    if lights[k, LIGHT_KIND] == WINDOW:
        place = along(triple(lights, k, CENTER), 2.0 * a - 1.0, triple(lights, k, EDGE_U))
        place = along(place, 2.0 * b - 1.0, triple(lights, k, EDGE_V))
    else:
        angle, height = 6.2832 * a, 2.0 * b - 1.0
        around = math.sqrt(1.0 - height * height)
        ball = (around * math.cos(angle), height, around * math.sin(angle))
        place = along(triple(lights, k, CENTER), lights[k, SPREAD], ball)
    return along(place, -1.0, p)


@compiled
def _strength(lights: np.ndarray, k: int, to_light: Vector, n: Vector, thin: float) -> float:
    """Irradiance / (pi POWER) at normal n from light k, shadows apart: cosines / distance^2 (x area)."""
    square = dot(to_light, to_light)
    direction = scaled(1.0 / math.sqrt(square), to_light)
    cosine = dot(n, direction)
    if cosine < 0.0:
        cosine *= -thin
    facing = -dot(direction, triple(lights, k, AXIS))
    if lights[k, LIGHT_KIND] == WINDOW:
        u, v = triple(lights, k, EDGE_U), triple(lights, k, EDGE_V)
        area = 4.0 * math.sqrt(dot(u, u) * dot(v, v))  # u and v are at right angles
        return cosine * area * max(facing, 0.0) / (math.pi * max(square, 0.05))
    return cosine * smoothstep(lights[k, OUTER], lights[k, INNER], facing) / max(square, 0.01)


@compiled
def direct_light(stage: Stage, p: Vector, n: Vector, thin: float, seed: int, sample: int) -> Vector:
    """Irradiance / pi from the sun and the lamps at a world point with unit normal n; `sample` stratifies."""
    lights, origin, light = stage.lights, along(p, 1e-3, n), BLACK
    if stage.world[LIGHT] > 0.0:
        share = _sunlight(stage, origin, n, thin, lattice(seed, sample, 11, 1), lattice(seed, sample, 12, 1))
        light = scaled(share, of(stage.world, LIGHT))
    total = light[0] + light[1] + light[2]
    for turn in range(2):  # first the sum without shadows, then shadows of what counts in it
        for k in range(lights.shape[0]):
            if lights[k, LIGHT_KIND] == WINDOW:
                continue
            a = 0.5 * ((sample & 1) + lattice(seed, sample, 2 * k + 13, 2))
            b = 0.5 * (((sample >> 1) & 1) + lattice(seed, sample, 2 * k + 14, 2))
            to_light = _towards(lights, k, origin, a, b)
            share = _strength(lights, k, to_light, n, thin)
            power = share * (lights[k, POWER] + lights[k, POWER + 1] + lights[k, POWER + 2])
            if turn == 0:
                total += power
            elif power > NEGLIGIBLE * total:
                far = math.sqrt(dot(to_light, to_light))
                if not is_shadowed(stage.nodes, stage.prims, origin, unit(to_light), far * 0.995 - 0.002):
                    light = along(light, share, triple(lights, k, POWER))
    return light


@compiled
def window_light(stage: Stage, p: Vector, n: Vector, side: int, seed: int) -> Vector:
    """Irradiance / pi from all windows by side x side shadow rays each: too soft for at every pixel."""
    lights, origin, light = stage.lights, along(p, 1e-3, n), BLACK
    for k in range(lights.shape[0]):
        if lights[k, LIGHT_KIND] != WINDOW:
            continue
        for cell in range(side * side):
            a = (cell % side + lattice(seed, cell, 2 * k, 4)) / side
            b = (cell // side + lattice(seed, cell, 2 * k + 1, 4)) / side
            to_light = _towards(lights, k, origin, a, b)
            share = _strength(lights, k, to_light, n, 0.0) / (side * side)
            far = math.sqrt(dot(to_light, to_light))
            if share > 0.0 and not is_shadowed(
                stage.nodes, stage.prims, origin, unit(to_light), far * 0.995 - 0.002
            ):
                light = along(light, share, triple(lights, k, POWER))
    return light


@compiled
def one_light(stage: Stage, p: Vector, n: Vector, thin: float, seed: int, sample: int) -> Vector:
    """As `direct_light`, but of the lamps only one is asked, drawn by its share: unbiased and cheap."""
    lights, origin, light = stage.lights, along(p, 1e-3, n), BLACK
    if stage.world[LIGHT] > 0.0:
        share = _sunlight(stage, origin, n, thin, lattice(seed, sample, 11, 1), lattice(seed, sample, 12, 1))
        light = scaled(share, of(stage.world, LIGHT))
    total, chosen, strength, to_chosen = 0.0, -1, 0.0, (0.0, 1.0, 0.0)
    for k in range(lights.shape[0]):
        a, b = lattice(seed, sample, 3 * k + 13, 3), lattice(seed, sample, 3 * k + 14, 3)
        to_light = _towards(lights, k, origin, a, b)
        share = _strength(lights, k, to_light, n, thin)
        power = share * (lights[k, POWER] + lights[k, POWER + 1] + lights[k, POWER + 2])
        total += power
        if power > lattice(seed, sample, 3 * k + 15, 3) * total:
            chosen, strength, to_chosen = k, share, to_light
    if chosen >= 0:
        far = math.sqrt(dot(to_chosen, to_chosen))
        if not is_shadowed(stage.nodes, stage.prims, origin, unit(to_chosen), far * 0.995 - 0.002):
            power = strength * (lights[chosen, POWER] + lights[chosen, POWER + 1] + lights[chosen, POWER + 2])
            light = along(light, strength * total / power, triple(lights, chosen, POWER))
    return light


@compiled
def seen_along(
    stage: Stage, o: Vector, d: Vector, footprint: float, bulbs: float, seed: int, sample: int
) -> tuple[Vector, float]:
    """Radiance that a secondary ray brings, and its length.

    Glow (that of lamps times `bulbs`), direct light, and a constant for the later orders.
    """
    t, i, n = nearest_hit(stage.nodes, stage.prims, o, d)
    if i < 0:
        if bulbs == 0.0 and o[2] > stage.world[INDOORS]:
            return BLACK, t  # that sky is a window light already
        return sky_radiance(stage.world, d, footprint), t
    p, m = along(o, t, d), int(stage.prims[i, MATERIAL])
    albedo, shade, _ = surface(stage.prims, stage.materials, i, p, n, footprint * t)
    light = one_light(stage, p, n, stage.materials[m, THIN], seed, sample)
    glow = shade * (bulbs if stage.prims[i, SHADOW] == 0.0 else 1.0)
    color = times(albedo, along(light, 1.0, of(stage.world, AMBIENT)))
    return along(color, glow, triple(stage.materials, m, GLOW)), t


@compiled
def lamp_haze(stage: Stage, o: Vector, d: Vector, far: float) -> Vector:
    """Light scattered into a ray by haze around lamps: (atan((far - b)/h) + atan(b/h)) / h for each."""
    haze, lights = BLACK, stage.lights
    if stage.world[HAZE] == 0.0:
        return haze
    for k in range(lights.shape[0]):
        if lights[k, LIGHT_KIND] != LAMP:
            continue
        to_lamp = along(triple(lights, k, CENTER), -1.0, o)
        b = dot(to_lamp, d)
        h = math.sqrt(max(dot(to_lamp, to_lamp) - b * b, 0.0)) + 2.0 * lights[k, SPREAD] + 0.02
        # atan x + atan y = atan2(x + y, 1 - x y), as far > 0 keeps the sum within (0, pi)
        share = stage.world[HAZE] * math.atan2(far * h, h * h - (far - b) * b) / h
        haze = along(haze, share, triple(lights, k, POWER))
    return haze
