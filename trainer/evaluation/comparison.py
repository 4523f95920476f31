"""The comparison of methods on a split of a dataset: the protocol, end to end, without any file written."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence, Set
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from builder.dataset.finished import Pair
from trainer.dataset.manifest import Dataset
from trainer.evaluation.bootstrap import LEVEL, RESAMPLES, SEED
from trainer.evaluation.hdr_estimates import HdrEstimates
from trainer.evaluation.methods import Cost, NetworkMethod, baseline_methods, costs, described
from trainer.evaluation.scene_views import Protocol, read_picture, scenes_of, training_exposures
from trainer.evaluation.scored_scenes import NAMES, Failure, Method, SceneScores, prepared_works, score_all
from trainer.evaluation.scores import METRICS
from trainer.evaluation.tables import do_no_harm, in_table_order, summary
from trainer.exposure_kinds import KINDS, kind_of

FIT_SIDE = 256  # short side of the pictures that gamma_fit is fitted on
LIBRARIES = ("numpy", "opencv-python-headless", "scipy", "pandas", "torch")


@dataclass(frozen=True)
class Comparison:
    """What is compared on what. `against`: the method that paired differences refer to."""

    dataset: Dataset
    split: str
    protocol: Protocol
    baselines: tuple[Method, ...]
    networks: tuple[NetworkMethod, ...]
    against: str = "identity"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """header: what the figures are of. images: scores per image. summary, gate: as in tables.py. costs: per method."""

    header: dict[str, Any]
    images: pd.DataFrame
    summary: pd.DataFrame
    gate: pd.DataFrame
    costs: pd.DataFrame
    failures: tuple[Failure, ...]
    hdr: HdrEstimates | None = None  # if a network gives light and scenes have it


def fitted_baselines(
    dataset: Dataset, names: Sequence[str], protocol: Protocol, *, jobs: int
) -> tuple[Method, ...]:
    """The baselines of these names; what is fitted sees the train split at a small size."""
    small = replace(protocol, short_side=min(FIT_SIDE, protocol.short_side or FIT_SIDE))
    return tuple(
        baseline_methods(names, lambda: training_exposures(small, dataset.split("train"), jobs=jobs))
    )


def evaluate(comparison: Comparison, *, jobs: int, on_scene: Callable[[], Any] = lambda: None) -> Evaluation:
    """Score every method on every scene, then measure costs. ValueError if nothing could be scored."""
    pairs = comparison.dataset.split(comparison.split)
    networks = [one.method for one in comparison.networks]
    scenes = scenes_of(pairs)
    works = prepared_works(comparison.protocol, scenes, comparison.baselines, networks)
    scored = []
    for scores in score_all(works, jobs=jobs):
        scored.append(scores)
        on_scene()
    images = _image_table(scored, [*comparison.baselines, *(networks)])
    failures = tuple(sorted((one for each in scored for one in each.failures), key=lambda one: one.input))
    if not len(images):
        reasons = "\n  ".join(f"{one.input}: {one.reason}" for one in failures)
        raise ValueError(f"nothing could be scored:\n  {reasons}")
    return Evaluation(
        _header(comparison, pairs),
        images,
        summary(images, comparison.against),
        do_no_harm(images),
        _cost_table(comparison, pairs, set(images["input"])),
        failures,
    )


def _image_table(scored: Sequence[SceneScores], methods: Sequence[Method]) -> pd.DataFrame:
    """Rows by method in the order of the table, then by scene and input, in whatever order they were done."""
    table = pd.DataFrame([row for each in scored for row in each.rows], columns=[*NAMES, *METRICS])
    return in_table_order(table, [method.name for method in methods])


def _cost_table(comparison: Comparison, pairs: Sequence[Pair], scored: Set[str]) -> pd.DataFrame:
    """Costs on the first picture that could be read."""
    first = min((pair for pair in pairs if pair.input in scored), key=lambda pair: (pair.scene, pair.input))
    picture = read_picture(comparison.protocol, first.input)
    measured = costs(comparison.baselines, comparison.networks, picture, first.relative_ev)
    return pd.DataFrame([asdict(one) for one in measured], columns=list(Cost.__dataclass_fields__))


def _header(comparison: Comparison, pairs: Sequence[Pair]) -> dict[str, Any]:
    """All that is needed to know whether two tables may be compared."""
    kinds = [kind_of(pair.relative_ev, comparison.protocol.well_ev) for pair in pairs]
    return {
        "dataset": comparison.dataset.folder.resolve().name,
        "manifest_sha256": comparison.dataset.sha256,
        "split": comparison.split,
        "short_side": comparison.protocol.short_side or "native",
        "well_ev": comparison.protocol.well_ev,
        "scenes": len({pair.scene for pair in pairs}),
        "images": {kind: kinds.count(kind) for kind in KINDS},
        "skipped": list(comparison.dataset.skipped),
        "against": comparison.against,
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "level": LEVEL, "unit": "scene"},
        "networks": described(comparison.networks),
        "versions": {"python": platform.python_version()} | _versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found
