"""What a finished scene consists of: every recipe follows from its originals and the settings, without decoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from builder.scene_record import SceneRecord
from builder.settings import Settings
from builder.stages.align import alignment_recipe
from builder.stages.fuse import candidate_recipe, planned_algorithms
from builder.stages.preview import preview_recipe
from builder.store import Recipe, Store


@dataclass(frozen=True)
class ScenePlan:
    """The recipes of one scene under one set of settings."""

    scene: SceneRecord
    alignment: Recipe
    candidates: Mapping[str, Recipe]  # by algorithm, in display order
    candidate_previews: Mapping[str, Recipe]  # by algorithm
    exposure_previews: tuple[Recipe, ...]  # dark to bright

    def is_finished(self, store: Store) -> bool:
        """Nothing is left to do; a scene that alignment rejected is finished too."""
        alignment = store.find(self.alignment)
        if alignment is None:
            return False
        if alignment.result["rejected"]:
            return True
        rest = (*self.candidates.values(), *self.candidate_previews.values(), *self.exposure_previews)
        return all(store.find(recipe) is not None for recipe in rest)


def plan_scene(scene: SceneRecord, settings: Settings) -> ScenePlan:
    """Derive all recipes of a scene; raises SettingsError on an unknown algorithm or parameter."""
    alignment = alignment_recipe(scene, settings)
    candidates = {
        name: candidate_recipe(scene, alignment.key, name, settings) for name in planned_algorithms(settings)
    }
    return ScenePlan(
        scene,
        alignment,
        candidates,
        {
            name: preview_recipe(scene.name, name, recipe.key, settings.preview)
            for name, recipe in candidates.items()
        },
        tuple(
            preview_recipe(scene.name, f"exposure-{k:02d}", f"{alignment.key}:{k}", settings.preview)
            for k in range(len(scene.exposures))
        ),
    )
