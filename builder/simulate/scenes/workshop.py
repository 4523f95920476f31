"""A joiner's workshop: tools on the wall, a lamp over the bench, and a doorway into daylight."""

# ruff: noqa: RUF005 (sums of arrays and tuples are vector sums here)
from __future__ import annotations

import math

import numpy as np

from builder.simulate import patterns as m
from builder.simulate.scene import Scene, SceneBuilder, Sky, View
from builder.simulate.scenes.furnishing import books, cloth_colors, leaf_material, tree

DOOR_LEFT, DOOR_RIGHT, DOOR_HEAD = 1.25, 2.45, 2.2  # opening in the wall z = 0, metres


def workshop(random: np.random.Generator) -> Scene:
    """Room of 6.4 x 6 m; bench along the far wall, doorway to its right."""
    build = SceneBuilder(random)
    _room(build, random)
    _bench(build, random)
    _tools(build, random)
    _shelf(build, random)
    _clutter(build, random)
    _lamp(build, random)
    _yard(build, random)
    sun = (random.uniform(-0.75, -0.35), 0.75, -random.uniform(0.7, 1.0))
    surroundings = Sky(
        sun_direction=sun, sun_light=(260.0, 225.0, 175.0), sun_radius=0.006, zenith=(14.0, 26.0, 55.0),
        horizon=(50.0, 60.0, 70.0), ground=(14.0, 16.0, 8.0), cloud_cover=0.5,
        cloud_color=(110.0, 106.0, 100.0),
        ambient=(0.04, 0.03, 0.02), indoors_beyond=-0.2, haze=0.0016, seed=int(random.integers(1 << 16)),
    )  # fmt: skip
    eye = (random.uniform(-0.9, -0.1), 1.5, 4.7)
    return build.finish(surroundings, View(eye, (0.15, 1.22, 0), 64.0, 0.005))


def _room(build: SceneBuilder, random: np.random.Generator) -> None:
    brick = build.material(m.BRICKS, (0.36, 0.2, 0.14), (0.4, 0.37, 0.33), size=0.25, aspect=0.3, bump=0.012)
    floor = build.material(m.BOARDS, (0.26, 0.17, 0.1), (0.15, 0.09, 0.05), size=0.19, aspect=9, bump=0.003)
    wood = build.material(m.WOOD, (0.24, 0.15, 0.08), (0.14, 0.08, 0.045), size=0.9, bump=0.004, grain=1)
    build.box((0, -0.1, 2.9), (6.8, 0.2, 6.4), floor)
    build.box((0, 3.0, 2.9), (6.8, 0.2, 6.4), wood)
    for x in (-3.3, 3.3):
        build.box((x, 1.45, 2.9), (0.2, 3.1, 6.4), brick)
    build.box((0, 1.45, 6.1), (6.8, 3.1, 0.2), brick)
    for low, high in ((-3.4, DOOR_LEFT), (DOOR_RIGHT, 3.4)):
        build.box(((low + high) / 2, 1.45, -0.15), (high - low, 3.1, 0.3), brick)
    middle, width = (DOOR_LEFT + DOOR_RIGHT) / 2, DOOR_RIGHT - DOOR_LEFT
    build.box((middle, (DOOR_HEAD + 3.0) / 2, -0.15), (width, 3.0 - DOOR_HEAD, 0.3), brick)
    for x in (DOOR_LEFT, DOOR_RIGHT):
        build.box((x, DOOR_HEAD / 2, 0.0), (0.09, DOOR_HEAD, 0.36), wood)
    build.box((middle, DOOR_HEAD, 0.0), (width + 0.2, 0.12, 0.36), wood)
    build.box((DOOR_RIGHT + 0.28, DOOR_HEAD / 2, 0.6), (0.05, DOOR_HEAD - 0.05, 1.15), wood, yaw=25)
    for z in (0.9, 2.3, 3.7, 5.1):
        build.box((0, 2.82, z), (6.6, 0.22, 0.16), wood)
    build.window_light(
        (middle, DOOR_HEAD / 2, 0.0), (width / 2, 0, 0), (0, DOOR_HEAD / 2, 0), (24.0, 27.0, 30.0)
    )


def _bench(build: SceneBuilder, random: np.random.Generator) -> None:
    oak = build.material(
        m.WOOD, (0.5, 0.33, 0.18), (0.33, 0.2, 0.1), size=0.8, mirror=0.03, rough=0.15, bump=0.002
    )
    steel = build.material(m.METAL, (0.3, 0.3, 0.32), (0.16, 0.14, 0.12), size=0.2, mirror=0.35, rough=0.15)
    build.box((-1.1, 0.84, 0.55), (3.6, 0.09, 0.85), oak)
    build.box((-1.1, 0.72, 0.9), (3.4, 0.15, 0.05), oak)
    build.box((-1.1, 0.22, 0.55), (3.3, 0.04, 0.7), oak)
    for x in (-2.75, -1.1, 0.55):
        for z in (0.22, 0.86):
            build.box((x, 0.4, z), (0.11, 0.8, 0.11), oak)
    build.box((0.45, 0.96, 0.85), (0.2, 0.16, 0.14), steel)
    build.box((0.45, 0.97, 1.02), (0.2, 0.14, 0.08), steel)
    build.rod((0.45, 0.94, 0.9), (0.45, 0.94, 1.2), 0.018, steel)
    build.rod((0.33, 0.94, 1.19), (0.57, 0.94, 1.19), 0.009, steel)
    build.box((-0.9, 0.915, 0.62), (0.26, 0.06, 0.075), oak, yaw=20)
    build.box((-0.9, 0.965, 0.62), (0.07, 0.07, 0.05), steel, yaw=20, pitch=20)
    for k in range(5):
        build.box(
            (-2.1 + 0.02 * k, 0.905 + 0.034 * k, 0.55),
            (0.7 - 0.07 * k, 0.03, 0.16),
            oak,
            yaw=random.uniform(-9, 9),
        )
    shaving = build.material(m.WOOD, (0.66, 0.48, 0.28), (0.5, 0.34, 0.18), size=0.3, thin=0.3)
    for _ in range(160):
        x, z = random.normal(-0.7, 0.5), random.normal(1.25, 0.32)
        y = 0.893 if 0.2 < z < 0.96 and -2.8 < x < 0.6 else 0.008
        build.leaf((x, y, z), random.normal(0, 1, 3) * (1, 0.12, 1), 0.09, 0.03, shaving)


def _tools(build: SceneBuilder, random: np.random.Generator) -> None:
    board = build.material(m.WOOD, (0.42, 0.33, 0.22), (0.34, 0.25, 0.15), size=1.4, bump=0.002)
    steel = build.material(m.METAL, (0.4, 0.4, 0.42), (0.2, 0.18, 0.16), size=0.25, mirror=0.3, rough=0.1)
    handles = [
        build.material(m.WOOD, c * 1.3 + 0.04, c * 0.8, size=0.2, grain=1) for c in cloth_colors(random, 4)
    ]
    build.box((-1.1, 1.75, 0.02), (3.3, 1.25, 0.03), board)
    x = -2.6
    while x < 0.35:
        kind, handle = int(random.integers(5)), handles[random.integers(4)]
        top = 2.25 + random.uniform(-0.04, 0.04)
        if kind == 0:  # hammer
            build.rod((x, top, 0.06), (x, top - 0.36, 0.06), 0.014, handle)
            build.rod((x - 0.08, top, 0.06), (x + 0.07, top, 0.06), 0.024, steel)
        elif kind == 1:  # saw
            build.box((x + 0.08, top - 0.22, 0.05), (0.11, 0.42, 0.004), steel, roll=-12)
            build.box((x + 0.03, top - 0.47, 0.06), (0.13, 0.12, 0.03), handle, roll=-20)
            x += 0.08
        elif kind == 2:  # spanner
            build.rod((x, top - 0.03, 0.05), (x, top - 0.3, 0.05), 0.011, steel)
            build.ball((x, top, 0.05), (0.034, 0.04, 0.012), steel)
            build.ball((x, top - 0.32, 0.05), (0.028, 0.034, 0.012), steel)
        else:  # chisels and screwdrivers
            build.rod((x, top, 0.06), (x, top - 0.11, 0.06), 0.017, handle)
            build.rod((x, top - 0.11, 0.06), (x, top - random.uniform(0.22, 0.33), 0.06), 0.006, steel)
        x += random.uniform(0.1, 0.2)
    for k in range(16):  # a second row: small tools on a rail
        x = -2.65 + 0.2 * k
        build.rod((x, 1.62, 0.07), (x, 1.53, 0.07), 0.014, handles[k % 4])
        build.rod((x, 1.53, 0.07), (x, 1.53 - random.uniform(0.08, 0.2), 0.07), 0.005, steel)
    build.box((-1.1, 1.56, 0.055), (3.3, 0.03, 0.05), board)


def _shelf(build: SceneBuilder, random: np.random.Generator) -> None:
    wood = build.material(m.WOOD, (0.3, 0.19, 0.1), (0.2, 0.12, 0.06), size=0.8)
    tins = [
        build.material(m.METAL, c * 1.2 + 0.03, c * 0.7, size=0.15, mirror=0.05, rough=0.1)
        for c in cloth_colors(random, 6)
    ]
    glass = build.material(m.PLASTER, (0.25, 0.28, 0.22), (0.3, 0.22, 0.12), size=0.1, mirror=0.06)
    for y in (0.5, 1.0, 1.5, 2.0, 2.45):
        build.box((-3.0, y, 2.3), (0.36, 0.03, 2.2), wood)
        z = 1.3
        while z < 3.25:
            radius, height = random.uniform(0.035, 0.075), random.uniform(0.09, 0.24)
            kind = tins[random.integers(6)] if random.random() < 0.7 else glass
            x = -3.0 + random.uniform(-0.08, 0.08)
            build.rod((x, y + 0.015, z), (x, y + 0.015 + height, z), radius, kind)
            build.rod((x, y + height + 0.01, z), (x, y + height + 0.03, z), radius * 0.9, wood)
            z += 2 * radius + random.uniform(0.01, 0.09)
    for z in (1.2, 3.4):
        build.box((-3.0, 1.25, z), (0.36, 2.5, 0.03), wood)
    build.box((-1.1, 2.5, 0.12), (3.3, 0.03, 0.24), wood)
    books(build, (-2.6, 2.52, 0.12), 1.1, tins)
    for k in range(9):
        x, height = -1.2 + 0.17 * k, random.uniform(0.1, 0.2)
        build.rod((x, 2.515, 0.12), (x, 2.515 + height, 0.12), 0.06, tins[k % 6])


def _clutter(build: SceneBuilder, random: np.random.Generator) -> None:
    wood = [
        build.material(
            m.WOOD, np.array((0.45, 0.3, 0.16)) * s, np.array((0.3, 0.18, 0.09)) * s, size=0.7, grain=1
        )
        for s in (0.7, 0.9, 1.2)
    ]
    for k in range(9):
        x = 2.95 - 0.03 * (k % 3)
        build.box(
            (x, 1.15, 1.5 + 0.15 * k), (0.03, 2.3 + random.uniform(-0.4, 0.3), 0.12), wood[k % 3], roll=-7
        )
    build.rod((1.15, 0.5, 2.0), (1.15, 0.55, 2.0), 0.19, wood[2])
    for a in (0.6, 2.7, 4.8):
        foot = (1.15 + 0.22 * math.cos(a), 0.0, 2.0 + 0.22 * math.sin(a))
        build.rod((1.15 + 0.12 * math.cos(a), 0.5, 2.0 + 0.12 * math.sin(a)), foot, 0.018, wood[1])
    build.box((-2.2, 0.36, 0.55), (0.7, 0.24, 0.5), wood[0])
    # A chest whose lid stands open: its inside is the darkest place.
    for center, size in (
        ((2.1, 0.28, 3.25), (0.9, 0.56, 0.04)), ((2.1, 0.28, 2.75), (0.9, 0.56, 0.04)),
        ((1.66, 0.28, 3.0), (0.04, 0.56, 0.5)), ((2.54, 0.28, 3.0), (0.04, 0.56, 0.5)),
    ):  # fmt: skip
        build.box(center, size, wood[0])


def _lamp(build: SceneBuilder, random: np.random.Generator) -> None:
    shade = build.material(m.METAL, (0.06, 0.12, 0.08), (0.04, 0.08, 0.05), size=0.3, mirror=0.05, rough=0.1)
    bulb = build.material(m.PLASTER, (0.1, 0.1, 0.1), glow=(900.0, 620.0, 300.0), size=4.0)
    x, y, z = random.uniform(-1.7, -0.9), 2.02, 0.95
    build.rod((x, y + 0.12, z), (x, 2.9, z), 0.007, shade)
    build.rod((x, y + 0.06, z), (x, y + 0.16, z), 0.05, shade)
    build.rod((x, y + 0.02, z), (x, y + 0.06, z), 0.2, shade)
    build.ball((x, y - 0.035, z), 0.062, bulb, shadow=False)
    build.lamp((x, y - 0.06, z), 0.05, (5.2, 3.6, 1.9), inner=0.35, outer=0.05)


def _yard(build: SceneBuilder, random: np.random.Generator) -> None:
    gravel = build.material(m.FLAGSTONES, (0.45, 0.42, 0.36), (0.2, 0.22, 0.12), size=0.4, bump=0.01)
    wall = build.material(m.BRICKS, (0.55, 0.5, 0.42), (0.4, 0.38, 0.33), size=0.5, aspect=0.45, bump=0.02)
    bark = build.material(m.WOOD, (0.2, 0.15, 0.1), (0.1, 0.07, 0.05), size=0.6)
    leaf = leaf_material(build, (0.1, 0.25, 0.04))
    build.box((0, -0.2, -15), (60, 0.2, 29.6), gravel)
    build.box((5, 0.6, -8.0), (20, 1.6, 0.4), wall)
    tree(build, (3.6, -0.1, -6.0), 4.4, 520, bark, leaf)
    for _ in range(200):
        base = (random.uniform(0.5, 6.5), random.uniform(0.0, 0.5), -7.3 + random.uniform(-0.3, 0.3))
        build.leaf(base, random.normal(0, 1, 3) + (0, 0.8, 0), 0.4, 0.14, leaf)
