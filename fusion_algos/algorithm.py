"""What an algorithm is: a function `fuse` with a title, a citation and a revision."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusion_algos.stack import ExposureStack

FusedImage = NDArray[np.float32]


@dataclass(frozen=True)
class Algorithm:
    """One published algorithm, callable as `algorithm(stack, **parameters)`.

    `name` is the stem of its file and `family` the folder. `revision` grows whenever the pixels
    change, so that stored results of an older revision are never taken for new ones.
    `parameters` maps each keyword of `fuse` to its default, in the order of the signature.
    """

    name: str
    family: str
    title: str
    cite: str
    revision: int
    parameters: Mapping[str, Any]
    fuse: Callable[..., FusedImage] = field(repr=False)

    def __call__(self, stack: ExposureStack, **parameters: Any) -> FusedImage:
        """Fuse `stack` into one float32 HxWx3 RGB image, sRGB-encoded, in [0, 1].

        Raises ValueError for a parameter that `fuse` does not have.
        """
        self._check_parameters(parameters)
        fused = self.fuse(stack, **parameters)
        if fused.shape != stack.shape or fused.dtype != np.float32:
            raise RuntimeError(
                f"{self.name}: fuse returned {fused.dtype} {fused.shape}; "
                f"an algorithm must return float32 {stack.shape}"
            )
        return fused

    def _check_parameters(self, parameters: Mapping[str, Any]) -> None:
        unknown = sorted(set(parameters) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise ValueError(
                f"{self.name}: unknown parameter {', '.join(map(repr, unknown))}; its parameters are: {known}"
            )


def algorithm(*, title: str, cite: str, revision: int) -> Callable[[Callable[..., FusedImage]], Algorithm]:
    """Turn `fuse(stack, *, parameter=default)` of a file `family/name.py` into an `Algorithm`."""

    def decorate(fuse: Callable[..., FusedImage]) -> Algorithm:
        family, name = fuse.__module__.split(".")[-2:]
        keywords = [p for p in inspect.signature(fuse).parameters.values() if p.kind is p.KEYWORD_ONLY]
        defaults = MappingProxyType({p.name: p.default for p in keywords})
        return Algorithm(name, family, title, cite, revision, defaults, fuse)

    return decorate
