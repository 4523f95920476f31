"""What light a camera saw where its file says 0..255: assumed to be sRGB, or recovered from the bracket."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusion_algos.color import round_to_8_bit, srgb_to_linear
from fusion_algos.stack import WHOLE, ExposureStack, Image

Plane = NDArray[np.float32]
Levels = NDArray[np.uint8] | NDArray[np.uint16]
Curve = NDArray[np.floating]  # ln of light for each of 256 levels

MIDDLE_LEVEL = 128
MIDDLE_SLOPE, LARGEST_SLOPE = (
    (64, 192),
    1.5,
)  # levels between which a curve's slope is taken; what is plausible
FLOAT_LEVELS = 16 * 255 + 1  # steps of float images: every sixteenth of them is a level of 8 bits
SAMPLED_PIXELS = 250_000
GROUPS = 200  # samples of the response, each the median of a group of pixels
LEVEL_NOISE = 8  # levels by which noise may make a longer exposure darker
FITS, OUTLYING = 3, 3.0  # groups that err by so many times the median error are left out of the next fit
RIDGE = 1e-9  # where exposures say nothing of the curve it becomes flat, which is not plausible
SMOOTHNESS = 1e5  # lambda: the least error on simulated cameras; smaller ones leave waves from stop to stop


@dataclass(frozen=True, eq=False)
class CameraResponse:
    """`light`: float32 3x256, linear light of each level in R, G, B; that of level 128 is sRGB's."""

    light: Plane

    @property
    def saturation(self) -> float:
        """The exponent on ratios of channels that goes half way from the light's colors to those of the files.

        The curve's slope in its middle, against sRGB's, is how much more colorful a camera makes its pictures. Light
        without it looks dull, and orange looks olive; all of it is too much for the shadows and highlights that a
        tone curve moves to the middle. 1 for sRGB; this project's own.
        """
        dark, bright = MIDDLE_SLOPE
        assumed = srgb_response().light[0]
        slope = math.log(assumed[bright] / assumed[dark]) / math.log(
            self.light[0, bright] / self.light[0, dark]
        )
        return math.sqrt(min(max(slope, 1 / LARGEST_SLOPE), LARGEST_SLOPE))

    def light_of(self, stack: ExposureStack, k: int, rows: slice = WHOLE) -> Plane:
        """Linear light of exposure k or some of its rows, HxWx3 float32; not divided by its seconds."""
        levels = image_levels(stack, k, rows)
        table = self.table(level_count_of(stack.images[k]))
        return np.stack([table[c][levels[..., c]] for c in range(3)], axis=-1)

    def table(self, count: int) -> Plane:
        """`light` at `count` levels instead of 256, straight lines between: 3 x count float32."""
        position = np.linspace(0, 255, count)
        table = [np.interp(position, np.arange(256), channel) for channel in self.light]
        return np.ascontiguousarray(table, np.float32)


def level_count_of(image: Image) -> int:
    """How many levels `levels_of` tells apart in a uint8 or float32 image."""
    return 256 if image.dtype == np.uint8 else FLOAT_LEVELS


def image_levels(stack: ExposureStack, k: int, rows: slice = WHOLE) -> Levels:
    """`levels_of` exposure k or some of its rows."""
    return levels_of(stack.images[k][rows])


def levels_of(image: Image) -> Levels:
    """An HxWx3 image as integers that index a table: uint8, or uint16 of a float32 image in [0, 1]."""
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    scaled = image * np.float32(FLOAT_LEVELS - 1)
    scaled += np.float32(0.5)
    return scaled.astype(np.uint16)


def srgb_response() -> CameraResponse:
    """The inverse of the sRGB encoding: what a file claims that says nothing else."""
    return CameraResponse(np.tile(srgb_to_linear(np.arange(256, dtype=np.uint8)), (3, 1)))


def debevec_response(stack: ExposureStack) -> CameraResponse:
    """The response curve after Debevec and Malik, SIGGRAPH 1997; sRGB where that cannot be.

    Minimises sum w(z)^2 (g(z_ik) - ln E_i - ln t_k)^2 + lambda sum w(z)^2 h''(z)^2. Three things are this
    project's own. h = g - ln sRGB, where theirs is g: what few exposures leave open is near to sRGB. Samples
    are medians of groups of pixels of about equal brightness: z rises with E in every exposure, so the
    medians of a group belong to one E, and noise and moving things do little. One curve is fitted to all
    three channels, so that grays stay gray: curves of their own left casts of color. It needs 3 exposures or
    more, known seconds, and pictures that show the curve; otherwise the answer is `srgb_response()`.
    """
    assumed = srgb_response()
    if len(stack) < 3 or stack.seconds_are_estimated:
        return assumed
    log_seconds = np.log(stack.relative_seconds)
    levels = _sampled_levels(stack)
    curve = _debevec_curve(np.concatenate([_group_medians(levels[..., c]) for c in range(3)]), log_seconds)
    if curve is None or not _is_plausible(curve):
        return assumed
    light = np.exp(curve - curve[MIDDLE_LEVEL]) * assumed.light[0, MIDDLE_LEVEL]
    return CameraResponse(np.tile(light.astype(np.float32), (3, 1)))


# The choices of the algorithms' parameter `response`.
RESPONSES: Mapping[str, Callable[[ExposureStack], CameraResponse]] = {
    "srgb": lambda stack: srgb_response(),
    "debevec": debevec_response,
}


def named_response(stack: ExposureStack, name: str) -> CameraResponse:
    """The response of the bracket by one of the methods in RESPONSES; ValueError for another name."""
    if name not in RESPONSES:
        raise ValueError(f"response {name!r} is not known; give one of: {', '.join(RESPONSES)}")
    return RESPONSES[name](stack)


def _sampled_levels(stack: ExposureStack) -> NDArray[np.uint8]:
    """K x pixels x 3 levels on a regular grid of pixels."""
    step = max(1, math.isqrt(stack.height * stack.width // SAMPLED_PIXELS))
    grids = [image[step // 2 :: step, step // 2 :: step] for image in stack.images]
    grids = [grid if stack.is_8_bit else round_to_8_bit(grid) for grid in grids]
    return np.stack([grid.reshape(-1, 3) for grid in grids])


def _group_medians(levels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """K x pixels -> groups x K: medians over pixels whose sum of levels is about the same.

    A pixel that a longer exposure shows darker saw two things, and is left out.
    """
    falls = np.diff(levels.astype(np.int16), axis=0) < -LEVEL_NOISE
    levels = levels[:, ~falls.any(axis=0)]
    total = levels.sum(axis=0, dtype=np.int64)
    group = total * GROUPS // (255 * len(levels) + 1)
    by_group = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[by_group], np.arange(1, GROUPS))
    few = levels.shape[1] // 50_000  # a median of next to nothing is noise
    members = [part for part in np.split(by_group, bounds) if len(part) > few]
    return np.array([np.median(levels[:, part], axis=1) for part in members]).astype(np.intp)


def _is_plausible(curve: Curve) -> bool:
    """Whether the middle levels span between half and twice the light that sRGB gives them (4.4 nats)."""
    return 2.2 < curve[230] - curve[25] < 8.8


def _debevec_curve(samples: NDArray[np.intp], log_seconds: Curve) -> Curve | None:
    """g for 256 levels from groups x K levels; groups that do not fit are left out of a second fit."""
    hat = (np.minimum(np.arange(256), 255 - np.arange(256)) + 1.0) / 128
    for _ in range(FITS):
        if samples.shape[0] * (len(log_seconds) - 1) <= 256:
            return None
        curve = _fitted_curve(samples, log_seconds, hat)
        error = curve[samples] - log_seconds
        square = np.square(hat[samples])
        error -= (square * error).sum(axis=1, keepdims=True) / square.sum(axis=1, keepdims=True)
        misfit = np.sqrt((square * np.square(error)).sum(axis=1))
        samples = samples[misfit <= OUTLYING * np.median(misfit)]
    return np.maximum.accumulate(curve)


def _log_srgb() -> Curve:
    """ln of the light of each level by sRGB; 0 at the middle one, level 0 as if it were a half."""
    light = srgb_to_linear(np.maximum(np.arange(256), 0.5) / 255).astype(np.float64)
    return np.log(light / light[MIDDLE_LEVEL])


def _fitted_curve(samples: NDArray[np.intp], log_seconds: Curve, hat: Curve) -> Curve:
    """The least squares solution.

    Every ln E_i is eliminated: at the optimum it is the weighted mean of g(z_ik) - ln t_k, so that 256
    unknowns are left, with W_i = diag(w^2) - w^2 w^2' / sum w^2 in the normal equations.
    """
    bend = np.diff(np.eye(256), 2, axis=0) * hat[1:255, np.newaxis]
    normal = SMOOTHNESS * bend.T @ bend
    right = normal @ _log_srgb()
    for levels in samples:
        square = np.square(hat[levels])
        centered = np.diag(square) - np.outer(square, square) / square.sum()
        np.add.at(normal, (levels[:, np.newaxis], levels[np.newaxis]), centered)
        np.add.at(right, levels, centered @ log_seconds)
    normal[MIDDLE_LEVEL, MIDDLE_LEVEL] += len(samples)  # g(128) = 0
    return np.linalg.solve(normal + RIDGE * np.eye(256), right)
