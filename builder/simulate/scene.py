"""A scene under construction: objects in metres, materials, lights, sky; then the arrays that rays meet."""

# ruff: noqa: RUF005 (sums of arrays and tuples are vector sums here)
from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from builder.simulate import geometry, lighting, materials, shapes, sky

Vector = Sequence[float] | np.ndarray
Color = tuple[float, float, float]


@dataclass(frozen=True)
class View:
    """Where the camera of a scene stands, and its lens."""

    eye: Color  # metres
    look_at: Color
    field: float  # degrees along the longer side
    glare: float  # share of the light that the lens spreads


@dataclass(frozen=True)
class Scene:
    """A finished scene."""

    stage: lighting.Stage
    view: View


@dataclass(frozen=True)
class Sky:
    """Surroundings of a scene; radiances in the scene's own unit."""

    kind: int = sky.DAY
    sun_direction: Vector = (0.3, 0.8, -0.5)
    sun_light: Color = (0.0, 0.0, 0.0)
    sun_radius: float = 0.01  # radians
    sun_disk: Color = (0.0, 0.0, 0.0)
    zenith: Color = (0.2, 0.4, 0.9)
    horizon: Color = (0.8, 0.9, 1.0)
    ground: Color = (0.1, 0.14, 0.05)
    cloud_cover: float = 0.5
    cloud_color: Color = (1.0, 1.0, 1.0)
    ambient: Color = (0.0, 0.0, 0.0)
    fog: float = 0.0
    fog_color: Color = (0.0, 0.0, 0.0)
    haze: float = 0.0
    indoors_beyond: float = 1e9  # z beyond which the sky comes in by window lights only
    seed: int = 1

    def row(self) -> np.ndarray:
        """The world row that the kernels read."""
        row = np.zeros(sky.WORLD_COLUMNS)
        direction = np.asarray(self.sun_direction, float)
        row[sky.SUN : sky.SUN + 3] = direction / np.linalg.norm(direction)
        for column, color in (
            (sky.LIGHT, self.sun_light), (sky.DISK, self.sun_disk), (sky.ZENITH, self.zenith),
            (sky.HORIZON, self.horizon), (sky.GROUND, self.ground), (sky.CLOUD_COLOR, self.cloud_color),
            (sky.AMBIENT, self.ambient), (sky.FOG_COLOR, self.fog_color),
        ):  # fmt: skip
            row[column : column + 3] = color
        row[sky.SUN_RADIUS], row[sky.SKY_KIND], row[sky.CLOUDS] = self.sun_radius, self.kind, self.cloud_cover
        row[sky.FOG], row[sky.HAZE], row[sky.SKY_SEED] = self.fog, self.haze, self.seed
        row[sky.INDOORS] = self.indoors_beyond
        return row


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation matrix from degrees: roll about z, then pitch about x, then yaw about y."""
    (sy, sp, sr), (cy, cp, cr) = (
        [f(math.radians(angle)) for angle in (yaw, pitch, roll)] for f in (math.sin, math.cos)
    )
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


@dataclass
class SceneBuilder:
    """Collects objects; every object gets its own offset into the patterns from `random`."""

    random: np.random.Generator
    _rows: list[np.ndarray] = field(default_factory=list)
    _bounds: list[np.ndarray] = field(default_factory=list)
    _materials: list[np.ndarray] = field(default_factory=list)
    _lights: list[np.ndarray] = field(default_factory=list)

    def material(
        self, pattern: int, color: Vector, second: Vector | None = None, *, size: float = 1.0,
        aspect: float = 1.0, mirror: float = 0.0, rough: float = 0.0, glow: Vector = (0.0, 0.0, 0.0),
        bump: float = 0.0, grain: int = 0, thin: float = 0.0,
    ) -> int:  # fmt: skip
        """A surface; returns its number for the shapes below."""
        row = np.zeros(materials.MATERIAL_COLUMNS)
        row[materials.PATTERN] = pattern
        row[materials.COLOR : materials.COLOR + 3] = color
        row[materials.SECOND : materials.SECOND + 3] = color if second is None else second
        row[materials.SIZE], row[materials.ASPECT], row[materials.MIRROR] = size, aspect, mirror
        row[materials.ROUGH], row[materials.BUMP], row[materials.GRAIN] = rough, bump, grain
        row[materials.GLOW : materials.GLOW + 3] = glow
        row[materials.THIN] = thin
        self._materials.append(row)
        return len(self._materials) - 1

    def _add(
        self, kind: int, center: Vector, axes: np.ndarray, half: Vector, material: int, shadow: bool = True,
        shape: Vector = (0.0, 0.0, 0.0, 0.0),
    ) -> None:  # fmt: skip
        """Unit shape scaled by `half` and turned by the columns of `axes`."""
        half, center = np.asarray(half, float), np.asarray(center, float)
        inverse = (axes / half).T
        row = np.zeros(shapes.COLUMNS)
        row[shapes.KIND] = kind
        row[shapes.INVERSE : shapes.INVERSE + 12] = np.c_[inverse, -inverse @ center].ravel()
        row[shapes.HALF : shapes.HALF + 3] = half
        row[shapes.SHAPE : shapes.SHAPE + 4] = shape
        row[shapes.MATERIAL], row[shapes.SHADOW] = material, float(shadow)
        row[shapes.OFFSET] = self.random.random()
        reach = np.abs(axes * half).sum(axis=1) + 1e-5
        self._rows.append(row)
        self._bounds.append(np.concatenate([center - reach, center + reach]))

    def box(
        self,
        center: Vector,
        size: Vector,
        material: int,
        *,
        yaw: float = 0,
        pitch: float = 0,
        roll: float = 0,
    ) -> None:
        """Box of full edge lengths `size`, turned about its centre (degrees)."""
        self._add(shapes.BOX, center, turned(yaw, pitch, roll), np.asarray(size, float) / 2, material)

    def ball(self, center: Vector, radii: Vector | float, material: int, *, yaw: float = 0, pitch: float = 0,
             shadow: bool = True) -> None:  # fmt: skip
        """Ellipsoid."""
        radii = np.broadcast_to(np.asarray(radii, float), 3)
        self._add(shapes.BALL, center, turned(yaw, pitch), radii, material, shadow)

    def rod(self, start: Vector, end: Vector, radius: float, material: int, *, shadow: bool = True) -> None:
        """Round bar between two points."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        aside = np.cross(along, (0.0, 0.0, 1.0) if abs(along[2]) < 0.9 else (1.0, 0.0, 0.0))
        aside /= np.linalg.norm(aside)
        axes = np.c_[aside, along, np.cross(aside, along)]
        self._add(shapes.CYLINDER, (start + end) / 2, axes, (radius, length / 2, radius), material, shadow)

    def wire(self, points: Sequence[Vector], radius: float, material: int, *, shadow: bool = True) -> None:
        """Rods along a polyline."""
        for start, end in itertools.pairwise(points):
            self.rod(start, end, radius, material, shadow=shadow)

    def leaf(self, base: Vector, direction: Vector, length: float, width: float, material: int) -> None:
        """Flat pointed leaf from `base` along `direction`, its face turned upwards at random."""
        along = np.asarray(direction, float)
        along = along / np.linalg.norm(along)
        aside = np.cross(along, self.random.normal(0, 0.35, 3) + (0.0, 1.0, 0.0))
        aside /= np.linalg.norm(aside)
        axes = np.c_[aside, np.cross(along, aside), along]
        center = np.asarray(base, float) + along * length / 2
        self._add(shapes.LEAF, center, axes, (width / 2, 1e-3, length / 2), material)

    def arches(
        self, center: Vector, size: Vector, material: int, *, opening: float, spring: float, period: float,
        count: int, yaw: float = 0,
    ) -> None:  # fmt: skip
        """Wall (full `size`, thickness along its z) with `count` arched openings of width `opening`."""
        half = np.asarray(size, float) / 2
        shape = (opening / 2, spring, period, count)
        self._add(shapes.ARCHES, center, turned(yaw), half, material, True, shape)

    def window_light(self, center: Vector, edge_u: Vector, edge_v: Vector, power: Vector) -> None:
        """One-sided glowing rectangle: half edges u and v, shining along u x v with radiance `power`."""
        row = np.zeros(lighting.LIGHT_COLUMNS)
        axis = np.cross(edge_u, edge_v)
        row[lighting.LIGHT_KIND] = lighting.WINDOW
        for column, vector in (
            (lighting.CENTER, center), (lighting.EDGE_U, edge_u), (lighting.EDGE_V, edge_v),
            (lighting.AXIS, axis / np.linalg.norm(axis)), (lighting.POWER, power),
        ):  # fmt: skip
            row[column : column + 3] = vector
        self._lights.append(row)

    def lamp(self, center: Vector, radius: float, power: Vector, *, axis: Vector = (0.0, -1.0, 0.0),
             inner: float = -2.0, outer: float = -3.0) -> None:  # fmt: skip
        """Ball light of radiant intensity `power`; full within cosine `inner`, dark beyond `outer`."""
        row = np.zeros(lighting.LIGHT_COLUMNS)
        row[lighting.LIGHT_KIND], row[lighting.SPREAD] = lighting.LAMP, radius
        row[lighting.CENTER : lighting.CENTER + 3], row[lighting.AXIS : lighting.AXIS + 3] = center, axis
        row[lighting.POWER : lighting.POWER + 3] = power
        row[lighting.OUTER], row[lighting.INNER] = outer, inner
        self._lights.append(row)

    def finish(self, surroundings: Sky, view: View) -> Scene:
        """The scene of everything collected so far; more may be added and finished again."""
        lights = np.array(self._lights) if self._lights else np.zeros((0, lighting.LIGHT_COLUMNS))
        stage = lighting.Stage(
            geometry.build_tree(np.array(self._bounds)), np.array(self._rows), np.array(self._materials),
            lights, surroundings.row(),
        )  # fmt: skip
        return Scene(stage, view)
