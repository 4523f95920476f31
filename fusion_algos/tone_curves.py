"""From linear radiance to a picture for a display: Reinhard 2002, Durand and Dorsey 2002, and color handling.

Radiance is float32 HxWx3, linear Rec.709, in any unit; pictures are float32 HxWx3, sRGB-encoded, in [0, 1].
Checked against the published formulas by the tests; no program of the authors was compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from fusion_algos.color import linear_to_srgb, luminance_709
from fusion_algos.edge_filters import BilateralGrid, bilateral_grid
from fusion_algos.row_strips import over_strips, row_strips

Plane = NDArray[np.float32]

STATISTICS_PIXELS = 750_000  # percentiles and means are taken from a grid of about so many pixels
DARKEST_SHARE = 0.01  # percentile of the positive luminances below which there is only black
LEAST_LUMINANCE = 1e-9
SCALES, SCALE_RATIO, CENTER_SIGMA = 8, 1.6, 0.35355  # of Reinhard's local operator: alpha = 1 / (2 sqrt 2)
SHARPENING, LOCAL_THRESHOLD = 8, 0.05  # its phi and epsilon


def reinhard2002(radiance: Plane) -> Plane:
    """Picture of a radiance image after Reinhard, Stark, Shirley, Ferwerda, ACM TOG 21(3), 2002, global form.

    Ld = Ls (1 + Ls / Lw^2) / (1 + Ls); the key after Reinhard, "Parameter estimation for photographic tone
    reproduction", J. Graphics Tools 7(1), 2002; Lw is the 99.9th percentile of Ls.
    """
    scaled, white = _scaled_to_key(radiance)

    def compress(rows: slice) -> Plane:
        return _reinhard_curve(scaled[rows], scaled[rows], white)

    return displayed(radiance, luminance_709, compress)


def reinhard2002_local(radiance: Plane) -> Plane:
    """As `reinhard2002`, but for dodging and burning: 1 + V in the denominator, V a local mean of Ls.

    V is the Gaussian mean at the largest of 8 scales s up to which
    |V1 - V2| / (2^phi key / s^2 + V1) < .05, V1 and V2 the means at s and the next scale.
    """
    scaled, white = _scaled_to_key(radiance)
    local = _local_adaptation(scaled, _key(scaled))

    def compress(rows: slice) -> Plane:
        return _reinhard_curve(scaled[rows], local[rows], white)

    return displayed(radiance, luminance_709, compress)


def durand2002(radiance: Plane, contrast: float = 20.0) -> Plane:
    """Picture of a radiance image after Durand and Dorsey, "Fast bilateral filtering", ACM TOG 21(3), 2002.

    l = log10 L = base + detail, the base from a bilateral grid of steps .02 max(H, W) and .4;
    Ld = 10^(c (base - white) + detail), where c maps the base's .5th to 99.5th percentile on `contrast`.
    The paper's contrast of 5 looks washed out once it is sRGB-encoded.
    """
    logarithm = log_luminance(radiance, luminance_709)
    logarithm *= np.float32(1 / math.log(10))
    grid = _durand_grid(logarithm)
    base = np.empty_like(logarithm)

    def read(rows: slice) -> None:
        base[rows] = grid.read(logarithm[rows], rows.start)

    over_strips(radiance.shape[0], radiance.shape[1], read)
    dark, white = percentiles(base, (0.5, 99.5))
    slope = min(1.0, math.log10(contrast) / max(white - dark, 1e-6))

    def compress(rows: slice) -> Plane:
        detail = logarithm[rows] - base[rows]
        return np.exp(
            (np.float32(slope) * (base[rows] - np.float32(white)) + detail) * np.float32(math.log(10))
        )

    return displayed(radiance, luminance_709, compress)


def displayed(
    radiance: Plane,
    luminance_of: Callable[[Plane], Plane],
    display_luminance: Callable[[slice], Plane],
    saturation: float = 1.0,
) -> Plane:
    """sRGB-encoded picture with colors of the radiance: clip((E_c / L)^saturation Ld), L = luminance_of(E).

    `display_luminance` gives Ld, linear with 1 = white, HxW float32, for some rows.
    """
    picture = np.empty(radiance.shape, np.float32)
    table = _encoding_table()

    def work(rows: slice) -> None:
        colors = radiance[rows]
        luminance = np.maximum(luminance_of(colors), np.float32(LEAST_LUMINANCE))
        display = display_luminance(rows)
        if saturation == 1:
            display /= luminance
        else:
            colors = np.power(colors / luminance[..., np.newaxis], np.float32(saturation))
        _encode(colors, display, table, picture[rows])

    over_strips(radiance.shape[0], radiance.shape[1], work)
    return picture


def log_luminance(
    radiance: Plane, luminance_of: Callable[[Plane], Plane], darkest_share: float = DARKEST_SHARE
) -> Plane:
    """Natural logarithm of luminance, HxW; black is the `darkest_share` percentile of what is not black."""
    logarithm = np.empty(radiance.shape[:2], np.float32)

    def luminances(rows: slice) -> None:
        logarithm[rows] = luminance_of(radiance[rows])

    over_strips(radiance.shape[0], radiance.shape[1], luminances)
    floor = np.float32(max(LEAST_LUMINANCE, *percentiles(logarithm, (darkest_share,), above=LEAST_LUMINANCE)))

    def logarithms(rows: slice) -> None:
        np.log(np.maximum(logarithm[rows], floor), out=logarithm[rows])

    over_strips(radiance.shape[0], radiance.shape[1], logarithms)
    return logarithm


def percentiles(plane: Plane, shares: tuple[float, ...], above: float = -math.inf) -> list[float]:
    """Percentiles of a regular grid of the pixels, of those larger than `above`; that itself if none is."""
    values = _grid(plane)
    values = values[values > above]
    return [float(value) for value in np.percentile(values, shares)] if values.size else [above] * len(shares)


def _grid(plane: Plane) -> Plane:
    step = max(1, math.isqrt(plane.size // STATISTICS_PIXELS))
    return plane[step // 2 :: step, step // 2 :: step]


def _scaled_to_key(radiance: Plane) -> tuple[Plane, float]:
    """Ls = key L / exp(mean ln L), HxW, and its 99.9th percentile."""
    scaled = log_luminance(radiance, luminance_709)
    logarithm = _grid(scaled)
    offset = math.log(_key_of(logarithm)) - float(logarithm.mean(dtype=np.float64))

    def work(rows: slice) -> None:
        np.exp(scaled[rows] + np.float32(offset), out=scaled[rows])

    over_strips(radiance.shape[0], radiance.shape[1], work)
    return scaled, percentiles(scaled, (99.9,))[0]


def _key(scaled: Plane) -> float:
    """The key of an image scaled to it: its geometric mean."""
    return float(np.exp(np.log(_grid(scaled)).mean(dtype=np.float64)))


def _key_of(log_luminances: Plane) -> float:
    """.18 4^((2 log2 La - log2 lo - log2 hi) / (log2 hi - log2 lo)), lo and hi the 1st and 99th percentile."""
    low, high = percentiles(log_luminances, (1, 99))
    mean = float(log_luminances.mean(dtype=np.float64))
    position = (2 * mean - low - high) / max(high - low, 1e-3 * math.log(2))
    return min(max(0.18 * 4**position, 0.045), 0.72)


def _reinhard_curve(scaled: Plane, local: Plane, white: float) -> Plane:
    display = scaled * np.float32(1 / white**2)
    display += 1
    display *= scaled
    display /= 1 + local
    return display


def _local_adaptation(scaled: Plane, key: float) -> Plane:
    """V of Reinhard's local operator: the Gaussian mean at the largest scale without contrast in it."""
    narrow = _gaussian(scaled, 1.0)
    local, undecided = narrow.copy(), np.ones(scaled.shape, bool)
    for scale in (SCALE_RATIO**n for n in range(SCALES - 1)):
        wide = _gaussian(scaled, scale * SCALE_RATIO)
        contrast = np.abs(narrow - wide) / (np.float32(2**SHARPENING * key / scale**2) + narrow)
        undecided &= contrast < LOCAL_THRESHOLD
        np.copyto(local, wide, where=undecided)
        narrow = wide
    return local


def _gaussian(plane: Plane, scale: float) -> Plane:
    return cv2.GaussianBlur(plane, (0, 0), CENTER_SIGMA * scale, borderType=cv2.BORDER_REFLECT)


def _durand_grid(logarithm: Plane) -> BilateralGrid:
    def strips() -> Iterator[tuple[int, Plane]]:
        for rows in row_strips(*logarithm.shape):
            yield rows.start, logarithm[rows]

    return bilateral_grid(
        strips(),
        logarithm.shape,
        spatial_step=max(1.0, 0.02 * max(logarithm.shape)),
        range_step=0.4,
        value_range=(float(logarithm.min()), float(logarithm.max())),
    )


ENCODING_STEPS = 8192  # straight lines between so many values of sRGB err by less than 1e-5


def _encoding_table() -> Plane:
    table = linear_to_srgb(np.linspace(0, 1, ENCODING_STEPS + 1, dtype=np.float32))
    return np.append(table, table[-1])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _encode(colors, gain, table, picture):  # type: ignore[no-untyped-def]
    """picture = sRGB(clip(colors gain)) by straight lines between the entries of `table`."""
    for y in range(colors.shape[0]):
        for x in range(colors.shape[1]):
            scale = gain[y, x] * np.float32(ENCODING_STEPS)
            for c in range(3):
                position = min(max(colors[y, x, c] * scale, np.float32(0)), np.float32(ENCODING_STEPS))
                below = np.int32(position)
                share = position - np.float32(below)
                picture[y, x, c] = table[below] + share * (table[below + 1] - table[below])
