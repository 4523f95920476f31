"""The command `train`: a network from an exported dataset; the same command resumes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from trainer.dataset.manifest import Dataset, open_dataset
from trainer.networks import make_network
from trainer.settings import Settings, load_settings, preset_names
from trainer.training.data import DatasetBatches, prepared
from trainer.training.loop import Outcome, train
from trainer.training.processes import Processes, started_processes
from trainer.training.run_folder import RunFolder, opened
from trainer.training.tensorboard_log import tensorboard_log
from trainer.training.throughput import report

LINE_EVERY_SHARE = 20  # where there is no terminal: lines of progress in a run


@dataclass(frozen=True)
class Request:
    """The options as they were typed, but for the settings."""

    dataset: Path
    output: Path
    cache: Path | None = None
    fresh: bool = False
    allow_change: bool = False
    skip_bad: bool = False


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--network", help="A name of the list, or package.module:Class.")
@click.option("--preset", help=f"One of {', '.join(preset_names())}.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of settings, over the preset.")
@click.option("--set", "assignments", multiple=True, metavar="TABLE.KEY=VALUE", help="One setting, over all.")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Prepared frames; beside the run if not given."
)
@click.option("--fresh", is_flag=True, help="Refuse a folder that is not empty, instead of resuming.")
@click.option("--allow-change", is_flag=True, help="Resume although dataset or settings are others.")
@click.option("--skip-bad", is_flag=True, help="Leave out pairs with faults, and name them.")
def command(
    network: str | None, preset: str | None, config: Path | None, assignments: tuple[str, ...], **options: Any
) -> None:
    """Train on the exported DATASET. Repeating the command goes on from the last checkpoint."""
    settings = load_settings(preset, config, os.environ, assignments, network)
    with _logging_to_stderr():
        outcome = run_train(settings, Request(**options))
    click.get_current_context().exit(outcome.exit_code)


def run_train(settings: Settings, request: Request) -> Outcome:
    """The whole command but for reading options."""
    with started_processes(settings.run) as processes:
        data = _data(settings, request, processes)
        with (
            _run_folder(request, processes) as run,
            _progress(settings.optimization.steps, processes) as on_progress,
        ):
            outcome = train(
                settings, data, run, processes, allow_change=request.allow_change, on_progress=on_progress,
                on_record=_on_record(settings, run, processes),
            )  # fmt: skip
        if processes.is_first:
            click.echo(_closing(outcome, request, processes))
        return outcome


def _data(settings: Settings, request: Request, processes: Processes) -> DatasetBatches:
    """Everything is checked before the first output is written."""
    network = make_network(settings.network, settings.network_parameters)
    dataset = open_dataset(request.dataset, splits=("train", "val"), skip_bad=request.skip_bad)
    if processes.is_first:
        click.echo(_opening(settings, dataset, sum(one.numel() for one in network.parameters())))
    return prepared(
        dataset, settings, request.cache or request.output.absolute().parent / "cache", processes,
        needs=network.needs, multiple=network.multiple,
    )  # fmt: skip


def _opening(settings: Settings, dataset: Dataset, parameters: int) -> str:
    lines = [f"left out: {sentence}" for sentence in dataset.skipped]
    counts = ", ".join(
        f"{name} {len(dataset.split(name))} pairs of {len({pair.scene for pair in dataset.split(name)})} scenes"
        for name in ("train", "val")
    )
    lines.append(f"dataset {dataset.sha256[:12]}: {counts}")
    lines.append(f"network {settings.network}: {parameters:,} parameters")
    return "\n".join(lines)


@contextmanager
def _run_folder(request: Request, processes: Processes) -> Iterator[RunFolder]:
    """The first process holds the folder for all."""
    held = (
        opened(request.output, fresh=request.fresh)
        if processes.is_first
        else nullcontext(RunFolder(request.output))
    )
    with held as run:
        yield run


@contextmanager
def _progress(steps: int, processes: Processes) -> Iterator[Callable[[int, str], None]]:
    """A bar on a terminal, else some lines."""
    if not processes.is_first:
        yield lambda step, text: None
    elif sys.stderr.isatty():
        with tqdm(total=steps, unit="step", file=sys.stderr) as bar:

            def advance(step: int, text: str) -> None:
                bar.set_postfix_str(text, refresh=False)
                bar.update(step - bar.n)

            yield advance
    else:
        every = max(1, steps // LINE_EVERY_SHARE)
        yield lambda step, text: _log.info("step %d/%d %s", step, steps, text) if step % every == 0 else None


def _on_record(
    settings: Settings, run: RunFolder, processes: Processes
) -> Callable[[Mapping[str, Any]], None]:
    to_tensorboard = (
        tensorboard_log(run.path / "tensorboard") if settings.run.tensorboard and processes.is_first else None
    )

    def show(record: Mapping[str, Any]) -> None:
        if to_tensorboard is not None:
            to_tensorboard(record)
        if "validation" in record:
            _log.info("step %d validation: %s", record["step"], validation_line(record["validation"]))

    return show


def validation_line(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """PSNR by kind, beside identity and the best gamma."""
    return "; ".join(
        f"{kind} {one['psnr']:.2f} dB (identity {one['identity']:.2f}, gamma {one['exponent']:.2f} {one['gamma']:.2f})"
        for kind, one in kinds.items()
    )


def _closing(outcome: Outcome, request: Request, processes: Processes) -> str:
    if outcome.exit_code:
        return f"stopped after step {outcome.step} and saved; the same command goes on from there"
    best = (
        f"; the best validation, {outcome.best['score']:.2f} dB, at step {outcome.best['step']}"
        if outcome.best
        else ""
    )
    lines = [f"done: {outcome.step} steps{best}"]
    if outcome.throughput.megapixels:
        lines.append(report(outcome.throughput, processes.device, outcome.arithmetic))
    else:
        lines.append("it was finished before; nothing was computed")
    lines.append(f"next: python -m trainer evaluate {request.dataset} {request.output} --split val")
    return "\n".join(lines)


_log = logging.getLogger("trainer")


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    level, propagate = _log.level, _log.propagate
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(level)
        _log.propagate = propagate
