"""The command `status`: brings the store into the catalog, then shows scenes, stages and failures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from builder.build import SceneIndex, Selection
from builder.catalog import catalog_url, open_catalog
from builder.commands.report import Report, failure_table, scene_table
from builder.execution.ledger import Ledger
from builder.plan import ScenePlan
from builder.record import record_scene
from builder.settings import Settings
from builder.store import STAGES, Store, StoreSnapshot


def dataset_status(data: Path, settings: Settings, *, verify: bool) -> Report:
    """State of all scenes; what shards or a restored folder brought is recorded on the way."""
    index = SceneIndex(data, settings, Selection())
    if not index.plans and not index.broken:
        return Report(lines=(f"There are no scenes in {data}; give a folder of photographs: build SOURCE",))
    ledger = Ledger(data / "ledger")
    catalog = open_catalog(catalog_url(data))
    try:
        with catalog.writing() as session:
            for plan in index.plans.values():
                record_scene(session, StoreSnapshot(data), plan, ledger)
        with catalog.reading() as session:
            tables = {"Scenes": scene_table(session)}
            failures = failure_table(session)
    finally:
        catalog.close()
    failed = bool(tables["Scenes"]["status"].isin(["failed", "quarantined", "partial"]).any())
    if len(failures):
        tables["Candidates that could not be made"] = failures
    if index.broken:
        tables["Scenes that cannot be read"] = pd.DataFrame(index.broken.items(), columns=["scene", "reason"])
    if verify:
        damaged = [path for plan in index.plans.values() for path in _damaged(Store(data), plan)]
        if damaged:
            tables["Damaged files (delete them and build again)"] = pd.DataFrame({"file": damaged})
        failed = failed or bool(damaged)
    return Report(tables, failed=bool(failed or index.broken))


def _damaged(store: Store, plan: ScenePlan) -> list[str]:
    return [
        path
        for stage in STAGES
        for product in store.products(stage, plan.scene.name)
        for path in store.verify(product)
    ]
