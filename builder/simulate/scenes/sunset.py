"""A lake at sunset: ridges in mist, burning clouds, glitter on water, pier and reeds against the light."""

# ruff: noqa: RUF005 (sums of arrays and tuples are vector sums here)
from __future__ import annotations

import math

import numpy as np

from builder.simulate import patterns as m
from builder.simulate import sky
from builder.simulate.scene import Scene, SceneBuilder, Sky, View
from builder.simulate.scenes.furnishing import leaf_material


def sunset(random: np.random.Generator) -> Scene:
    """Camera 2 m above the water, looking into the sun."""
    build = SceneBuilder(random)
    water = build.material(m.WATER, (0.004, 0.007, 0.01), size=1.4, mirror=0.025, bump=0.075)
    build.box((0, -1.0, -400), (1600, 2.0, 1000), water)
    side = random.choice((-1, 1))
    _pier(build, random, side)
    _boat(build, random, -side)
    _shore(build, random, -side)
    azimuth = -side * random.uniform(0.02, 0.16)
    elevation = random.uniform(0.13, 0.16)
    warm = random.uniform(0.85, 1.15, 3)
    surroundings = Sky(
        kind=sky.SUNSET, sun_direction=(math.sin(azimuth), elevation, -math.cos(azimuth)),
        sun_light=(5.0, 2.4, 0.9), sun_radius=0.021, sun_disk=(4500.0, 2500.0, 900.0),
        zenith=tuple(np.array((0.11, 0.3, 1.05)) * warm), horizon=tuple(np.array((2.6, 1.25, 0.55)) * warm),
        ground=(0.9, 0.8, 0.6), cloud_cover=random.uniform(0.5, 0.56), cloud_color=(5.2, 2.1, 1.15),
        ambient=(0.1, 0.1, 0.14), seed=int(random.integers(1 << 16)),
    )  # fmt: skip
    return build.finish(surroundings, View((0, 2.1, 6.0), (0, 2.45, 0), 56.0, 0.02))


def _pier(build: SceneBuilder, random: np.random.Generator, side: int) -> None:
    plank = build.material(m.WOOD, (0.16, 0.12, 0.09), (0.08, 0.06, 0.05), size=0.6, bump=0.006)
    post = build.material(m.WOOD, (0.1, 0.08, 0.06), (0.05, 0.04, 0.035), size=0.5, bump=0.01, grain=1)
    lean = -0.12 * side

    def across(z: float) -> float:
        return side * 1.5 + lean * (z - 3.0)

    for k in range(70):
        z = 3.4 - 0.165 * k
        center = (across(z) + random.uniform(-0.02, 0.02), 0.62 + random.uniform(-0.008, 0.008), z)
        build.box(center, (1.3, 0.035, 0.145), plank, yaw=random.uniform(-1, 1), roll=random.uniform(-1, 1))
    for k in range(6):
        z = 2.6 - 1.9 * k
        for edge in (-0.62, 0.62):
            build.rod(
                (across(z) + edge, -1, z), (across(z) + edge, 1.25 + random.uniform(-0.1, 0.1), z), 0.06, post
            )
    for edge in (-0.62, 0.62):
        rope = [(across(z) + edge, 1.12 - 0.16 * math.sin((2.6 - z) / 1.9 * math.pi) ** 2, z)
                for z in np.linspace(2.6, -6.9, 41)]  # fmt: skip
        build.wire(rope, 0.012, post)


def _boat(build: SceneBuilder, random: np.random.Generator, side: int) -> None:
    hull = build.material(m.WOOD, (0.25, 0.08, 0.05), (0.12, 0.05, 0.04), size=0.6)
    x, z = side * random.uniform(4.0, 7.0), -random.uniform(16, 22)
    build.ball((x, 0.12, z), (2.0, 0.42, 0.62), hull, yaw=random.uniform(-20, 20))
    build.rod((x + 0.3, 0, z), (x + 0.3, 5.2, z), 0.045, hull)
    build.rod((x + 0.3, 1.0, z), (x - 1.6, 1.05, z), 0.03, hull)
    for end in (-1.9, 1.9):
        build.rod((x + 0.3, 5.1, z), (x + end, 0.35, z), 0.012, hull)


def _shore(build: SceneBuilder, random: np.random.Generator, side: int) -> None:
    rock = build.material(
        m.PLASTER, (0.2, 0.18, 0.16), (0.1, 0.09, 0.085), size=0.5, bump=0.08, mirror=0.02, rough=0.3
    )
    reed = leaf_material(build, (0.05, 0.06, 0.02))
    for _ in range(26):
        x, z = side * random.uniform(1.6, 5.5), random.uniform(-3.5, 2.0)
        radii = random.uniform(0.15, 0.55) * random.uniform(0.6, 1.2, 3) * (1.2, 0.7, 1.0)
        build.ball((x, 0.02, z), radii, rock, yaw=random.uniform(0, 180))
    for _ in range(130):
        foot = np.array([side * random.normal(3.0, 0.7), 0.0, random.uniform(-0.8, 2.2)])
        tall, bend = random.uniform(0.8, 1.9), random.normal(0, 0.16, 3) * (1, 0, 1)
        tip = foot + bend + (0, tall, 0)
        build.rod(foot, tip, 0.007, reed)
        build.leaf(foot + 0.5 * (tip - foot), (tip - foot) + random.normal(0, 0.4, 3), 0.8, 0.03, reed)
        if random.random() < 0.3:
            build.rod(tip, tip + (0, 0.18, 0), 0.022, rock)
