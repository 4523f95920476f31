"""Batches whose content is a pure function of (seed, step, slot): workers, restarts and ranks change nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import data

from builder.dataset.finished import Pair
from trainer.dataset.frame_cache import Frame, FrameCache
from trainer.dataset.frame_preparation import LARGEST_BASE, linear_light
from trainer.dataset.manifest import DatasetError, well_placed
from trainer.dataset.sampling import Sample, Sampler, Turn
from trainer.inputs import Batch, Inputs
from trainer.preprocessing.grey_levels import grey_levels
from trainer.settings import DataSettings

Arrays = dict[str, NDArray[Any]]  # of one sample, CxHxW; the names are those of Batch and Inputs
PADDED = ("data", "base", "detail", "reference", "hdr")
INPUT_FIELDS = ("data", "base", "detail", "thumbnail", "place", "strength")


def training_batches(
    cache: FrameCache,
    pairs: Sequence[Pair],
    settings: DataSettings,
    *,
    needs: frozenset[str],
    seed: int,
    first_step: int,
    steps: int,
    batch: int,
    rank: int = 0,
    ranks: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Batches of steps first_step, ..., steps - 1; this rank's slots of the global batch of `batch` samples.

    Pairs misplaced by more than `max_residual`, and without light where `needs` has "hdr", are left out. DatasetError
    at once if none is left or a frame is smaller than the crop. Closing the iterator ends the workers.
    """
    usable = _usable(cache, pairs, settings, needs)
    sampler = Sampler(usable, settings, seed=seed, batch=batch)
    steps_of_rank = _Steps(cache, sampler, settings, needs, range(rank, batch, ranks))
    pinned = pin_memory and torch.cuda.is_available()  # elsewhere it is in vain, and torch warns
    return _loaded(steps_of_rank, range(first_step, steps), workers, pinned)


def _usable(
    cache: FrameCache, pairs: Sequence[Pair], settings: DataSettings, needs: frozenset[str]
) -> tuple[Pair, ...]:
    usable = well_placed(pairs, settings.max_residual)
    if not usable:
        raise DatasetError(
            f"all {len(pairs)} pairs are misplaced by more than data.max_residual = {settings.max_residual:g} pixels"
        )
    if "hdr" in needs:
        usable = tuple(pair for pair in usable if cache.has_hdr(pair))
        if not usable:
            raise DatasetError("no scene has a merged linear picture; export again with --hdr")
    small = {pair.scene: size for pair in usable if min(size := cache.size(pair)) < settings.crop}
    if small:
        scenes = ", ".join(f"{scene!r} ({width}x{height})" for scene, (height, width) in small.items())
        raise DatasetError(
            f"prepared frames are smaller than the crop of {settings.crop} pixels: scenes {scenes}; choose a smaller "
            f"data.crop, or a larger data.short_side where the files are larger"
        )
    return usable


@dataclass(frozen=True)
class _Steps(data.Dataset[dict[str, Any]]):
    """One rank's part of the batch of each step, by step; goes to worker processes."""

    cache: FrameCache
    sampler: Sampler
    settings: DataSettings
    needs: frozenset[str]
    slots: range

    def __getitem__(self, step: int) -> dict[str, Any]:
        samples = [self.sampler.sample(step, slot) for slot in self.slots]
        return _stacked([self._arrays(one) for one in samples]) | {
            "relative_ev": torch.tensor([_relative_ev(one) for one in samples], dtype=torch.float32),
            "rows": tuple(self.cache.row(one.pair) for one in samples),
        }

    def _arrays(self, sample: Sample) -> Arrays:
        """One sample as float32: crops turned alike, the thumbnail too, and where the crop is in the turned picture."""
        reference = self.cache.reference(sample.pair)
        source = reference if sample.is_itself else self.cache.input(sample.pair)
        height, width = source.pixels.shape[:2]
        side = self.settings.crop
        top, left = sample.corner(height, width, side, self.settings.patch_stride)
        window = slice(top, top + side), slice(left, left + side)
        place = sample.turn.place(top, left, side, height, width)
        return _arrays(source, reference, window, sample.turn, place, self.needs)


def _relative_ev(sample: Sample) -> float:
    return 0.0 if sample.is_itself or sample.pair.relative_ev is None else sample.pair.relative_ev


def _arrays(
    source: Frame,
    reference: Frame,
    window: tuple[slice, slice],
    turn: Turn,
    place: tuple[int, int, int, int],
    needs: frozenset[str],
) -> Arrays:
    pixels = source.pixels[window]
    arrays: Arrays = {"data": _unit(turn.of(pixels)), "reference": _unit(turn.of(reference.pixels[window]))}
    if needs & {"base", "detail"}:
        base, detail = _base_and_detail(source, window)
        arrays |= {"base": turn.of(base)[None], "detail": turn.of(detail)[None]}
    if "thumbnail" in needs:
        arrays["thumbnail"] = _unit(turn.of(source.thumbnail))
    if "place" in needs:
        arrays["place"] = np.array(place, np.float32)
    if "strength" in needs:
        arrays["strength"] = np.array(1, np.float32)
    if "hdr" in needs and source.hdr is not None:
        arrays["hdr"] = turn.of(linear_light(source.hdr[window])).transpose(2, 0, 1)
    return arrays


def _unit(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """HxWx3 uint8 -> 3xHxW in [0, 1]."""
    return np.divide(pixels.transpose(2, 0, 1), np.float32(255), dtype=np.float32, order="C")


def _base_and_detail(frame: Frame, window: tuple[slice, slice]) -> tuple[NDArray[Any], NDArray[Any]]:
    """HxW float32 each: the stored base, and what it leaves of the grey over its peak in the whole frame."""
    if frame.base is None:
        raise ValueError("the frames were prepared without base; prepare them with Preparation(base=True)")
    base = np.divide(frame.base[window], np.float32(LARGEST_BASE), dtype=np.float32)
    grey = grey_levels(frame.pixels[window]).astype(np.float32)
    return base, grey / np.float32(max(frame.luminance_peak, 1)) - base


def _stacked(samples: Sequence[Arrays]) -> dict[str, Any]:
    """Contiguous tensors by name, whatever turned view a sample's array is."""
    stacked = {}
    for name, first in samples[0].items():
        room = np.empty((len(samples), *first.shape), np.float32)
        stacked[name] = torch.from_numpy(np.stack([one[name] for one in samples], out=room))
    return stacked


def _batch(fields: Mapping[str, Any]) -> Batch:
    inputs = Inputs(**{name: fields[name] for name in INPUT_FIELDS if name in fields})
    return Batch(inputs, **{name: value for name, value in fields.items() if name not in INPUT_FIELDS})


def _loaded(steps: _Steps, order: range, workers: int, pin_memory: bool) -> Iterator[Batch]:
    if not workers and not pin_memory:
        yield from (_batch(steps[step]) for step in order)
        return
    loader = data.DataLoader(
        steps,
        sampler=order,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin_memory,
        collate_fn=_as_made,
        generator=torch.Generator(),  # else it draws a number from torch's own, and training would go on differently
        worker_init_fn=_let_the_parent_decide if workers else None,
    )
    yield from map(_batch, loader)


def _as_made(fields: Any) -> Any:
    """Instead of torch's conversion, which would make a list of `rows`."""
    return fields


def _let_the_parent_decide(_worker: int) -> None:
    """Signals may reach the whole process group: the parent finishes its step and ends the workers itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def whole_pictures(
    cache: FrameCache, pairs: Sequence[Pair], settings: DataSettings, *, needs: frozenset[str], multiple: int
) -> Iterator[Batch]:
    """One batch of one whole prepared frame per pair, in order, padded by reflection to `multiple` with its mask.

    Thumbnail and place (of the unpadded frame) are always there; `mask` is None where nothing had to be padded.
    """
    del settings  # whole pictures are neither chosen nor augmented
    for pair in pairs:
        frame = cache.input(pair)
        height, width = frame.pixels.shape[:2]
        window, place = (slice(0, height), slice(0, width)), (0, 0, height, width)
        arrays = _arrays(frame, cache.reference(pair), window, Turn(), place, needs | {"thumbnail", "place"})
        yield _batch(
            _stacked([_padded(arrays, -height % multiple, -width % multiple)])
            | {"relative_ev": torch.tensor([pair.relative_ev or 0.0]), "rows": (cache.row(pair),)}
        )


def _padded(arrays: Arrays, below: int, right: int) -> Arrays:
    """The pictures among the arrays with reflected rows and columns at their ends, and a mask of their own pixels."""
    if not (below or right):
        return arrays
    margins = ((0, 0), (0, below), (0, right))
    mask = np.ones((1, *arrays["data"].shape[1:]), np.float32)
    padded = {name: np.pad(arrays[name], margins, mode="reflect") for name in PADDED if name in arrays}
    return arrays | padded | {"mask": np.pad(mask, margins)}
