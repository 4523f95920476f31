"""The weights that the SICE authors released (.caffemodel) for the networks of networks/sice.py.

Their networks saw transposed pictures: MATLAB stores columns first. In the orientation of pictures every kernel is
transposed, and so are the 4x4 cells of pixels that Model 3 keeps in channels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.exchange.caffe_wire import CaffeLayer, caffe_layers
from trainer.networks import make_network
from trainer.networks.sice import CELL

MODELS = ("sice_residual", "sice_two_stage", "sice_per_pixel")
CELLS_BEFORE = (
    "base_branch.gA1",
    "detail_branch.gB1",
)  # of sice_per_pixel: layers whose inputs are pixels of a cell
CELLS_AFTER = ("rir",)  # and whose outputs are

Blobs = tuple[NDArray[np.float32], ...]


def read_caffe_weights(path: Path) -> tuple[str, dict[str, Tensor]]:
    """(name in NETWORKS, state_dict of it at its published width), in image orientation. ValueError if damaged."""
    try:
        layers = caffe_layers(path.read_bytes())
        return _recognised(layers)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _recognised(layers: tuple[CaffeLayer, ...]) -> tuple[str, dict[str, Tensor]]:
    blobs = {layer.name: layer.blobs for layer in layers}
    if len(blobs) < len(layers):
        raise ValueError("two layers of one name")
    places = {model: _places(model) for model in MODELS}
    name = min(MODELS, key=lambda model: len(places[model].keys() ^ blobs.keys()))
    missing, extra = sorted(places[name].keys() - blobs.keys()), sorted(blobs.keys() - places[name].keys())
    if missing or extra:
        raise ValueError(
            f"none of the SICE networks; the nearest, {name}, "
            f"has no {', '.join(extra) or 'other layers'} and needs {', '.join(missing) or 'no more'}"
        )
    weights: dict[str, Tensor] = {}
    for layer, (place, kernel_shape) in places[name].items():
        kernel, bias = _checked(layer, blobs[layer], kernel_shape)
        if name == "sice_per_pixel":
            kernel, bias = _with_transposed_cells(place, kernel, bias)
        weights[f"{place}.weight"] = torch.from_numpy(kernel.swapaxes(2, 3).copy())
        weights[f"{place}.bias"] = torch.from_numpy(bias.copy())
    return name, weights


def _places(model: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Caffe's name of each layer -> (our name, shape of its kernel)."""
    with torch.device("meta"):  # shapes without numbers
        weights = make_network(model, {}).state_dict()
    kernels = {
        key.removesuffix(".weight"): value for key, value in weights.items() if key.endswith(".weight")
    }
    return {_caffe_name(place): (place, tuple(kernel.shape)) for place, kernel in kernels.items()}


def _caffe_name(place: str) -> str:
    layer = place.rpartition(".")[2]
    return "RIR" if layer == "rir" else f"conv_{layer}"


def _checked(layer: str, blobs: Blobs, kernel_shape: tuple[int, ...]) -> Blobs:
    """Kernel and bias; old files give a bias four sides."""
    shapes = [blob.shape for blob in blobs]
    bias_shapes = ((kernel_shape[0],), (1, 1, 1, kernel_shape[0]))
    if len(shapes) != 2 or shapes[0] != kernel_shape or shapes[1] not in bias_shapes:
        raise ValueError(f"layer {layer!r} has shapes {shapes}; expected {[kernel_shape, bias_shapes[0]]}")
    return blobs[0], blobs[1].ravel()


def _with_transposed_cells(
    place: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Channels (c, i, j) of a 4x4 cell taken as (c, j, i)."""
    if place in CELLS_BEFORE:
        return kernel[:, _transposed_cells(kernel.shape[1])], bias
    if place in CELLS_AFTER:
        order = _transposed_cells(kernel.shape[0])
        return kernel[order], bias[order]
    return kernel, bias


def _transposed_cells(channels: int) -> NDArray[np.intp]:
    return np.arange(channels).reshape(-1, CELL, CELL).swapaxes(1, 2).ravel()
