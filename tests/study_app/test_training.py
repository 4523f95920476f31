"""Training: who passes, and what an answer is told."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from builder.catalog import FAULTS
from study_app.rating import training
from study_app.storage.models import (
    FIRST_ROUND,
    REPEAT_ROUND,
    Assignment,
    Rater,
    StudyExposure,
    StudyItem,
    StudyScene,
    Vote,
)
from tests.study_app.scenery import add_vote, rater_id, right_item, scenes_of

RIGHT, WRONG = True, False


@pytest.mark.parametrize(
    ("answers", "scenes", "outcome"),
    [
        ([], 3, None),
        ([[RIGHT, RIGHT]], 3, None),  # the third is shown all the same: one learns from it
        ([[RIGHT, RIGHT, WRONG]], 3, True),
        ([[RIGHT, WRONG, WRONG]], 3, None),
        ([[RIGHT, WRONG, WRONG], [RIGHT, RIGHT]], 3, None),
        ([[RIGHT, WRONG, WRONG], [RIGHT, WRONG, RIGHT]], 3, True),
        ([[WRONG, WRONG, WRONG], [RIGHT, WRONG, WRONG]], 3, False),
        ([[RIGHT, WRONG]], 2, None),
        ([[RIGHT, RIGHT]], 2, True),
        ([[RIGHT, WRONG], [WRONG, RIGHT]], 2, False),
        ([[WRONG]], 1, None),
        ([[RIGHT]], 1, True),
        ([[WRONG], [RIGHT]], 1, True),
        ([[WRONG], [WRONG]], 1, False),
        ([], 0, True),
    ],
)
def test_two_right_pass_or_all_where_there_are_fewer_with_one_repeat(answers, scenes, outcome):
    assert training.judge(answers, scenes) is outcome


def wrong_item(scene):
    return next(item for item in scene.items if item.damaged_copy_id is not None)


def train(session, study, rater, rights, round_):
    for scene, right in zip(scenes_of(session, study, "training"), rights, strict=True):
        add_vote(session, rater, scene, [right_item(scene) if right else wrong_item(scene)], round_=round_)


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ((RIGHT, RIGHT, WRONG), None, True),
        ((RIGHT, WRONG, WRONG), None, None),
        ((RIGHT, WRONG, WRONG), (RIGHT, RIGHT, RIGHT), True),
        ((WRONG, WRONG, WRONG), (WRONG, RIGHT, WRONG), False),
    ],
)
def test_the_outcome_follows_from_the_stored_answers(catalog, study, new_rater, first, second, outcome):
    rater = new_rater(step="instructed")
    with catalog.writing() as session:
        train(session, study, rater, first, FIRST_ROUND)
        if second is not None:
            train(session, study, rater, second, REPEAT_ROUND)
        assert training.outcome(session, session.get_one(Rater, rater_id(rater))) is outcome


def test_a_change_after_the_feedback_does_not_count(catalog, study, new_rater):
    rater = new_rater(step="instructed")
    with catalog.writing() as session:
        train(session, study, rater, (WRONG, WRONG, WRONG), FIRST_ROUND)
        train(session, study, rater, (RIGHT, RIGHT, RIGHT), FIRST_ROUND)  # versions 2
        assert training.outcome(session, rater) is None


def test_a_study_without_training_scenes_lets_all_pass(catalog, study, new_rater):
    rater = new_rater(step="instructed")
    with catalog.writing() as session:
        scenes = select(StudyScene.id).where(StudyScene.role == "training").scalar_subquery()
        session.execute(delete(StudyItem).where(StudyItem.study_scene_id.in_(scenes)))
        session.execute(delete(StudyExposure).where(StudyExposure.study_scene_id.in_(scenes)))
        session.execute(delete(StudyScene).where(StudyScene.role == "training"))
        assert training.outcome(session, rater) is True


def told(catalog, study, rater, pick, **options):
    """The feedback on one training answer, and the faults shown with their places, by letter."""
    with catalog.writing() as session:
        scene = scenes_of(session, study, "training")[0]
        order = [item.id for item in reversed(scene.items)]
        items = pick(scene)
        vote = add_vote(session, rater, scene, items, order=order, **options)
        session.refresh(vote)
        shown = {
            chr(ord("A") + place): session.get_one(StudyItem, key).damaged_copy
            for place, key in enumerate(order)
        }
        faults = {letter: (copy.fault, copy.at) for letter, copy in shown.items() if copy is not None}
        return training.feedback(session, vote), faults


def test_a_wrong_pick_is_told_its_own_fault_and_place(catalog, study, new_rater):
    feedback, faults = told(
        catalog, study, new_rater(step="instructed"), lambda scene: [wrong_item(scene), right_item(scene)]
    )
    fault, at = faults[feedback["letter"]]
    assert feedback["right"] is False
    assert (feedback["fault"], feedback["at"]) == (fault, at)
    assert feedback["text"] == f"Look again. Picture {feedback['letter']} has {training.fault_name(fault)}."


def test_a_right_pick_is_told_of_a_damaged_neighbour(catalog, study, new_rater):
    feedback, faults = told(catalog, study, new_rater(step="instructed"), lambda scene: [right_item(scene)])
    assert feedback["right"] is True
    assert feedback["fault"] == min((fault for fault, _ in faults.values()), key=FAULTS.index)
    assert faults[feedback["letter"]][0] == feedback["fault"]
    assert feedback["text"].startswith("Well seen.")


def test_a_right_pick_with_a_damaged_second_is_told_of_the_second(catalog, study, new_rater):
    feedback, faults = told(
        catalog,
        study,
        new_rater(step="instructed"),
        lambda scene: [
            right_item(scene),
            max((i for i in scene.items if i.damaged_copy), key=lambda i: FAULTS.index(i.damaged_copy.fault)),
        ],
    )
    last = max((fault for fault, _ in faults.values()), key=FAULTS.index)
    assert (feedback["right"], feedback["fault"]) == (True, last)


def test_who_cannot_tell_is_shown_a_fault(catalog, study, new_rater):
    feedback, _ = told(catalog, study, new_rater(step="instructed"), lambda scene: [], kind="cannot_tell")
    assert feedback["right"] is False
    assert feedback["fault"] in FAULTS
    assert feedback["text"].startswith("In this example one picture has no fault.")


def test_only_training_is_commented(catalog, study, new_rater):
    rater = new_rater()
    with catalog.writing() as session:
        for role in ("real", "gold"):
            scene = scenes_of(session, study, role)[0]
            assert training.feedback(session, add_vote(session, rater, scene, [0])) is None


def test_every_fault_of_the_catalog_has_a_name():
    assert len({training.fault_name(fault) for fault in FAULTS}) == len(FAULTS)


def test_the_scenery_has_training_to_test_with(catalog, study, new_rater):
    rater = new_rater(training_passed=False)
    with catalog.reading() as session:
        scenes = scenes_of(session, study, "training")
        votes = session.scalars(
            select(Vote).join(Assignment).where(Assignment.rater_id == rater_id(rater))
        ).all()
        assert len(scenes) == 3
        assert not any(training.is_right(session, vote) for vote in votes)
