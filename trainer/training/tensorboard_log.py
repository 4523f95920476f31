"""The log's numbers for TensorBoard, where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any


def tensorboard_log(folder: Path) -> Callable[[Mapping[str, Any]], None]:
    """Takes records of metrics.jsonl. ModuleNotFoundError says what to install."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"run.tensorboard: {error}; install the extra train-extras or set it to false"
        ) from error
    writer = SummaryWriter(str(folder))

    def write(record: Mapping[str, Any]) -> None:
        for name, number in numbers(record, ""):
            writer.add_scalar(name, number, record["step"])
        writer.flush()

    return write


def numbers(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """All numbers of nested tables, named by their path, but for the step."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and name != "step":
            yield f"{prefix}{name}", float(value)
