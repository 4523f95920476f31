"""Links that let raters in, and every way in which they do not."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from study_app.preparation.invites import (
    REFUSALS,
    InviteRefused,
    check_invite,
    make_invite,
    redeem,
    revoke_invite,
)
from study_app.preparation.studies import close_study
from study_app.storage.models import Invite, Rater, Study
from study_app.storage.tokens import invite_token, token_hash
from tests.study_app.scenery import START

SECRET = "secret"
WEEK = START + timedelta(days=7)


def wish(**changes):
    return {
        "label": "Lab", "is_personal": False, "is_expert": False, "max_uses": 3, "expires_at": WEEK, "at": START,
        **changes,
    }  # fmt: skip


@pytest.fixture
def link(catalog, study):
    """Makes an invitation and gives its token."""

    def make(**changes) -> str:
        with catalog.writing() as session:
            return make_invite(session, session.get_one(Study, study.id), SECRET, **wish(**changes))[1]

    return make


@pytest.fixture
def come(catalog):
    """Redeems a token; the rater's id and resume code."""

    def enter(token: str, at=START) -> tuple[int, str | None, bool]:
        with catalog.writing() as session:
            found = redeem(session, token, at)
            return found.rater.id, found.resume_code, found.is_new

    return enter


def refusal(come, token: str, at=START) -> str:
    with pytest.raises(InviteRefused) as caught:
        come(token, at)
    assert str(caught.value) == REFUSALS[caught.value.reason]
    return caught.value.reason


def test_only_the_hash_of_a_token_is_stored_and_the_secret_gives_it_again(catalog, link):
    token = link(label=" Lab ")
    with catalog.reading() as session:
        invite = session.scalars(select(Invite)).one()
        assert invite.token_hash == token_hash(token) != token
        assert invite_token(SECRET, invite.public_id) == token
        assert (invite.label, invite.uses, invite.max_uses, invite.expires_at) == ("Lab", 0, 3, WEEK)


def test_a_lab_link_makes_raters_with_resume_codes(catalog, link, come):
    token = link(is_expert=True)
    first, code, is_new = come(token)
    second, other_code, _ = come(token)
    assert first != second
    assert is_new
    assert code != other_code
    with catalog.reading() as session:
        rater = session.get_one(Rater, first)
        assert rater.resume_hash == token_hash(code)
        assert (rater.is_expert, rater.state, rater.joined_at) == (True, "active", START)
        assert session.scalars(select(Invite.uses)).one() == 2


def test_a_personal_link_brings_its_rater_back_even_when_it_expired(link, come):
    token = link(is_personal=True, max_uses=1)
    rater, code, is_new = come(token)
    assert (code, is_new) == (None, True)
    assert come(token, WEEK + timedelta(days=1)) == (rater, None, False)


@pytest.mark.parametrize("state", ["withdrawn", "erasing", "erased"])
def test_a_personal_link_does_not_bring_back_who_left(catalog, link, come, state):
    token = link(is_personal=True, max_uses=1)
    rater, _, _ = come(token)
    with catalog.writing() as session:
        session.get_one(Rater, rater).state = state
    assert refusal(come, token) == "left"


def test_a_link_is_used_up(link, come):
    token = link(max_uses=2)
    come(token)
    come(token)
    assert refusal(come, token) == "used-up"


def test_a_link_expires_to_the_second(link, come):
    token = link()
    come(token, WEEK - timedelta(microseconds=1))
    assert refusal(come, token, WEEK) == "expired"


@pytest.mark.parametrize("is_personal", [True, False])
def test_a_revoked_link_lets_nobody_in_not_even_its_own_rater(catalog, link, come, is_personal):
    token = link(is_personal=is_personal, max_uses=1)
    come(token)
    with catalog.writing() as session:
        invite = session.scalars(select(Invite)).one()
        revoke_invite(session, invite, START)
        revoke_invite(session, invite, WEEK)
        assert invite.revoked_at == START
    assert refusal(come, token) == "revoked"


@pytest.mark.parametrize("token", ["", "0" * 40, "x'; DROP TABLE invite; --"])
def test_an_unknown_token_is_refused(link, come, token):
    link()
    assert refusal(come, token) == "unknown"


def test_a_closed_study_takes_nobody_new_but_its_raters_come_back(catalog, study, link, come):
    lab, personal = link(), link(is_personal=True, max_uses=1)
    rater, _, _ = come(personal)
    with catalog.writing() as session:
        close_study(session, session.get_one(Study, study.id), START)
    assert refusal(come, lab) == "closed"
    assert come(personal)[0] == rater


def test_looking_at_a_link_uses_nothing(catalog, link):
    token = link(max_uses=1)
    with catalog.reading() as session:
        for _ in range(3):
            assert check_invite(session, token, START).uses == 0


def test_racing_redemptions_never_overuse_a_link(catalog, link):
    token = link(max_uses=2)
    gate = threading.Barrier(6)
    answers = []

    def enter() -> None:
        gate.wait()
        try:
            with catalog.writing() as session:
                answers.append(redeem(session, token, START).is_new)
        except InviteRefused as refused:
            answers.append(refused.reason)

    racers = [threading.Thread(target=enter) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(map(str, answers)) == ["True", "True", *["used-up"] * 4]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_uses": 0}, "max_uses of a lab link: at least 1, found 0"),
        (
            {"is_personal": True, "max_uses": 2},
            r"max_uses of a personal link: 1 \(it makes one rater\), found 2",
        ),
        ({"expires_at": START}, "would expire at 2026-03-02 09:00, which is past"),
    ],
)
def test_an_impossible_wish_is_named(link, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        link(**changes)
