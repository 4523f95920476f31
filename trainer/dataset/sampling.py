"""Which picture, crop and turn a sample is: a pure function of (seed, step, slot)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.dataset.finished import Pair
from trainer.dataset.manifest import DatasetError
from trainer.exposure_kinds import ITSELF, KINDS, kind_of
from trainer.settings import DataSettings

ORDER_OF_SCENES = 1  # second word of the generator's key: its numbers are not those of the samples (0)


@dataclass(frozen=True)
class Turn:
    """One of the eight symmetries of a square: quarter turns to the left, then mirrored left to right."""

    quarters: int = 0
    mirrored: bool = False

    def of(self, picture: NDArray[Any]) -> NDArray[Any]:
        """HxW or HxWxC turned, as a view."""
        turned = np.rot90(picture, self.quarters)
        return turned[:, ::-1] if self.mirrored else turned

    def place(self, top: int, left: int, side: int, height: int, width: int) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a square crop, and of its picture, after the turn."""
        for _ in range(self.quarters):
            top, left, height, width = width - left - side, top, width, height
        return top, width - left - side if self.mirrored else left, height, width


@dataclass(frozen=True)
class Sample:
    """What one sample is made of; `fraction` of the possible places downwards and to the right, in [0, 1)."""

    pair: Pair
    is_itself: bool
    down: float
    right: float
    turn: Turn

    def corner(self, height: int, width: int, crop: int, stride: int) -> tuple[int, int]:
        """(top, left) of the crop in a frame; `stride` 0: anywhere, else at its multiples."""
        step = stride or 1
        places = ((height - crop) // step + 1, (width - crop) // step + 1)
        return int(self.down * places[0]) * step, int(self.right * places[1]) * step


class Sampler:
    """Draws samples of these pairs: kind by its share, scenes evenly, exposures of the kind uniformly."""

    def __init__(self, pairs: Sequence[Pair], settings: DataSettings, *, seed: int, batch: int) -> None:
        """DatasetError if none of the kinds with a share is there."""
        self._seed, self._batch, self._augment = seed, batch, settings.augment
        self._by_kind: dict[str, dict[str, list[Pair]]] = {
            kind: defaultdict(list) for kind in (*KINDS, ITSELF)
        }
        for pair in pairs:
            self._by_kind[kind_of(pair.relative_ev, settings.well_ev)][pair.scene].append(pair)
            self._by_kind[ITSELF].setdefault(pair.scene, [pair])
        self._scenes = tuple(self._by_kind[ITSELF])
        self._limits = _cumulative_shares(self._by_kind, settings)

    def sample(self, step: int, slot: int) -> Sample:
        """Sample `slot` of the global batch of a step."""
        random = _generator(self._seed, 0, step, slot)
        which_kind, which_pair, down, right = random.random(4)
        kind = next(kind for kind, limit in self._limits if which_kind < limit)
        pairs = self._by_kind[kind][self._scene(step * self._batch + slot, kind)]
        turn = Turn()
        if self._augment:
            quarters, mirrored = divmod(int(random.integers(8)), 2)
            turn = Turn(quarters, bool(mirrored))
        return Sample(pairs[int(which_pair * len(pairs))], kind == ITSELF, down, right, turn)

    def _scene(self, number: int, kind: str) -> str:
        """The scene of the number-th sample since the start: each comes once per epoch, in a new order in each.

        A scene without this kind gives way to the next that has it.
        """
        epoch, position = divmod(number, len(self._scenes))
        order = _permutation(self._seed, epoch, len(self._scenes))
        having = self._by_kind[kind]
        places = (order[(position + step) % len(order)] for step in range(len(order)))
        return next(self._scenes[place] for place in places if self._scenes[place] in having)


def _cumulative_shares(
    by_kind: Mapping[str, Mapping[str, Sequence[Pair]]], settings: DataSettings
) -> tuple[tuple[str, float], ...]:
    """(kind, upper limit in [0, 1]) of the kinds that are there; what is missing leaves its share to the others."""
    shares = {kind: getattr(settings, kind) for kind in by_kind if by_kind[kind]}
    shares = {kind: share for kind, share in shares.items() if share > 0}
    total = sum(shares.values())
    if not total:
        asked = ", ".join(kind for kind in (*KINDS, ITSELF) if getattr(settings, kind) > 0) or "none"
        raise DatasetError(
            f"no pair to learn from: the shares ask for inputs of these kinds: {asked}; the split has "
            f"{', '.join(kind for kind in KINDS if by_kind[kind]) or 'none'}; change these shares"
        )
    limits = np.cumsum(list(shares.values())) / total
    limits[-1] = 1.0  # whatever the rounding
    return tuple(zip(shares, limits.tolist(), strict=True))


def _generator(seed: int, stream: int, high: int, low: int) -> np.random.Generator:
    """Numbers of (seed, stream) at the place (high, low) of Philox's counter (Salmon et al., SC 2011)."""
    return np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, low, high]))


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return _generator(seed, ORDER_OF_SCENES, epoch, 0).permutation(count)
