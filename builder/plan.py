"""What a finished scene consists of: every recipe follows from its originals and the settings, without decoding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from builder.scene_record import SceneRecord
from builder.settings import PreviewSettings, Settings
from builder.stages.align import alignment_recipe
from builder.stages.comparison import comparison_recipe
from builder.stages.damage import DAMAGES, Damage, damaged_recipe, sound_candidate
from builder.stages.fuse import candidate_recipe, planned_algorithms
from builder.stages.preview import preview_recipe
from builder.stages.quality import quality_recipe
from builder.store import Product, Recipe, Store


@dataclass(frozen=True)
class ScenePlan:
    """The recipes of one scene under one set of settings."""

    scene: SceneRecord
    alignment: Recipe
    candidates: Mapping[str, Recipe]  # by algorithm, in display order
    candidate_previews: Mapping[str, Recipe]  # by algorithm
    exposure_previews: tuple[Recipe, ...]  # dark to bright
    preview_settings: PreviewSettings
    is_practice: bool  # gets damaged copies

    def is_finished(self, store: Store) -> bool:
        """Nothing is left to do; a scene that alignment rejected is finished too."""
        alignment = store.find(self.alignment)
        if alignment is None:
            return False
        if alignment.result["rejected"]:
            return True
        rest = (
            *self.candidates.values(),
            *self.candidate_previews.values(),
            *self.exposure_previews,
            *(self.preview_of(product) for product in self.imported(store)),
        )
        if any(store.find(recipe) is None for recipe in rest):
            return False
        facts = (self.quality(store), self.comparison(store))
        if any(store.find(recipe) is None for recipe in facts):
            return False
        return all(store.find(recipe) is not None for recipe in self.damaged(store).values())

    def imported(self, store: Store) -> list[Product]:
        """Candidates that another program made of this scene, by name."""
        return self.imported_of(store.products("fused", self.scene.name))

    def imported_of(self, fused: Iterable[Product]) -> list[Product]:
        """Those of all fused pictures of the scene that another program made."""
        return [product for product in fused if product.settings.get("imported")]

    def made(self, store: Store) -> list[Product]:
        """Our candidates that are there, in display order."""
        found = (store.find(recipe) for recipe in self.candidates.values())
        return [product for product in found if product is not None]

    def preview_of(self, imported: Product) -> Recipe:
        """The recipe of an imported candidate's preview."""
        return preview_recipe(self.scene.name, imported.label, imported.key, self.preview_settings)

    def quality(self, store: Store) -> Recipe:
        """The scores of our candidates that are there."""
        return quality_recipe(self.scene.name, tuple(product.key for product in self.made(store)))

    def comparison(self, store: Store) -> Recipe:
        """The comparison of all candidates that are there, the imported ones last."""
        return comparison_recipe(self.scene.name, self.alignment.key, tuple(self.there(store)))

    def there(self, store: Store) -> dict[str, Product]:
        """All candidates that are there by key: ours in display order, then imported ones."""
        return {product.key: product for product in (*self.made(store), *self.imported(store))}

    def sound(self, store: Store) -> Product | None:
        """The candidate whose copies are damaged; None before scores and comparison are there."""
        alignment = store.find(self.alignment)
        quality, comparison = store.find(self.quality(store)), store.find(self.comparison(store))
        if alignment is None or quality is None or comparison is None:
            return None
        made = {product.key: product for product in self.made(store)}
        key = sound_candidate(
            quality.result["mef_ssim"],
            comparison.result["gate_failures"],
            {key: str(product.settings["algorithm"]) for key, product in made.items()},
            alignment.result["motion"] != "static",
        )
        return made[key] if key else None

    def damaged(self, store: Store) -> dict[Damage, Recipe]:
        """The previews of damaged copies that have to be there: none but for practice scenes."""
        return self.possible_damage(store) if self.is_practice else {}

    def possible_damage(self, store: Store) -> dict[Damage, Recipe]:
        """The previews of damaged copies, should the scene get any; empty before `sound` is known."""
        sound = self.sound(store)
        if sound is None:
            return {}
        return {
            damage: damaged_recipe(self.scene.name, sound.key, damage, self.preview_settings)
            for damage in DAMAGES
        }


def plan_scene(scene: SceneRecord, settings: Settings, *, is_practice: bool) -> ScenePlan:
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
        settings.preview,
        is_practice,
    )
