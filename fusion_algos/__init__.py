"""Exposure fusion and HDR algorithms: arrays in, array out."""

from fusion_algos.algorithm import Algorithm
from fusion_algos.exposure_fusion import (
    kou2017,
    li2013,
    ma2017,
    mertens2009,
    raman2009,
    shen2011,
    shen2014,
    zhang2012,
)
from fusion_algos.stack import ExposureStack
from fusion_algos.stack_hdr import bruce2014, hu2013, oh2015, paris2011, sen2012

# In display order. Adding an algorithm is its file and its name here.
ALGORITHMS: dict[str, Algorithm] = {
    module.fuse.name: module.fuse
    for module in (
        mertens2009,
        raman2009,
        shen2011,
        zhang2012,
        li2013,
        shen2014,
        ma2017,
        kou2017,
        sen2012,
        hu2013,
        bruce2014,
        oh2015,
        paris2011,
    )
}

__all__ = ["ALGORITHMS", "Algorithm", "ExposureStack"]
