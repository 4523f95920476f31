"""Files of an export with the same bytes every time: CSV that is no formula, sorted JSON, a ZIP without dates. Pure."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from study_app.outcomes.verdicts import Verdict, as_document

FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can say
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
VERDICT_COLUMNS = tuple(Verdict.__dataclass_fields__)


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row per scene: what `decide` writes for these votes."""
    rows = [{name: _flat(value) for name, value in as_document(verdict).items()} for verdict in verdicts]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS), dtype=object)


def _flat(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def as_time(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds."""
    return None if value is None else f"{value.isoformat(timespec='microseconds')}Z"


def as_csv(table: pd.DataFrame) -> bytes:
    """UTF-8 with a line feed; fractions to 3 decimals; nothing that a spreadsheet would run as a formula."""
    plain = table.astype(object).map(_cell)
    return plain.to_csv(index=False, lineterminator="\n").encode()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return as_time(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None or value is pd.NaT else value


def guarded(text: str) -> str:
    """The text as a spreadsheet may see it: an apostrophe goes before what it would run as a formula."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA_STARTS) else cell


def as_json(document: Mapping[str, Any]) -> bytes:
    """Sorted, indented, UTF-8, with a last line feed."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def as_zip(files: Mapping[str, bytes]) -> bytes:
    """Sorted names, one fixed date, stored modes: the same files give the same bytes on every machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIXED_DATE)
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED  # compressed bytes differ between versions of zlib
            archive.writestr(entry, files[name])
    return buffer.getvalue()
