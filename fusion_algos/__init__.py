"""Exposure fusion and HDR algorithms: arrays in, array out."""

from fusion_algos.algorithm import Algorithm
from fusion_algos.stack import ExposureStack

# In display order; adding an algorithm is its file and one line here.
ALGORITHMS: dict[str, Algorithm] = {}

__all__ = ["ALGORITHMS", "Algorithm", "ExposureStack"]
