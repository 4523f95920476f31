"""The training loop in plain sight."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from builder.atomic_files import CannotWrite
from trainer.checkpoint import newest_checkpoint
from trainer.exit_codes import DIVERGED
from trainer.inputs import Batch
from trainer.losses import WeightedLoss
from trainer.settings import Settings, SettingsError
from trainer.training.batches_ahead import BatchesAhead
from trainer.training.data import TrainingData
from trainer.training.interruption import Interruption, interruptible
from trainer.training.processes import Processes, reproducible
from trainer.training.run_folder import RunFolder
from trainer.training.state import TrainingState, require_same_run
from trainer.training.storage import Storage
from trainer.training.throughput import Arithmetic, Stopwatch, Throughput, measured_arithmetic, memory_mib
from trainer.training.validation import best_exponents, validate
from trainer.training.validation_strips import Strips

BAD_STEPS_IN_A_ROW = 3
OnProgress = Callable[[int, str], Any]
OnRecord = Callable[[dict[str, Any]], Any]
log = logging.getLogger("trainer")


class Diverged(ValueError):
    """Losses or gradients stayed NaN or infinite, at half the rate too."""

    exit_code = DIVERGED


@dataclass(frozen=True)
class Outcome:
    """How a training ended; `exit_code` is 0, or that of the signal that ended it after a save."""

    step: int
    best: dict[str, float] | None
    throughput: Throughput
    arithmetic: Arithmetic | None
    exit_code: int = 0


def train(
    settings: Settings,
    data: TrainingData,
    run: RunFolder,
    processes: Processes,
    *,
    allow_change: bool = False,
    on_progress: OnProgress = lambda step, text: None,
    on_record: OnRecord = lambda record: None,
) -> Outcome:
    """Train, or go on from the newest checkpoint of `run`, until `optimization.steps` or a signal.

    ResumeRefused, CheckpointError (nothing usable), Diverged, CannotWrite; the last checkpoint stays in all cases.
    """
    if settings.optimization.batch % processes.ranks:
        raise SettingsError(
            f"optimization.batch: {settings.optimization.batch} samples cannot be shared by {processes.ranks} processes"
        )
    with reproducible(settings.run, processes.device), interruptible() as interruption:
        state = TrainingState(settings, data.sha256, processes.device)
        loop = TrainingLoop(state, data, run, processes, interruption, on_progress, on_record)
        loop.start_or_resume(allow_change=allow_change)
        return loop.run()


class TrainingLoop:
    """The parts of a training, joined by `run`."""

    def __init__(
        self,
        state: TrainingState,
        data: TrainingData,
        folder: RunFolder,
        processes: Processes,
        interruption: Interruption,
        on_progress: OnProgress,
        on_record: OnRecord,
    ) -> None:
        self.state, self.data, self.folder, self.processes = state, data, folder, processes
        self.interruption, self.on_progress, self.on_record = interruption, on_progress, on_record
        self.settings, self.optimization = state.settings.run, state.settings.optimization
        self.losses = WeightedLoss(state.settings.losses, state.settings.loss_parameters).to(state.device)
        self.forward = processes.joined(state.network)
        if self.settings.compile:
            self.forward = torch.compile(self.forward)  # type: ignore[assignment]
        self.stopwatch = Stopwatch(state.device)
        self.arithmetic: Arithmetic | None = None
        self.batches: BatchesAhead
        self.storage = Storage(folder.path, writes=processes.is_first)
        self.exit_code = 0

    def run(self) -> Outcome:
        """The loop: batch, loss, gradient, and a step of the optimiser unless a number is not finite."""
        state = self.state
        while state.step < self.optimization.steps and not self.exit_code:
            batch = self.batches.take()
            buffers = [one.clone() for one in state.network.buffers()]
            total, terms = self.loss(batch)
            total.backward()
            self.batches.fetch()  # while a GPU is still busy with what it was given
            norm = clip_grad_norm_(state.network.parameters(), self.optimization.clip_norm or math.inf)
            numbers = _numbers(total, norm, terms)
            if self.agreed(is_bad=not all(map(math.isfinite, numbers.values()))):
                self.refuse(batch, buffers, numbers)
            else:
                state.apply_gradients()
                state.add(numbers)
                state.bad_in_a_row = 0
            state.optimizer.zero_grad(set_to_none=True)
            state.step += 1
            self.stopwatch.count(batch.reference[:, 0].numel())
            if state.bad_in_a_row == BAD_STEPS_IN_A_ROW:
                self.go_back()
            else:
                self.after_step()
        return self.finish()

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """(total, terms): of the settings, or the network's own where it has `losses(batch, output)`."""
        with torch.autocast(self.state.device.type, torch.bfloat16, self.settings.precision == "bfloat16"):
            output = self.forward(batch.inputs)
        own = getattr(self.state.network, "losses", None)
        return self.losses(output.float(), batch) if own is None else own(batch, output)

    def agreed(self, *, is_bad: bool) -> bool:
        """Whether any process found a bad number; notes whether any was told to stop."""
        bad, exit_code = self.processes.largest(is_bad, self.interruption.exit_code)
        self.exit_code = int(exit_code)
        return bool(bad)

    def refuse(self, batch: Batch, buffers: list[Tensor], numbers: dict[str, float]) -> None:
        """Leave weights and buffers as before this step, and write down what is needed to make it again."""
        state = self.state
        for kept, buffer in zip(buffers, state.network.buffers(), strict=True):
            buffer.copy_(kept)
        state.bad_in_a_row += 1
        report = {
            "step": state.step, "seed": self.settings.seed, "rows": list(batch.rows), "rate": state.rate,
            "inputs": [self.data.pair(row).input for row in batch.rows],
            "numbers": {name: repr(number) for name, number in numbers.items()},
        }  # fmt: skip
        path = self.folder.note_bad_step(state.step, self.processes.rank, report)
        log.warning("step %d: NaN or infinity, not applied; %s names its pictures", state.step, path)

    def go_back(self) -> None:
        """To the newest checkpoint, at half the rate; Diverged if that was done before."""
        state, found = self.state, newest_checkpoint(self.folder.path)
        if state.rate_factor < 1 or found is None:
            raise Diverged(
                f"{BAD_STEPS_IN_A_ROW} steps in a row up to step {state.step - 1} gave NaN or infinity, at half the "
                f"rate too. The last good checkpoint stays; {self.folder.path / 'bad_steps'} names the pictures. "
                f"Look at them, or start again with a smaller optimization.rate"
            )
        self.batches.close()
        self.restore(*found[:2])
        log.warning("back to step %d at half the rate", state.step)
        state.rate_factor, state.bad_in_a_row = 0.5, 0
        self.processes.wait()
        self.storage.save(state)

    def after_step(self) -> None:
        """Log, validate and save when it is time."""
        step, at_end = self.state.step, self.state.step == self.optimization.steps
        self.on_progress(
            step, f"loss {self.state.sums.get('loss', math.nan) / max(1, self.state.counted):.4g}"
        )
        if at_end or step % self.settings.log_every == 0:
            self.log_line()
        if at_end or step % self.settings.validate_every == 0:
            self.validate()
        is_good = self.state.bad_in_a_row == 0  # weights amid bad steps are none to go back to
        if at_end or self.exit_code or (is_good and step % self.settings.checkpoint_every == 0):
            with self.stopwatch.paused():
                self.storage.save(self.state)

    def log_line(self) -> None:
        """Means of the losses since the last line, and the speed."""
        rate, lap = self.state.rate, self.stopwatch.lap()
        means = self.processes.mean(self.state.take_means())
        self.record(
            {
                "step": self.state.step,
                "loss": means.pop("loss", None),
                "norm": means.pop("norm", None),
                "losses": means,
                "rate": rate,
                "mpx_s": round(lap.megapixels_per_second * self.processes.ranks, 4),
                "data_wait": round(lap.waiting_share, 4),
                "mfu": None if lap.utilisation is None else round(lap.utilisation, 4),
                "memory_mib": memory_mib(self.state.device),
            }
        )

    def validate(self) -> None:
        """Score the averaged weights on whole pictures, draw strips, and keep the weights if they are the best."""
        state, well_ev = self.state, self.state.settings.data.well_ev
        with self.stopwatch.paused():
            if state.exponents is None:
                state.exponents = best_exponents(self.data, self.processes, well_ev)
            folder = self.folder.path / "strips" / f"step-{state.step:08d}"
            strips = Strips(folder, self.data, self.settings.strips if self.processes.is_first else 0)
            found = validate(state.evaluated, self.data, self.processes, state.exponents, well_ev, strips)
            if state.best is None or found.score > state.best["score"]:
                self.storage.keep_best(state, found.score)
            state.network.train()
        self.record({"step": state.step, "score": found.score, "validation": found.as_document()})

    def record(self, record: dict[str, Any]) -> None:
        """One line for the log; a full disk is no reason to stop."""
        if self.processes.is_first:
            self.on_record(record)
            try:
                self.folder.log(record)
            except CannotWrite as error:
                log.warning("%s", error)

    def start_or_resume(self, *, allow_change: bool) -> None:
        """From the newest checkpoint, if any. The first is written before the first step: to see that it can be."""
        found = newest_checkpoint(self.folder.path)
        self.processes.wait()
        if found is None:
            self.fetch_from_here()
            self.storage.save(self.state)
        else:
            path, content, _ = found
            if not allow_change:
                require_same_run(content, self.state.settings, self.data.sha256, str(path))
            self.restore(path, content)
            log.info("going on from step %d", self.state.step)
        self.storage.require_saved()
        if self.processes.is_first:
            self.folder.store_settings(self.state.settings)

    def restore(self, path: Path, content: dict[str, Any]) -> None:
        """State, log and data as they were at a checkpoint."""
        self.state.restore(content, str(path))
        if self.processes.is_first:
            self.folder.forget_after(self.state.step)
        self.fetch_from_here()
        self.state.restore_random(content)

    def fetch_from_here(self) -> None:
        """Open the data at this step; with the first batch at hand, measure what a step costs (on a GPU).

        A loader with workers draws a random number, which must not change those of the network.
        """
        devices = [self.state.device] if self.state.device.type == "cuda" else []
        with self.stopwatch.paused(), torch.random.fork_rng(devices):
            self.batches = BatchesAhead(
                self.data.training(self.state.step),
                self.state.device,
                self.stopwatch,
                channels_last=self.settings.channels_last,
            )
            if self.arithmetic is None and self.batches.has_next:
                self.arithmetic = measured_arithmetic(self.state.evaluated, self.batches.take().inputs)
                self.stopwatch.arithmetic = self.arithmetic
                self.state.network.train()

    def finish(self) -> Outcome:
        """Let go of the data; CannotWrite if the last state could not be stored."""
        self.batches.close()
        self.stopwatch.lap()
        self.storage.require_saved()
        return Outcome(
            self.state.step, self.state.best, self.stopwatch.total(), self.arithmetic, self.exit_code
        )


def _numbers(total: Tensor, norm: Tensor, terms: dict[str, Tensor]) -> dict[str, float]:
    """Loss, norm and terms as floats, in one transfer from the device."""
    every = {"loss": total.detach(), "norm": norm, **terms}
    return dict(zip(every, torch.stack([one.float() for one in every.values()]).tolist(), strict=True))
