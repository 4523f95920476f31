"""A living room against the light: sunlit garden behind a bright window, dark corners within."""

# ruff: noqa: RUF005 (sums of arrays and tuples are vector sums here)
from __future__ import annotations

import math

import numpy as np

from builder.simulate import patterns as m
from builder.simulate.scene import Scene, SceneBuilder, Sky, View
from builder.simulate.scenes.furnishing import (
    books,
    chair,
    cloth_colors,
    leaf_material,
    pot_plant,
    table,
    tree,
)

LEFT, RIGHT, FOOT, HEAD = -1.55, 1.35, 0.78, 2.38  # the window's opening in the wall z = 0, metres


def interior(random: np.random.Generator) -> Scene:
    """Room of 6 x 7 m, window in the far wall, sun from behind it."""
    build = SceneBuilder(random)
    _room(build, random)
    _window(build, random)
    _shelf(build, random)
    _furniture(build, random)
    _passage(build)
    _garden(build, random)
    sun = (0.62 * random.choice((-1, 1)) + random.uniform(-0.12, 0.12), 0.8, -0.95)
    surroundings = Sky(
        sun_direction=sun, sun_light=(300.0, 262.0, 205.0), sun_radius=0.006, zenith=(18.0, 34.0, 72.0),
        horizon=(68.0, 80.0, 92.0), ground=(18.0, 26.0, 12.0), cloud_cover=0.52,
        cloud_color=(150.0, 146.0, 142.0),
        ambient=(0.08, 0.065, 0.05), indoors_beyond=-0.2, seed=int(random.integers(1 << 16)),
    )  # fmt: skip
    eye = (random.uniform(-0.7, 0.5), 1.45, 6.2)
    return build.finish(surroundings, View(eye, (0.05, 1.2, 0.0), 62.0, 0.003))


def _room(build: SceneBuilder, random: np.random.Generator) -> None:
    tint = np.array([0.62, 0.56, 0.46]) * random.uniform(0.85, 1.1, 3)
    wall = build.material(m.PLASTER, tint, tint * 0.86, size=0.9, bump=0.004)
    brick = build.material(m.BRICKS, (0.42, 0.2, 0.13), (0.5, 0.46, 0.4), size=0.24, aspect=0.31, bump=0.012)
    floor = build.material(
        m.BOARDS,
        (0.36, 0.2, 0.1),
        (0.22, 0.11, 0.05),
        size=0.14,
        aspect=12,
        mirror=0.035,
        rough=0.05,
        bump=0.0015,
    )
    beam = build.material(m.WOOD, (0.2, 0.11, 0.055), (0.1, 0.05, 0.025), size=1.5, bump=0.004, grain=1)
    white = build.material(m.PLASTER, (0.7, 0.69, 0.66), (0.62, 0.61, 0.58), size=1.4, bump=0.003)
    build.box((0, -0.1, 3.4), (6.4, 0.2, 7.4), floor)
    build.box((0, 2.9, 3.4), (6.4, 0.2, 7.4), white)
    for x in (-2.2, -0.75, 0.75, 2.2):
        build.box((x, 2.72, 3.4), (0.18, 0.2, 7.2), beam)
    sides = (wall, brick) if random.random() < 0.5 else (brick, wall)
    build.box((-3.1, 1.4, 3.4), (0.2, 3.0, 7.4), sides[0])
    build.box((3.1, 1.4, 3.4), (0.2, 3.0, 7.4), sides[1])
    build.box((0, 1.4, 7.1), (6.4, 3.0, 0.2), wall)
    for x, width in (((LEFT - 3) / 2, LEFT + 3), ((RIGHT + 3) / 2, 3 - RIGHT)):
        build.box((x, 1.4, -0.14), (width, 3.0, 0.28), wall)
    build.box((0, FOOT / 2 - 0.05, -0.14), (RIGHT - LEFT, FOOT + 0.1, 0.28), wall)
    build.box(((LEFT + RIGHT) / 2, (HEAD + 2.9) / 2, -0.14), (RIGHT - LEFT, 2.9 - HEAD, 0.28), wall)
    for x in (-2.98, 2.98):
        build.box((x, 0.06, 3.4), (0.03, 0.12, 7.0), white)


def _window(build: SceneBuilder, random: np.random.Generator) -> None:
    frame = build.material(m.PLASTER, (0.75, 0.74, 0.7), (0.68, 0.66, 0.6), size=0.5)
    steel = build.material(m.METAL, (0.25, 0.22, 0.18), (0.12, 0.1, 0.08), size=0.3, mirror=0.3, rough=0.2)
    color = cloth_colors(random, 1)[0]
    curtain = build.material(m.FABRIC, color * 1.3, color, size=0.35, aspect=0.2, thin=0.5)
    middle, span, rise = (LEFT + RIGHT) / 2, RIGHT - LEFT, HEAD - FOOT
    for k in range(5):
        build.box((LEFT + span * k / 4, FOOT + rise / 2, -0.1), (0.05 if k % 2 else 0.08, rise, 0.06), frame)
    for k in range(4):
        build.box((middle, FOOT + rise * k / 3, -0.1), (span, 0.04 if k % 3 else 0.09, 0.06), frame)
    build.box((middle, FOOT - 0.02, 0.06), (span + 0.2, 0.05, 0.34), frame)
    build.rod((LEFT - 0.7, HEAD + 0.14, 0.12), (RIGHT + 0.7, HEAD + 0.14, 0.12), 0.015, steel)
    for left in (LEFT - 0.62, RIGHT + 0.02):
        for k in range(11):
            x = left + 0.055 * k
            sway = 0.025 * math.sin(1.7 * k + left)
            build.rod((x, 0.04, 0.13 + sway), (x, HEAD + 0.12, 0.12), 0.036, curtain)
    build.window_light(
        (middle, FOOT + rise / 2, -0.02), (span / 2, 0, 0), (0, rise / 2, 0), (16.0, 18.5, 21.0)
    )


def _shelf(build: SceneBuilder, random: np.random.Generator) -> None:
    wood = build.material(m.WOOD, (0.24, 0.12, 0.06), (0.13, 0.06, 0.03), size=0.7, bump=0.002)
    covers = [build.material(m.FABRIC, c, c * 0.8, size=0.02, aspect=0.6) for c in cloth_colors(random, 9)]
    x, near, far = -2.84, 1.2, 3.6
    for z in (near, (near + far) / 2, far):
        build.box((x, 1.05, z), (0.3, 2.1, 0.035), wood)
    build.box((x - 0.14, 1.05, (near + far) / 2), (0.02, 2.1, far - near), wood)
    for y in (0.08, 0.42, 0.76, 1.1, 1.44, 1.78, 2.1):
        build.box((x, y, (near + far) / 2), (0.3, 0.03, far - near), wood)
        if y < 2.0:
            for z in (near + 1.18, far - 0.02):
                books(build, (x + 0.03, y + 0.015, z), 1.13, covers, yaw=90)


def _furniture(build: SceneBuilder, random: np.random.Generator) -> None:
    wood = build.material(m.WOOD, (0.4, 0.22, 0.1), (0.26, 0.13, 0.06), size=0.8, mirror=0.04, rough=0.08)
    colors = cloth_colors(random, 4)
    cloth = [build.material(m.FABRIC, c * 1.2, c * 0.8, size=0.12, aspect=0.3, bump=0.002) for c in colors]
    rug = build.material(m.RUG, colors[0] * 0.9, colors[1] * 1.3 + 0.1, size=0.33, bump=0.003)
    clay = build.material(m.PLASTER, (0.45, 0.2, 0.11), (0.36, 0.15, 0.08), size=0.2)
    glaze = build.material(m.PLASTER, colors[2] + 0.2, colors[2] + 0.1, size=0.3, mirror=0.05, rough=0.02)
    brass = build.material(m.METAL, (0.5, 0.36, 0.16), (0.3, 0.2, 0.08), size=0.2, mirror=0.5, rough=0.1)
    leaf = leaf_material(build)
    build.box((0.1, 0.006, 3.1), (2.6, 0.012, 2.0), rug)
    table(build, (0.25, 0, 2.7), (1.5, 0.74, 0.85), wood, yaw=random.uniform(-12, 12))
    chair(build, (-0.75, 0, 2.75), wood, cloth[3], yaw=80 + random.uniform(-15, 15))
    chair(build, (0.3, 0, 1.95), wood, cloth[3], yaw=random.uniform(-15, 15))
    chair(build, (1.35, 0, 3.1), wood, cloth[3], yaw=-110 + random.uniform(-15, 15))
    build.ball((0.3, 0.81, 2.7), (0.16, 0.07, 0.16), glaze)
    for k in range(5):
        build.ball(
            (0.3 + 0.08 * math.cos(k * 2.5), 0.88, 2.7 + 0.07 * math.sin(k * 2.5)), 0.045, cloth[k % 4]
        )
    build.rod((-0.15, 0.74, 2.85), (-0.15, 0.98, 2.85), 0.035, glaze)
    for _ in range(7):
        build.leaf((-0.15, 0.97, 2.85), random.normal(0, 0.5, 3) + (0, 1, 0), 0.28, 0.06, leaf)
    _armchair(build, (2.15, 0, 2.0), cloth[1], cloth[0])
    pot_plant(build, (-2.3, 0, 0.75), 1.7, 34, clay, leaf)
    pot_plant(build, (RIGHT - 0.35, FOOT, 0.08), 0.55, 22, clay, leaf)
    build.rod((0.25, 1.85, 2.7), (0.25, 2.8, 2.7), 0.006, brass)
    build.ball((0.25, 1.78, 2.7), (0.2, 0.11, 0.2), brass)
    _pictures(build, random, wood)


def _armchair(build: SceneBuilder, place: tuple[float, float, float], cloth: int, cushion: int) -> None:
    x, y, z = place
    build.box((x, y + 0.24, z), (0.85, 0.3, 0.8), cloth, yaw=-35)
    build.box((x + 0.2, y + 0.62, z - 0.27), (0.85, 0.75, 0.2), cloth, yaw=-35, pitch=-12)
    for a in (-0.4, 0.4):
        build.box((x + 0.82 * a, y + 0.42, z + 0.57 * a), (0.16, 0.36, 0.8), cloth, yaw=-35)
    build.ball((x - 0.02, y + 0.44, z + 0.03), (0.36, 0.09, 0.36), cushion)


def _passage(build: SceneBuilder) -> None:
    """An open door to an unlit passage: the darkest place."""
    soot = build.material(m.PLASTER, (0.006, 0.0055, 0.005), (0.004, 0.004, 0.004), size=0.5)
    frame = build.material(m.WOOD, (0.3, 0.17, 0.09), (0.2, 0.11, 0.06), size=0.6, grain=1)
    x, wall = 2.5, 0.02
    build.box((x, 1.02, wall), (0.74, 2.04, 0.02), soot)
    for side in (-0.41, 0.41):
        build.box((x + side, 1.04, wall + 0.02), (0.09, 2.1, 0.1), frame)
    build.box((x, 2.09, wall + 0.02), (0.91, 0.1, 0.1), frame)


def _pictures(build: SceneBuilder, random: np.random.Generator, wood: int) -> None:
    colors = cloth_colors(random, 6)
    places = ((2.2, 1.6, 0.9, 0.65), (3.4, 1.65, 0.55, 0.75), (4.2, 1.5, 0.5, 0.5))
    for k, (z, y, width, height) in enumerate(places):
        canvas = build.material(m.PAINTING, colors[2 * k] * 1.5, colors[2 * k + 1] * 1.5 + 0.1, size=height)
        build.box((2.985, y, z), (0.03, height + 0.1, width + 0.1), wood)
        build.box((2.97, y, z), (0.03, height, width), canvas)


def _garden(build: SceneBuilder, random: np.random.Generator) -> None:
    grass = build.material(m.PLASTER, (0.1, 0.2, 0.04), (0.2, 0.27, 0.07), size=0.6, bump=0.05)
    path = build.material(m.FLAGSTONES, (0.5, 0.46, 0.4), (0.2, 0.22, 0.12), size=0.5)
    bark = build.material(m.WOOD, (0.2, 0.15, 0.1), (0.1, 0.07, 0.05), size=0.6)
    green = leaf_material(build, (0.11, 0.26, 0.04))
    hedge = leaf_material(build, (0.05, 0.14, 0.03))
    build.box((0, -0.45, -30), (120, 0.2, 59), grass)
    build.box((0.5, -0.34, -9), (1.4, 0.02, 17), path, yaw=random.uniform(-15, 15))
    for x, z, height in ((-2.6, -8.5, 5.0), (2.9, -11.5, 6.0), (0.2, -21.0, 7.0)):
        tree(build, (x + random.uniform(-0.8, 0.8), -0.4, z), height, 420, bark, green)
    for _ in range(420):
        base = (random.uniform(-9, 9), random.uniform(-0.3, 0.7), -14 + random.uniform(-0.5, 0.5))
        build.leaf(base, random.normal(0, 1, 3), 0.35, 0.2, hedge)
