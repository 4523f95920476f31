"""Vectors and hashed lattice noise for the kernels: the same value for the same place, without any state."""

from __future__ import annotations

import math

from numba import njit

Vector = tuple[float, float, float]  # of metres, directions, or red, green, blue

# Divisions by zero give infinities, as in numpy: slab tests rely on it. Infinities rule out full fast-math.
compiled = njit(error_model="numpy", fastmath={"contract", "arcp", "nsz"})


@compiled
def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def along(a: Vector, share: float, b: Vector) -> Vector:
    """a + share b."""
    return a[0] + share * b[0], a[1] + share * b[1], a[2] + share * b[2]


@compiled
def scaled(share: float, a: Vector) -> Vector:
    """share a."""
    return share * a[0], share * a[1], share * a[2]


@compiled
def times(a: Vector, b: Vector) -> Vector:
    """Product by components, as of light and colour."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@compiled
def mixed(a: Vector, b: Vector, share: float) -> Vector:
    """a at share 0, b at share 1."""
    return along(a, share, (b[0] - a[0], b[1] - a[1], b[2] - a[2]))


@compiled
def unit(a: Vector) -> Vector:
    """Direction of a; no component is exactly zero, so that slab tests never meet 0 * infinity."""
    scale = 1.0 / math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2] + 1e-30)
    return a[0] * scale + 1e-12, a[1] * scale + 1e-12, a[2] * scale + 1e-12


@compiled
def smoothstep(low: float, high: float, x: float) -> float:
    """Cubic ramp from 0 at `low` to 1 at `high` (low may exceed high)."""
    s = min(1.0, max(0.0, (x - low) / (high - low)))
    return s * s * (3.0 - 2.0 * s)


@compiled
def lattice(x: int, y: int, z: int, seed: int) -> float:
    """Uniform value in [0, 1) of an integer lattice point (multiply-xorshift hash, 32 bits)."""
    bits = (x * 0x8DA6B343 + y * 0xD8163841 + z * 0xCB1AB31F + seed * 0x165667B1) & 0xFFFFFFFF
    bits = ((bits ^ (bits >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    bits = ((bits ^ (bits >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return ((bits ^ (bits >> 15)) & 0xFFFFFF) / 16777216.0


@compiled
def value_noise(x: float, y: float, z: float, seed: int) -> float:
    """Smooth value noise in [0, 1): quintic interpolation of the eight lattice values around a point."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    ix, iy, iz = int(fx), int(fy), int(fz)
    u, v, w = x - fx, y - fy, z - fz
    u = u * u * u * (u * (u * 6.0 - 15.0) + 10.0)
    v = v * v * v * (v * (v * 6.0 - 15.0) + 10.0)
    w = w * w * w * (w * (w * 6.0 - 15.0) + 10.0)
    total = 0.0
    for corner in range(8):
        i, j, k = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (u if i else 1.0 - u) * (v if j else 1.0 - v) * (w if k else 1.0 - w)
        total += weight * lattice(ix + i, iy + j, iz + k, seed)
    return total


@compiled
def fractal_noise(x: float, y: float, z: float, octaves: int, footprint: float, seed: int) -> float:
    """Fractal sum of value noise, mean 0.5; octaves finer than `footprint` (lattice units) are left out."""
    total, amplitude, weight = 0.0, 0.5, 0.0
    for octave in range(octaves):
        # An octave fades out before it would alias: weight 1 below half a wavelength, 0 at a whole one.
        keep = min(1.0, max(0.0, 2.0 - 2.0 * footprint))
        total += amplitude * 0.5
        if keep > 0.0:
            total += amplitude * keep * (value_noise(x, y, z, seed + octave) - 0.5)
        weight += amplitude
        amplitude *= 0.55
        # Turned by atan(3/4) and scaled by two between octaves, so that the lattices do not line up.
        x, y, z = 2.03 * (0.8 * x + 0.6 * z) + 17.3, 2.03 * y + 5.7, 2.03 * (0.8 * z - 0.6 * x) + 9.1
        footprint *= 2.03
    return total / weight
