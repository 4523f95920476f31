"""From a scene to linear radiance: cached indirect light, then supersampled pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np

from builder.simulate.geometry import MATERIAL, nearest_hit
from builder.simulate.lighting import direct_light, lamp_haze, seen_along
from builder.simulate.materials import (
    ASPHALT,
    GLOW,
    MIRROR,
    PATTERN,
    ROUGH,
    THIN,
    bumped_normal,
    surface,
)
from builder.simulate.noise import compiled, lattice
from builder.simulate.scene import Scene
from builder.simulate.sky import AMBIENT, FOG, FOG_COLOR, sky_radiance

# Columns of a camera row; MATRIX is the 2x3 affine map from frame to reference pixels.
ORIGIN, RIGHT, UP, FORWARD, MIDDLE, PITCH, MATRIX, CAMERA_COLUMNS = 0, 3, 6, 9, 12, 14, 15, 21
INDIRECT_STEP = 4  # pixels between the points where indirect light is gathered
INDIRECT_RAYS = 36
# First the four of a rotated grid; twelve more where those differ.
SAMPLES = np.array(
    [(-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375)]
    + [(a, b) for a in (-0.375, -0.125, 0.125, 0.375) for b in (-0.25, 0.0, 0.25)]
)


@compiled
def _ray(camera, x, y):
    """Unit direction of the ray through frame coordinates (x, y), pixel centres at integers."""
    u = camera[MATRIX] * x + camera[MATRIX + 1] * y + camera[MATRIX + 2] - camera[MIDDLE]
    v = camera[MATRIX + 3] * x + camera[MATRIX + 4] * y + camera[MATRIX + 5] - camera[MIDDLE + 1]
    u, v = u * camera[PITCH], -v * camera[PITCH]
    dx = camera[FORWARD] + u * camera[RIGHT] + v * camera[UP]
    dy = camera[FORWARD + 1] + u * camera[RIGHT + 1] + v * camera[UP + 1]
    dz = camera[FORWARD + 2] + u * camera[RIGHT + 2] + v * camera[UP + 2]
    scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
    # No component is exactly zero, so slab tests never meet 0 * inf.
    return dx * scale + 1e-12, dy * scale + 1e-12, dz * scale + 1e-12


@compiled
def _cosine_direction(nx, ny, nz, a, b):
    """Direction about n with density cosine / pi, from two uniform values."""
    angle, height = 6.283185307 * a, 2.0 * b - 1.0
    around = math.sqrt(max(0.0, 1.0 - height * height))
    dx, dy, dz = nx + around * math.cos(angle), ny + around * math.sin(angle), nz + height
    scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz + 1e-9)
    return dx * scale + 1e-9, dy * scale + 1e-9, dz * scale + 1e-9


@compiled
def gather_indirect(nodes, prims, materials, lights, world, camera, height, width, step, rays):
    """Indirect irradiance / pi on a coarse grid: float64 (h, w, 9) of position, normal, irradiance; NaN where sky."""
    rows, columns = (height - 1) // step + 2, (width - 1) // step + 2
    points = np.full((rows, columns, 9), np.nan)
    for row in range(rows):
        for column in range(columns):
            ox, oy, oz = camera[ORIGIN], camera[ORIGIN + 1], camera[ORIGIN + 2]
            dx, dy, dz = _ray(camera, float(column * step), float(row * step))
            t, i, nx, ny, nz = nearest_hit(nodes, prims, ox, oy, oz, dx, dy, dz)
            if i < 0:
                continue
            x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
            red, green, blue = 0.0, 0.0, 0.0
            turn, lift = lattice(column, row, 1, 3), lattice(column, row, 2, 3)
            for k in range(rays):
                # R2 sequence, turned by a random amount at each point.
                a, b = turn + 0.7548776662 * k, lift + 0.5698402910 * k
                gx, gy, gz = _cosine_direction(nx, ny, nz, a - math.floor(a), b - math.floor(b))
                bx, by, bz = x + nx * 2e-3, y + ny * 2e-3, z + nz * 2e-3
                r, g, b, _ = seen_along(
                    nodes,
                    prims,
                    materials,
                    lights,
                    world,
                    bx,
                    by,
                    bz,
                    gx,
                    gy,
                    gz,
                    0.2,
                    0.0,
                    row * 8192 + column,
                    k,
                )
                red, green, blue = red + r, green + g, blue + b
            points[row, column] = (x, y, z, nx, ny, nz, red / rays, green / rays, blue / rays)
    return points


@compiled
def _blend(points, row, column, reach, x, y, z, nx, ny, nz, scale):
    """Mean irradiance of the grid points about (row, column) that lie on the same surface; (3) and weight."""
    red, green, blue, total = 0.0, 0.0, 0.0, 0.0
    top, left = int(math.floor(row)), int(math.floor(column))
    for j in range(max(top - reach + 1, 0), min(top + reach + 1, points.shape[0])):
        for i in range(max(left - reach + 1, 0), min(left + reach + 1, points.shape[1])):
            if points[j, i, 0] != points[j, i, 0]:
                continue
            alike = points[j, i, 3] * nx + points[j, i, 4] * ny + points[j, i, 5] * nz
            if alike <= 0.1:
                continue
            away = (points[j, i, 0] - x) * nx + (points[j, i, 1] - y) * ny + (points[j, i, 2] - z) * nz
            near = max(0.0, 1.0 - abs(j - row) / reach) * max(0.0, 1.0 - abs(i - column) / reach)
            weight = (near + 1e-4) * alike**4 / (1.0 + (away / scale) ** 2)
            red += weight * points[j, i, 6]
            green += weight * points[j, i, 7]
            blue += weight * points[j, i, 8]
            total += weight
    return red, green, blue, total


@compiled
def smooth_indirect(points, reach):
    """Averages irradiance along surfaces, `reach` grid points each way: removes the gathering's noise."""
    smooth = points.copy()
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            p = points[row, column]
            if p[0] != p[0]:
                continue
            r, g, b, total = _blend(
                points, float(row), float(column), reach, p[0], p[1], p[2], p[3], p[4], p[5], 0.03
            )
            smooth[row, column, 6], smooth[row, column, 7], smooth[row, column, 8] = (
                r / total,
                g / total,
                b / total,
            )
    return smooth


@compiled
def _reflection(
    nodes, prims, materials, lights, world, x, y, z, dx, dy, dz, nx, ny, nz, mirror, rough, fp, seed, sample
):
    """Mirror image (3) with Schlick's reflectance, spread by roughness."""
    toward = dx * nx + dy * ny + dz * nz
    rx, ry, rz = dx - 2 * toward * nx, dy - 2 * toward * ny, dz - 2 * toward * nz
    rx += rough * (lattice(seed, sample, 31, 5) - 0.5)
    ry += rough * (lattice(seed, sample, 32, 5) - 0.5)
    rz += rough * (lattice(seed, sample, 33, 5) - 0.5)
    scale = 1.0 / math.sqrt(rx * rx + ry * ry + rz * rz)
    rx, ry, rz = (
        rx * scale + 1e-12,
        abs(ry * scale) * (1 if ny > 0.7 else 0) + ry * scale * (0 if ny > 0.7 else 1) + 1e-12,
        rz * scale + 1e-12,
    )
    share = mirror + (1.0 - mirror) * (1.0 - min(1.0, abs(toward))) ** 5
    red, green, blue, far = seen_along(
        nodes,
        prims,
        materials,
        lights,
        world,
        x + nx * 2e-3,
        y + ny * 2e-3,
        z + nz * 2e-3,
        rx,
        ry,
        rz,
        fp,
        1.0,
        seed,
        sample,
    )
    hr, hg, hb = lamp_haze(lights, world, x, y, z, rx, ry, rz, min(far, 200.0))
    return share * (red + hr), share * (green + hg), share * (blue + hb)


@compiled
def _sample(nodes, prims, materials, lights, world, camera, points, step, x, y, seed, sample):
    """Radiance (3) at frame coordinates (x, y)."""
    ox, oy, oz = camera[ORIGIN], camera[ORIGIN + 1], camera[ORIGIN + 2]
    dx, dy, dz = _ray(camera, x, y)
    t, i, nx, ny, nz = nearest_hit(nodes, prims, ox, oy, oz, dx, dy, dz)
    hr, hg, hb = lamp_haze(lights, world, ox, oy, oz, dx, dy, dz, min(t, 200.0))
    pitch = camera[PITCH]
    if i < 0:
        red, green, blue = sky_radiance(world, dx, dy, dz, pitch)
        return red + hr, green + hg, blue + hb
    px, py, pz = ox + t * dx, oy + t * dy, oz + t * dz
    m, fp = int(prims[i, MATERIAL]), pitch * t
    red, green, blue, shade, mix = surface(prims, materials, i, px, py, pz, nx, ny, nz, fp)
    bx, by, bz = bumped_normal(prims, materials, i, px, py, pz, nx, ny, nz, fp)
    er, eg, eb = direct_light(
        nodes, prims, lights, world, px, py, pz, bx, by, bz, materials[m, THIN], seed, sample
    )
    ir, ig, ib, total = _blend(points, y / step, x / step, 2, px, py, pz, nx, ny, nz, 0.02 + fp)
    if total > 0.0:
        er, eg, eb = er + ir / total, eg + ig / total, eb + ib / total
    else:
        er, eg, eb = er + world[AMBIENT], eg + world[AMBIENT + 1], eb + world[AMBIENT + 2]
    red, green, blue = red * er, green * eg, blue * eb
    mirror, rough = materials[m, MIRROR], materials[m, ROUGH]
    if mirror > 0.0:
        if materials[m, PATTERN] == ASPHALT:  # puddles lie flat and shine; between them the stones scatter
            bx, by, bz = (
                nx + (bx - nx) * (1.0 - mix),
                ny + (by - ny) * (1.0 - mix),
                nz + (bz - nz) * (1.0 - mix),
            )
            rough *= 1.0 - 0.93 * mix
        r, g, b = _reflection(
            nodes,
            prims,
            materials,
            lights,
            world,
            px,
            py,
            pz,
            dx,
            dy,
            dz,
            bx,
            by,
            bz,
            mirror,
            rough,
            pitch,
            seed,
            sample,
        )
        red, green, blue = red + r, green + g, blue + b
    red, green, blue = (
        red + materials[m, GLOW] * shade,
        green + materials[m, GLOW + 1] * shade,
        blue + materials[m, GLOW + 2] * shade,
    )
    clear = math.exp(-t * world[FOG])
    red = world[FOG_COLOR] + (red - world[FOG_COLOR]) * clear
    green = world[FOG_COLOR + 1] + (green - world[FOG_COLOR + 1]) * clear
    blue = world[FOG_COLOR + 2] + (blue - world[FOG_COLOR + 2]) * clear
    return red + hr, green + hg, blue + hb


@compiled
def render_pixels(nodes, prims, materials, lights, world, camera, points, step, samples, top, left, out):
    """Fills `out` (float32 h x w x 3) from frame row `top` and column `left` on."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            red, green, blue, low, high, taken = 0.0, 0.0, 0.0, 1e30, 0.0, 0
            seed = (row + top) * 16384 + column + left
            for s in range(samples.shape[0]):
                if s == 4 and high < 1.3 * low:
                    break
                r, g, b = _sample(
                    nodes, prims, materials, lights, world, camera, points, step,
                    column + left + samples[s, 0], row + top + samples[s, 1], seed, s,
                )  # fmt: skip
                red, green, blue, taken = red + r, green + g, blue + b, taken + 1
                light = r + g + b
                low, high = min(low, light), max(high, light)
            out[row, column, 0], out[row, column, 1], out[row, column, 2] = (
                red / taken,
                green / taken,
                blue / taken,
            )


def camera_row(
    scene: Scene, width: int, height: int, frame_to_reference: np.ndarray | None = None
) -> np.ndarray:
    """Camera of a scene for frames of width x height; the matrix (3x3) says where a frame's pixels lie."""
    forward = np.subtract(scene.look_at, scene.eye)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    row = np.zeros(CAMERA_COLUMNS)
    row[ORIGIN : ORIGIN + 3], row[RIGHT : RIGHT + 3], row[UP : UP + 3] = scene.eye, right, up
    row[FORWARD : FORWARD + 3] = forward
    row[MIDDLE : MIDDLE + 2] = (width - 1) / 2, (height - 1) / 2
    row[PITCH] = 2 * math.tan(math.radians(scene.field_of_view) / 2) / max(width, height)
    row[MATRIX : MATRIX + 6] = (np.eye(3) if frame_to_reference is None else frame_to_reference)[:2].ravel()
    return row


def with_glare(radiance: np.ndarray, share: float) -> np.ndarray:
    """Adds the veil that a lens spreads around lights: `share` of the light, in three widths; in place."""
    height, width = radiance.shape[:2]
    small = cv2.resize(radiance, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    veil = sum(
        weight
        * cv2.GaussianBlur(small, (0, 0), max(width, height) * spread / 4, borderType=cv2.BORDER_REPLICATE)
        for spread, weight in ((0.004, 0.5), (0.016, 0.35), (0.06, 0.15))
    )
    radiance *= 1.0 - share
    radiance += share * cv2.resize(
        np.asarray(veil, np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
    return radiance


def indirect_points(scene: Scene, camera: np.ndarray, width: int, height: int) -> tuple[np.ndarray, int]:
    """Indirect light of a view on a coarse grid, and the grid's step in pixels."""
    step = INDIRECT_STEP if max(width, height) > 400 else 2
    stage = (scene.nodes, scene.primitives, scene.materials, scene.lights, scene.world)
    points = gather_indirect(*stage, camera, height, width, step, INDIRECT_RAYS)
    return smooth_indirect(smooth_indirect(points, 3), 3), step


def render_part(
    scene: Scene, camera: np.ndarray, indirect: tuple[np.ndarray, int], top: int, left: int, out: np.ndarray
) -> None:
    """Fills `out` (float32, h x w x 3) with the radiance of the frame from row `top` and column `left` on."""
    stage = (scene.nodes, scene.primitives, scene.materials, scene.lights, scene.world)
    render_pixels(*stage, camera, *indirect, SAMPLES, top, left, out)


def projected(camera: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pixel coordinates (n, 2) of world points (n, 3) in the reference view."""
    offset = points - camera[ORIGIN : ORIGIN + 3]
    depth = np.maximum(offset @ camera[FORWARD : FORWARD + 3], 0.05)
    x = offset @ camera[RIGHT : RIGHT + 3] / depth / camera[PITCH] + camera[MIDDLE]
    y = -(offset @ camera[UP : UP + 3]) / depth / camera[PITCH] + camera[MIDDLE + 1]
    return np.stack([x, y], axis=1)
