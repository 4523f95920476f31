"""A spiral staircase in a tall stairwell, upright format: light falls from high windows onto worn steps."""

from __future__ import annotations

import math

import numpy as np

from builder.simulate import patterns as m
from builder.simulate.scene import Scene, SceneBuilder, Sky, View
from builder.simulate.scenes.furnishing import leaf_material, pot_plant

HALF, HEIGHT = 2.7, 8.4  # the square stairwell, metres


def staircase(random: np.random.Generator) -> Scene:
    """Stairwell of 5.4 x 5.4 m with two tall windows in the far wall."""
    build = SceneBuilder(random)
    _well(build, random)
    _cellar_door(build)
    _stairs(build, random)
    _things(build, random)
    sun = (random.choice((-1, 1)) * random.uniform(0.45, 0.8), 0.95, -random.uniform(0.8, 1.0))
    surroundings = Sky(
        sun_direction=sun, sun_light=(260.0, 220.0, 170.0), sun_radius=0.008, zenith=(18.0, 34.0, 68.0),
        horizon=(68.0, 80.0, 92.0), ground=(9.0, 9.0, 7.0), cloud_cover=0.5,
        cloud_color=(150.0, 146.0, 142.0),
        ambient=(0.07, 0.06, 0.05), indoors_beyond=-HALF - 0.2, seed=int(random.integers(1 << 16)),
    )  # fmt: skip
    eye = (random.uniform(-0.5, 0.5), 1.6, HALF - 0.1)
    return build.finish(surroundings, View(eye, (0, 2.75, -1.0), 78.0, 0.0015))


def _well(build: SceneBuilder, random: np.random.Generator) -> None:
    tint = np.array([0.6, 0.54, 0.44]) * random.uniform(0.85, 1.12, 3)
    plaster = build.material(m.PLASTER, tint, tint * (0.82, 0.8, 0.76), size=1.3, bump=0.006)
    panel = build.material(
        m.BOARDS, (0.26, 0.15, 0.08), (0.16, 0.09, 0.045), size=0.11, aspect=14, bump=0.003
    )
    floor = build.material(
        m.FLAGSTONES, (0.4, 0.36, 0.3), (0.12, 0.11, 0.1), size=0.5, mirror=0.03, rough=0.1, bump=0.004
    )
    frame = build.material(m.PLASTER, (0.62, 0.6, 0.56), (0.5, 0.48, 0.45), size=0.4)
    build.box((0, -0.1, 0), (2 * HALF + 0.4, 0.2, 2 * HALF + 0.6), floor)
    build.box((0, HEIGHT + 0.1, 0), (2 * HALF + 0.4, 0.2, 2 * HALF + 0.6), plaster)
    for side in (-1, 1):
        build.box((side * (HALF + 0.1), HEIGHT / 2, 0), (0.2, HEIGHT, 2 * HALF + 0.6), plaster)
        build.box((side * (HALF - 0.01), 0.6, 0), (0.03, 1.2, 2 * HALF), panel)
        build.box((side * (HALF - 0.02), 1.22, 0), (0.06, 0.06, 2 * HALF), frame)
    build.box((0, HEIGHT / 2, HALF + 0.4), (2 * HALF + 0.4, HEIGHT, 0.2), plaster)
    build.arches((0, HEIGHT / 2 + 1.1, -HALF - 0.15), (2 * HALF + 0.4, HEIGHT - 2.2, 0.3), plaster,
                 opening=1.15, spring=4.2, period=2.3, count=2)  # fmt: skip
    build.box((0, 1.1, -HALF - 0.15), (2 * HALF + 0.4, 2.2, 0.3), plaster)
    build.box((0, 0.6, -HALF + 0.01), (2 * HALF, 1.2, 0.03), panel)
    build.box((0, 1.22, -HALF + 0.02), (2 * HALF, 0.06, 0.06), frame)
    for x in (-1.15, 1.15):
        build.box((x, 2.2, -HALF + 0.03), (1.3, 0.07, 0.3), frame)
        for bar in (-0.56, 0.0, 0.56):
            build.box((x + bar, 4.5, -HALF - 0.12), (0.05, 4.7, 0.05), frame)
        for y in np.arange(2.25, 6.9, 0.62):
            build.box((x, y, -HALF - 0.12), (1.15, 0.035, 0.045), frame)
        build.window_light((x, 4.45, -HALF + 0.01), (0.57, 0, 0), (0, 2.2, 0), (15.0, 17.0, 19.5))


def _cellar_door(build: SceneBuilder) -> None:
    """An open door into the unlit cellar: the darkest place."""
    soot = build.material(m.PLASTER, (0.006, 0.0055, 0.005), (0.004, 0.004, 0.004), size=0.5)
    frame = build.material(m.WOOD, (0.2, 0.11, 0.06), (0.12, 0.07, 0.04), size=0.6, grain=1)
    x, wall = 0.9, -HALF + 0.03
    build.box((x, 0.95, wall), (0.8, 1.9, 0.02), soot)
    for side in (-0.44, 0.44):
        build.box((x + side, 0.97, wall + 0.03), (0.1, 1.94, 0.12), frame)
    build.box((x, 1.94, wall + 0.03), (0.98, 0.1, 0.12), frame)
    build.box((x + 0.62, 0.95, wall + 0.36), (0.04, 1.86, 0.76), frame, yaw=28)


def _stairs(build: SceneBuilder, random: np.random.Generator) -> None:
    tread = build.material(m.WOOD, (0.42, 0.26, 0.13), (0.28, 0.16, 0.08), size=0.7, mirror=0.03, rough=0.1)
    iron = build.material(m.METAL, (0.05, 0.05, 0.055), (0.09, 0.06, 0.04), size=0.25, mirror=0.05, rough=0.2)
    rail = build.material(m.WOOD, (0.3, 0.14, 0.06), (0.2, 0.09, 0.04), size=0.5, mirror=0.04, rough=0.1)
    turn, start = random.choice((-1, 1)) * 0.36, random.uniform(0.0, 0.9)
    radius, rise, z = 1.55, 0.185, -0.6
    build.rod((0, 0, z), (0, HEIGHT, z), 0.09, iron)
    path = []
    for k in range(43):
        angle, y = start + turn * k, rise * (k + 1)
        c, s = math.cos(angle), math.sin(angle)
        build.box(
            (c * radius / 2, y, z + s * radius / 2), (radius, 0.05, 0.44), tread, yaw=-math.degrees(angle)
        )
        build.box(
            (c * radius / 2, y - 0.05, z + s * radius / 2),
            (radius - 0.1, 0.06, 0.04),
            iron,
            yaw=-math.degrees(angle),
        )
        for part in (0.0, 0.5):
            a, lift = angle + turn * part, rise * part
            x, w = math.cos(a) * (radius - 0.05), z + math.sin(a) * (radius - 0.05)
            build.rod((x, y + lift - 0.08, w), (x, y + lift + 0.92, w), 0.011, iron)
            path.append((x, y + lift + 0.93, w))
    build.wire(path, 0.028, rail)
    build.wire([(x, y - 0.45, w) for x, y, w in path], 0.009, iron)


def _things(build: SceneBuilder, random: np.random.Generator) -> None:
    clay = build.material(m.PLASTER, (0.2, 0.24, 0.3), (0.12, 0.15, 0.2), size=0.2, mirror=0.05, rough=0.02)
    brass = build.material(m.METAL, (0.5, 0.38, 0.18), (0.3, 0.2, 0.1), size=0.2, mirror=0.5, rough=0.1)
    wood = build.material(m.WOOD, (0.2, 0.11, 0.06), (0.1, 0.055, 0.03), size=0.7, grain=1)
    leaf = leaf_material(build)
    pot_plant(build, (random.choice((-1, 1)) * 2.1, 0, -2.0), 1.6, 30, clay, leaf)
    pot_plant(build, (1.2, 2.24, -HALF + 0.1), 0.45, 16, clay, leaf)
    build.rod((1.9, 0, 0.9), (1.9, 0.62, 0.9), 0.12, brass)
    for _ in range(4):
        top = (1.9 + random.uniform(-0.12, 0.12), 1.0, 0.9 + random.uniform(-0.12, 0.12))
        build.rod((1.9, 0.1, 0.9), top, 0.012, wood)
    from builder.simulate.scenes.furnishing import cloth_colors

    colors = cloth_colors(random, 8)
    for k, (side, y, z) in enumerate(((-1, 2.1, 0.9), (-1, 2.3, -0.5), (1, 2.2, -0.3), (1, 3.9, 0.6))):
        canvas = build.material(m.PAINTING, colors[2 * k] * 1.4, colors[2 * k + 1] * 1.4 + 0.08, size=0.6)
        build.box((side * (HALF - 0.015), y, z), (0.03, 0.95, 0.75), wood)
        build.box((side * (HALF - 0.03), y, z), (0.03, 0.82, 0.62), canvas)
