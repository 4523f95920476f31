"""MEF-SSIM of each algorithm on the published sequences, beside the published figure."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2

from fusion_algos import ALGORITHMS, ExposureStack
from fusion_algos.mef_ssim import gray_plane, score_many
from tests.benchmarks.report import Report, Settings, Value

ORACLE = Path(__file__).resolve().parents[2].parent / "shared" / "oracle"
TITLE = "MEF-SSIM on the published sequences"
COLUMNS = ("scene", "algorithm", "score", "published", "difference")


def run(settings: Settings) -> Report:
    table = ORACLE / "mef_ssim_published.csv"
    if not table.exists():
        return Report(TITLE, COLUMNS, (), (f"{table} not found: skipped",))
    with open(table, newline="") as lines:
        published = {row["scene"].replace(" ", ""): row for row in csv.DictReader(lines)}
    rows: list[tuple[Value, ...]] = []
    for folder in sorted(path for path in (ORACLE / "waterloo").iterdir() if path.is_dir()):
        rows += _scene_rows(folder, published[folder.name])
    return Report(TITLE, COLUMNS, tuple(rows), tuple(_summary(rows, name) for name in ALGORITHMS))


def _scene_rows(folder: Path, published: dict[str, str]) -> list[tuple[Value, ...]]:
    stack = ExposureStack([cv2.imread(str(path))[..., ::-1].copy() for path in sorted(folder.iterdir())])
    fused = [gray_plane(algorithm(stack)) for algorithm in ALGORITHMS.values()]
    rows: list[tuple[Value, ...]] = []
    for name, score in zip(ALGORITHMS, score_many(stack, fused), strict=True):
        figure = float(published[name]) if published.get(name) else None
        rows.append((folder.name, name, score, figure, None if figure is None else score - figure))
    return rows


def _summary(rows: list[tuple[Value, ...]], name: str) -> str:
    scores = [row[2] for row in rows if row[1] == name]
    differences = [abs(row[4]) for row in rows if row[1] == name and row[4] is not None]
    farthest = f", at most {max(differences):.4f} from the published" if differences else ", none published"
    return f"{name}: mean {sum(scores) / len(scores):.4f}{farthest}"
