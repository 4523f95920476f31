"""One scene through the whole build, in one worker: seconds, peak memory, and how often a frame was decoded."""

from __future__ import annotations

import json
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from tests.benchmarks.bracket import EXPOSURES, bracket, render_once
from tests.benchmarks.measured_process import measure_process
from tests.benchmarks.report import Report, Settings, Value

TITLE = f"One scene of {EXPOSURES} JPEG frames through the whole build (python -m builder build, one worker)"
COLUMNS = (
    "megapixels",
    "algorithms",
    "seconds",
    "cpu seconds",
    "of it algorithms",
    "peak MiB",
    "frames decoded",
)
EXPOSURE_TIME, F_NUMBER, ISO, TAKEN, EXIF_BLOCK = 33434, 33437, 34855, 36867, 0x8769


def run(settings: Settings) -> Report:
    render_once()
    rows = []
    for megapixels in settings.megapixels or (24,):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(_row(Path(folder), megapixels))
    return Report(TITLE, COLUMNS, tuple(rows))


def _row(folder: Path, megapixels: int) -> tuple[Value, ...]:
    photos, data = folder / "photos", folder / "data"
    photos.mkdir()
    _take_photographs(photos, megapixels)
    command = [
        sys.executable,
        "-m",
        "builder",
        "build",
        str(photos),
        "--data",
        str(data),
        "--executor",
        "serial",
    ]
    found = measure_process(command)
    (record,) = data.glob("runs/*/run.json")
    counts = json.loads(record.read_text())["counts"]
    sidecars = [json.loads(path.read_text()) for path in data.glob("fused/*/*.json")]
    spent = sum(sidecar["run"].get("cpu_seconds", 0.0) for sidecar in sidecars)
    made = counts["candidates_made"]
    return megapixels, made, found.seconds, found.cpu_seconds, spent, found.peak, counts["frames_decoded"]


def _take_photographs(folder: Path, megapixels: int) -> None:
    images, seconds = bracket(megapixels)
    for number, (image, exposure) in enumerate(zip(images, seconds, strict=True)):
        exif = Image.Exif()
        tags = exif.get_ifd(EXIF_BLOCK)
        tags |= {EXPOSURE_TIME: _rational(exposure), F_NUMBER: _rational(8), ISO: 100}
        tags[TAKEN] = f"2026:01:02 12:00:{2 * number:02d}"
        Image.fromarray(image).save(folder / f"IMG_{number:04d}.JPG", quality=95, subsampling=0, exif=exif)


def _rational(value: float) -> IFDRational:
    """A number as EXIF wants it; a float would become a double, which cameras do not write."""
    fraction = Fraction(value).limit_denominator(100_000)
    return IFDRational(fraction.numerator, fraction.denominator)
