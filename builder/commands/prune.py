"""The command `prune`: what nothing needs any more. Never originals, exports or anything that a study shows."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sqlalchemy import Delete, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from builder.atomic_files import UNFINISHED
from builder.build import SceneIndex, Selection
from builder.catalog import Candidate, Catalog, DamagedCopy, Exposure, Scene, catalog_url, open_catalog
from builder.commands.report import Report
from builder.plan import ScenePlan
from builder.settings import Settings
from builder.stages.comparison import LABEL as COMPARISON
from builder.stages.damage import is_damaged
from builder.stages.quality import LABEL as QUALITY
from builder.store import STAGES, Product, Recipe, Store

UNFINISHED_HOURS = 1.0  # younger ones may belong to a build that is running


@dataclass(frozen=True)
class RowFacts:
    """What the catalog says about what may go."""

    kept: frozenset[str]  # keys of candidates whose rows stay
    superseded: frozenset[str]  # keys of candidates whose rows can go
    held: frozenset[str]  # names of scenes that other rows refer to: a study shows their previews


def prune_dataset(data: Path, settings: Settings, *, delete: bool) -> Report:
    """List (and with `delete` remove) unfinished files, the cache, and products that no plan and no row needs."""
    catalog = open_catalog(catalog_url(data))
    try:
        facts = _row_facts(catalog)
        if delete:
            _forget(catalog, facts.superseded)
    finally:
        catalog.close()
    index = SceneIndex(data, settings, Selection())
    store, rows = Store(data), []
    for plan in index.plans.values():
        for stage, product, why in _not_needed(store, plan, facts):
            rows.append(_row(store, stage, plan.scene.name, product, why))
            if delete:
                _delete_product(store, stage, plan.scene.name, product)
    for path in _old_unfinished(data):
        rows.append((path.relative_to(data).as_posix(), "unfinished", _megabytes(path)))
        if delete:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    table = pd.DataFrame(rows, columns=["file", "why", "MB"])
    done = "deleted" if delete else "can go; add --yes to delete them"
    return Report({"Not needed": table}, (f"{len(rows)} products, {table['MB'].sum():.1f} MB {done}.",))


def _not_needed(store: Store, plan: ScenePlan, facts: RowFacts) -> list[tuple[str, Product, str]]:
    """Stage, product and reason of all that can go; looked up as a whole, before the first is deleted."""
    previews = _planned_previews(store, plan)
    shown = {key for recipe in previews if store.find(recipe) is not None for key in recipe.inputs}
    needed = facts.kept | {recipe.key for recipe in (plan.alignment, *plan.candidates.values(), *previews)}
    found = []
    for stage in STAGES:
        for product in store.products(stage, plan.scene.name):
            if stage == "cache":
                found.append((stage, product, "cache"))
            elif stage == "previews" and plan.scene.name in facts.held:
                if facts.superseded & set(product.inputs):
                    found.append((stage, product, "superseded"))
            elif not _is_needed(stage, product, needed, shown):
                found.append((stage, product, "superseded" if product.key in facts.superseded else "old"))
    return found


def _planned_previews(store: Store, plan: ScenePlan) -> list[Recipe]:
    imported = (plan.preview_of(product) for product in plan.imported(store))
    damaged = plan.damaged(store).values()
    return [*plan.candidate_previews.values(), *plan.exposure_previews, *imported, *damaged]


def _is_needed(stage: str, product: Product, needed: set[str] | frozenset[str], shown: set[str]) -> bool:
    """A product whose key is needed, or that is about such products only: scores, comparisons, and previews
    (once made, a damaged copy stays; any other preview until there is a newer one)."""
    if product.key in needed:
        return True
    about = set(product.inputs)
    if stage == "previews":
        return about <= needed and (is_damaged(product) or not about & shown)
    return product.label in (QUALITY, COMPARISON) and about <= needed


def _row_facts(catalog: Catalog) -> RowFacts:
    with catalog.writing() as session:
        rows = session.execute(select(Candidate.id, Candidate.key, Candidate.status)).all()
        superseded = {
            row.key
            for row in rows
            if row.status == "superseded" and _can_go(session, _candidate_rows(row.id))
        }
        scenes = session.execute(select(Scene.id, Scene.name)).all()
        held = {scene.name for scene in scenes if not _can_go(session, _scene_rows(scene.id))}
    kept = {row.key for row in rows} - superseded
    return RowFacts(frozenset(kept), frozenset(superseded), frozenset(held))


def _candidate_rows(number: int) -> list[Delete]:
    return [
        sql_delete(DamagedCopy).where(DamagedCopy.candidate_id == number),
        sql_delete(Candidate).where(Candidate.id == number),
    ]


def _scene_rows(number: int) -> list[Delete]:
    return [
        sql_delete(DamagedCopy).where(DamagedCopy.scene_id == number),
        sql_delete(Candidate).where(Candidate.scene_id == number),
        sql_delete(Exposure).where(Exposure.scene_id == number),
        sql_delete(Scene).where(Scene.id == number),
    ]


def _can_go(session: Session, deletions: Sequence[Delete]) -> bool:
    """Try to delete rows inside a savepoint: the foreign keys of studies and references refuse (RESTRICT).

    So the tables of the study need not be known here.
    """
    attempt = session.begin_nested()
    try:
        for deletion in deletions:
            session.execute(deletion)
    except IntegrityError:
        return False
    finally:
        attempt.rollback()
    return True


def _forget(catalog: Catalog, keys: Collection[str]) -> None:
    with catalog.writing() as session:
        for number in session.scalars(select(Candidate.id).where(Candidate.key.in_(keys))).all():
            for deletion in _candidate_rows(number):
                session.execute(deletion)


def _row(store: Store, stage: str, scene: str, product: Product, why: str) -> tuple[str, str, float]:
    size = sum(file.size for file in product.files)
    return f"{stage}/{scene}/{product.label}-{product.key[:12]}", why, round(size / 1e6, 2)


def _delete_product(store: Store, stage: str, scene: str, product: Product) -> None:
    """The sidecar goes first: whatever happens then, no product is left that lacks a file."""
    (store.folder(stage, scene) / f"{product.label}-{product.key[:12]}.json").unlink(missing_ok=True)
    for file in product.files:
        path = store.root / file.path
        shutil.rmtree(path) if file.entries else path.unlink(missing_ok=True)


def _old_unfinished(data: Path) -> Iterator[Path]:
    limit = time.time() - UNFINISHED_HOURS * 3600
    for stage in (*STAGES, "originals"):
        for path in sorted((data / stage).glob(f"*/{UNFINISHED}*")):
            if path.lstat().st_mtime < limit:
                yield path


def _megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / 1e6, 2)
