"""Checkpoints that are whole or not there: temporary file, fsync, rename, SHA-256 beside; loaded as weights only.

RUN/checkpoints/step-00001000.pt holds all that training needs to go on, RUN/checkpoints/best.pt the weights alone.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import pickle
import platform
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from builder.atomic_files import CannotWrite, replace_file
from trainer.exit_codes import DIVERGED, STORAGE
from trainer.networks import make_network

FORMAT = 1
RESERVE = 1 << 20  # bytes that a write leaves free for logs
log = logging.getLogger("trainer")


class CheckpointError(ValueError):
    """No usable checkpoint; the message says which files were looked at and what is wrong with each."""

    exit_code = STORAGE


class NotFinite(ValueError):
    """NaN or infinity in what should be stored."""

    exit_code = DIVERGED


@dataclass(frozen=True)
class TrainedNetwork:
    """A network ready for use (averaged weights where there are), and where it is from."""

    network: nn.Module  # in eval mode, float32, on CPU
    name: str  # in NETWORKS
    run: Path
    sha256: str  # of the checkpoint file
    step: int
    settings: Mapping[str, Any]  # as stored; {} for imported weights

    @property
    def short_side(self) -> int | None:
        """To which its training reduced larger pictures; None if it did not, or nobody knows."""
        data = self.settings.get("data", {})
        return int(data["short_side"]) if data.get("resize") == "short_side" else None


def best_file(run: Path) -> Path:
    """Where the weights with the best validation lie."""
    return run / "checkpoints" / "best.pt"


def step_file(run: Path, step: int) -> Path:
    """Where the checkpoint before step `step` lies (so many steps are done)."""
    return run / "checkpoints" / f"step-{step:08d}.pt"


def step_files(run: Path) -> list[Path]:
    """The checkpoints of a run, newest first."""
    return sorted((run / "checkpoints").glob("step-????????.pt"), reverse=True)


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Store a document of tensors and plain values. NotFinite before, CannotWrite while writing; the old file stays.

    Between the two renames of a replaced file there is none with the digest, so a kill leaves a file without one:
    whole, since it was renamed, and covered by the checksums of its own ZIP format.
    """
    _require_finite(content, "")
    memory = io.BytesIO()
    torch.save({"format": FORMAT, **content}, memory)
    data = memory.getbuffer()
    path.parent.mkdir(parents=True, exist_ok=True)
    _require_space(path, len(data))
    sidecar = _sidecar(path)
    if path.exists():
        sidecar.unlink(missing_ok=True)
    replace_file(path, data)
    replace_file(sidecar, f"{hashlib.sha256(data).hexdigest()}  {path.name}\n".encode())


def read_checkpoint(path: Path) -> tuple[dict[str, Any], str]:
    """What was stored, on the CPU, and the SHA-256 of the file. CheckpointError if it is not as it was written."""
    try:
        data = path.read_bytes()
        listed = _sidecar(path).read_text().split()[:1] if _sidecar(path).exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if listed and listed[0] != sha256:
        raise CheckpointError(
            f"{path}: damaged ({len(data)} bytes; its SHA-256 is not that of {_sidecar(path).name})"
        )
    try:
        if not listed:
            _require_whole(data)
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise CheckpointError(f"{path}: damaged ({str(error).partition(chr(10))[0]})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of this version (format {FORMAT})")
    return content, sha256


def newest_checkpoint(run: Path) -> tuple[Path, dict[str, Any], str] | None:
    """(file, content, SHA-256) of the newest whole checkpoint; damaged ones are passed over with a warning.

    None if the run has none at all; CheckpointError if all are damaged: a run never starts again by itself.
    """
    faults = []
    for path in step_files(run):
        try:
            return path, *read_checkpoint(path)
        except CheckpointError as error:
            log.warning("%s; trying the one before", error)
            faults.append(str(error))
    if faults:
        raise CheckpointError(
            f"{run}: no checkpoint can be used. {'; '.join(faults)}. Restore one of these files, "
            f"or start again with another --output"
        )
    return None


def remove_old(run: Path, *, keep_last: int = 2, keep_every: int = 0) -> None:
    """Leave the newest `keep_last` checkpoints and those at multiples of `keep_every`."""
    for path in step_files(run)[keep_last:]:
        step = int(path.stem.removeprefix("step-"))
        if not (keep_every and step and step % keep_every == 0):
            path.unlink(missing_ok=True)
            _sidecar(path).unlink(missing_ok=True)


def origin(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What every checkpoint says about its network and the code that wrote it."""
    return {
        "network": name,
        "network_parameters": dict(parameters),
        "code_version": code_version(),
        "libraries": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }


@cache
def code_version() -> str:
    """The package's version and a digest of the trainer's source: changes with every edit, needs no repository."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    try:
        released = version("contrast-foundry")
    except PackageNotFoundError:
        released = "unreleased"
    return f"{released}+{digest.hexdigest()[:12]}"


def save_weights(
    run: Path,
    name: str,
    parameters: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    source: str,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """A run folder holding only a network's weights, as `import-caffe` makes it; FileExistsError if one is there.

    settings: of the training that made them, if it is known.
    """
    path = best_file(run)
    if path.exists() or step_files(run):
        raise FileExistsError(f"{run} holds checkpoints already; give another --output")
    write_checkpoint(
        path,
        {
            **origin(name, parameters),
            "step": 0,
            "model": dict(weights),
            "ema": None,
            "config": dict(settings or {}),
            "source": source,
        },
    )
    return path


def load_network(run: Path, *, which: str = "best") -> TrainedNetwork:
    """The network of a run folder or checkpoint file: "best" by validation, else "last". CheckpointError if damaged."""
    path, content, sha256 = _chosen(run, which)
    network = make_network(content["network"], content["network_parameters"])
    weights = content["ema"] if content["ema"] is not None else content["model"]
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: does not fit the network {content['network']!r} ({error})") from error
    network.eval().requires_grad_(False)
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return TrainedNetwork(network, content["network"], folder, sha256, content["step"], content["config"])


def _chosen(run: Path, which: str) -> tuple[Path, dict[str, Any], str]:
    if run.is_file():
        return run, *read_checkpoint(run)
    best = best_file(run)
    newest = None if which == "best" and best.exists() else newest_checkpoint(run)
    if newest is not None:
        return newest
    if best.exists():
        return best, *read_checkpoint(best)
    raise CheckpointError(f"{run}: no checkpoint here; `train --output {run}` or `import-caffe` makes one")


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _require_whole(data: bytes) -> None:
    """By the checksums within: torch.load does not look at them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"checksum of {damaged}")


def _require_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < size + RESERVE:
        raise CannotWrite(
            errno.ENOSPC,
            f"{path}: {size + RESERVE} bytes are needed, {free} are free; older checkpoints stay",
        )


def _require_finite(content: Any, where: str) -> None:
    for name, tensor in _tensors(content, where):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NotFinite(f"{name or 'weights'}: NaN or infinity; nothing is stored")


def _tensors(content: Any, where: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield where, content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _tensors(value, f"{where} {key}".strip())
    elif isinstance(content, list | tuple):
        for position, value in enumerate(content):
            yield from _tensors(value, f"{where}[{position}]")
