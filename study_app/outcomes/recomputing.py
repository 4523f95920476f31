"""Every verdict once more, from the raw votes in an export alone: no database, no web application.

Which answers count is decided here again from the tables, independently of the code that serves the study.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import pandas as pd

from builder.atomic_files import sha256_hex
from study_app.outcomes.export_files import as_csv, unguarded, verdict_table
from study_app.outcomes.verdicts import SceneEvidence, Verdict, evaluation_of, results_hash, verdict_of
from study_app.statistics.evaluation import Answer
from study_app.statistics.rule import Rule, rule_from_json

VOTING, ADJUDICATING = "1", "3"  # rounds, as in storage/models/known_values.py
CHECKS = ("colour_passed", "training_passed", "display_passed")


class ExportError(ValueError):
    """The file is no export, was changed, or its verdicts do not follow from its votes."""


def check(export: bytes) -> int:
    """Number of verdicts, all of which follow from the votes in the export; raises ExportError otherwise."""
    files = read_files(export)
    verdicts = verdicts_of(files)
    if as_csv(verdict_table(verdicts)) != files["verdicts.csv"]:
        raise ExportError("verdicts.csv is not what the votes in the export give")
    if json.loads(files["manifest.json"])["results"] != results_hash(verdicts):
        raise ExportError("the results hash of manifest.json is not that of the verdicts")
    return len(verdicts)


def read_files(export: bytes) -> dict[str, bytes]:
    """Content by name, checked against the manifest; raises ExportError."""
    try:
        with zipfile.ZipFile(io.BytesIO(export)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(files["manifest.json"])["files"]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ExportError(f"not an export of a study ({error}); make one with `export`") from error
    for name, entry in manifest.items():
        if name not in files or sha256_hex(files[name]) != entry["sha256"]:
            raise ExportError(f"{name} is missing or not what the manifest says; take the export again")
    return files


def verdicts_of(files: Mapping[str, bytes]) -> list[Verdict]:
    """The verdict of every real scene, by name."""
    study = json.loads(files["study.json"])["study"]
    rule = rule_from_json(json.dumps(json.loads(files["rule.json"])))
    votes = _live_answers(files)
    picks_of = _picks(files)
    items = _read(files, "items.csv")
    scenes = _read(files, "scenes.csv")
    real = scenes[scenes["role"] == "real"].sort_values("scene")
    return [
        _verdict(study, scene, items, votes[votes["scene"] == scene["scene"]], picks_of, rule)
        for scene in real.to_dict("records")
    ]


def _read(files: Mapping[str, bytes], name: str) -> pd.DataFrame:
    """A table with every cell as text: nothing is guessed."""
    return pd.read_csv(io.BytesIO(files[name]), dtype=str, keep_default_na=False).map(unguarded)


def _picks(files: Mapping[str, bytes]) -> dict[int, tuple[str, ...]]:
    """Items by vote, best first."""
    ranked: dict[int, dict[int, str]] = {}
    for pick in _read(files, "picks.csv").to_dict("records"):
        ranked.setdefault(int(pick["vote"]), {})[int(pick["rank"])] = pick["item"]
    return {vote: tuple(ranks[rank] for rank in sorted(ranks)) for vote, ranks in ranked.items()}


def _live_answers(files: Mapping[str, bytes]) -> pd.DataFrame:
    """The answer that counts of every trial of a real scene, by vote id: the highest version that was not late."""
    votes = _read(files, "votes.csv")
    votes = votes[(votes["role"] == "real") & (votes["late"] == "false")]
    votes = votes.astype({"version": int, "vote": int})
    votes = votes[votes["version"] == votes.groupby("trial")["version"].transform("max")]
    raters = _read(files, "raters.csv")
    sittings = _read(files, "sittings.csv")[["sitting", "display_passed"]]
    votes = votes.merge(raters, on="rater", validate="many_to_one")
    votes = votes.merge(sittings, on="sitting", validate="many_to_one")
    failed = (votes[list(CHECKS)] == "false").any(axis=1)
    counts = (votes["state"] == "active") & (votes["excluded"] == "false")
    return votes[counts & ~failed].sort_values("vote")


def _verdict(
    study: str,
    scene: Mapping[Any, Any],
    items: pd.DataFrame,
    votes: pd.DataFrame,
    picks_of: Mapping[int, tuple[str, ...]],
    rule: Rule,
) -> Verdict:
    own = items[(items["scene"] == scene["scene"]) & (items["role"] == "real")]
    own = own.sort_values("position", key=lambda positions: positions.astype(int))
    index = {item: place for place, item in enumerate(own["item"])}
    answers, experts = (
        votes[votes["round"] == round_number].to_dict("records") for round_number in (VOTING, ADJUDICATING)
    )
    evidence = SceneEvidence(
        study=study,
        scene=scene["scene"],
        candidates=tuple(
            (candidate, *aliases.split())
            for candidate, aliases in zip(own["candidate"], own["aliases"], strict=True)
        ),
        answers=tuple(_answer(vote, picks_of, index) for vote in answers),
        expert_answers=tuple(_answer(vote, picks_of, index) for vote in experts),
        void_reason=scene["void_reason"] if scene["is_void"] == "true" else None,
        sent_to_experts=scene["sent_to_experts"] == "true",
        simulated_raters=len({vote["rater"] for vote in (*answers, *experts) if vote["simulated"] == "true"}),
    )
    return verdict_of(evidence, rule, evaluation_of(evidence, rule))


def _answer(
    vote: Mapping[Any, Any], picks_of: Mapping[int, tuple[str, ...]], index: Mapping[str, int]
) -> Answer:
    shown = tuple(sorted(index[item] for item in vote["order"].split()))
    return Answer(
        vote_id=vote["vote"],
        kind=vote["kind"],
        picks=tuple(index[item] for item in picks_of.get(vote["vote"], ())),
        acceptable={"true": True, "false": False, "": None}[vote["acceptable"]],
        shown=None if len(shown) == len(index) else shown,
    )
