"""HDR estimates as a part of the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from trainer.evaluation.hdr_estimates import HDR_METRICS, INVERSE_CURVES, HdrEstimates
from trainer.evaluation.markdown_tables import difference_table, value_table
from trainer.evaluation.tables import overview
from trainer.exposure_kinds import KINDS
from trainer.metrics.pu21 import BRIGHTEST, REFERENCE_WHITE

TITLES = {"under": "under-exposed input", "well": "well-exposed input", "over": "over-exposed input"}


def hdr_document(hdr: HdrEstimates) -> dict[str, Any]:
    """All but the scores per image, for json.dumps."""
    return {"scenes": hdr.scenes, "summary": json.loads(hdr.summary.to_json(orient="records"))}


def hdr_section(hdr: HdrEstimates) -> list[str]:
    """Paragraphs and tables in Markdown, by kind of input; what there is by EV is in the CSV alone."""
    return ["## HDR estimate", _what_is_shown(hdr.scenes), *_tables(hdr)]


def hdr_overview(hdr: HdrEstimates) -> pd.DataFrame:
    """Estimates x (kind of input, mean PU21-PSNR as it is and scaled): for a terminal."""
    means = hdr.summary[hdr.summary["against"] == INVERSE_CURVES[0]]
    return overview(means, {"pu21_psnr": "PU21 dB", "scaled_pu21_psnr": "scaled dB"})


def _tables(hdr: HdrEstimates) -> Iterator[str]:
    for kind in KINDS:
        rows = hdr.summary[hdr.summary["table"] == kind]
        if not len(rows):
            continue
        yield f"### HDR estimate of {TITLES[kind]}"
        yield value_table(rows[rows["against"] == INVERSE_CURVES[0]], HDR_METRICS, {})
        for against in INVERSE_CURVES:
            yield f'Paired differences with "{against}"; bold: the interval excludes 0.'
            yield difference_table(rows[rows["against"] == against], HDR_METRICS)


def _what_is_shown(scenes: int) -> str:
    return (
        f"The scene's light as each row takes it to be, against the merged linear picture of {scenes} scenes: PSNR and "
        f"SSIM of PU21 values (Mantiuk, Azimi, PCS 2021), reference white shown with {REFERENCE_WHITE:g} cd/m2, light "
        f"beyond {BRIGHTEST:,.0f} cd/m2 counted as that. The inverse tone curve is the input itself, decoded from sRGB "
        f"to linear light: *EV given* divides it by 2^EV, which no network is told; *EV not given* takes the input for "
        f"well exposed, as who knows no more than a network must. *Scaled*: each estimate times the one factor that "
        f"gives it the median log luminance of the truth; then the two curves are one. HDR-VDP-2 is not used: it is a "
        f"MATLAB program, which cannot run here, and a substitute may not bear its name."
    )
