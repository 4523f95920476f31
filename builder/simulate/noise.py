"""Hashed lattice noise: the same value for the same place, at any resolution, without tables or state."""

from __future__ import annotations

import math

from numba import njit

# Divisions by zero give infinities, as in numpy: slab tests rely on it.
compiled = njit(error_model="numpy", fastmath={"contract", "arcp", "nsz"})


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
    a = lattice(ix, iy, iz, seed) * (1 - u) + lattice(ix + 1, iy, iz, seed) * u
    b = lattice(ix, iy + 1, iz, seed) * (1 - u) + lattice(ix + 1, iy + 1, iz, seed) * u
    c = lattice(ix, iy, iz + 1, seed) * (1 - u) + lattice(ix + 1, iy, iz + 1, seed) * u
    d = lattice(ix, iy + 1, iz + 1, seed) * (1 - u) + lattice(ix + 1, iy + 1, iz + 1, seed) * u
    return (a * (1 - v) + b * v) * (1 - w) + (c * (1 - v) + d * v) * w


@compiled
def fractal_noise(x: float, y: float, z: float, octaves: int, footprint: float, seed: int) -> float:
    """Fractal sum of value noise, mean 0.5; octaves finer than `footprint` (lattice units) are left out."""
    total, amplitude, weight = 0.0, 0.5, 0.0
    for octave in range(octaves):
        # An octave fades out before it would alias: weight 1 below half a wavelength, 0 at a whole one.
        keep = min(1.0, max(0.0, 2.0 - 2.0 * footprint))
        if keep <= 0.0:
            total += amplitude * 0.5
        else:
            total += amplitude * (0.5 + keep * (value_noise(x, y, z, seed + octave) - 0.5))
        weight += amplitude
        amplitude *= 0.55
        # Rotated by atan(3/4) and scaled by two between octaves, so that the lattices do not line up.
        x, y, z = 2.03 * (0.8 * x + 0.6 * z) + 17.3, 2.03 * y + 5.7, 2.03 * (0.8 * z - 0.6 * x) + 9.1
        footprint *= 2.03
    return total / weight


@compiled
def smoothstep(low: float, high: float, x: float) -> float:
    """Cubic ramp from 0 at `low` to 1 at `high` (low may exceed high)."""
    s = min(1.0, max(0.0, (x - low) / (high - low)))
    return s * s * (3.0 - 2.0 * s)
