"""Exposure fusion and HDR algorithms: arrays in, array out."""

from fusion_algos.algorithm import Algorithm
from fusion_algos.exposure_fusion import kou2017, li2013, mertens2009, raman2009
from fusion_algos.stack import ExposureStack
from fusion_algos.stack_hdr import bruce2014, hu2013, sen2012

# In display order. Adding an algorithm is its file and its name here.
ALGORITHMS: dict[str, Algorithm] = {
    module.fuse.name: module.fuse
    for module in (mertens2009, raman2009, li2013, kou2017, sen2012, hu2013, bruce2014)
}

__all__ = ["ALGORITHMS", "Algorithm", "ExposureStack"]
