"""Bad input to the trial's endpoints (study.md, section 11): the right answer, and nothing stored."""

from __future__ import annotations

import json
import random
import time
import uuid
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from study_app import clock, create_app
from study_app.preparation.studies import close_study
from study_app.rating.vote_body import VoteError, parse_key, parse_vote
from study_app.storage.models import Study, Vote
from study_app.web.protection import MAX_BODY_BYTES
from tests.study_app.conftest import SECRET, StudyClient
from tests.study_app.scenery import START, add_assignment, detached, scene_named

TRIAL = "0123456789abcdef" * 2


def body(**fields):
    """A good vote but for `fields`; a field of ... is left out."""
    good = {
        "assignment": TRIAL, "version": 1, "kind": "choice", "picks": ["A", "B"], "acceptable": True, "reasons": [],
        "comment": "", "client_at": "2026-03-02T09:00:00Z", "behaviour": {},
    } | fields  # fmt: skip
    return {name: value for name, value in good.items() if value is not ...}


# field that the answer names, what is wrong, the body
BAD_BODIES = [
    ("body", "a JSON object", []),
    ("body", "a JSON object", "A"),
    ("body", "a JSON object", None),
    ("extra", "unknown", body(extra=1)),
    ("assignment", "missing", body(assignment=...)),
    ("version", "missing", body(version=...)),
    ("kind", "missing", body(kind=...)),
    ("assignment", "32 hexadecimal", body(assignment="../../etc/passwd")),
    ("assignment", "32 hexadecimal", body(assignment=7)),
    ("assignment", "32 hexadecimal", body(assignment=TRIAL.upper())),
    ("version", "whole number", body(version=0)),
    ("version", "whole number", body(version=-1)),
    ("version", "whole number", body(version="1")),
    ("version", "whole number", body(version=1.0)),
    ("version", "whole number", body(version=True)),
    ("version", "whole number", body(version=10**6)),
    ("kind", "one of", body(kind="best")),
    ("kind", "one of", body(kind=None)),
    ("picks", "a first pick", body(picks=[])),
    ("picks", "a first pick", body(picks=...)),
    ("picks", "a list", body(picks="AB")),
    ("picks", "a list", body(picks=["A", "B", "C", "D"])),
    ("picks", "without a gap", body(picks=[None, "A"])),
    ("picks", "without a gap", body(picks=["A", None, "B"])),
    ("picks", "without a gap", body(picks=["A", ""])),
    ("picks", "from A to M", body(picks=["N"])),
    ("picks", "from A to M", body(picks=["a"])),
    ("picks", "from A to M", body(picks=["AB"])),
    ("picks", "from A to M", body(picks=[0])),
    ("picks", "twice", body(picks=["A", "B", "A"])),
    ("picks", "only a choice", body(kind="cannot_tell", acceptable=None)),
    ("acceptable", "say whether", body(acceptable=None)),
    ("acceptable", "say whether", body(acceptable=...)),
    ("acceptable", "true, false or null", body(acceptable="yes")),
    ("acceptable", "true, false or null", body(acceptable=1)),
    ("acceptable", "only a choice", body(kind="technical", picks=[])),
    ("reasons", "not acceptable", body(reasons=["halo"])),
    ("reasons", "a list out of", body(acceptable=False, reasons="halo")),
    ("reasons", "a list out of", body(acceptable=False, reasons=["ugly"])),
    ("reasons", "a list out of", body(acceptable=False, reasons=[["halo"]])),
    ("reasons", "twice", body(acceptable=False, reasons=["halo", "halo"])),
    ("comment", "at most 500", body(comment="x" * 501)),
    ("comment", "a text", body(comment=["x"])),
    ("comment", "NUL", body(comment="a\0b")),
    ("comment", "surrogate", body(comment="\ud83d")),
    ("client_at", "a time", body(client_at="yesterday")),
    ("client_at", "a time", body(client_at=1772442000)),
    ("client_at", "a time", body(client_at="0001-01-01T00:00:00+23:59")),
    ("behaviour", "an object", body(behaviour=[1])),
    ("behaviour", "NUL", body(behaviour={"a\0": 1})),
    ("behaviour", "NUL", body(behaviour={"views": [["A", "\0"]]})),
    ("behaviour", "too large", body(behaviour={"dwell": 2**53 + 1})),
    ("behaviour", "too large", body(behaviour={"dwell": 10**400})),
    ("behaviour", "nested", body(behaviour={"a": [[[[[[[[1]]]]]]]]})),
]
BAD_BYTES = [
    ("body", "JSON in UTF-8", b""),
    ("body", "JSON in UTF-8", b"{"),
    ("body", "JSON in UTF-8", b'{"comment": "\xff\xfe"}'),
    ("body", "JSON in UTF-8", b'{"version": NaN}'),
    ("body", "JSON in UTF-8", b'{"version": -Infinity}'),
    ("body", "JSON in UTF-8", b'{"version": ' + b"9" * 5000 + b"}"),
    ("body", "too deeply", b'{"a": ' + b"[" * 60_000),
    ("behaviour", "too large", json.dumps(body()).replace("{}", '{"zoom": 1e999}').encode()),
]


@pytest.mark.parametrize(("field", "reason", "sent"), BAD_BODIES)
def test_what_is_no_vote(field, reason, sent):
    with pytest.raises(VoteError, match=reason) as caught:
        parse_vote(json.dumps(sent).encode())
    assert caught.value.field == field


@pytest.mark.parametrize(("field", "reason", "sent"), BAD_BYTES)
def test_what_is_no_json(field, reason, sent):
    with pytest.raises(VoteError, match=reason) as caught:
        parse_vote(sent)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "1",
        "not-a-uuid",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "0" * 36,
        "6f1c2f0e-3a51-4c5e-9d7b-1f2e3d4c5b6a\n1",
    ],
)
def test_what_is_no_key(key):
    with pytest.raises(VoteError, match="UUID of version 4"):
        parse_key(key)


@pytest.mark.parametrize(
    "good",
    [
        body(),
        body(picks=["M", "A", "L"]),
        body(acceptable=False, reasons=["halo", "other"], comment="é\n" * 250),
        body(kind="cannot_tell", picks=[], acceptable=None),
        body(
            kind="technical",
            picks=...,
            acceptable=...,
            reasons=...,
            comment=...,
            client_at=...,
            behaviour=...,
        ),
        body(client_at="2026-03-02T10:00:00.123+01:00"),
        body(behaviour={"views": [["A", 0], ["e1", 12.5]], "dwell_ms": {"A": 3}}),
    ],
)
def test_good_votes_pass(good):
    assert parse_vote(json.dumps(good).encode()).kind == good["kind"]


def test_the_hash_covers_all_fields_and_no_spelling():
    one = json.dumps(body(), indent=3).encode()
    other = json.dumps(dict(reversed(body().items()))).encode()
    assert parse_vote(one).hash == parse_vote(other).hash
    assert parse_vote(one).hash != parse_vote(json.dumps(body(behaviour={"a": 1})).encode()).hash


@pytest.fixture(autouse=True)
def the_time(monkeypatch):
    """The server's clock stands at START, where raters and sittings begin."""
    monkeypatch.setattr(clock, "now", lambda: START)


@pytest.fixture
def trial(catalog, study, new_rater, client):
    """An open trial of the rater who is signed in."""
    rater = new_rater()
    client.sign_in(rater)
    with catalog.writing() as session:
        found = add_assignment(session, session.merge(rater), scene_named(session, study, "elm"))
        return detached(session, found)


def votes_in(catalog, trial):
    with catalog.reading() as session:
        return session.scalar(select(func.count()).where(Vote.assignment_id == trial.id))


def send(client, sent, **headers):
    answer = client.send("/api/votes", sent, **{"Idempotency_Key": str(uuid.uuid4()), **headers})
    answer.close()
    return answer


class TestAnswers:
    def test_a_wrong_field_is_named(self, client, catalog, trial):
        answer = send(client, body(assignment=trial.public_id, picks=["C"]))  # two pictures are shown
        assert (answer.status_code, answer.get_json()["field"]) == (422, "picks")
        assert "C was not shown" in answer.get_json()["error"]
        assert send(client, {"a\0<script>": 1}).get_json()["field"] == "a<script>"
        assert send(client, body(assignment=trial.public_id), Idempotency_Key="1").status_code == 422
        assert votes_in(catalog, trial) == 0

    def test_only_json(self, client, trial):
        headers = {"X-CSRFToken": client.csrf_token(), "Idempotency-Key": str(uuid.uuid4())}
        answer = client.post("/api/votes", data={"assignment": trial.public_id}, headers=headers)
        assert (answer.status_code, answer.get_json()["field"]) == (422, "Content-Type")

    def test_anothers_trial_and_an_unknown_one_have_one_answer(
        self, client, catalog, study, trial, new_rater
    ):
        with catalog.writing() as session:
            other = add_assignment(
                session, session.merge(new_rater()), scene_named(session, study, "elm")
            ).public_id
        answers = [send(client, body(assignment=name)) for name in (other, TRIAL)]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].data == answers[1].data

    @pytest.mark.parametrize(
        "path",
        [
            "/api/trial/../../etc/passwd",
            "/api/trial/%2e%2e/x",
            "/api/votes/1",
            "/api/x",
            "/api/trial/next/..",
        ],
    )
    def test_paths_that_do_not_exist(self, client, trial, path):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()) == (
            404,
            {"error": "There is nothing at this address."},
        )

    def test_without_a_token_or_from_elsewhere(self, client, catalog, trial):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        sent = body(assignment=trial.public_id)
        assert client.post("/api/votes", json=sent, headers=headers).status_code == 403
        assert (
            client.post("/api/votes", json=sent, headers={**headers, "X-CSRFToken": "x"}).status_code == 403
        )
        assert send(client, sent, Origin="https://elsewhere.example").status_code == 403
        assert votes_in(catalog, trial) == 0

    def test_a_lost_cookie(self, app, catalog, trial):
        stranger = app.test_client()
        for answer in (
            stranger.post("/api/votes", json=body(assignment=trial.public_id)),
            send(stranger, body(assignment=trial.public_id)),
            stranger.get("/api/trial"),
        ):
            assert answer.status_code == 401
            assert "open your invitation link again" in answer.get_json()["error"]
        assert votes_in(catalog, trial) == 0

    @pytest.mark.parametrize("state", ["withdrawn", "erasing", "erased"])
    def test_a_rater_who_left(self, client, catalog, new_rater, trial, state):
        client.sign_in(new_rater(state=state))
        assert send(client, body(assignment=trial.public_id)).status_code == 401

    def test_too_large(self, client, catalog, trial):
        sent = body(assignment=trial.public_id, behaviour={"views": ["x" * MAX_BODY_BYTES]})
        assert send(client, sent).status_code == 413
        assert votes_in(catalog, trial) == 0

    def test_the_study_closed_meanwhile(self, client, catalog, study, trial):
        with catalog.writing() as session:
            close_study(session, session.get_one(Study, study.id), START)
        answer = send(client, body(assignment=trial.public_id))
        assert (answer.status_code, answer.get_json()["next"]) == (201, "/finish")
        with catalog.reading() as session:
            assert session.scalars(select(Vote.late).where(Vote.assignment_id == trial.id)).one()

    def test_an_unknown_kind_of_trial(self, client, trial):
        assert client.get("/api/trial?kind=gold").status_code == 422

    @pytest.mark.parametrize(
        ("field", "changes"),
        [
            ("assignment", {"assignment": "x"}),
            ("image", {"image": "../../secret"}),
            ("what", {"what": "a\nforged line of the log"}),
            ("what", {"what": "x" * 201}),
            ("what", {"what": None}),
            ("body", {"more": 1}),
        ],
    )
    def test_reports_of_broken_pictures(self, client, trial, field, changes):
        sent = {"assignment": trial.public_id, "image": TRIAL, "what": "lost"} | changes
        answer = client.send("/api/faults", sent)
        assert (answer.status_code, answer.get_json()["field"]) == (422, field)

    def test_a_report_of_a_picture_that_was_not_shown(self, client, trial):
        sent = {"assignment": trial.public_id, "image": TRIAL, "what": "lost"}
        assert client.send("/api/faults", sent).status_code == 404


class TestLimits:
    @pytest.fixture
    def limited(self, settings, study, dataset):
        app = create_app(replace(settings, limits_enabled=True))
        app.testing = True
        app.test_client_class = StudyClient
        yield app
        app.extensions["study_database"].close()

    def test_sixty_votes_a_minute_are_enough(self, limited, new_rater, monkeypatch):
        monkeypatch.setattr(time, "time", lambda: 1_772_442_000.0)  # the window must not turn meanwhile
        client = limited.test_client()
        client.sign_in(new_rater())
        answers = [send(client, {}) for _ in range(70)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers[:60]} == {422}
        assert len(refused) == 10
        assert 1 <= int(refused[0].headers["Retry-After"]) <= 61
        client.sign_in(new_rater())
        assert send(client, {}).status_code == 422, "another rater behind the same address is free"

    def test_twenty_reports_of_one_trial_reach_the_log(self, limited, catalog, study, new_rater, caplog):
        client, rater = limited.test_client(), new_rater()
        client.sign_in(rater)
        document = client.get("/api/trial").get_json()
        fault = {
            "assignment": document["assignment"], "image": document["images"][0]["id"], "what": "decode failed",
        }  # fmt: skip
        assert {client.send("/api/faults", fault).status_code for _ in range(25)} == {204}
        assert sum("decode failed" in record.message for record in caplog.records) == 20


NASTY = [
    None, True, False, 0, -1, 1.5, 2**63, 10**400, "", "A", "\0", "\ud800", "é", "x" * 600, "../../etc/passwd",
    "' OR 1=1 --", [], ["A"], ["A", "A"], [[]], {}, {"": None}, {"a": {"b": [1, "\0"]}}, "2026-13-40T99:99:99Z",
]  # fmt: skip


def mutated(dice, good):
    """A valid body with a few fields lost, spoilt, renamed or added; now and then no object at all."""
    if dice.random() < 0.1:
        return dice.choice(NASTY)
    found = dict(good)
    for _ in range(dice.randint(1, 3)):
        name = dice.choice([*found, "extra"]) if found else "extra"
        found[name] = dice.choice(NASTY)
        if dice.random() < 0.2:
            del found[name]
    return found


def raw(dice, sent):
    """Its bytes, at times damaged."""
    data = json.dumps(sent).encode()
    if dice.random() < 0.15 and data:
        place = dice.randrange(len(data))
        data = data[:place] + bytes([dice.randrange(256)]) + data[place + dice.randint(0, 3) :]
    return data


def test_no_input_breaks_an_endpoint(app, client, trial, catalog):
    """300 seeded cases over all JSON endpoints: whatever is sent, the answer is below 500 and tells no secret."""
    dice = random.Random(20260302)
    endpoints = [
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
    ]
    assert len(endpoints) >= 5
    token = client.csrf_token()
    answers = set()
    for case in range(300):
        method, path = endpoints[case % len(endpoints)]
        good = body(assignment=trial.public_id, image=..., what=...)
        if path == "/api/faults":
            good = {"assignment": trial.public_id, "image": TRIAL, "what": "x"}
        headers = {
            "X-CSRFToken": token if dice.random() < 0.9 else str(dice.choice(["", "x", "1.2.3"])),
            "Idempotency-Key": dice.choice([str(uuid.UUID(int=dice.getrandbits(128), version=4)), "", "x"]),
        }
        kinds = ["application/json"] * 9 + ["text/plain", "application/x-www-form-urlencoded"]
        query = {dice.choice(["kind", "x"]): dice.choice(["trial", "training", "'", "\0", "é"])}
        answer = client.open(
            path, method=method, data=raw(dice, mutated(dice, good)), headers=headers, query_string=query,
            content_type=dice.choice(kinds),
        )  # fmt: skip
        answer.close()
        assert answer.status_code < 500, (case, method, path)
        assert SECRET.encode() not in answer.data
        assert b"Traceback" not in answer.data
        answers.add(answer.status_code)
    assert {200, 403, 422} <= answers, "the cases reach the checks and beyond"
