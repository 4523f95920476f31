"""Things that several scenes hold: trees, potted plants, books, tables, chairs."""

# ruff: noqa: RUF005 (sums of arrays and tuples are vector sums here)
from __future__ import annotations

import math

import numpy as np

from builder.simulate import patterns as m
from builder.simulate.scene import SceneBuilder, Vector


def tree(build: SceneBuilder, foot: Vector, height: float, leaves: int, bark: int, leaf: int) -> None:
    """Trunk, forking branches and a crown of single leaves."""
    random = build.random
    foot = np.asarray(foot, float)
    fork = foot + (random.uniform(-0.05, 0.05) * height, 0.42 * height, 0.0)
    build.rod(foot, fork, 0.028 * height, bark)
    tips = []
    for branch in range(9):
        angle = 2.4 * branch + random.uniform(-0.4, 0.4)
        reach, lift = random.uniform(0.14, 0.3) * height, random.uniform(0.15, 0.5) * height
        tip = fork + (math.cos(angle) * reach, lift, math.sin(angle) * reach)
        knee = (fork + tip) / 2 + random.normal(0, 0.03, 3) * height
        build.wire((fork, knee, tip), 0.009 * height, bark)
        tips += [tip, (knee + tip) / 2, knee]
    for _ in range(leaves):
        tip = tips[random.integers(len(tips))]
        base = tip + random.normal(0, 0.075, 3) * height
        build.leaf(base, random.normal(0, 1, 3) + (0, -0.3, 0), 0.05 * height, 0.026 * height, leaf)


def pot_plant(build: SceneBuilder, foot: Vector, height: float, leaves: int, pot: int, leaf: int) -> None:
    """Clay pot with stems that arch outwards and long leaves."""
    random = build.random
    foot = np.asarray(foot, float)
    girth = 0.13 * height
    build.rod(foot, foot + (0, 0.26 * height, 0), girth, pot)
    build.rod(foot + (0, 0.23 * height, 0), foot + (0, 0.275 * height, 0), girth * 1.12, pot)
    top = foot + (0, 0.27 * height, 0)
    for k in range(leaves):
        angle, tilt = 2.4 * k + random.uniform(-0.3, 0.3), random.uniform(0.15, 0.95)
        out = np.array([math.cos(angle) * tilt, 1.0 - 0.55 * tilt, math.sin(angle) * tilt])
        end = top + out * height * random.uniform(0.3, 0.6)
        build.rod(top, end, 0.004 * height, leaf)
        droop = out * (1, 0.2, 1) + (0, random.uniform(-0.5, 0.4), 0)
        build.leaf(end, droop, height * random.uniform(0.22, 0.36), height * random.uniform(0.06, 0.1), leaf)


def cloth_colors(random: np.random.Generator, count: int) -> np.ndarray:
    """Muted colours (count, 3) of one palette: hues apart, reds and browns preferred."""
    hue = random.uniform(0, 1) + np.arange(count) * 0.381966
    vivid = 0.5 + 0.5 * np.cos(6.2832 * (hue[:, None] + np.array([0.0, 0.33, 0.67])))
    grey = random.uniform(0.35, 0.8, (count, 1))
    color = grey * vivid.mean(axis=1, keepdims=True) + (1.0 - grey) * vivid**1.4
    return (0.03 + 0.45 * color) * random.uniform(0.45, 1.0, (count, 1)) * (1.0, 0.85, 0.68)


def books(build: SceneBuilder, left: Vector, width: float, covers: list[int], yaw: float = 0.0) -> None:
    """A row of books from `left` on, along x turned by `yaw` degrees (about the left end)."""
    random = build.random
    along = np.array([math.cos(math.radians(yaw)), 0.0, -math.sin(math.radians(yaw))])
    place = 0.0
    while place < width - 0.06:
        thick, tall = random.uniform(0.018, 0.05), random.uniform(0.19, 0.28)
        center = np.asarray(left, float) + along * (place + thick / 2) + (0, tall / 2, 0)
        lean = random.uniform(4, 9) if random.random() < 0.08 else 0.0
        build.box(
            center, (thick * 0.94, tall, 0.17), covers[random.integers(len(covers))], yaw=yaw, roll=lean
        )
        place += (
            thick + (0.03 if lean else 0.0) + (random.uniform(0.05, 0.16) if random.random() < 0.05 else 0.0)
        )


def table(build: SceneBuilder, center: Vector, size: Vector, wood: int, yaw: float = 0.0) -> None:
    """Table: top, apron and four legs; `center` on the floor, size (x, height, z)."""
    x, height, z = size
    place = np.asarray(center, float)
    turn = np.array([[math.cos(math.radians(yaw)), math.sin(math.radians(yaw))],
                     [-math.sin(math.radians(yaw)), math.cos(math.radians(yaw))]])  # fmt: skip
    build.box(place + (0, height - 0.02, 0), (x, 0.04, z), wood, yaw=yaw)
    build.box(place + (0, height - 0.09, 0), (x - 0.12, 0.09, z - 0.12), wood, yaw=yaw)
    for a in (-1, 1):
        for b in (-1, 1):
            dx, dz = turn @ (a * (x / 2 - 0.07), b * (z / 2 - 0.07))
            build.box(place + (dx, height / 2 - 0.03, dz), (0.06, height - 0.06, 0.06), wood, yaw=yaw)


def chair(build: SceneBuilder, center: Vector, wood: int, seat: int, yaw: float = 0.0) -> None:
    """Wooden chair with a slatted back; at yaw 0 it faces +z."""
    place = np.asarray(center, float)
    cosine, sine = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))

    def at(x: float, y: float, z: float) -> np.ndarray:
        return place + (cosine * x + sine * z, y, -sine * x + cosine * z)

    for x in (-0.19, 0.19):
        build.rod(at(x, 0, 0.19), at(x, 0.45, 0.18), 0.018, wood)
        build.rod(at(x, 0, -0.21), at(x * 1.05, 0.98, -0.25), 0.018, wood)
    build.box(at(0, 0.46, 0), (0.44, 0.035, 0.43), seat, yaw=yaw)
    for height in (0.62, 0.76, 0.92):
        build.box(at(0, height, -0.232), (0.40, 0.06, 0.018), wood, yaw=yaw, pitch=-4)
    for x in (-0.19, 0.19):
        build.rod(at(x, 0.2, 0.19), at(x, 0.2, -0.22), 0.011, wood)


def leaf_material(build: SceneBuilder, color: Vector = (0.07, 0.19, 0.03)) -> int:
    """Green leaf that lets some light through."""
    second = np.asarray(color) * (2.2, 1.7, 1.4)
    return build.material(m.FOLIAGE, color, second, size=0.03, mirror=0.02, rough=0.3, thin=0.45)
