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
from fusion_algos.edge_filters import bilateral_grid
from fusion_algos.row_strips import over_strips, row_strips

Plane = NDArray[np.float32]

STATISTICS_PIXELS = 750_000  # percentiles and means are taken from a grid of about so many pixels
DARKEST_SHARE = 0.01  # percentile of the positive luminances below which there is only black
LEAST_LUMINANCE = 1e-9
SCALES, SCALE_RATIO, CENTER_SIGMA = 8, 1.6, 0.35355  # of Reinhard's local operator: alpha = 1 / (2 sqrt 2)
SHARPENING, LOCAL_THRESHOLD = 8, 0.05  # its phi and epsilon


def reinhard2002(radiance: Plane, saturation: float = 1.0) -> Plane:
    """Picture of a radiance image after Reinhard, Stark, Shirley, Ferwerda, ACM TOG 21(3), 2002, global form.

    Ld = Ls (1 + Ls / Lw^2) / (1 + Ls), Ls = key L / exp(mean ln L), Lw the 99.9th percentile of Ls; the key
    after Reinhard, "Parameter estimation for photographic tone reproduction", J. Graphics Tools 7(1), 2002.
    """
    logarithm = log_luminance(radiance, luminance_709)
    scale = _log_scale(logarithm)
    white = math.exp(percentiles(logarithm, (99.9,))[0] + scale)

    def compressed(rows: slice) -> Plane:
        scaled = np.exp(logarithm[rows] + np.float32(scale))
        return _log_reinhard(scaled, scaled, white)

    return displayed(radiance, logarithm, compressed, saturation)


def reinhard2002_local(radiance: Plane, saturation: float = 1.0) -> Plane:
    """As `reinhard2002`, but for dodging and burning: 1 + V in the denominator, V a local mean of Ls.

    V is the Gaussian mean at the largest of 8 scales s up to which
    |V1 - V2| / (2^phi key / s^2 + V1) < .05, V1 and V2 the means at s and the next scale.
    """
    logarithm = log_luminance(radiance, luminance_709)
    scale = _log_scale(logarithm)
    white = math.exp(percentiles(logarithm, (99.9,))[0] + scale)
    scaled = np.exp(logarithm + np.float32(scale))
    local = _local_adaptation(scaled, _key(_grid(logarithm)))

    def compressed(rows: slice) -> Plane:
        return _log_reinhard(scaled[rows], local[rows], white)

    return displayed(radiance, logarithm, compressed, saturation)


def durand2002(radiance: Plane, contrast: float = 20.0, saturation: float = 1.0) -> Plane:
    """Picture of a radiance image after Durand and Dorsey, "Fast bilateral filtering", ACM TOG 21(3), 2002.

    log10 L = base + detail, the base from a bilateral grid of steps .02 max(H, W) and .4;
    Ld = 10^(c (base - white) + detail), where c maps the base's .5th to 99.5th percentile on `contrast`.
    The paper's contrast of 5 looks washed out once it is sRGB-encoded.
    """
    logarithm = log_luminance(radiance, luminance_709)
    base = _bilateral_base(logarithm)
    dark, white = percentiles(base, (0.5, 99.5))
    slope = min(1.0, math.log(contrast) / max(white - dark, 1e-6))

    def compressed(rows: slice) -> Plane:
        # c (base - white) + log L - base
        display = base[rows] * np.float32(slope - 1)
        display += logarithm[rows]
        display -= np.float32(slope * white)
        return display

    return displayed(radiance, logarithm, compressed, saturation)


def displayed(
    radiance: Plane, log_luminances: Plane, log_display: Callable[[slice], Plane], saturation: float = 1.0
) -> Plane:
    """sRGB-encoded picture with the colors of the radiance E: (E_c / L)^saturation Ld, then clipped.

    What is brighter than the display's white fades to it (see `_fading`; this project's own).
    `log_luminances`: ln L, HxW; `log_display` gives ln Ld for some rows, Ld linear with 1 = white.
    """
    picture = np.empty(radiance.shape, np.float32)
    table = _encoding_table()

    def work(rows: slice) -> None:
        gain = log_display(rows)
        gain -= np.float32(saturation) * log_luminances[rows]
        np.exp(gain, out=gain)
        colors = radiance[rows]
        if saturation != 1:
            colors = np.power(colors, np.float32(saturation))
        _encode(colors, gain, table, picture[rows])

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


def _log_scale(log_luminances: Plane) -> float:
    """ln(key / La), La the geometric mean."""
    values = _grid(log_luminances)
    return math.log(_key(values)) - float(values.mean(dtype=np.float64))


def _key(log_luminances: Plane) -> float:
    """.18 4^((2 log2 La - log2 lo - log2 hi) / (log2 hi - log2 lo)), lo and hi the 1st and 99th percentile."""
    low, high = percentiles(log_luminances, (1, 99))
    mean = float(log_luminances.mean(dtype=np.float64))
    position = (2 * mean - low - high) / max(high - low, 1e-3 * math.log(2))
    return min(max(0.18 * 4**position, 0.045), 0.72)


def _log_reinhard(scaled: Plane, local: Plane, white: float) -> Plane:
    display = scaled * np.float32(1 / white**2)
    display += 1
    display *= scaled
    display /= 1 + local
    return np.log(display, out=display)


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


def _bilateral_base(logarithm: Plane) -> Plane:
    """Base layer of natural log luminances; the grid's range step is .4 in log10."""

    def strips() -> Iterator[tuple[int, Plane]]:
        for rows in row_strips(*logarithm.shape):
            yield rows.start, logarithm[rows]

    grid = bilateral_grid(
        strips(),
        logarithm.shape,
        spatial_step=_grid_step(max(logarithm.shape)),
        range_step=0.4 * math.log(10),
        value_range=(float(logarithm.min()), float(logarithm.max())),
    )
    base = np.empty_like(logarithm)

    def read(rows: slice) -> None:
        base[rows] = grid.read(logarithm[rows], rows.start)

    over_strips(base.shape[0], base.shape[1], read)
    return base


def _grid_step(length: int) -> float:
    """About .02 of the longer side, so that a node lies on both of its ends: pictures can be mirrored."""
    return max(1.0, (length - 1) / max(1, round((length - 1) / (0.02 * length))))


ENCODING_STEPS = 8192  # straight lines between so many values of sRGB err by less than 1e-5


def _encoding_table() -> Plane:
    table = linear_to_srgb(np.linspace(0, 1, ENCODING_STEPS + 1, dtype=np.float32))
    return np.append(table, table[-1])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _encode(colors, gain, table, picture):  # type: ignore[no-untyped-def]
    """picture = sRGB(clip(faded(colors gain))), the curve by straight lines between the entries of `table`."""
    top = np.float32(ENCODING_STEPS)
    for y in range(colors.shape[0]):
        for x in range(colors.shape[1]):
            scale = gain[y, x]
            luminance, kept = np.float32(0), np.float32(1)
            largest = scale * max(colors[y, x, 0], colors[y, x, 1], colors[y, x, 2])
            if largest > 1:
                luminance, kept = _fading(
                    scale * colors[y, x, 0], scale * colors[y, x, 1], scale * colors[y, x, 2], largest
                )
            for c in range(3):
                value = luminance + kept * (scale * colors[y, x, c] - luminance)
                position = min(max(value * top, np.float32(0)), top)
                below = np.int32(position)
                share = position - np.float32(below)
                picture[y, x, c] = table[below] + share * (table[below + 1] - table[below])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _fading(red, green, blue, largest):  # type: ignore[no-untyped-def]
    """Luminance Y, and the share of the distance from gray that a color keeps which no display can show.

    1 - Y^8 (m - 1) / (m - Y), m the largest channel: at Y = 1 all becomes white, as a lamp does, while a
    shirt that is only too red is clipped. Clipping alone draws a lamp's color out into flat yellow areas.
    """
    luminance = np.float32(0.2126) * red + np.float32(0.7152) * green + np.float32(0.0722) * blue
    luminance = min(luminance, np.float32(1))
    excess = (largest - np.float32(1)) / max(largest - luminance, np.float32(1e-6))
    return luminance, np.float32(1) - luminance**8 * excess
