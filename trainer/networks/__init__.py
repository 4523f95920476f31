"""The networks by name. `package.module:Class` is taken from there: anybody's nn.Module with the same manners.

Of the trainer it imports inputs alone; checkpoint, training and exchange import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

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

    needs: which optional fields of Inputs it reads ("base" brings "detail"); "hdr" for the training target. One that
    needs it may have `hdr(inputs)`: the light that it estimates, Nx3xHxW linear, reference white = 1, not negative.
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
    network_class = _network_class(name)
    known = signature(network_class).parameters
    takes_any = any(one.kind is Parameter.VAR_KEYWORD for one in known.values())
    unknown = [] if takes_any else [one for one in parameters if one not in known]
    missing = [
        one.name
        for one in known.values()
        if one.default is Parameter.empty
        and one.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
        and one.name not in parameters
    ]
    if unknown or missing:
        fault = f"has no parameter {unknown[0]!r}" if unknown else f"needs the parameter {missing[0]!r}"
        listed = ", ".join(str(one) for one in known.values()) or "none"
        raise ValueError(f"network {name!r} {fault}; its parameters: {listed}")
    return network_class(**parameters)


def _network_class(name: str) -> type[nn.Module]:
    """The class that a name of the list, or `package.module:Class`, stands for."""
    target = NETWORKS.get(name, name)
    module_name, colon, class_name = target.partition(":")
    if not (colon and module_name and class_name):
        raise ValueError(f"no network {name!r}; known: {', '.join(NETWORKS)}, or package.module:Class")
    try:
        found = getattr(import_module(module_name), class_name, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"network {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"network {name!r}: {module_name} has no torch.nn.Module {class_name!r}")
    lacking = [one for one in ("needs", "multiple", "halo") if not hasattr(found, one)]
    if lacking:
        raise ValueError(
            f"network {name!r}: {class_name} lacks {', '.join(lacking)} (see trainer.networks.Network)"
        )
    return found
