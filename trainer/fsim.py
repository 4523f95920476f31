"""FSIM and FSIMc: Zhang, Zhang, Mou, Zhang, "FSIM: a feature similarity index", IEEE TIP 20(8), 2011."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Fsim(NamedTuple):
    """The index on luminance, and with chrominance."""

    fsim: float
    fsimc: float


def fsim(picture: NDArray[Any], reference: NDArray[Any]) -> Fsim:
    """Both indices of HxWx3 RGB pictures, float32 in [0, 1] or uint8."""
    raise NotImplementedError
