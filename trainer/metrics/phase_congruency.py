"""Phase congruency after Kovesi ("Image features from phase congruency", Videre 1(3), 1999), as FSIM uses it.

PC = sum_o max(E_o - T_o, 0) / sum_o sum_s A_so over log-Gabor responses of amplitude A at 4 scales s and 4
orientations o; E_o is their energy along the mean phase, T_o what noise of the finest scale explains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Plane = NDArray[np.float32]

SCALES, ORIENTATIONS = 4, 4
SHORTEST_WAVELENGTH, WAVELENGTH_RATIO = 6.0, 2.0  # pixels; of a scale to the next finer
RADIAL_BANDWIDTH = 0.55  # sigma over centre frequency, of the log-Gabor's Gaussian in the logarithm
ANGULAR_SIGMA = math.pi / (1.2 * ORIENTATIONS)
LOWPASS_CUTOFF, LOWPASS_ORDER = 0.45, 15  # Butterworth: no corners of the spectrum
NOISE_SIGMAS = 2.0  # of the noise's energy above its mean
NOISE_OVERESTIMATED = 1.7  # found by Kovesi for these filters


@dataclass(frozen=True, eq=False)
class LogGaborFilters:
    """In the frequency plane of scipy.fft: `bank` is ORIENTATIONS x SCALES x H x W.

    noise_gain: for each orientation the expected energy of noise, over the root of the noise power that the
    finest scale shows.
    """

    bank: NDArray[np.float32]
    noise_gain: NDArray[np.float32]


def phase_congruency(plane: Plane) -> Plane:
    """HxW in [0, 1] of an HxW float32 plane: 1 where the phases of all scales agree, at edges and lines."""
    filters = log_gabor_filters(*plane.shape)
    spectrum = scipy.fft.fft2(plane)
    energies, amplitudes = np.zeros_like(plane), np.zeros_like(plane)
    for bank, gain in zip(filters.bank, filters.noise_gain, strict=True):
        responses = scipy.fft.ifft2(spectrum * bank, overwrite_x=True)  # SCALES x H x W, even + i odd
        amplitude = np.abs(responses)
        # Rayleigh noise: the median of the squared amplitude is ln 2 times its mean.
        noise_power = np.median(amplitude[0] ** 2) / math.log(2)
        energies += np.maximum(_energy_along_mean_phase(responses) - gain * math.sqrt(noise_power), 0)
        amplitudes += amplitude.sum(axis=0)
    return energies / (amplitudes + np.finfo(np.float32).eps)


def _energy_along_mean_phase(responses: NDArray[np.complex64]) -> Plane:
    """sum_s A_s (cos(phase_s - mean) - |sin(phase_s - mean)|): SxHxW -> HxW."""
    mean = responses.sum(axis=0)
    mean /= np.abs(mean) + np.finfo(np.float32).eps
    turned = responses * mean.conj()
    return (turned.real - np.abs(turned.imag)).sum(axis=0)


@lru_cache(maxsize=4)
def log_gabor_filters(height: int, width: int) -> LogGaborFilters:
    """The filters for one size; kept, since a table compares many pictures of few sizes."""
    rows, columns = (scipy.fft.ifftshift(_frequencies(side)) for side in (height, width))
    radius = np.hypot(rows[:, np.newaxis], columns)
    radius[0, 0] = 1  # the logarithm of the mean's frequency is not needed: its weight is 0
    angle = np.arctan2(rows[:, np.newaxis], columns)
    radial = np.stack(
        [_radial(radius, SHORTEST_WAVELENGTH * WAVELENGTH_RATIO**scale) for scale in range(SCALES)]
    )
    angular = [_angular(angle, index * math.pi / ORIENTATIONS) for index in range(ORIENTATIONS)]
    bank = np.stack([radial * spread for spread in angular])
    gain = np.array([_noise_gain(filters) for filters in bank])
    return LogGaborFilters(bank.astype(np.float32), gain.astype(np.float32))


def _frequencies(side: int) -> NDArray[np.float64]:
    """Cycles per pixel from -.5, in Kovesi's grid: symmetric for odd sides."""
    if side % 2:
        return np.arange(-(side - 1) / 2, side / 2) / max(side - 1, 1)
    return np.arange(-side // 2, side // 2) / side


def _radial(radius: NDArray[np.float64], wavelength: float) -> NDArray[np.float64]:
    """Log-Gabor times lowpass; 0 at frequency 0."""
    gabor = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * math.log(RADIAL_BANDWIDTH) ** 2))
    gabor /= 1 + (radius / LOWPASS_CUTOFF) ** (2 * LOWPASS_ORDER)
    gabor[0, 0] = 0
    return gabor


def _angular(angle: NDArray[np.float64], direction: float) -> NDArray[np.float64]:
    """Gaussian of the angle to one direction: half of the plane, so that responses are even + i odd."""
    away = np.abs(np.angle(np.exp(1j * (angle - direction))))
    return np.exp(-(away**2) / (2 * ANGULAR_SIGMA**2))


def _noise_gain(filters: NDArray[np.float64]) -> float:
    """Threshold of the energy for SxHxW filters of one orientation, for a mean squared amplitude of 1 at scale 0.

    White noise of power p per frequency: p = 1 / sum F_0^2; the energy is Rayleigh with tau^2 = p sum (sum_s G_s)^2,
    G the even part of F, by Parseval the sum of all squares and twice all products of the spatial filters.
    """
    even = (filters + np.roll(filters[:, ::-1, ::-1], 1, axis=(1, 2))) / 2
    finest = (filters[0] ** 2).sum()
    if finest == 0:
        return 0.0  # of a picture of one pixel, which has only a mean
    tau = math.sqrt((even.sum(axis=0) ** 2).sum() / finest)
    mean, deviation = tau * math.sqrt(math.pi / 2), tau * math.sqrt(2 - math.pi / 2)
    return (mean + NOISE_SIGMAS * deviation) / NOISE_OVERESTIMATED
