"""What is nearly white even in the darkest exposure: the colors and the brightness that it is shown with.

This project's own. A camera's curve is flat near its end, and its files lose color there: one channel clips after
the other, and what is brighter than white turns white. The inverse of the curve is steep, so that the few levels
between the channels of a pale highlight become a saturated yellow or green rim, and a local tone curve that only
knows the clipped light may show it gray. Nothing darker was taken; what the file shows is all that is known.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from fusion_algos.camera_response import level_count_of, levels_of, srgb_response
from fusion_algos.radiance import SATURATED, UNSATURATED
from fusion_algos.row_strips import over_strips
from fusion_algos.stack import ExposureStack, Image

Plane = NDArray[np.float32]

# Of white, sRGB-encoded: where a curve's inverse begins to exaggerate colors and where they are the file's; where
# white begins and where it is reached, as clipped areas of noisy and compressed files go down to about there.
TRUE_COLOR, FILE_COLOR = 0.84, 0.96
NOT_WHITE, WHITE = 0.92, 0.98


def fade_highlights(radiance: Plane, darkest: Image) -> None:
    """Fade the colors of HxWx3 radiance, in place, to those that the darkest exposure's sRGB values have.

    The luminance is kept. A saturated color stays one, because its other channels are dark in the file as well.
    """
    plain = srgb_response().table(level_count_of(darkest))[0]
    shares = _ramp(len(plain), TRUE_COLOR, FILE_COLOR)

    def work(rows: slice) -> None:
        _fade(levels_of(darkest[rows]), plain, shares, radiance[rows])

    over_strips(radiance.shape[0], radiance.shape[1], work)


def whiten_clipped(log_display: Plane, stack: ExposureStack, rows: slice) -> None:
    """Raise some rows of log display luminance, in place, to 0 where the darkest exposure is white in all channels."""
    if stack.linear_images is not None:
        least = stack.linear_image(0, rows).min(axis=2)
        share = np.clip((least - UNSATURATED) / (SATURATED - UNSATURATED), 0, 1)
        log_display -= share * np.minimum(log_display, 0)
        return
    darkest = stack.images[0]
    _whiten(levels_of(darkest[rows]), _ramp(level_count_of(darkest), NOT_WHITE, WHITE), log_display)


def _ramp(count: int, first: float, last: float) -> Plane:
    """For `count` levels 0 up to the share `first` of white, 1 from `last` on."""
    return np.clip((np.linspace(0, 1, count) - first) / (last - first), 0, 1).astype(np.float32)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _fade(levels, plain, shares, radiance):  # type: ignore[no-untyped-def]
    """radiance += share (plain[levels] Y(radiance) / Y(plain[levels]) - radiance), the share by the largest level."""
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            red, green, blue = levels[y, x, 0], levels[y, x, 1], levels[y, x, 2]
            share = shares[max(red, green, blue)]
            if share > 0:
                luminance = _luminance(radiance[y, x, 0], radiance[y, x, 1], radiance[y, x, 2])
                gain = luminance / _luminance(plain[red], plain[green], plain[blue])
                for c in range(3):
                    radiance[y, x, c] += share * (gain * plain[levels[y, x, c]] - radiance[y, x, c])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _whiten(levels, shares, log_display):  # type: ignore[no-untyped-def]
    """log_display -= share log_display where that is negative, the share by the least level."""
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            share = shares[min(levels[y, x, 0], levels[y, x, 1], levels[y, x, 2])]
            if share > 0 and log_display[y, x] < 0:
                log_display[y, x] -= share * log_display[y, x]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _luminance(red, green, blue):  # type: ignore[no-untyped-def]
    return np.float32(0.2126) * red + np.float32(0.7152) * green + np.float32(0.0722) * blue
