"""One exposure as a method of the table sees it, and the types of methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]  # HxWx3 RGB, sRGB-encoded: uint8, or float32 in [0, 1]


@dataclass(frozen=True, eq=False)
class Exposure:
    """A picture to be enhanced. Only what calls itself an oracle may look at `reference`.

    picture, reference: HxWx3 RGB uint8. relative_ev: stops above (+) or below (-) the well exposed picture, if known.
    """

    picture: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    relative_ev: float | None = None

    @property
    def ev_bin(self) -> int:
        """See `ev_bin`."""
        return ev_bin(self.relative_ev)


Enhance = Callable[[Exposure], Picture]


def ev_bin(relative_ev: float | None) -> int:
    """The nearest whole stop, halves towards 0, so that bin 0 is |EV| <= .5; unknown EV counts as 0."""
    if relative_ev is None:
        return 0
    return int(math.copysign(math.ceil(abs(relative_ev) - 0.5), relative_ev))
