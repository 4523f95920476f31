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
from builder.execution.ledger import Ledger
from builder.execution.step import Step
from builder.execution.tasks import WHOLE_TASK
from builder.images import read_image
from builder.plan import ScenePlan, plan_scene
from builder.scene_record import read_scene
from builder.settings import Settings
from builder.stages.align import AlignedScene, align_scene
from builder.stages.comparison import compare_candidates
from builder.stages.damage import make_damaged_copy
from builder.stages.fuse import fuse_candidate
from builder.stages.preview import make_preview
from builder.stages.quality import score_candidates
from builder.store import Product, Recipe, Store
from fusion_algos import ExposureStack
from fusion_algos.mef_ssim import GrayPlane, gray_plane

ALIGN_STEP = "align"
PREVIEW_STEP = "preview"
QUALITY_STEP = "quality"
COMPARISON_STEP = "comparison"
DAMAGE_STEP = "damage"
# a failure there costs the scene
SCENE_STEPS = (ALIGN_STEP, PREVIEW_STEP, QUALITY_STEP, COMPARISON_STEP, DAMAGE_STEP, WHOLE_TASK)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class SceneTask:
    """What a worker is told: small, and the same for every executor."""

    data: str
    scene: str
    settings: Settings
    frames: int
    megapixels: float
    is_practice: bool = False  # the parent knows all scenes and so which ones get damaged copies


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
    """Align, fuse, score, preview, compare and damage what is not done yet; an algorithm that raises costs
    one candidate."""
    return _SceneWork(task).run()


class _SceneWork:
    def __init__(self, task: SceneTask) -> None:
        data = Path(task.data)
        self.name = task.scene
        self.settings = task.settings
        self.store = Store(data)
        self.ledger = Ledger(data / "ledger")
        self.plan: ScenePlan = plan_scene(
            read_scene(data, task.scene), task.settings, is_practice=task.is_practice
        )
        self.gray_planes: dict[str, GrayPlane] = {}  # of the candidates made now, by key
        self.made = 0
        self.failed = 0

    def run(self) -> SceneSummary:
        started = time.perf_counter()
        if not self.aligned.rejected:
            for name in self.plan.candidates:
                self._candidate(name)
            self._score()
            self._preview_others()
            self._compare()
            self._damage()
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
        return Step(self.ledger, self.name, step, timeout_seconds=self.settings.run.timeout_seconds)

    def _candidate(self, algorithm: str) -> None:
        """Make one candidate and its preview unless they are there; an algorithm that fails is counted."""
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
            return
        if picture is not None:
            self.gray_planes[recipe.key] = gray_plane(picture)
        if self.store.find(preview) is None:
            self._preview(preview, self._picture(self.store.find(recipe)) if picture is None else picture)

    def _picture(self, candidate: Product | None) -> Picture:
        assert candidate is not None
        return read_image(self.store.root / candidate.path(".png"))

    def _score(self) -> None:
        """Score all candidates unless that is done; those of an earlier run have to be read for it."""
        recipe, candidates = self.plan.quality(self.store), self.plan.made(self.store)
        if not candidates or self.store.find(recipe) is not None:
            return
        for candidate in candidates:
            if candidate.key not in self.gray_planes:
                self.gray_planes[candidate.key] = gray_plane(self._picture(candidate))
        with self._step(QUALITY_STEP):
            fused = {candidate.key: self.gray_planes[candidate.key] for candidate in candidates}
            score_candidates(self.store, recipe, self.stack, fused)
        self.gray_planes.clear()

    def _compare(self) -> None:
        """Compare all candidates, imported ones too, unless that is done."""
        recipe, candidates = self.plan.comparison(self.store), self.plan.there(self.store)
        if candidates and self.store.find(recipe) is None:
            with self._step(COMPARISON_STEP):
                compare_candidates(self.store, recipe, self.aligned.frames(), candidates)

    def _damage(self) -> None:
        """Make the damaged copies of a practice scene that are not there."""
        missing = [
            (damage, recipe)
            for damage, recipe in self.plan.damaged(self.store).items()
            if self.store.find(recipe) is None
        ]
        if not missing:
            return
        sound = self._picture(self.plan.sound(self.store))
        for damage, recipe in missing:
            with self._step(DAMAGE_STEP):
                make_damaged_copy(self.store, recipe, sound, damage, self.settings.preview)

    def _preview_others(self) -> None:
        """Previews of the exposures, and of imported candidates whose previews are of an older kind."""
        for position, recipe in enumerate(self.plan.exposure_previews):
            if self.store.find(recipe) is None:
                self._preview(recipe, self.aligned.frames()[position])
        for candidate in self.plan.imported(self.store):
            recipe = self.plan.preview_of(candidate)
            if self.store.find(recipe) is None:
                self._preview(recipe, self._picture(candidate))

    def _preview(self, recipe: Recipe, picture: Picture) -> None:
        with self._step(PREVIEW_STEP):
            make_preview(self.store, recipe, picture, self.settings.preview)
