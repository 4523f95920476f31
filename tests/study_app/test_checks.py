"""The display check and the dot plates as pages: judged on the server, resumed after a reload."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from sqlalchemy import select

from study_app import clock
from study_app.rater_pages import display_check, plates
from study_app.rater_pages.turnstile import secret_number
from study_app.storage.models import Rater, ScreeningAnswer, Sitting
from tests.study_app.pages import MINUTE, Watch, count, path_of, right_answers, text_of, the_only
from tests.study_app.scenery import START, rater_id

GOOD_DISPLAY = {
    "viewport_width": "1920",
    "viewport_height": "1080",
    "screen_width": "1920",
    "screen_height": "1080",
    "dpr": "1.2500",
    "scale": "1.0000",
    "pointer": "fine",
    "gamut": "p3",
    "hdr": "no",
    "depth": "24",
    "full_screen": "yes",
    "even": "yes",
}


@pytest.fixture(autouse=True)
def watch(monkeypatch):
    found = Watch()
    monkeypatch.setattr(clock, "now", found)
    return found


def test_a_good_display_begins_a_sitting(client, catalog, new_rater):
    client.sign_in(new_rater(step="consented"))
    answer = client.submit(
        "/display-check", **GOOD_DISPLAY, **right_answers(client.get("/display-check").text)
    )
    assert path_of(answer) == "/next"
    sitting = the_only(catalog, Sitting)
    assert (sitting.number, sitting.display_passed, sitting.started_at) == (1, True, START + MINUTE)
    assert sitting.display["viewport"] == [1920, 1080]
    assert (sitting.display["dpr"], sitting.display["gamut"]) == (1.25, "p3")
    assert sitting.display["full_screen"] is True
    assert sitting.display["failed"] == []


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"viewport_width": "1279"}, "viewport"),
        ({"viewport_height": "719"}, "viewport"),
        ({"viewport_height": "-5"}, "viewport"),
        ({"viewport_width": ""}, "viewport"),
        ({"pointer": "none"}, "pointer"),
        ({"pointer": "<b>"}, "pointer"),
        ({"scale": "1.5"}, "scale"),
        ({"scale": "nan"}, "scale"),
        ({"upright": "9"}, "lines"),
        ({"even": "no"}, "lines"),
        ({"dark": "0"}, "dark"),
        ({"dark": "many"}, "dark"),
        ({"bright": "0"}, "bright"),
        ({"bright": "9" * 5000}, "bright"),
    ],
)
def test_what_fails_is_named_and_the_rater_may_go_on(client, catalog, new_rater, change, failed):
    client.sign_in(new_rater(step="consented"))
    page = client.get("/display-check")
    fields = {**GOOD_DISPLAY, **right_answers(page.text), **change}
    answer = client.submit("/display-check", **fields)
    assert answer.status_code == 422
    assert 'id="problems"' in answer.text
    assert right_answers(answer.text)["tried"] == "1"
    assert count(catalog, Sitting) == 0
    assert path_of(client.submit("/display-check", as_it_is="yes", **fields)) == "/next"
    sitting = the_only(catalog, Sitting)
    assert (sitting.display_passed, sitting.display["failed"]) == (False, [failed])
    assert path_of(client.get("/next")) == "/colour-vision"


def test_a_second_try_has_new_patterns_and_can_pass(client, catalog, new_rater):
    client.sign_in(new_rater(step="consented"))
    again = client.submit("/display-check", **{**GOOD_DISPLAY, "upright": "9"})
    client.submit("/display-check", **GOOD_DISPLAY, **right_answers(again.text))
    assert the_only(catalog, Sitting).display_passed is True


def test_patterns_vary_and_always_hold_something():
    drawn = [display_check.patterns(seed) for seed in range(200)]
    assert drawn[7] == display_check.patterns(7)
    assert {sum(one.upright) for one in drawn} == {1, 2, 3}
    for one in drawn:
        assert set(one.dark) == {0, display_check.NEAR_BLACK}
        assert set(one.bright) == {255, display_check.NEAR_WHITE}
        assert (len(one.upright), len(one.dark)) == (display_check.SQUARES, display_check.PATCHES)
    assert {sum(level > 0 for level in one.dark) for one in drawn} == {2, 3, 4, 5, 6}


def plate_digits(app, rater):
    with app.test_request_context():
        return plates.digits(secret_number("plates", rater.public_id))


def answer_plates(client, answers):
    for number, answer in enumerate(answers):
        assert path_of(client.submit("/colour-vision", plate=str(number), answer=answer)) == "/next"


@pytest.mark.parametrize(("wrong", "passed"), [((), True), ((2,), True), ((2, 4), False), ((0,), False)])
def test_plates_are_judged_on_the_server(app, client, catalog, new_rater, wrong, passed):
    rater = new_rater(step="display-checked")
    client.sign_in(rater)
    answers = ["none" if n in wrong else digit for n, digit in enumerate(plate_digits(app, rater))]
    answer_plates(client, answers)
    with catalog.reading() as session:
        assert session.get_one(Rater, rater_id(rater)).colour_passed is passed
        stored = session.scalars(select(ScreeningAnswer).order_by(ScreeningAnswer.plate)).all()
    assert [row.answer for row in stored] == answers
    assert [row.correct for row in stored] == [n not in wrong for n in range(6)]
    assert path_of(client.get("/next")) == "/instructions", "whoever fails goes on all the same"


def test_a_reload_resumes_at_the_plate_not_answered_yet(app, client, catalog, new_rater):
    rater = new_rater(step="display-checked")
    client.sign_in(rater)
    answer_plates(client, ["5", "5"])
    page = client.get("/colour-vision")
    assert "Plate 3 of 6" in page.text
    client.submit("/colour-vision", plate="1", answer="4")  # the back button
    client.submit("/colour-vision", plate="7", answer="4")
    assert count(catalog, ScreeningAnswer) == 2


def test_only_the_plate_at_hand_is_shown_and_nothing_tells_its_answer(app, client, new_rater):
    rater = new_rater(step="display-checked")
    client.sign_in(rater)
    page, picture = client.get("/colour-vision"), client.get("/colour-vision/0.png")
    assert client.get("/colour-vision/1.png").status_code == 404
    image = Image.open(io.BytesIO(picture.data))
    assert (image.size, image.mode, image.info) == ((plates.SIZE, plates.SIZE), "RGB", {})
    assert picture.headers["Cache-Control"] == "no-store"
    assert "ETag" not in picture.headers
    assert "not a medical test" in text_of(page)
    seeds = {plate_digits(app, one) for one in (rater, new_rater(step="joined"))}
    assert len(seeds) == 2, "each rater has digits of their own"


@pytest.mark.parametrize("answer", ["", "55", "a", "\u0665", "-1"])
def test_an_answer_is_one_digit(client, catalog, new_rater, answer):
    client.sign_in(new_rater(step="display-checked"))
    refused = client.submit("/colour-vision", plate="0", answer=answer)
    assert refused.status_code == 422
    assert "Please type one digit" in refused.text
    assert count(catalog, ScreeningAnswer) == 0


def test_plates_out_of_turn_are_not_stored(client, catalog, new_rater):
    for step in ("joined", "consented", "colour-checked"):
        client.sign_in(new_rater(step=step))
        before = count(catalog, ScreeningAnswer)
        client.submit("/colour-vision", plate=str(before), answer="5")
        assert count(catalog, ScreeningAnswer) == before
