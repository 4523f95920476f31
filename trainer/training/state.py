"""All that changes while a network learns; as a document it is a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from trainer.checkpoint import CheckpointError, origin
from trainer.networks import make_network
from trainer.settings import Settings, as_document, differences, from_document
from trainer.training.optimization import MovingAverage, make_optimizer, rate_at


class ResumeRefused(ValueError):
    """The folder holds a run on other data or with other settings."""


class TrainingState:
    """A network with its optimiser, average, counters and random numbers, at some step."""

    def __init__(self, settings: Settings, manifest_sha256: str, device: torch.device) -> None:
        """Before the first step; weights and all later random numbers come from the seed."""
        torch.manual_seed(settings.run.seed)
        self.settings, self.manifest_sha256, self.device = settings, manifest_sha256, device
        self.network = make_network(settings.network, settings.network_parameters).to(device)
        if settings.run.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)
        self.network.train()
        decay = settings.optimization.ema
        self.average = MovingAverage(self.network, decay) if decay else None
        self.optimizer = make_optimizer(self.network.parameters(), settings.optimization)
        self.step = 0
        self.rate_factor = 1.0  # halved when a run has to go back
        self.bad_in_a_row = 0
        self.best: dict[str, float] | None = None  # {"step", "score"}
        self.exponents: dict[str, float] | None = None  # the best gamma by kind of the validation pictures
        self.sums: dict[str, float] = {}  # of losses and norm since the last line of the log
        self.counted = 0

    @property
    def rate(self) -> float:
        """The learning rate of this step."""
        return rate_at(self.step, self.settings.optimization) * self.rate_factor

    def apply_gradients(self) -> None:
        """One step of the optimiser and of the average."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.network, self.step)

    def add(self, numbers: Mapping[str, float]) -> None:
        """Losses of one more step for the log's means."""
        for name, number in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + number
        self.counted += 1

    def take_means(self) -> dict[str, float]:
        """Means since the last call."""
        means = {name: total / self.counted for name, total in self.sums.items()} if self.counted else {}
        self.sums, self.counted = {}, 0
        return means

    @property
    def evaluated(self) -> torch.nn.Module:
        """The network that is validated and exported, in eval mode."""
        return self.network.eval() if self.average is None else self.average.network

    def as_document(self) -> dict[str, Any]:
        """A checkpoint."""
        cuda = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        return {
            **self._about(),
            "model": self.network.state_dict(),
            "ema": None if self.average is None else self.average.network.state_dict(),
            "optim": self.optimizer.state_dict(),
            "best": self.best,
            "exponents": self.exponents,
            "rate_factor": self.rate_factor,
            "bad_in_a_row": self.bad_in_a_row,
            "sums": dict(self.sums),
            "counted": self.counted,
            "rng": [torch.get_rng_state(), *cuda],
        }

    def best_document(self) -> dict[str, Any]:
        """The evaluated weights alone."""
        return {**self._about(), "model": self.evaluated.state_dict(), "ema": None, "best": self.best}

    def _about(self) -> dict[str, Any]:
        settings = self.settings
        return {
            **origin(settings.network, settings.network_parameters),
            "step": self.step,
            "config": as_document(settings),
            "manifest_sha256": self.manifest_sha256,
        }

    def restore(self, content: Mapping[str, Any], where: str) -> None:
        """Go on from a checkpoint, but for random numbers (`restore_random`). CheckpointError if it does not fit."""
        try:
            self.network.load_state_dict(content["model"])
            if self.average is not None:
                self.average.network.load_state_dict(content["ema"] or content["model"])
            if content["optim"] is not None:
                self.optimizer.load_state_dict(content["optim"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{where}: does not fit these settings ({error})") from error
        self.step, self.rate_factor = content["step"], content["rate_factor"]
        self.bad_in_a_row, self.best, self.exponents = (
            content["bad_in_a_row"],
            content["best"],
            content["exponents"],
        )
        self.sums, self.counted = dict(content["sums"]), content["counted"]

    def restore_random(self, content: Mapping[str, Any]) -> None:
        """The random numbers of a checkpoint."""
        torch.set_rng_state(content["rng"][0])
        if self.device.type == "cuda" and len(content["rng"]) > 1:
            torch.cuda.set_rng_state(content["rng"][1], self.device)


def require_same_run(
    content: Mapping[str, Any], settings: Settings, manifest_sha256: str, where: str
) -> None:
    """ResumeRefused if the checkpoint is of other data or of settings that learn something else."""
    faults = differences(from_document(content["config"], where), settings)
    if content["manifest_sha256"] != manifest_sha256:
        faults.insert(0, f"dataset: {content['manifest_sha256'][:12]} -> {manifest_sha256[:12]}")
    if faults:
        raise ResumeRefused(
            f"{where} is of another run: {'; '.join(faults)}. Give another --output, the same settings, "
            f"or --allow-change to go on all the same"
        )
