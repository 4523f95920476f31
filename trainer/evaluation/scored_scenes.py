"""One scene after the other: read, resized, enhanced by every method, scored. In worker processes where it pays."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from builder.dataset.finished import Pair
from fusion_algos.color import round_to_8_bit
from trainer.classical.exposure import Enhance, ev_bin
from trainer.evaluation.scene_views import Picture8, Protocol, View, read_views
from trainer.evaluation.scores import Target, scores, target
from trainer.exposure_kinds import ITSELF

NAMES = ["scene", "group", "input", "kind", "relative_ev", "ev_bin", "method"]  # of a row of scores
# what a method may raise on a picture: bad values, shapes and types, overflows, torch's and OpenCV's own errors, memory
FAILURES = (ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError, OSError, cv2.error)


@dataclass(frozen=True)
class Failure:
    """A method that gave no picture for an input, and why; method "" = the scene could not be read."""

    method: str
    input: str
    reason: str


@dataclass(frozen=True)
class Method:
    """What is measured: a name for the tables and a function. kinds: the exposures it is meant for."""

    name: str
    enhance: Enhance
    kinds: tuple[str, ...]

    def takes(self, kind: str) -> bool:
        """Whether the method is meant for under, well, over, or a reference itself."""
        return ("well" if kind == ITSELF else kind) in self.kinds


@dataclass(frozen=True)
class SceneScores:
    """Rows of the table per image, and what went wrong."""

    rows: tuple[dict[str, Any], ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, eq=False)
class SceneWork:
    """All that a worker needs: the methods that run there, and what the others have already made of each input."""

    protocol: Protocol
    pairs: tuple[Pair, ...]
    methods: tuple[Method, ...]
    outputs: Mapping[tuple[str, str, str], Picture8 | Failure] = field(default_factory=dict)


def enhanced(method: Method, view: View) -> Picture8 | Failure:
    """The clamped output, rounded to 8 bits; a Failure if the method gives none, or values that are no numbers."""
    try:
        output = method.enhance(view.exposure)
        if output.dtype == np.uint8:
            return output
        if not np.isfinite(output).all():
            return Failure(method.name, view.input, "the output has values that are no finite numbers")
        return round_to_8_bit(np.clip(output, 0, 1).astype(np.float32, copy=False))
    except FAILURES as error:
        return Failure(method.name, view.input, f"{type(error).__name__}: {error}")


def score_scene(work: SceneWork) -> SceneScores:
    """All methods on all exposures of a scene; what fails is reported and the others go on."""
    try:
        views = read_views(work.protocol, work.pairs)
        exposures = [view.exposure.picture for view in views if view.kind != ITSELF]
        wanted = target(views[0].exposure.reference, exposures)
    except FAILURES as error:
        return SceneScores(failures=(Failure("", work.pairs[0].scene, str(error)),))
    rows, failures = [], []
    for view, name, output in _outputs(work, views):
        scored = output if isinstance(output, Failure) else _scored(name, view, output, wanted)
        if isinstance(scored, Failure):
            failures.append(scored)
        else:
            rows.append(row_names(work.pairs[0], view, name) | scored)
    return SceneScores(tuple(rows), tuple(failures))


def _outputs(work: SceneWork, views: Sequence[View]) -> Iterator[tuple[View, str, Picture8 | Failure]]:
    """One output at a time: none is kept."""
    for view in views:
        for method in work.methods:
            if method.takes(view.kind):
                yield view, method.name, enhanced(method, view)
        for (name, kind, path), output in work.outputs.items():
            if (kind, path) == (view.kind, view.input):
                yield view, name, output


def _scored(name: str, view: View, output: Picture8, wanted: Target) -> dict[str, float] | Failure:
    try:
        return scores(output, wanted)
    except FAILURES as error:
        return Failure(name, view.input, f"cannot be scored: {error}")


def row_names(pair: Pair, view: View, method: str) -> dict[str, Any]:
    """The columns that say what a row of scores is of: NAMES."""
    return {
        "scene": pair.scene,
        "group": pair.group,
        "input": view.input,
        "kind": view.kind,
        "relative_ev": view.exposure.relative_ev,
        "ev_bin": ev_bin(view.exposure.relative_ev),
        "method": method,
    }


def prepared_works(
    protocol: Protocol,
    scenes: Iterable[tuple[Pair, ...]],
    methods: Sequence[Method],
    networks: Sequence[Method],
) -> Iterator[SceneWork]:
    """Work for `score_scene`; `networks` run here, one picture after the other, since they use all of the machine."""
    for pairs in scenes:
        outputs: dict[tuple[str, str, str], Picture8 | Failure] = {}
        if networks:
            try:
                views = read_views(protocol, pairs)
            except FAILURES:  # score_scene meets the same and reports it
                views = []
            outputs = {
                (network.name, view.kind, view.input): enhanced(network, view)
                for view in views
                for network in networks
                if network.takes(view.kind)
            }
        yield SceneWork(protocol, pairs, tuple(methods), outputs)


def score_all(works: Iterable[SceneWork], *, jobs: int) -> Iterator[SceneScores]:
    """The scores of each work as they are done; at most two works per process wait in memory.

    ValueError if a worker process was killed from outside.
    """
    if jobs == 1:
        yield from map(score_scene, works)
        return
    # spawn: a fork of a process in which PyTorch has threads may hang
    context, threads = multiprocessing.get_context("spawn"), max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(jobs, context, cv2.setNumThreads, (threads,)) as pool:
        try:
            yield from _in_workers(pool, works, 2 * jobs)
        except BrokenProcessPool as error:
            raise ValueError(
                "a worker process was killed, most likely for want of memory: use fewer --jobs or a smaller --size"
            ) from error


def _in_workers(pool: ProcessPoolExecutor, works: Iterable[SceneWork], most: int) -> Iterator[SceneScores]:
    waiting: set[Future[SceneScores]] = set()
    for work in works:
        waiting.add(pool.submit(score_scene, work))
        if len(waiting) >= most:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    yield from (future.result() for future in waiting)
