"""The next batch is fetched, and copied to the device, while this one is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch

from trainer.inputs import Batch, Inputs
from trainer.training.throughput import Stopwatch


class BatchesAhead:
    """One batch in advance; call `fetch` once this one's work is handed to the device."""

    def __init__(
        self, batches: Iterator[Batch], device: torch.device, stopwatch: Stopwatch, *, channels_last: bool
    ) -> None:
        self._batches, self._device, self._stopwatch = batches, device, stopwatch
        self._channels_last = channels_last
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._next: Batch | None = None
        self.fetch()

    @property
    def has_next(self) -> bool:
        """Whether there is one to take."""
        return self._next is not None

    def take(self) -> Batch:
        """The batch of this step, on the device; the same until `fetch`. ValueError after the last."""
        batch = self._next
        if batch is None:
            raise ValueError("the data ended before the run")
        if self._stream is not None:
            with self._stopwatch.waiting():
                torch.cuda.current_stream().wait_stream(self._stream)
            for tensor in _tensors(batch):
                tensor.record_stream(torch.cuda.current_stream())
        return batch

    def fetch(self) -> None:
        """Begin to get the next one."""
        with self._stopwatch.waiting():
            batch = next(self._batches, None)
        if batch is not None:
            with torch.cuda.stream(self._stream):  # of None: no effect
                batch = self._placed(batch)
        self._next = batch

    def close(self) -> None:
        """Let go of the loader and its workers."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()

    def _placed(self, batch: Batch) -> Batch:
        batch = batch.to(self._device, non_blocking=True)
        if not self._channels_last:
            return batch
        inputs = {
            one.name: value.contiguous(memory_format=torch.channels_last)
            if (value := getattr(batch.inputs, one.name)) is not None and value.ndim == 4
            else value
            for one in dataclasses.fields(Inputs)
        }
        return dataclasses.replace(batch, inputs=Inputs(**inputs))


def _tensors(batch: Batch) -> list[torch.Tensor]:
    every = [getattr(batch.inputs, one.name) for one in dataclasses.fields(Inputs)]
    every += [batch.reference, batch.relative_ev, batch.hdr, batch.mask]
    return [one for one in every if one is not None]
