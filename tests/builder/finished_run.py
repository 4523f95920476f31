"""The files that a training, an evaluation and `enhance` leave, tiny and made up, beside the export of faked scenes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from builder.commands.story import StoryRequest
from builder.dataset.finished import read_scenes

NETWORK = "tiny <net> 0123abcd"
SETTINGS = """network = "tiny<net>"
[losses]
charbonnier = 1.0
[data]
crop = 96
[optimization]
steps = 400
batch = 8
[run]
seed = 7
"""
UNDER = {"psnr": 21.25, "identity": 8.5, "gamma": 15.75, "exponent": 0.3, "pictures": 4}
LOG = (
    {"step": 200, "loss": 0.21, "losses": {"charbonnier": 0.21}},
    {"step": 200, "score": 20.0, "validation": {"under": UNDER | {"psnr": 20.0}}},
    {"step": 400, "loss": 0.1375, "losses": {"charbonnier": 0.1375}},
    {"step": 400, "score": 21.25, "validation": {"under": UNDER}},
)
HEADER = {
    "split": "test", "scenes": 2, "images": {"under": 2, "over": 2}, "against": "identity", "networks": {NETWORK: {}},
    "bootstrap": {"resamples": 1000, "level": 0.95, "unit": "scene", "seed": 1},
}  # fmt: skip
GATE = {
    "method": NETWORK,
    "itself_mean": 22.125,
    "itself_p5": 18.5,
    "well_change": -1.5,
    "harm": "itself_mean < 32",
}
SUMMARY = f"""table,method,metric,images,scenes,mean,low,high,difference,difference_low,difference_high
under,identity,psnr,2,2,8.125,7.5,9.25,0,0,0
under,{NETWORK},psnr,2,2,19.375,17.5,21.25,11.25,10.5,-12.125
under,{NETWORK},mef_ssim,2,2,0.875,,,,,
"""


def finished_run(folder: Path, dataset: Path) -> StoryRequest:
    """Write them below `folder`; each input of the test split has itself as enhanced version."""
    model, evaluation, enhanced = folder / "model", folder / "evaluation", folder / "enhanced"
    for one in (model, evaluation, enhanced):
        one.mkdir(parents=True)
    (model / "settings.toml").write_text(SETTINGS)
    (model / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
    (evaluation / "summary.csv").write_text(SUMMARY)
    (evaluation / "evaluation.json").write_text(json.dumps({"header": HEADER, "do_no_harm": [GATE]}))
    scores = ["input,method,psnr"]
    for pairs in read_scenes(dataset):
        if pairs[0].split == "test":
            scores += [f"{pair.input},{NETWORK},{23 + pair.position / 4}" for pair in pairs]
    (evaluation / "images.csv").write_text("\n".join(scores) + "\n")
    shutil.copytree(dataset / "test" / "inputs", enhanced, dirs_exist_ok=True)
    return StoryRequest(folder / "story.html", dataset, evaluation, model, enhanced)
