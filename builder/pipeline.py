"""All stages of one scene, in plain sight: this is what a worker does."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.atomic_files import CannotWrite
from builder.execution.ledger import Ledger, Step
from builder.execution.tasks import WHOLE_TASK
from builder.images import read_image
from builder.plan import ScenePlan, plan_scene
from builder.scene_record import read_scene
from builder.settings import Settings
from builder.stages.align import AlignedScene, align_scene
from builder.stages.fuse import fuse_candidate
from builder.stages.preview import make_preview
from builder.stages.quality import quality_recipe, score_candidates
from builder.store import Recipe, Store
from fusion_algos import ExposureStack
from fusion_algos.mef_ssim import GrayPlane, gray_plane

ALIGN_STEP = "align"
PREVIEW_STEP = "preview"
QUALITY_STEP = "quality"
SCENE_STEPS = (ALIGN_STEP, PREVIEW_STEP, QUALITY_STEP, WHOLE_TASK)  # a failure there costs the scene

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class SceneTask:
    """What a worker is told: small, and the same for every executor."""

    data: str
    scene: str
    settings: Settings
    frames: int
    megapixels: float


@dataclass(frozen=True)
class SceneSummary:
    """What a worker answers: never pixels."""

    scene: str
    rejected: str
    candidates_made: int
    candidates_failed: int
    frames_decoded: int
    seconds: float
    peak_rss_mib: int


def build_scene(task: SceneTask) -> SceneSummary:
    """Align, fuse, score and preview what is not done yet; an algorithm that raises costs one candidate."""
    return _SceneWork(task).run()


class _SceneWork:
    def __init__(self, task: SceneTask) -> None:
        data = Path(task.data)
        self.name = task.scene
        self.settings = task.settings
        self.store = Store(data)
        self.ledger = Ledger(data / "ledger")
        self.plan: ScenePlan = plan_scene(read_scene(data, task.scene), task.settings)
        self.gray_planes: dict[str, GrayPlane] = {}  # of the candidates made now, by key
        self.made = 0
        self.failed = 0

    def run(self) -> SceneSummary:
        started = time.perf_counter()
        if not self.aligned.rejected:
            finished = [name for name in self.plan.candidates if self._candidate(name)]
            self._score([self.plan.candidates[name] for name in finished])
            self._preview_exposures()
        return SceneSummary(
            self.name,
            self.aligned.rejected,
            self.made,
            self.failed,
            self.aligned.originals.decoded,
            round(time.perf_counter() - started, 3),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        )

    @cached_property
    def aligned(self) -> AlignedScene:
        with self._step(ALIGN_STEP):
            return align_scene(self.store, self.plan.scene, self.settings)

    @cached_property
    def stack(self) -> ExposureStack:
        return self.aligned.stack()

    def _step(self, step: str) -> Step:
        return self.ledger.step(self.name, step, timeout_seconds=self.settings.run.timeout_seconds)

    def _candidate(self, algorithm: str) -> bool:
        """Make one candidate and its preview unless they are there; False if the algorithm failed."""
        recipe, preview = self.plan.candidates[algorithm], self.plan.candidate_previews[algorithm]
        picture = None
        try:
            if self.store.find(recipe) is None:
                with self._step(algorithm):
                    _, picture = fuse_candidate(self.store, recipe, self.stack, self.aligned.is_moving)
                self.made += 1
        except CannotWrite:
            raise  # the disk's fault, not the algorithm's
        except Exception:  # noqa: BLE001 - the one place: it costs one candidate, and the step has noted it
            self.failed += 1
            return False
        if picture is not None:
            self.gray_planes[recipe.key] = gray_plane(picture)
        if self.store.find(preview) is None:
            self._preview(preview, self._stored(recipe) if picture is None else picture)
        return True

    def _stored(self, candidate: Recipe) -> Picture:
        product = self.store.find(candidate)
        assert product is not None
        return read_image(self.store.root / product.path(".png"))

    def _score(self, candidates: list[Recipe]) -> None:
        """Score all candidates unless that is done; those of an earlier run have to be read for it."""
        recipe = quality_recipe(self.name, tuple(candidate.key for candidate in candidates))
        if not candidates or self.store.find(recipe) is not None:
            return
        for candidate in candidates:
            if candidate.key not in self.gray_planes:
                self.gray_planes[candidate.key] = gray_plane(self._stored(candidate))
        with self._step(QUALITY_STEP):
            fused = {candidate.key: self.gray_planes[candidate.key] for candidate in candidates}
            score_candidates(self.store, recipe, self.stack, fused)

    def _preview_exposures(self) -> None:
        for position, recipe in enumerate(self.plan.exposure_previews):
            if self.store.find(recipe) is None:
                self._preview(recipe, self.aligned.frames()[position])

    def _preview(self, recipe: Recipe, picture: Picture) -> None:
        with self._step(PREVIEW_STEP):
            make_preview(self.store, recipe, picture, self.settings.preview)
