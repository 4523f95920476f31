"""The networks by name. A name `package.module:Class` is taken from there: anybody's nn.Module with the same manners."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Protocol

from torch import Tensor

from trainer.inputs import Inputs

# name -> module:class; loaded when asked for. The only list.
NETWORKS: Mapping[str, str] = {
    "sice_residual": "trainer.networks.sice:SiceResidual",
    "sice_two_stage": "trainer.networks.sice:SiceTwoStage",
    "sice_per_pixel": "trainer.networks.sice:SicePerPixel",
    "lutgrid": "trainer.networks.lutgrid:LutGrid",
    "gain_unet": "trainer.networks.gain_unet:GainUNet",
    "drht": "trainer.networks.drht:Drht",
}


class Network(Protocol):
    """What is asked of a network beside being an nn.Module.

    needs: which optional fields of Inputs it reads ("base" brings "detail"); "hdr" for the training target.
    multiple: height and width of `inputs.data` must be multiples of this (callers pad by reflection and crop).
    halo: an output pixel depends on input pixels at most this far away (beside thumbnail and base).
    """

    needs: ClassVar[frozenset[str]]
    multiple: ClassVar[int]
    halo: ClassVar[int]

    def forward(self, inputs: Inputs) -> Tensor:
        """Nx3xHxW, sRGB-encoded, not clamped."""


def make_network(name: str, parameters: Mapping[str, Any]) -> Any:
    """A new network with its keyword parameters. ValueError for unknown names or parameters, with the known ones."""
    raise NotImplementedError
