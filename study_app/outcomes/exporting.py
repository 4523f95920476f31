"""The study as a ZIP of CSV and JSON: the same votes give the same bytes, and the verdicts follow from it alone."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.orm import Session

from builder.atomic_files import sha256_hex
from study_app.outcomes.deciding import scene_verdicts
from study_app.outcomes.export_files import as_csv, as_json, as_time, as_zip, verdict_table
from study_app.outcomes.export_tables import export_tables
from study_app.outcomes.verdicts import results_hash
from study_app.storage.models import Study

FORMAT_VERSION = 1


def export_zip(session: Session, study: Study) -> bytes:
    """All that was asked, answered and decided, under pseudonyms; no e-mail address, no path."""
    verdicts = [one.verdict for one in scene_verdicts(session, study)]
    files = {f"{name}.csv": as_csv(table) for name, table in export_tables(session, study).items()}
    files["verdicts.csv"] = as_csv(verdict_table(verdicts))
    files["study.json"] = as_json(_study_document(study))
    files["rule.json"] = as_json(json.loads(study.rule_json))
    manifest = {
        "format": FORMAT_VERSION,
        "results": results_hash(verdicts),
        "files": {name: {"sha256": sha256_hex(data), "bytes": len(data)} for name, data in files.items()},
    }
    return as_zip({**files, "manifest.json": as_json(manifest)})


def _study_document(study: Study) -> dict[str, Any]:
    times = ("created_at", "opened_at", "closed_at", "frozen_at")
    return {
        "study": study.public_id,
        "title": study.title,
        "mode": study.mode,
        "state": study.state,
        "rule_hash": study.rule_hash,
        "seed": study.seed,
        "consent_version": study.consent_version,
        "consent_sha256": sha256_hex(study.consent_text.encode()),
        **{name: as_time(getattr(study, name)) for name in times},
    }
