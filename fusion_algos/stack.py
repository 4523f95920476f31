"""ExposureStack: the images of one bracket as every algorithm sees them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fusion_algos.color import LUMA_601, srgb_to_linear

Image = NDArray[Any]
WHOLE = slice(None)
LEVELS_8_BIT: NDArray[np.float32] = np.arange(256, dtype=np.float32) / np.float32(255)


@dataclass(frozen=True, eq=False)
class ExposureStack:
    """K >= 2 aligned exposures of one scene, kept as given and sorted from dark to bright.

    `images`: HxWx3 RGB, sRGB-encoded, all uint8 or all float32 in [0, 1]; memory-mapped arrays stay on disk.
    `exposure_seconds`: one positive number each, or None if unknown; ratios are all that matters.
    `linear_images`: HxWx3 linear Rec.709 of the same exposures, uint16 (65535 = sensor white) or float32
    (1 = white). Sorted by seconds; ties by mean luminance, then by position; `order[k]` is the given position
    of exposure k. Nothing is copied: whoever changes the arrays later changes the stack.
    Raises ValueError on bad input.
    """

    images: Sequence[Image]
    exposure_seconds: Sequence[float] | None = None
    linear_images: Sequence[Image] | None = None
    order: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        images = tuple(self.images)
        _check_images(images)
        seconds = None if self.exposure_seconds is None else _checked_seconds(self.exposure_seconds, images)
        linear = None if self.linear_images is None else tuple(self.linear_images)
        if linear is not None:
            _check_linear_images(linear, images)
        order = _dark_to_bright(images, seconds)
        self._set("order", order)
        self._set("images", tuple(images[i] for i in order))
        self._set("exposure_seconds", seconds and tuple(seconds[i] for i in order))
        self._set("linear_images", linear and tuple(linear[i] for i in order))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the one moment in which the frozen fields are sorted

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, 3)."""
        return self.images[0].shape

    @property
    def height(self) -> int:
        return self.shape[0]

    @property
    def width(self) -> int:
        return self.shape[1]

    @property
    def is_8_bit(self) -> bool:
        """Whether `images` are uint8; float32 otherwise."""
        return self.images[0].dtype == np.uint8

    def image(self, k: int, rows: slice = WHOLE) -> NDArray[np.float32]:
        """Exposure k (or some of its rows) as a new HxWx3 float32 array in [0, 1], free to be overwritten."""
        raw = self.images[k][rows]
        if self.is_8_bit:
            return np.divide(raw, np.float32(255), dtype=np.float32)
        return np.array(raw, dtype=np.float32, order="C")

    def mapped(
        self, k: int, function: Callable[[NDArray[np.float32]], NDArray[np.float32]], rows: slice = WHOLE
    ) -> NDArray[np.float32]:
        """`function` of each value of exposure k: HxWx3 float32; 8-bit ones through a 256-entry table."""
        raw = self.images[k][rows]
        if self.is_8_bit:
            return cv2.LUT(np.ascontiguousarray(raw), function(LEVELS_8_BIT))
        return function(raw)

    def decoded_image(self, k: int, rows: slice = WHOLE) -> NDArray[np.float32]:
        """Exposure k decoded from sRGB to linear light, HxWx3 float32 in [0, 1]."""
        return self.mapped(k, srgb_to_linear, rows)

    def linear_image(self, k: int, rows: slice = WHOLE) -> NDArray[np.float32]:
        """Linear plane of exposure k, HxWx3 float32, 1 = sensor white; ValueError if the stack has none."""
        if self.linear_images is None:
            raise ValueError("the stack has no linear_images; give them, or use the sRGB images")
        raw = self.linear_images[k][rows]
        scale = np.float32(65535 if raw.dtype == np.uint16 else 1)
        return np.divide(raw, scale, dtype=np.float32)

    @property
    def seconds_are_estimated(self) -> bool:
        """Whether `relative_seconds` were measured in the images: never facts of the camera."""
        return self.exposure_seconds is None

    @cached_property
    def relative_seconds(self) -> tuple[float, ...]:
        """Exposure of each image over that of the darkest; estimated from the images if seconds are None."""
        if self.exposure_seconds is not None:
            return tuple(s / self.exposure_seconds[0] for s in self.exposure_seconds)
        ratios = [_estimated_ratio(self, k) for k in range(len(self) - 1)]
        return tuple(float(t) for t in np.cumprod([1.0, *ratios]))


def _check_images(images: tuple[Image, ...]) -> None:
    if len(images) < 2:
        raise ValueError(f"an exposure stack needs at least 2 images, found {len(images)}")
    for k, image in enumerate(images):
        where = f"image {k} of {len(images)}"
        _check_array(image, where, (np.uint8, np.float32), "uint8, or float32 in [0, 1]")
        _same_as_first(image, images[0], where)
        if image.dtype == np.float32:
            _check_range(image, where, 1.0)


def _check_linear_images(linear: tuple[Image, ...], images: tuple[Image, ...]) -> None:
    if len(linear) != len(images):
        raise ValueError(
            f"{len(linear)} linear images for {len(images)} images; give one per exposure, or None"
        )
    for k, image in enumerate(linear):
        where = f"linear image {k} of {len(linear)}"
        _check_array(
            image, where, (np.uint16, np.float32), "uint16 (65535 = sensor white), or float32 (1 = white)"
        )
        if image.shape != images[0].shape:
            raise ValueError(
                f"{where} has shape {image.shape}, the images have {images[0].shape}; crop them alike"
            )
        _same_as_first(image, linear[0], where)
        if image.dtype == np.float32:
            _check_range(image, where, math.inf)


def _check_array(image: Image, where: str, dtypes: tuple[type, ...], wanted: str) -> None:
    if not isinstance(image, np.ndarray):
        raise ValueError(
            f"{where} is a {type(image).__name__}; give a numpy array of shape (height, width, 3)"
        )
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"{where} has shape {image.shape}; give (height, width, 3), channels R, G, B")
    if image.dtype not in dtypes:
        raise ValueError(f"{where} has type {image.dtype}; give {wanted}")


def _same_as_first(image: Image, first: Image, where: str) -> None:
    if image.shape != first.shape:
        raise ValueError(
            f"{where} has shape {image.shape}, the first has {first.shape}; align and crop them first"
        )
    if image.dtype != first.dtype:
        raise ValueError(f"{where} has type {image.dtype}, the first has {first.dtype}; use one type for all")


def _check_range(image: Image, where: str, highest: float) -> None:
    low, high = float(image.min()), float(image.max())  # a NaN anywhere makes both NaN
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{where} holds NaN or infinite values; replace them first")
    if low < 0 or high > highest:
        raise ValueError(
            f"{where} has values from {low:g} to {high:g}; scale or clip them to [0, {highest:g}]"
        )


def _checked_seconds(seconds: Sequence[float], images: tuple[Image, ...]) -> tuple[float, ...]:
    if len(seconds) != len(images):
        raise ValueError(
            f"{len(seconds)} exposure times for {len(images)} images; give one each, or None for all"
        )
    for k, value in enumerate(seconds):
        if value is None or not (math.isfinite(value) and value > 0):
            raise ValueError(
                f"exposure time {k} of {len(images)} is {value!r}; give a positive number of seconds each, "
                "or None for all if they are unknown"
            )
    return tuple(float(value) for value in seconds)


def _dark_to_bright(images: tuple[Image, ...], seconds: tuple[float, ...] | None) -> tuple[int, ...]:
    times = seconds or (1.0,) * len(images)
    if len(set(times)) == len(times):
        return tuple(sorted(range(len(images)), key=times.__getitem__))
    luminance = [float(np.dot(LUMA_601, image.mean(axis=(0, 1), dtype=np.float64))) for image in images]
    return tuple(sorted(range(len(images)), key=lambda i: (times[i], luminance[i], i)))


RATIO_PIXELS = 1_000_000  # at most about so many pixels are read to estimate an exposure ratio
RATIO_VALUES = 500  # fewer values than this make no trustworthy median


def _estimated_ratio(stack: ExposureStack, k: int) -> float:
    """Exposure of image k+1 over image k: median of linear ratios where both are well exposed, else 2."""
    step = max(1, math.isqrt(stack.height * stack.width // RATIO_PIXELS))
    scale = np.float32(255 if stack.is_8_bit else 1)
    encoded = [np.divide(stack.images[i][::step, ::step], scale, dtype=np.float32) for i in (k, k + 1)]
    if stack.linear_images is None:
        linear = [srgb_to_linear(values) for values in encoded]
    else:
        linear = [stack.linear_images[i][::step, ::step].astype(np.float32) for i in (k, k + 1)]
    for low, high in ((0.05, 0.95), (0.01, 0.99)):
        both = np.logical_and.reduce([(low < v) & (v < high) for v in encoded])
        if np.count_nonzero(both) >= RATIO_VALUES:
            return max(1.0, float(np.median(linear[1][both] / linear[0][both])))
    return 2.0
