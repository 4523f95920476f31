"""Training: scenes with known faults. What an answer to one is told, and who has passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from builder.catalog import FAULTS, DamagedCopy
from study_app.storage.models import FIRST_ROUND, REPEAT_ROUND, Assignment, Rater, StudyItem, StudyScene, Vote
from study_app.web.languages import gettext

RIGHT_NEEDED = 2
ATTEMPTS = (FIRST_ROUND, REPEAT_ROUND)  # the whole round once more, then it is over


def judge(answers: Sequence[Sequence[bool]], scene_count: int) -> bool | None:
    """Whether training is passed, given right or wrong by attempt and scene; None while it goes on.

    An attempt is judged when all its scenes are answered: two right pass, or all where there are fewer.
    """
    needed = min(RIGHT_NEEDED, scene_count)
    for attempt in range(len(ATTEMPTS)):
        given = answers[attempt] if attempt < len(answers) else ()
        if len(given) < scene_count:
            return None
        if sum(given) >= needed:
            return True
    return False


def outcome(session: Session, rater: Rater) -> bool | None:
    """Whether the rater passed training; None while it goes on. A study without training scenes lets all pass."""
    scenes = session.scalars(
        select(StudyScene.id).where(StudyScene.study_id == rater.study_id, StudyScene.role == "training")
    ).all()
    votes = session.execute(
        select(Assignment.round, Vote)
        .join(Vote, Vote.assignment_id == Assignment.id)
        .where(
            Assignment.rater_id == rater.id,
            Assignment.study_scene_id.in_(scenes),
            Vote.version == 1,  # the answer before the feedback
        )
        .order_by(Assignment.round, Vote.id)
    ).all()
    answers = [[is_right(session, vote) for number, vote in votes if number == round_] for round_ in ATTEMPTS]
    return judge(answers, len(scenes))


def is_right(session: Session, vote: Vote) -> bool:
    """Whether the vote puts an undamaged picture first."""
    first = _picked(session, vote)[:1]
    return bool(first) and first[0].damaged_copy_id is None


def feedback(session: Session, vote: Vote) -> dict[str, Any] | None:
    """What the rater is told about a training answer; None for any other trial.

    It names the fault of the first pick, or of a damaged neighbour where the pick was right, and where it shows.
    """
    if vote.assignment.study_scene.role != "training":
        return None
    right = is_right(session, vote)
    item = _item_to_explain(session, vote)
    if item is None or item.damaged_copy is None:
        return {"right": right, "fault": None, "letter": None, "at": None, "text": _verdict(vote, right)}
    copy: DamagedCopy = item.damaged_copy
    letter = _letter(vote.assignment, item)
    fault = fault_name(copy.fault)
    text = gettext("%(verdict)s Picture %(letter)s has %(fault)s.") % {
        "verdict": _verdict(vote, right),
        "letter": letter,
        "fault": fault,
    }
    return {"right": right, "fault": copy.fault, "letter": letter, "at": list(copy.at), "text": text}


def fault_name(fault: str) -> str:
    """What raters are told of a fault of builder.catalog.FAULTS."""
    names = {
        "halo": gettext("a halo: a bright or dark seam along an edge"),
        "ghost": gettext("a ghost: something that moved stands there twice or half"),
        "noise": gettext("noise: grain that the scene did not have"),
        "cast": gettext("a colour cast: gray things are tinted"),
        "clipping": gettext("clipping: detail is burnt out or drowned though an exposure holds it"),
    }
    return names[fault]


def _verdict(vote: Vote, right: bool) -> str:
    if right:
        return gettext("Well seen.")
    if vote.kind == "choice":
        return gettext("Look again.")
    return gettext("In this example one picture has no fault.")


def _item_to_explain(session: Session, vote: Vote) -> StudyItem | None:
    """The best ranked damaged pick, else the damaged picture whose fault is first in the catalog's list."""
    damaged_picks = [item for item in _picked(session, vote) if item.damaged_copy is not None]
    if damaged_picks:
        return damaged_picks[0]
    shown = session.scalars(select(StudyItem).where(StudyItem.id.in_(vote.assignment.order_json))).all()
    damaged = [item for item in shown if item.damaged_copy is not None]
    return min(damaged, key=_fault_order, default=None)


def _fault_order(item: StudyItem) -> tuple[int, int]:
    fault = item.damaged_copy.fault if item.damaged_copy else ""
    return (FAULTS.index(fault) if fault in FAULTS else len(FAULTS), item.id)


def _picked(session: Session, vote: Vote) -> list[StudyItem]:
    """The vote's items, best first."""
    ids = [pick.item_id for pick in vote.picks]
    found = {item.id: item for item in session.scalars(select(StudyItem).where(StudyItem.id.in_(ids)))}
    return [found[item_id] for item_id in ids]


def _letter(assignment: Assignment, item: StudyItem) -> str:
    return chr(ord("A") + assignment.order_json.index(item.id))
