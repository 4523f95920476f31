"""A rater's rights: see everything, leave as if never there, be erased; and retention."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from study_app.counting import tally
from study_app.keeping import privacy
from study_app.preparation.invites import InviteRefused, make_invite, redeem
from study_app.preparation.studies import close_study
from study_app.storage.models import (
    Assignment,
    Consent,
    Exclusion,
    Rater,
    RaterContact,
    ScreeningAnswer,
    Sitting,
    Study,
    Vote,
    VotePick,
)
from tests.study_app import ballot_box
from tests.study_app.ballot_box import LATER
from tests.study_app.scenery import ALGORITHM_NAMES, SCENES, START, scenes_of

OWN_TABLES = (Assignment, Sitting, ScreeningAnswer, Consent, RaterContact)


@pytest.fixture
def rule():
    return ballot_box.RULE


@pytest.fixture
def raters(catalog, study, new_rater):
    return ballot_box.fill(catalog, study, new_rater)


@pytest.fixture
def leaver(catalog, raters) -> int:
    """A rater who has voted, changed a vote, trained, and left an address."""
    with catalog.writing() as session:
        rater = session.get_one(Rater, raters[1].id)
        rater.resume_hash = "ab" * 32
        session.add(RaterContact(rater_id=rater.id, email="somebody@example.org"))
    return raters[1].id


def act(catalog, action, rater_id: int) -> None:
    with catalog.writing() as session:
        action(session, session.get_one(Rater, rater_id), LATER)


def results(catalog, study) -> dict[str, tuple[object, ...]]:
    """What stands beside every scene, cached and computed."""
    with catalog.reading() as session:
        found = {}
        for scene in scenes_of(session, study):
            fresh = tally.scene_tally(session, scene).evaluation
            assert (scene.counted, scene.cannot_tell) == (fresh.counted, fresh.cannot_tell)
            found[scene.scene.name] = (fresh.state, fresh.counted, fresh.first_picks, fresh.p_best)
        return found


def count(catalog, table, *where) -> int:
    with catalog.reading() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def test_own_data_are_complete(catalog, leaver):
    with catalog.reading() as session:
        data = privacy.own_data(session, session.get_one(Rater, leaver))
        votes = session.scalar(
            select(func.count(Vote.id)).join(Assignment).where(Assignment.rater_id == leaver)
        )
    assert data["email"] == "somebody@example.org"
    assert len(data["votes"]) == votes
    assert len(data["colour_vision_answers"]) == 6
    assert len(data["consents"]) == len(data["sittings"]) == 1
    changed = [vote for vote in data["votes"] if vote["version"] == 3]
    assert [vote["picks"] for vote in changed] == [["B", "C"]]


def test_own_data_unblind_nobody(catalog, leaver):
    with catalog.reading() as session:
        content = json.dumps(privacy.own_data(session, session.get_one(Rater, leaver)))
    for secret in (*ALGORITHM_NAMES, *(scene.name for scene in SCENES), "previews", "damaged"):
        assert secret not in content


def test_who_withdraws_counts_no_more_and_keeps_their_answers(catalog, study, leaver):
    before, votes = results(catalog, study), count(catalog, Vote)
    act(catalog, privacy.withdraw, leaver)
    after = results(catalog, study)
    assert after["chapel"][1] == before["chapel"][1] - 1
    assert count(catalog, Vote) == votes
    with catalog.reading() as session:
        rater = session.get_one(Rater, leaver)
        exclusion = session.scalars(select(Exclusion).where(Exclusion.rater_id == leaver)).one()
        assert (rater.state, exclusion.excluded, exclusion.by) == ("withdrawn", True, "withdrawal")


def test_withdrawing_twice_is_withdrawing_once(catalog, leaver):
    act(catalog, privacy.withdraw, leaver)
    act(catalog, privacy.withdraw, leaver)
    assert count(catalog, Exclusion, Exclusion.rater_id == leaver) == 1


def test_erasing_deletes_everything_of_this_rater_and_nothing_else(catalog, study, raters, leaver):
    others = count(catalog, Vote) - len(votes_of(catalog, leaver))
    act(catalog, privacy.erase, leaver)
    for table in OWN_TABLES:
        assert count(catalog, table, table.rater_id == leaver) == 0
    assert count(catalog, Vote) == others
    with catalog.reading() as session:
        loose = select(func.count()).select_from(VotePick).where(VotePick.vote_id.not_in(select(Vote.id)))
        assert session.scalar(loose) == 0
        rater = session.get_one(Rater, leaver)
        assert (rater.state, rater.resume_hash, rater.colour_passed) == ("erased", None, None)


def votes_of(catalog, rater_id: int) -> list[int]:
    with catalog.reading() as session:
        return list(session.scalars(select(Vote.id).join(Assignment).where(Assignment.rater_id == rater_id)))


def test_results_are_the_same_whether_one_was_erased_excluded_or_never_there(catalog, study, leaver):
    with catalog.writing() as session:
        tally.exclude(session, session.get_one(Rater, leaver), "a test", "ada", True, LATER)
    excluded = results(catalog, study)
    with catalog.writing() as session:
        tally.exclude(session, session.get_one(Rater, leaver), "a test", "ada", False, LATER)
    assert results(catalog, study) != excluded
    act(catalog, privacy.erase, leaver)
    assert results(catalog, study) == excluded


def test_who_withdrew_can_still_be_erased_and_erasing_twice_is_erasing_once(catalog, leaver):
    act(catalog, privacy.withdraw, leaver)
    act(catalog, privacy.erase, leaver)
    act(catalog, privacy.erase, leaver)
    assert votes_of(catalog, leaver) == []


def test_votes_of_everybody_else_stay_under_guard(catalog, raters, leaver):
    """Erasing opens the triggers for one rater only, and only while it runs."""
    act(catalog, privacy.erase, leaver)
    vote = votes_of(catalog, raters[2].id)[0]
    with catalog.writing() as session, pytest.raises(DatabaseError, match="vote_pick is append-only"):
        session.execute(text("DELETE FROM vote_pick WHERE vote_id = :vote"), {"vote": vote})


def test_expiry_forgets_who_is_behind_a_pseudonym_and_keeps_the_answers(catalog, study, leaver):
    with catalog.writing() as session:
        close_study(session, session.get_one(Study, study.id), LATER)
    before, votes = results(catalog, study), count(catalog, Vote)
    with catalog.writing() as session:
        found = privacy.expire(session, LATER + timedelta(days=366))
    assert (found.studies, found.contacts, found.links) == (1, 1, 1)
    assert count(catalog, RaterContact) == 0
    assert count(catalog, Rater, Rater.resume_hash.is_not(None)) == 0
    assert (results(catalog, study), count(catalog, Vote)) == (before, votes)


def test_nothing_expires_too_early_or_while_the_study_is_open(catalog, study, leaver):
    with catalog.writing() as session:
        assert privacy.expire(session, START + timedelta(days=4000)).studies == 0
        close_study(session, session.get_one(Study, study.id), LATER)
        session.flush()
        assert privacy.expire(session, LATER + timedelta(days=365)).studies == 0
    assert count(catalog, RaterContact) == 1


def test_a_personal_link_is_forgotten_with_its_rater(catalog, study):
    with catalog.writing() as session:
        row = session.get_one(Study, study.id)
        invite, token = make_invite(
            session, row, "secret", label="Ada Lovelace", is_personal=True, is_expert=False, max_uses=1,
            expires_at=LATER, at=START,
        )  # fmt: skip
        rater = redeem(session, token, START).rater
        assert privacy.own_data(session, rater)["invitation_label"] == "Ada Lovelace"
        privacy.erase(session, rater, LATER)
        assert (invite.label, invite.revoked_at) == ("", LATER)
        with pytest.raises(InviteRefused, match="withdrawn"):
            redeem(session, token, START)
