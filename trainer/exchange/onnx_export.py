"""A trained network as one ONNX file for pictures of any size, and the proof that it computes the same.

The TorchScript exporter is used: the newer one needs a further package, onnxscript. A network whose sizes are
multiples of m is padded by reflection inside the graph, which asks for sides above m / 2.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.inputs import THUMBNAIL_SIDE, Inputs

OPSET = 17
EXTRA = "train-extras"
LARGEST_DIFFERENCE = 1e-4
TRACED_SIZE = (2, 40, 56)  # samples, height, width
CHECKED_SIZES = ((1, 64, 64), (2, 50, 71), (3, 33, 96))
# name of an input -> its dynamic axes
AXES: Mapping[str, Mapping[int, str]] = {
    "data": {0: "batch", 2: "height", 3: "width"},
    "base": {0: "batch", 2: "height", 3: "width"},
    "detail": {0: "batch", 2: "height", 3: "width"},
    "thumbnail": {0: "batch"},
    "place": {0: "batch"},
    "strength": {0: "batch"},
}


class OnnxNetwork(nn.Module):
    """A network with tensors for arguments: padded to its multiple inside, strength 1 or not, any size."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.input_names = input_names(network)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Nx3xHxW, not clamped, from the tensors of `input_names`."""
        given = dict(zip(self.input_names, tensors, strict=True))
        picture, strength = given["data"], given["strength"]
        height, width = picture.shape[2], picture.shape[3]
        padded = {
            name: self._padded(one) if name in ("data", "base", "detail") else one
            for name, one in given.items()
        }
        output = self.network(Inputs(**padded))[:, :, :height, :width]
        if "strength" in needs_of(self.network):
            return output
        return picture + strength.reshape(-1, 1, 1, 1) * (output - picture)

    def _padded(self, picture: Tensor) -> Tensor:
        multiple: Any = self.network.multiple
        if multiple == 1:
            return picture
        below, right = (-picture.shape[2]) % multiple, (-picture.shape[3]) % multiple
        return functional.pad(picture, (0, right, 0, below), mode="reflect")


def needs_of(network: nn.Module) -> frozenset[str]:
    """The optional inputs that a network reads."""
    needs: Any = network.needs
    return frozenset(needs)


def input_names(network: nn.Module) -> tuple[str, ...]:
    """The inputs of its ONNX file, in order."""
    needs = needs_of(network)
    asked = {"data", "strength"} | (needs & AXES.keys()) | ({"detail"} if "base" in needs else set())
    return tuple(name for name in AXES if name in asked)


def export_onnx(network: nn.Module, description: str) -> bytes:
    """The ONNX file of a network in eval mode: batch, height and width free; ModuleNotFoundError names the extra."""
    onnx = _extra("onnx")
    module = OnnxNetwork(network).eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the exporter's own announcement, and the tracer's doubts about sizes: the check shows that they stay free
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example_inputs(network, TRACED_SIZE, seed=0),
            buffer,  # type: ignore[arg-type]  # the TorchScript exporter writes to any file object
            dynamo=False,
            opset_version=OPSET,
            input_names=list(module.input_names),
            output_names=["output"],
            dynamic_axes={
                **{name: dict(AXES[name]) for name in module.input_names},
                "output": dict(AXES["data"]),
            },
        )
    model = onnx.load_model_from_string(buffer.getvalue())
    model.doc_string = description
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def largest_difference(
    network: nn.Module, file: bytes, sizes: Sequence[tuple[int, int, int]] = CHECKED_SIZES
) -> float:
    """Largest absolute difference between network and ONNX file, on random pictures of several sizes and batches."""
    onnxruntime = _extra("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    module = OnnxNetwork(network).eval()
    worst = 0.0
    for seed, size in enumerate(sizes):
        tensors = example_inputs(network, size, seed=seed + 1)
        with torch.no_grad():
            expected = module(*tensors).numpy()
        feed = {name: one.numpy() for name, one in zip(module.input_names, tensors, strict=True)}
        (found,) = session.run(None, feed)
        worst = max(worst, float(np.abs(found - expected).max()))
    return worst


def example_inputs(network: nn.Module, size: tuple[int, int, int], seed: int) -> tuple[Tensor, ...]:
    """Random tensors for `input_names`: size is (samples, height, width)."""
    samples, height, width = size
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    tensors = {
        "data": uniform(samples, 3, height, width),
        "base": uniform(samples, 1, height, width),
        "detail": uniform(samples, 1, height, width) - 0.5,
        "thumbnail": uniform(samples, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE),
        "place": torch.tensor([[3.0, 5.0, height + 7.0, width + 9.0]]).repeat(samples, 1),
        "strength": 0.25 + uniform(samples),
    }
    return tuple(tensors[name] for name in input_names(network))


def _extra(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"export-onnx needs {name}, which is not installed: pip install 'contrast-foundry[{EXTRA}]'"
        ) from error
