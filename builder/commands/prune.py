"""The command `prune`: what nothing needs any more. Never originals, exports or anything that was voted on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from builder.atomic_files import UNFINISHED
from builder.build import SceneIndex, Selection
from builder.catalog import Candidate, Catalog, catalog_url, open_catalog
from builder.commands.report import Report
from builder.plan import ScenePlan
from builder.settings import Settings
from builder.store import STAGES, Product, Store

UNFINISHED_HOURS = 1.0  # younger ones may belong to a build that is running


def prune_dataset(data: Path, settings: Settings, *, delete: bool) -> Report:
    """List (and with `delete` remove) unfinished files, the cache, and products that no plan and no row needs."""
    catalog = open_catalog(catalog_url(data))
    try:
        superseded = _superseded(catalog)
        kept = _row_keys(catalog) - superseded
        if delete:
            _forget(catalog, superseded)
    finally:
        catalog.close()
    index = SceneIndex(data, settings, Selection())
    store, rows = Store(data), []
    for name, plan in index.plans.items():
        needed = kept | _planned_keys(plan)
        for stage in STAGES:
            for product in store.products(stage, name):
                if stage == "cache" or not _is_needed(stage, product, needed):
                    why = (
                        "cache" if stage == "cache" else "superseded" if product.key in superseded else "old"
                    )
                    rows.append(_row(store, stage, name, product, why))
                    if delete:
                        _delete_product(store, stage, name, product)
    for path in _old_unfinished(data):
        rows.append((path.relative_to(data).as_posix(), "unfinished", _megabytes(path)))
        if delete:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    table = pd.DataFrame(rows, columns=["file", "why", "MB"])
    done = "deleted" if delete else "can go; add --yes to delete them"
    return Report({"Not needed": table}, (f"{len(rows)} products, {table['MB'].sum():.1f} MB {done}.",))


def _planned_keys(plan: ScenePlan) -> set[str]:
    recipes = (
        plan.alignment,
        *plan.candidates.values(),
        *plan.candidate_previews.values(),
        *plan.exposure_previews,
    )
    return {recipe.key for recipe in recipes}


def _is_needed(stage: str, product: Product, needed: set[str]) -> bool:
    """A product whose key is needed, or that is about such products only: scores and previews."""
    if product.key in needed:
        return True
    describes = stage == "previews" or product.label == "quality"
    return describes and bool(product.inputs) and set(product.inputs) <= needed


def _row_keys(catalog: Catalog) -> set[str]:
    with catalog.reading() as session:
        return set(session.scalars(select(Candidate.key)))


def _superseded(catalog: Catalog) -> set[str]:
    """Keys of superseded candidates that no vote and no reference holds."""
    with catalog.writing() as session:
        found = session.execute(
            select(Candidate.id, Candidate.key).where(Candidate.status == "superseded")
        ).all()
        return {key for number, key in found if _row_is_free(session, number)}


def _forget(catalog: Catalog, keys: set[str]) -> None:
    with catalog.writing() as session:
        session.execute(sql_delete(Candidate).where(Candidate.key.in_(keys)))


def _row_is_free(session: Session, number: int) -> bool:
    """Try to delete the row inside a savepoint: the foreign keys of votes and references refuse (RESTRICT)."""
    attempt = session.begin_nested()
    try:
        session.execute(sql_delete(Candidate).where(Candidate.id == number))
    except IntegrityError:
        return False
    finally:
        attempt.rollback()
    return True


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
