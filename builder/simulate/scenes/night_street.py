"""A street after rain: lamps with glow, lit windows and neon, wires overhead, all again in the wet road."""

from __future__ import annotations

import math

import numpy as np

from builder.simulate import patterns as m
from builder.simulate import sky
from builder.simulate.scene import Scene, SceneBuilder, Sky, View
from builder.simulate.scenes.furnishing import cloth_colors, tree

NEON = np.array([(6.0, 0.25, 1.2), (0.2, 2.6, 6.0), (6.5, 2.2, 0.1), (0.5, 5.5, 1.2), (3.2, 0.4, 6.0)])


def night_street(random: np.random.Generator) -> Scene:
    """Houses on both sides of a road that runs away along -z."""
    build = SceneBuilder(random)
    _road(build)
    for side in (-1, 1):
        _houses(build, random, side)
        _street_lamps(build, random, side)
        _signs(build, random, side)
    _end_of_street(build, random)
    _wires(build, random)
    _van(build, random)
    surroundings = Sky(
        kind=sky.NIGHT, zenith=(0.001, 0.0016, 0.004), horizon=(0.007, 0.006, 0.007),
        ground=(0.004, 0.004, 0.004), cloud_cover=0.56, cloud_color=(0.008, 0.006, 0.006),
        ambient=(0.012, 0.01, 0.008), haze=0.00014, fog=0.0006, fog_color=(0.012, 0.010, 0.009),
        seed=int(random.integers(1 << 16)),
    )  # fmt: skip
    eye = (random.uniform(-1.2, 1.2), 1.55, 4.0)
    return build.finish(surroundings, View(eye, (0, 2.3, -14.0), 66.0, 0.02))


def _road(build: SceneBuilder) -> None:
    asphalt = build.material(
        m.ASPHALT, (0.055, 0.055, 0.06), (0.012, 0.012, 0.014), mirror=0.045, rough=0.16, bump=0.0035
    )
    paving = build.material(
        m.BRICKS,
        (0.13, 0.125, 0.12),
        (0.05, 0.05, 0.05),
        size=0.5,
        aspect=0.8,
        mirror=0.03,
        rough=0.12,
        bump=0.006,
    )
    build.box((0, -0.1, -40), (7.0, 0.2, 100), asphalt)
    for side in (-1, 1):
        build.box((side * 4.5, -0.02, -40), (2.2, 0.3, 100), paving)


def _houses(build: SceneBuilder, random: np.random.Generator, side: int) -> None:
    frame = build.material(m.PLASTER, (0.3, 0.29, 0.27), (0.22, 0.21, 0.2), size=0.4)
    dark = build.material(
        m.METAL, (0.02, 0.025, 0.03), (0.01, 0.012, 0.015), size=0.5, mirror=0.08, rough=0.02
    )
    lit = [
        build.material(m.PANES, (0.1, 0.1, 0.1), glow=np.array(color) * random.uniform(0.5, 1.5))
        for color in ((2.4, 1.3, 0.5), (1.6, 1.2, 0.8), (2.6, 1.0, 0.35), (0.7, 1.0, 1.5), (1.5, 0.9, 0.6))
    ]
    z = 4.0
    while z > -46:
        width, floors = random.uniform(5.0, 8.5), int(random.integers(2, 5))
        color = cloth_colors(random, 1)[0] * 0.7 + 0.12
        if random.random() < 0.5:
            wall = build.material(
                m.BRICKS, color * (1.2, 0.8, 0.7), color + 0.1, size=0.25, aspect=0.3, bump=0.01
            )
        else:
            wall = build.material(m.PLASTER, color, color * 0.75, size=1.2, bump=0.006)
        _house(build, random, (side, z - width / 2, width, floors), (wall, frame, dark), lit)
        z -= width


def _house(
    build: SceneBuilder, random: np.random.Generator, place: tuple[int, float, float, int],
    surfaces: tuple[int, int, int], lit: list[int],
) -> None:  # fmt: skip
    side, z, width, floors = place
    wall, frame, dark = surfaces
    height = 3.6 + 3.0 * floors + random.uniform(-0.3, 0.3)
    build.box((side * 8.6, height / 2, z), (6.0, height, width), wall)
    face = side * 5.6
    build.box((face, height + 0.1, z), (0.5, 0.25, width), frame)
    build.box((face, 3.45, z), (0.18, 0.16, width), frame)
    _shop(build, random, (side, z, width), frame, lit if random.random() < 0.7 else [dark])
    count = int(width // 1.9)
    for level in range(floors):
        for k in range(count):
            y, w = 5.0 + 3.0 * level, z + (k + 0.5 - count / 2) * width / count
            pane = lit[random.integers(len(lit))] if random.random() < 0.38 else dark
            build.box((face - side * 0.005, y, w), (0.04, 1.5, 0.95), pane)
            build.box((face - side * 0.02, y - 0.85, w), (0.22, 0.12, 1.2), frame)
            build.box((face - side * 0.02, y + 0.85, w), (0.12, 0.14, 1.15), frame)
            for bar in (-0.48, 0.0, 0.48):
                build.box((face - side * 0.03, y, w + bar), (0.04, 1.5, 0.05), frame)
            build.box((face - side * 0.03, y + 0.2, w), (0.035, 0.05, 0.95), frame)


def _shop(build: SceneBuilder, random: np.random.Generator, place: tuple[int, float, float], frame: int,
          lit: list[int]) -> None:  # fmt: skip
    side, z, width = place
    face = side * 5.6
    pane = lit[random.integers(len(lit))]
    build.box((face - side * 0.005, 1.75, z - 0.5), (0.04, 2.1, width - 2.4), pane)
    for k in range(4):
        build.box(
            (face - side * 0.03, 1.75, z - 0.5 + (k / 3 - 0.5) * (width - 2.4)), (0.08, 2.2, 0.08), frame
        )
    build.box((face - side * 0.06, 2.9, z), (0.14, 0.45, width - 0.8), frame)
    build.box((face - side * 0.03, 1.2, z + width / 2 - 0.75), (0.06, 2.3, 0.95), frame)


def _street_lamps(build: SceneBuilder, random: np.random.Generator, side: int) -> None:
    iron = build.material(m.METAL, (0.05, 0.055, 0.05), (0.03, 0.03, 0.03), size=0.3, mirror=0.1, rough=0.2)
    bulb = build.material(m.PLASTER, (0.1, 0.1, 0.1), glow=(260.0, 165.0, 80.0), size=3.0)
    for k in range(4):
        x, z = side * 3.75, -2.5 - 9.5 * k - (4.7 if side > 0 else 0.0)
        build.rod((x, 0, z), (x, 4.3, z), 0.055, iron)
        build.rod((x, 0, z), (x, 0.8, z), 0.09, iron)
        build.rod((x, 4.25, z), (x - side * 0.75, 4.5, z), 0.03, iron)
        build.rod((x - side * 0.75, 4.5, z), (x - side * 0.75, 4.38, z), 0.17, iron)
        build.ball((x - side * 0.75, 4.3, z), (0.12, 0.14, 0.12), bulb, shadow=False)
        build.lamp((x - side * 0.75, 4.2, z), 0.08, (9.5, 6.2, 3.1))


def _signs(build: SceneBuilder, random: np.random.Generator, side: int) -> None:
    for k in range(4):
        color = NEON[random.integers(len(NEON))] * random.uniform(0.7, 1.6)
        tube = build.material(m.PLASTER, (0.1, 0.1, 0.1), glow=color * 4.0, size=4.0)
        z, y = -3.5 - 7.5 * k + random.uniform(-1, 1), random.uniform(3.4, 4.6)
        x = side * 4.95
        if random.random() < 0.5:
            ring = [(x, y + 0.45 * math.sin(a), z + 0.45 * math.cos(a)) for a in np.linspace(0, 6.2832, 19)]
            build.wire(ring, 0.03, tube, shadow=False)
            build.wire([(x, y - 0.25, z), (x, y + 0.25, z)], 0.03, tube, shadow=False)
        else:
            zigzag = [(x - side * 0.25 * (-1) ** i, y + 0.9 - 0.22 * i, z) for i in range(9)]
            build.wire(zigzag, 0.03, tube, shadow=False)
        build.rod((side * 5.6, y, z - 0.1), (x, y, z - 0.1), 0.025, tube, shadow=False)
        if k < 2:  # the farther ones light nothing that is seen
            build.lamp((x - side * 0.2, y, z), 0.3, color * 0.32)


def _end_of_street(build: SceneBuilder, random: np.random.Generator) -> None:
    wall = build.material(m.BRICKS, (0.2, 0.15, 0.12), (0.2, 0.18, 0.16), size=0.5, aspect=0.5, bump=0.02)
    clock = build.material(m.PANES, (0.1, 0.1, 0.1), glow=(2.2, 2.0, 1.4))
    bark = build.material(m.WOOD, (0.1, 0.08, 0.06), (0.05, 0.04, 0.03), size=0.6)
    leaf = build.material(m.FOLIAGE, (0.06, 0.1, 0.03), (0.12, 0.15, 0.05), size=0.04, thin=0.4)
    build.box((0, 7, -58), (5, 17, 5), wall)
    build.box((0, 16.5, -58), (6, 0.5, 6), wall)
    build.rod((0, 13.6, -55.6), (0, 13.6, -55.4), 1.2, clock)
    build.box((0, 3.5, -66), (60, 9, 4), wall)
    tree(build, (4.0, 0, -7.5 - random.uniform(0, 3)), 4.6, 320, bark, leaf)


def _wires(build: SceneBuilder, random: np.random.Generator) -> None:
    wire = build.material(m.METAL, (0.03, 0.03, 0.03), size=0.5)
    bulb = build.material(m.PLASTER, (0.1, 0.1, 0.1), glow=(26.0, 16.0, 6.0), size=3.0)
    for z in (-3.0, -8.5, -15.0, -23.0):
        height, sag = random.uniform(5.6, 7.2), random.uniform(0.4, 0.9)
        across = np.linspace(-5.6, 5.6, 17)
        points = [(x, height - sag * (1 - (x / 5.6) ** 2), z + 0.12 * x) for x in across]
        build.wire(points, 0.012, wire)
        if z < -5:
            for x, y, w in points[1:-1]:
                build.ball((x, y - 0.07, w), 0.035, bulb, shadow=False)


def _van(build: SceneBuilder, random: np.random.Generator) -> None:
    color = cloth_colors(random, 1)[0] * 0.8 + 0.05
    paint = build.material(m.PLASTER, color, color * 0.9, size=2.0, mirror=0.06, rough=0.01)
    glass = build.material(m.METAL, (0.01, 0.01, 0.012), size=1.0, mirror=0.1)
    rubber = build.material(m.PLASTER, (0.02, 0.02, 0.02), size=0.3)
    rear = build.material(m.PLASTER, (0.2, 0.02, 0.02), glow=(1.8, 0.05, 0.03), size=1.0)
    x, z = -2.35, -7.2
    build.box((x, 1.0, z), (1.7, 1.25, 3.8), paint)
    build.box((x, 1.65, z - 0.1), (1.55, 0.5, 3.4), paint)
    build.box((x, 1.62, z + 1.62), (1.35, 0.42, 0.06), glass)
    build.box((x + 0.79, 1.62, z - 0.2), (0.03, 0.4, 2.9), glass)
    for a in (-0.72, 0.72):
        build.box((x + a, 0.85, z + 1.91), (0.14, 0.3, 0.03), rear)
        for b in (-1.2, 1.2):
            build.rod((x + a - 0.1, 0.33, z + b), (x + a + 0.1, 0.33, z + b), 0.33, rubber)
    build.box((x, 0.42, z + 1.9), (1.7, 0.12, 0.1), glass)
