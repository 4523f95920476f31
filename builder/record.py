"""From files to rows: brings what the store, the scene files and the ledger say into the catalog.

The parent of a build calls it after each scene, `status` after shards that ran without a catalog; because all facts
are in files, a lost catalog is rebuilt by the same function (but for votes and references).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from builder.catalog import Candidate, DamagedCopy, Exposure, Scene
from builder.execution.ledger import Failure, Ledger
from builder.pipeline import SCENE_STEPS
from builder.plan import ScenePlan
from builder.stages.damage import is_damaged
from builder.store import Product, Store


@dataclass(frozen=True)
class _Made:
    """What is there of a scene, read once."""

    fused: tuple[Product, ...]
    previews: tuple[Product, ...]


def record_scene(session: Session, store: Store, plan: ScenePlan, ledger: Ledger) -> Scene:
    """Insert or update the rows of one scene; returns its row."""
    # Most scenes are as they were; to find that out at each query took a fifth of the time.
    with session.no_autoflush:
        return _recorded(session, store, plan, ledger)


def _recorded(session: Session, store: Store, plan: ScenePlan, ledger: Ledger) -> Scene:
    failures = {failure.step: failure for failure in ledger.failures(plan.scene.name)}
    scene = session.scalar(select(Scene).where(Scene.name == plan.scene.name))
    if scene is None:
        scene = Scene(name=plan.scene.name, group_name=plan.scene.group, status="ingested")
        session.add(scene)
    alignment = store.find(plan.alignment)
    made = _Made(*(tuple(store.products(stage, plan.scene.name)) for stage in ("fused", "previews")))
    _record_alignment(scene, plan, alignment)
    _number_new_rows(session)
    _record_exposures(scene, store, plan, alignment)
    candidates = _record_candidates(session, scene, made, plan, failures)
    _record_comparison(scene, store, made, plan)
    _number_new_rows(session)
    _record_damaged_copies(session, scene, store, made, plan)
    scene.status, scene.reason = _status(store, plan, alignment, candidates, failures)
    return scene


def _number_new_rows(session: Session) -> None:
    """The next rows refer to these by their ids."""
    if session.new:
        session.flush()


def _record_alignment(scene: Scene, plan: ScenePlan, alignment: Product | None) -> None:
    scene.group_name = plan.scene.group
    facts: dict[str, Any] = dict(alignment.result) if alignment else {}
    scene.width, scene.height = facts.get("width"), facts.get("height")
    scene.crop = facts.get("crop")
    scene.reference_position = facts.get("reference")
    scene.ghost_score = facts.get("ghost_score")
    motion = facts.get("motion", "static")
    moving = [] if motion == "static" else [motion]
    scene.flags = sorted({*plan.scene.flags, *facts.get("flags", ()), *moving})


def _record_exposures(scene: Scene, store: Store, plan: ScenePlan, alignment: Product | None) -> None:
    rows = {row.position: row for row in scene.exposures}
    for position, exposure in enumerate(plan.scene.exposures):
        row = rows.pop(position, None) or Exposure(scene_id=scene.id, position=position)
        row.original_path, row.sha256 = exposure.path, exposure.sha256
        row.companion_path = exposure.companion
        row.seconds, row.f_number, row.iso = exposure.seconds, exposure.f_number, exposure.iso
        row.relative_ev = exposure.relative_ev
        row.captured_at = datetime.fromisoformat(exposure.captured_at) if exposure.captured_at else None
        frame = alignment.result["frames"][position] if alignment else {}
        row.aligned_path, row.transform = frame.get("path"), frame.get("transform")
        row.linear_path = frame.get("linear")
        preview = store.find(plan.exposure_previews[position])
        row.preview_path = preview.files[0].path if preview else None
        if row not in scene.exposures:
            scene.exposures.append(row)
    for row in rows.values():
        scene.exposures.remove(row)


def _record_candidates(
    session: Session, scene: Scene, made: _Made, plan: ScenePlan, failures: dict[str, Failure]
) -> list[Candidate]:
    """Rows of the planned candidates (done or failed), of older ones (superseded) and of imported ones."""
    rows = {row.key: row for row in scene.candidates}
    planned = {recipe.key: name for name, recipe in plan.candidates.items()}
    for product in made.fused:
        if "algorithm" in product.settings:
            row = rows.get(product.key) or _new_candidate(scene, product.key, product.settings)
            rows[row.key] = row
            row.path, row.sha256 = product.files[0].path, product.files[0].sha256
            row.status, row.error = "done", None
            if product.key not in planned and not row.imported:
                row.status = "superseded"
    for key, name in planned.items():
        failure = failures.get(name)
        if failure is not None and (key not in rows or rows[key].path is None):
            row = rows.get(key) or _new_candidate(scene, key, plan.candidates[name].settings)
            rows[key] = row
            row.status = "quarantined" if failure.kind == "quarantined" else "failed"
            row.error = failure.message
    _record_previews(rows, made, plan)
    session.add_all(rows.values())
    return [row for row in rows.values() if row.key in planned]


def _new_candidate(scene: Scene, key: str, settings: Any) -> Candidate:
    return Candidate(
        scene=scene,
        key=key,
        algorithm=settings["algorithm"],
        revision=settings["revision"],
        parameters=dict(settings["parameters"]),
        imported=bool(settings.get("imported", False)),
        status="failed",
    )


def _record_previews(rows: dict[str, Candidate], made: _Made, plan: ScenePlan) -> None:
    """Of several previews of one candidate (the settings changed) the current one counts."""
    previews: dict[str, str] = {}
    current = {recipe.key for recipe in plan.candidate_previews.values()}
    current |= {plan.preview_of(product).key for product in plan.imported_of(made.fused)}
    for product in made.previews:
        for key in product.inputs:
            if not is_damaged(product) and (product.key in current or key not in previews):
                previews[key] = product.files[0].path
    scores: dict[str, float] = {}
    for product in made.fused:
        scores |= product.result.get("mef_ssim", {})
    for row in rows.values():
        row.preview_path = previews.get(row.key)
        row.quality = scores.get(row.key)


def _record_comparison(scene: Scene, store: Store, made: _Made, plan: ScenePlan) -> None:
    """What the current comparison says of the scene; gates also of candidates that only an older one knows."""
    comparison = store.find(plan.comparison(store))
    facts: dict[str, Any] = dict(comparison.result) if comparison else {}
    scene.pairwise_psnr = facts.get("pairwise_psnr", [])
    scene.near_duplicates = facts.get("near_duplicates", [])
    scene.disagreement_points = facts.get("disagreement_points", [])
    failures: dict[str, list[str]] = {}
    for product in made.fused:
        failures |= product.result.get("gate_failures", {})
    failures |= facts.get("gate_failures", {})
    for row in scene.candidates:
        row.gate_failures = failures.get(row.key, [])


def _record_damaged_copies(
    session: Session, scene: Scene, store: Store, made: _Made, plan: ScenePlan
) -> None:
    """A row for each copy; once there is a complete newer set, older ones keep theirs only for a study."""
    sound = {row.key: row.id for row in scene.candidates}
    copies = {
        product.key: product
        for product in made.previews
        if is_damaged(product) and product.inputs[0] in sound
    }
    known = {
        row.key: row for row in session.scalars(select(DamagedCopy).where(DamagedCopy.scene_id == scene.id))
    }
    if not copies and not known:
        return  # as with all but some practice scenes
    current = {recipe.key for recipe in plan.possible_damage(store).values()}
    wanted = current if current and current <= copies.keys() else copies.keys()
    for key in known.keys() - wanted:
        _forget_unless_held(session, known[key])
    for key in sorted(wanted - known.keys()):
        product = copies[key]
        session.add(
            DamagedCopy(
                scene_id=scene.id,
                candidate_id=sound[product.inputs[0]],
                key=key,
                fault=product.result["fault"],
                at=product.result["at"],
                preview_path=product.files[0].path,
            )
        )


def _forget_unless_held(session: Session, copy: DamagedCopy) -> None:
    try:
        with session.begin_nested():
            session.delete(copy)
    except IntegrityError:
        return  # a study shows it


def _status(
    store: Store,
    plan: ScenePlan,
    alignment: Product | None,
    candidates: Iterable[Candidate],
    failures: dict[str, Failure],
) -> tuple[str, str]:
    blocking = next((failures[step] for step in SCENE_STEPS if step in failures), None)
    if blocking is not None and not plan.is_finished(store):  # else a host that was given up did it after all
        return ("quarantined" if blocking.kind == "quarantined" else "failed"), blocking.message
    if alignment is None:
        return "ingested", ""
    if alignment.result["rejected"]:
        return "rejected", str(alignment.result["rejected"])
    done = {row.algorithm for row in candidates if row.status == "done" and row.preview_path}
    broken = sorted(row.algorithm for row in candidates if row.status in ("failed", "quarantined"))
    if broken:
        return "partial", f"no candidate from {', '.join(broken)}"
    return ("ready", "") if done == set(plan.candidates) else ("aligned", "")
