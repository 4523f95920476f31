"""Bringing the frames of a bracket into register: reference, transforms, common crop, warping.

Pure: arrays in, dataclasses out. Frames are HxWx3 uint8 RGB; matrices map pixels of the reference
(x, y, 1; centres at integers, full resolution) to pixels of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.registration.common_crop import Crop, common_crop
from builder.registration.motion_model import MODEL_NAMES, Matrix, largest_shift, rotation_of, scale_of
from builder.registration.pairs import PairFit, misplacement, register, register_by_features
from builder.registration.proxy import Pair, Proxy, has_texture, make_pair, make_proxy, mean_ncc
from builder.settings import AlignSettings

Row = tuple[float, float, float]
MatrixRows = tuple[Row, Row, Row]
IDENTITY: MatrixRows = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

LARGE_ROTATION_DEGREES = 5.0
LARGE_SCALE = 0.05


@dataclass(frozen=True)
class FrameTransform:
    """How one frame lies on the reference.

    `method`: reference, identity, translation, similarity, affine, homography or failed.
    `ncc_before`, `ncc_after`: mean zero-mean correlation of textured blocks with the reference,
    None if there are none. `residual_px`: misplacement left (None: not measurable); `shift_px`: how
    far the farthest corner is moved; both in pixels of full resolution. `flags`: align-failed,
    large-rotation, large-scale.
    """

    method: str
    matrix: MatrixRows
    ncc_before: float | None = None
    ncc_after: float | None = None
    residual_px: float | None = None
    shift_px: float = 0.0
    flags: tuple[str, ...] = ()

    @property
    def is_identity(self) -> bool:
        """Whether warping leaves the frame's pixels as they are."""
        return self.matrix == IDENTITY


@dataclass(frozen=True)
class Alignment:
    """The registration of a bracket; `crop_share` is the crop's area over the frame's.

    `flags`: those of its frames, and crop-too-small.
    """

    reference: int
    transforms: tuple[FrameTransform, ...]
    crop: Crop
    crop_share: float
    flags: tuple[str, ...] = ()

    @property
    def is_identity(self) -> bool:
        """Whether every frame stays bit for bit what it was: no resampling, no crop."""
        return all(transform.is_identity for transform in self.transforms)


def choose_reference(frames: Sequence[NDArray[np.uint8]], relative_ev: Sequence[float]) -> int:
    """Index of the frame of median exposure; among equals or two middle ones, of the least clipped."""
    ordered = sorted(relative_ev)
    middle = {ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]}
    candidates = [index for index, ev in enumerate(relative_ev) if ev in middle]
    return min(candidates, key=lambda index: _clipped_share(frames[index]))


def _clipped_share(frame: NDArray[np.uint8]) -> float:
    step = max(1, max(frame.shape) // 1000)  # a sample decides as well as all pixels
    brightest = frame[::step, ::step].max(axis=2)
    return float(((brightest >= 254) | (brightest <= 1)).mean())


def align_frames(
    frames: Sequence[NDArray[np.uint8]], relative_ev: Sequence[float], settings: AlignSettings
) -> Alignment:
    """Register all frames (equal sizes HxWx3 uint8, at least one) on the one of median exposure.

    `relative_ev` only chooses the reference; motion is found without trusting it.
    """
    reference = choose_reference(frames, relative_ev)
    height, width = frames[reference].shape[:2]
    proxies = [make_proxy(frame, settings.proxy_side) for frame in frames]
    found = {reference: FrameTransform("reference", IDENTITY)}
    found.update(_outwards(proxies, reference, settings))
    transforms = tuple(found[index] for index in range(len(frames)))
    crop = common_crop([np.array(t.matrix) for t in transforms if not t.is_identity], width, height)
    share = crop.width * crop.height / (width * height)
    flags = {flag for transform in transforms for flag in transform.flags}
    if share < settings.min_crop_share:
        flags.add("crop-too-small")
    return Alignment(reference, transforms, crop, share, tuple(sorted(flags)))


def _outwards(
    proxies: Sequence[Proxy], reference: int, settings: AlignSettings
) -> Iterator[tuple[int, FrameTransform]]:
    """Transforms of the other frames by brightness, from the reference outwards on either side."""
    brightness = [float(proxy.luma.mean()) for proxy in proxies]
    order = sorted(range(len(proxies)), key=brightness.__getitem__)
    middle = order.index(reference)
    for side in (order[middle + 1 :], order[:middle][::-1]):
        neighbour, known = proxies[reference], PairFit.still()
        for index in side:
            pair = make_pair(proxies[reference], proxies[index])
            fit: PairFit | None = PairFit.still()
            if settings.enabled:
                fit = _fit(pair, neighbour, known, proxies[index])
            yield index, _transform(pair, proxies[index], fit, settings.identity_px)
            if fit is not None:
                neighbour, known = proxies[index], fit


def _fit(pair: Pair, neighbour: Proxy, known: PairFit, moving: Proxy) -> PairFit | None:
    """Register on the reference or, if they share little texture, on a neighbour whose place is known."""
    direct = register(pair, (np.eye(3), known.matrix))
    if direct is not None and direct.well_spread:
        return direct
    step = register(make_pair(neighbour, moving), (np.eye(3),)) if known.corners else None
    fits = [fit for fit in (direct, _after(known, step)) if fit is not None]
    return max(fits, key=lambda fit: fit.corners) if fits else register_by_features(pair)


def _after(known: PairFit, step: PairFit | None) -> PairFit | None:
    """The fit on the reference that follows from one on a neighbour."""
    if step is None:
        return None
    matrix = step.matrix @ known.matrix
    richer = max(step.model, known.model, key=MODEL_NAMES.index)
    return replace(step, matrix=matrix / matrix[2, 2], model=richer)


def _transform(pair: Pair, proxy: Proxy, fit: PairFit | None, identity_px: float) -> FrameTransform:
    """A fit between proxies as a transform at full resolution; nothing within `identity_px` is moved."""
    if fit is None and not has_texture(proxy):
        return replace(_measured(pair, proxy, np.eye(3), "identity"), flags=("no-texture",))
    if fit is None:
        return replace(_measured(pair, proxy, np.eye(3), "failed"), flags=("align-failed",))
    if largest_shift(fit.matrix, pair.shape) * proxy.enlargement < identity_px:
        return _measured(pair, proxy, np.eye(3), "identity")
    return _measured(pair, proxy, fit.matrix, fit.model)


def _measured(pair: Pair, proxy: Proxy, matrix: Matrix, method: str) -> FrameTransform:
    residual = misplacement(pair, matrix)
    full = proxy.to_full @ matrix @ np.linalg.inv(proxy.to_full)
    (a, b, c), (d, e, f), (g, h, _) = (full / full[2, 2]).tolist()
    unmoved = np.array_equal(matrix, np.eye(3))
    return FrameTransform(
        method=method,
        matrix=IDENTITY if unmoved else ((a, b, c), (d, e, f), (g, h, 1.0)),
        ncc_before=mean_ncc(pair, np.eye(3)),
        ncc_after=mean_ncc(pair, matrix),
        residual_px=None if residual is None else residual * proxy.enlargement,
        shift_px=largest_shift(matrix, pair.shape) * proxy.enlargement,
        flags=_unusual(matrix),
    )


def _unusual(matrix: Matrix) -> tuple[str, ...]:
    """Flags of motions that a person should look at."""
    turned = abs(rotation_of(matrix)) > LARGE_ROTATION_DEGREES
    zoomed = abs(scale_of(matrix) - 1) > LARGE_SCALE
    return ("large-rotation",) * turned + ("large-scale",) * zoomed


def warp(frame: NDArray, transform: FrameTransform, crop: Crop) -> NDArray:
    """Resample HxW[x3] uint8 or uint16 pixels on the reference's grid inside `crop`: same type, cubic,
    clamped.

    Frames that need no motion are only cut out: their pixels stay bit for bit (a view, not a copy).
    """
    if transform.is_identity:
        return frame[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    to_reference = np.array([[1.0, 0.0, crop.x], [0.0, 1.0, crop.y], [0.0, 0.0, 1.0]])
    matrix = np.array(transform.matrix) @ to_reference
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    size = (crop.width, crop.height)
    return cv2.warpPerspective(frame, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
