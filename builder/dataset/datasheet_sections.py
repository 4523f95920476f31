"""The sections of a dataset's README, after Gebru et al., Datasheets for datasets, CACM 64(12), 2021."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from builder.dataset.records import Excluded
from builder.dataset.splits import SPLITS
from builder.dataset.summary import Summary
from builder.settings import ExportSettings

YAML_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (float("inf"), "1M<n<10M"),
)


def files_and_loading(summary: Summary) -> str:
    """Where everything is, and how to read it."""
    more = ""
    if summary.hdr:
        more += "  hdr/<scene>.exr              linear light of all exposures, OpenEXR half float\n"
    if summary.candidates:
        more += "  candidates/<scene>/          all candidates\n"
    return f"""
## Files

```
manifest.csv                   a row per exposure and its reference: start here
{{train,val,test}}/
  inputs/<scene>/<k>.jpg|png   the exposures, 1 = darkest; same size as the reference, pixel on pixel
  references/<scene>.png       the reference
{more}  metadata.jsonl               the same pairs for Hugging Face `datasets`
  meta_info.txt                the same pairs for BasicSR: `reference, input`
splits/{{train,val,test}}.txt    the official lists; groups.csv: which scenes were kept together
scenes.jsonl, candidates.csv   how each scene was aligned and decided; every candidate and its votes
excluded.csv                   scenes that are not part of this dataset, and why
manifest-sha256.txt            `sha256sum -c manifest-sha256.txt` checks every file
croissant.json, CITATION.cff   the dataset described for machines; how to cite it
views/                         the same pairs in the layouts of other programs, where they were made
```

Which exposure is the middle one, which is under- or over-exposed, is not to be guessed: `relative_ev` says it.

```python
import csv
from PIL import Image

with open("manifest.csv", newline="") as table:
    pairs = [row for row in csv.DictReader(table) if row["split"] == "train"]
exposure, reference = (Image.open(pairs[0][column]).convert("RGB") for column in ("input", "reference"))
```

With Hugging Face: `datasets.load_dataset("imagefolder", data_dir="train")`, columns `input` and `target`."""


def motivation_and_collection(summary: Summary, settings: ExportSettings) -> str:
    """The first and the third heading: why, and from what."""
    creator = settings.creator or "not stated"
    years = sorted({min(summary.years), max(summary.years)}) if summary.years else []
    span = " to ".join(map(str, years)) or "not recorded"
    return f"""
## Motivation

For learning and measuring contrast enhancement: from one badly exposed photograph to the picture that all exposures
of the scene together allow. Made by: {creator}.

## Collection process

Exposure brackets taken with cameras, grouped by camera, time, exposure and view. Photographed: {span}; nothing more
precise is published. Exposure times, apertures and sensitivities are as the cameras printed them."""


def composition(summary: Summary, excluded: Sequence[Excluded]) -> str:
    """The second heading: counts and figures."""
    rows = "\n".join(
        f"| {split} | {summary.scenes[split]} | {len(summary.groups.get(split, ()))} | {summary.pairs[split]} |"
        for split in SPLITS
    )
    exposures = ", ".join(f"{scenes} with {count}" for count, scenes in sorted(summary.exposures.items()))
    sizes = ", ".join(f"{size} ({scenes})" for size, scenes in _most(summary.sizes, 8))
    reasons = Counter(one.reason for one in excluded)
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "none"
    return f"""
## Composition

| split | scenes | groups | pairs |
|---|---|---|---|
{rows}

- Scenes by number of exposures: {exposures}.
- Sizes in pixels: {sizes}.
- {summary.as_shot} of {summary.pairs.total()} inputs are the camera's own JPEG data, pixel for pixel. What had to be
  aligned, turned upright or developed from RAW is PNG.
- Left out: {left_out}; `excluded.csv` names every one.

Scenes of one place, and scenes that look alike (perceptual hash, camera, time, place), form a group; a group is never
divided among splits. What is published stays in its split: later versions add scenes and move none.

![Scenes by split](figures/splits.svg)
![Exposures by EV](figures/exposures.svg)"""


def labeling(summary: Summary, stamp: str) -> str:
    """The fourth heading: what was done to the pictures and who chose."""
    hdr = (
        "\n\nHDR: linear Rec.709 light; 1.0 is the white of the scene's middle exposure (`scale` in scenes.jsonl\n"
        "and in the file). RAW: the sensor's own scale; JPEG: the camera's response recovered from the bracket."
        if summary.hdr
        else ""
    )
    return f"""
## Preprocessing, cleaning and labeling

Exposures were brought into register with the middle one and cut to their common part; a tripod's exposures stay as
they were. Scenes in which something moved are left out. Published algorithms made several candidates of each scene.

{_who_chose(summary, stamp)}

JPEG inputs lost their metadata without being encoded again. No place, serial number, owner or file name of a camera
is kept; of the people who voted only counts are published.{hdr}

![References by algorithm](figures/algorithms.svg)
{"![Certainty of the references](figures/agreement.svg)" if summary.certainty else ""}"""


def _who_chose(summary: Summary, stamp: str) -> str:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(summary.verdicts.items()))
    raters = sorted(summary.raters.elements())
    if not any(raters):
        return f"The references were **{stamp}**: one algorithm's candidates serve as references."
    who = f"Raters (simulated ones for {summary.stamps.total()} scenes)" if stamp else "People"
    acceptable = sum(summary.acceptable[tenth] for tenth in range(8, 10))
    return (
        f"{who} saw all candidates of a scene, unnamed and in random order, picked the best and said whether it is "
        f"acceptable as a reference. Raters per scene: {raters[0]} to {raters[-1]}, median {raters[len(raters) // 2]}. "
        f"Verdicts: {verdicts}. At least 80 % of those who picked it called the reference acceptable in {acceptable} "
        f"of {summary.acceptable.total()} scenes. `accept-equivalent` means that several candidates were equally good; "
        f"`co_best` in scenes.jsonl names them."
    )


def uses(stamp: str) -> str:
    """The fifth heading."""
    nature = (
        f"Because the references were {stamp}, this release is for trying programs only."
        if stamp
        else "References are what people preferred among certain algorithms' results, not measurements\n"
        "of light: they say little about forensic, medical or photometric questions."
    )
    return f"""
## Uses

Training and testing of enhancement from a single exposure, exposure fusion, image quality. Report results on `test`
only, and choose parameters on `val`. {nature}"""


def distribution(settings: ExportSettings) -> str:
    """The sixth and seventh heading."""
    where = f" Home: {settings.url}." if settings.url else ""
    contact = settings.contact or settings.url or "not stated"
    return f"""
## Distribution

License: {settings.license}.{where}

## Maintenance

Contact: {contact}. A version is never changed; corrections and additions make a new version, in which every scene
keeps its split and its number. Made with Contrast Foundry."""


def _most(counts: Counter[str], limit: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
