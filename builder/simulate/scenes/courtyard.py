"""A cloister-like court at noon: sunlit walls, deep shade under arches, and somebody walking through."""

# ruff: noqa: RUF005 (sums of arrays and tuples are vector sums here)
from __future__ import annotations

import math

import numpy as np

from builder.simulate import patterns as m
from builder.simulate.scene import Scene, SceneBuilder, Sky, View
from builder.simulate.scenes.furnishing import cloth_colors, leaf_material, pot_plant, table, tree


def courtyard(random: np.random.Generator) -> Scene:
    """Court of 13 x 13 m with arcades at the back and on the left."""
    build, surroundings, view = _court(random)
    return build.finish(surroundings, view)


def courtyard_with_walker(random: np.random.Generator, progress: float) -> tuple[Scene, np.ndarray]:
    """The court with a walker `progress` (0..1) of the way across; box (8, 3) around walker and shadow.

    All of `courtyard` is drawn first, so that everything but the walker is the same.
    """
    build, surroundings, view = _court(random)
    place = np.array([-3.4 + 6.2 * progress, 0.0, -2.4 - 0.9 * progress])
    _walker(build, place, 9.0 * progress)
    sun = np.asarray(surroundings.sun_direction, float)
    shadow = -sun * (2.0 / sun[1])
    low = np.minimum(place - (0.6, 0.02, 0.6), place - (0.6, 0.02, 0.6) + shadow * (1, 0, 1))
    high = np.maximum(place + (0.6, 1.9, 0.6), place + (0.6, 0.05, 0.6) + shadow * (1, 0, 1))
    corners = np.array([[(low, high)[(k >> a) & 1][a] for a in range(3)] for k in range(8)])
    return build.finish(surroundings, view), corners


def _court(random: np.random.Generator) -> tuple[SceneBuilder, Sky, View]:
    build = SceneBuilder(random)
    _walls(build, random)
    _upper_floor(build, random)
    _gallery(build, random)
    _things(build, random)
    sun = (random.uniform(0.35, 0.7), random.uniform(1.0, 1.3), random.uniform(0.35, 0.6))
    surroundings = Sky(
        sun_direction=sun, sun_light=(42.0, 38.0, 31.0), sun_radius=0.006, zenith=(1.6, 3.6, 8.5),
        horizon=(6.0, 8.0, 10.5), ground=(2.0, 1.8, 1.4), cloud_cover=random.uniform(0.4, 0.55),
        cloud_color=(15.0, 15.0, 15.0), ambient=(0.05, 0.045, 0.04), indoors_beyond=1e9,
        seed=int(random.integers(1 << 16)),
    )  # fmt: skip
    eye = (random.uniform(2.4, 3.6), 1.75, 5.4)
    return build, surroundings, View(eye, (-0.9, 2.35, -6.0), 68.0, 0.001)


def _walls(build: SceneBuilder, random: np.random.Generator) -> None:
    tint = np.array([0.58, 0.47, 0.33]) * random.uniform(0.85, 1.15, 3)
    stone = build.material(m.BRICKS, tint, tint * 0.75, size=0.7, aspect=0.5, bump=0.012)
    plaster = build.material(
        m.PLASTER, tint * (1.1, 1.05, 0.95), tint * (0.85, 0.8, 0.72), size=1.6, bump=0.012
    )
    trim = build.material(m.PLASTER, (0.62, 0.58, 0.5), (0.5, 0.46, 0.4), size=0.5, bump=0.006)
    paving = build.material(m.FLAGSTONES, (0.42, 0.38, 0.31), (0.13, 0.13, 0.09), size=0.75, bump=0.014)
    tiles = build.material(m.BRICKS, (0.5, 0.22, 0.12), (0.14, 0.06, 0.04), size=0.22, aspect=1.6, bump=0.05)
    build.box((0, -0.1, -4), (30, 0.2, 30), paving)
    arch = {"opening": 1.9, "spring": 1.95, "period": 2.5}
    build.arches((0, 1.85, -7.0), (15.0, 3.7, 0.55), stone, count=5, **arch)
    build.arches((-6.5, 1.85, -0.5), (15.0, 3.7, 0.55), stone, count=5, yaw=90, **arch)
    build.box((0, 3.78, -7.0), (15.2, 0.16, 0.8), trim)
    build.box((-6.5, 3.78, -0.5), (0.8, 0.16, 15.2), trim)
    build.box((0, 5.35, -7.05), (15.0, 3.0, 0.5), plaster)
    build.box((-6.55, 5.35, -0.5), (0.5, 3.0, 15.0), plaster)
    build.box((0, 7.15, -7.3), (15.4, 0.1, 2.4), tiles, pitch=24)
    build.box((-6.8, 7.15, -0.5), (2.4, 0.1, 15.4), tiles, roll=24)
    build.box((7.2, 2.2, -2), (0.5, 4.4, 16), plaster)
    for k in range(28):
        build.box((-7.0 + 0.55 * k, 6.75, -6.45), (0.12, 0.14, 0.7), trim, pitch=20)


def _upper_floor(build: SceneBuilder, random: np.random.Generator) -> None:
    color = cloth_colors(random, 1)[0] * (0.6, 1.0, 0.9) + 0.05
    shutter = build.material(m.BRICKS, color, color * 0.25, size=0.9, aspect=0.055, bump=0.01)
    trim = build.material(m.PLASTER, (0.66, 0.62, 0.54), (0.52, 0.48, 0.42), size=0.4, bump=0.004)
    glass = build.material(m.METAL, (0.02, 0.025, 0.03), size=0.5, mirror=0.1, rough=0.01)
    iron = build.material(m.METAL, (0.04, 0.04, 0.04), (0.08, 0.04, 0.02), size=0.3)
    leaf = leaf_material(build, (0.08, 0.2, 0.03))
    petal = build.material(m.PLASTER, (0.6, 0.06, 0.08), (0.45, 0.03, 0.1), size=0.05)
    for k in range(5):
        x, y, z = -5.0 + 2.5 * k, 5.25, -6.78
        build.box((x, y, z), (0.95, 1.5, 0.06), glass)
        for bar in (-0.48, 0.0, 0.48):
            build.box((x + bar, y, z + 0.03), (0.06, 1.5, 0.06), trim)
        build.box((x, y + 0.2, z + 0.03), (0.95, 0.05, 0.05), trim)
        build.box((x, y - 0.82, z + 0.12), (1.3, 0.1, 0.34), trim)
        build.box((x, y + 0.85, z + 0.06), (1.25, 0.14, 0.18), trim)
        swing = random.uniform(0, 50)
        for side in (-1, 1):
            hinge, turn = x + side * 0.52, math.radians(swing)
            center = (hinge + side * 0.25 * math.cos(turn), y, z + 0.08 + 0.25 * math.sin(turn))
            build.box(center, (0.5, 1.5, 0.045), shutter, yaw=-side * swing)
        if k % 2 == 0:
            build.wire([(x - 0.6, y - 0.5, z + 0.3), (x + 0.6, y - 0.5, z + 0.3)], 0.012, iron)
            for _ in range(60):
                base = (x + random.uniform(-0.55, 0.55), y - 0.72 + random.uniform(0, 0.2), z + 0.25)
                build.leaf(base, random.normal(0, 1, 3) + (0, -0.3, 0.4), 0.16, 0.07, leaf)
            for _ in range(22):
                build.ball(
                    (x + random.uniform(-0.55, 0.55), y - 0.6 + random.uniform(0, 0.25), z + 0.36),
                    0.035,
                    petal,
                )


def _gallery(build: SceneBuilder, random: np.random.Generator) -> None:
    plaster = build.material(m.PLASTER, (0.5, 0.42, 0.32), (0.38, 0.31, 0.24), size=1.2, bump=0.008)
    door = build.material(m.WOOD, (0.16, 0.09, 0.05), (0.08, 0.045, 0.025), size=0.7, bump=0.005, grain=1)
    soot = build.material(m.PLASTER, (0.006, 0.0055, 0.005), (0.004, 0.0036, 0.0032), size=0.8)
    iron = build.material(m.METAL, (0.05, 0.045, 0.04), size=0.3)
    gap = random.uniform(-0.4, 0.6)
    left, right = gap - 0.65, gap + 0.65
    for low, high in ((-9.5, left), (right, 7.5)):
        build.box(((low + high) / 2, 1.9, -9.8), (high - low, 3.8, 0.3), plaster)
    build.box((gap, 3.05, -9.8), (1.3, 1.5, 0.3), plaster)
    build.box((right + 0.5, 1.15, -9.5), (1.2, 2.3, 0.06), door, yaw=-35)
    # A windowless store-room behind the open door: the darkest place of the picture.
    for center, size in (
        ((gap, 1.5, -13.9), (5, 3.2, 0.2)), ((gap - 2.4, 1.5, -11.9), (0.2, 3.2, 4)),
        ((gap + 2.4, 1.5, -11.9), (0.2, 3.2, 4)), ((gap, 3.1, -11.9), (5, 0.2, 4)),
        ((gap, 0.02, -11.9), (4.8, 0.1, 3.8)),
    ):  # fmt: skip
        build.box(center, size, soot)
    build.box((-9.3, 1.9, -0.5), (0.3, 3.8, 18), plaster)
    build.box((0, 3.72, -8.4), (19, 0.1, 3.2), plaster)
    build.box((-7.9, 3.72, -0.5), (3.2, 0.1, 18), plaster)
    for k in range(5):
        x = -5.0 + 2.5 * k
        build.rod((x, 3.7, -8.3), (x, 3.0, -8.3), 0.01, iron)
        build.ball((x, 2.9, -8.3), (0.12, 0.16, 0.12), iron)


def _things(build: SceneBuilder, random: np.random.Generator) -> None:
    stone = build.material(m.PLASTER, (0.5, 0.47, 0.42), (0.36, 0.34, 0.3), size=0.5, bump=0.015)
    water = build.material(m.WATER, (0.01, 0.02, 0.02), size=0.12, mirror=0.03, bump=0.01)
    wood = build.material(m.WOOD, (0.3, 0.19, 0.11), (0.2, 0.12, 0.07), size=0.8, bump=0.004)
    bark = build.material(m.WOOD, (0.24, 0.19, 0.14), (0.13, 0.1, 0.08), size=0.7, bump=0.008)
    clay = build.material(m.PLASTER, (0.5, 0.24, 0.14), (0.4, 0.18, 0.1), size=0.25, bump=0.003)
    iron = build.material(m.METAL, (0.05, 0.045, 0.04), (0.1, 0.05, 0.03), size=0.3)
    leaf = leaf_material(build, (0.08, 0.18, 0.035))
    x, z = random.uniform(0.2, 1.4), random.uniform(-3.4, -2.6) - 1.6
    for k in range(14):
        a = 6.2832 * k / 14
        build.box(
            (x + 0.95 * math.cos(a), 0.38, z + 0.95 * math.sin(a)),
            (0.22, 0.76, 0.47),
            stone,
            yaw=-math.degrees(a),
        )
    build.rod((x, 0.0, z), (x, 0.6, z), 0.93, water)
    for a in (-1.0, 1.0):
        build.rod((x + a, 0.7, z), (x + a, 2.3, z), 0.035, iron)
    build.rod((x - 1.0, 2.28, z), (x + 1.0, 2.28, z), 0.03, iron)
    build.rod((x, 2.28, z), (x, 1.2, z), 0.008, iron)
    build.rod((x, 1.2, z), (x, 0.95, z), 0.12, wood)
    tree(build, (-4.0, 0.0, -4.3), 4.4, 700, bark, leaf)
    for place, height in (
        ((4.6, 0, -5.9), 1.3),
        ((2.6, 0, -6.2), 0.9),
        ((-1.4, 0, -6.2), 1.1),
        ((5.6, 0, -3.2), 1.5),
    ):
        pot_plant(build, place, height, 26, clay, leaf)
    table(build, (4.6, 0, -1.4), (1.6, 0.45, 0.4), wood, yaw=70)
    _washing_line(build, random, iron)


def _washing_line(build: SceneBuilder, random: np.random.Generator, iron: int) -> None:
    colors = cloth_colors(random, 5)
    line = [(-6.2 + 13.2 * s, 4.75 - 2.0 * s * (1 - s), -4.2 + 2.0 * s) for s in np.linspace(0, 1, 25)]
    build.wire(line, 0.009, iron)
    for k in range(5):
        cloth = build.material(m.FABRIC, colors[k] + 0.25, colors[k] * 1.4, size=0.16, aspect=0.4, thin=0.5)
        x, y, z = line[9 + 2 * k]
        size = (random.uniform(0.5, 0.85), random.uniform(0.5, 0.95), 0.012)
        build.box((x, y - size[1] / 2, z), size, cloth, yaw=-8.7, pitch=random.uniform(-8, 8))


def _walker(build: SceneBuilder, place: np.ndarray, phase: float) -> None:
    coat = build.material(m.FABRIC, (0.5, 0.05, 0.04), (0.38, 0.03, 0.03), size=0.09, aspect=0.5)
    trousers = build.material(m.FABRIC, (0.05, 0.07, 0.13), size=0.05)
    skin = build.material(m.PLASTER, (0.5, 0.3, 0.2), size=0.2)
    hat = build.material(m.FABRIC, (0.5, 0.42, 0.25), (0.4, 0.32, 0.18), size=0.03)
    hip, shoulder = place + (0, 0.92, 0), place + (0.03, 1.45, 0)
    for side in (-1, 1):
        stride = 0.33 * math.sin(phase + side * math.pi / 2)
        z = 0.1 * side
        knee, foot = hip + (stride * 0.55, -0.45, z), hip + (stride, -0.88, z)
        build.wire([hip + (0, 0, z), knee, foot], 0.075, trousers)
        build.ball(foot + (0.06, 0.0, 0), (0.14, 0.05, 0.055), trousers)
        hand = shoulder + (-stride * 0.8, -0.55, 0.25 * side)
        elbow = (shoulder + hand) / 2 + (-0.05, 0.0, 0.06 * side)
        build.wire([shoulder + (0, 0, 0.2 * side), elbow, hand], 0.05, coat)
        build.ball(hand, 0.05, skin)
    build.ball((hip + shoulder) / 2 + (0, -0.02, 0), (0.17, 0.42, 0.24), coat)
    build.ball(shoulder + (0.02, 0.22, 0), (0.1, 0.13, 0.09), skin)
    build.rod(shoulder + (0.02, 0.29, 0), shoulder + (0.02, 0.31, 0), 0.2, hat)
    build.ball(shoulder + (0.02, 0.32, 0), (0.11, 0.1, 0.11), hat)
