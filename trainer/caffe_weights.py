"""Reads the released .caffemodel files of SICE: protobuf's wire format, no Caffe."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor


def read_caffe_weights(path: Path) -> tuple[str, dict[str, Tensor]]:
    """(name in NETWORKS, state_dict for it at its published width), in image orientation. ValueError if damaged or unknown."""
    raise NotImplementedError
