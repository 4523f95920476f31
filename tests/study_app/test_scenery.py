"""The fixtures themselves: what the other tests rely on."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from study_app.storage.models import Assignment, Rater, Sitting, Vote
from tests.study_app import scenery
from tests.study_app.scenery import STEPS


def test_the_study_has_real_training_and_gold_scenes(catalog, study):
    with catalog.reading() as session:
        real = scenery.scenes_of(session, study)
        assert [scene.scene.name for scene in real] == ["alley", "bay", "chapel", "dune", "elm"]
        assert [len(scene.items) for scene in real] == [4, 13, 4, 3, 2]
        assert len(scenery.scenes_of(session, study, "training")) == 3
        assert len(scenery.scenes_of(session, study, "gold")) == 1
        assert all(len(scene.exposures) == 3 for scene in real)


@pytest.mark.parametrize("step", STEPS)
def test_a_rater_has_done_what_the_step_says_and_no_more(catalog, new_rater, step):
    rater = new_rater(step=step, is_expert=True)
    done = STEPS.index(step)
    assert rater.is_expert
    assert (rater.colour_passed is not None) == (done >= 3)
    assert (rater.instructions_at is not None) == (done >= 4)
    assert (rater.training_passed is not None) == (done >= 5)
    with catalog.reading() as session:
        assert len(session.scalars(select(Sitting)).all()) == (done >= 2)
        assert len(session.scalars(select(Vote)).all()) == (3 if done == 5 else 0)


def test_a_second_answer_to_a_trial_is_its_next_version(catalog, study, new_rater):
    rater = new_rater()
    with catalog.writing() as session:
        scene = scenery.scene_named(session, study, "bay")
        own = session.get_one(Rater, rater.id)
        scenery.add_vote(session, own, scene, [0, 4])
        second = scenery.add_vote(session, own, scene, [4], acceptable=False)
        assert second.version == 2
        assert (
            len(session.scalars(select(Assignment).where(Assignment.study_scene_id == scene.id)).all()) == 1
        )


def test_a_client_signs_in_and_sends_the_token(client, new_rater):
    client.sign_in(new_rater())
    assert client.send("/api/nothing", {}).status_code == 404
    assert client.post("/api/nothing", json={}).status_code in (400, 404)
