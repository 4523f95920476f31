"""The screen's modules as one script, and addresses that change with what they lead to."""

from __future__ import annotations

import re

import pytest

from study_app import clock
from study_app.web.static_files import SCREEN, STATIC, bundle, in_order, static_digest


@pytest.fixture
def modules(tmp_path):
    """`modules(name=text, ...)`: a folder of modules."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.js").write_text(text)
        return tmp_path

    return write


def test_each_module_comes_after_those_that_it_needs(modules):
    folder = modules(
        a='import { b } from "./b.js";\nimport * as c from "./c.js";\n',
        b='import {\n  d,\n} from "./d.js";\nexport const b = d;\n',
        c='import { d as e } from "./d.js";\nexport function c() {}\n',
        d="export const d = 1;\n",
    )
    assert in_order("a.js", folder) == ["d.js", "b.js", "c.js", "a.js"]


def test_scopes_stay_apart_and_names_arrive(modules):
    folder = modules(
        a='import { one as two } from "./b.js";\nimport * as b from "./b.js";\nconst own = two + b.one;\n',
        b="const own = 1;\nexport const one = own;\nexport async function more() {}\nexport class Box {}\n",
    )
    assert bundle("a.js", folder).splitlines() == [
        "const module_b = (() => {", "const own = 1;", "const one = own;", "async function more() {}", "class Box {}",
        "", "return { one, more, Box };", "})();",
        "const { one: two } = module_b;", "const b = module_b;", "const own = two + b.one;",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line", ['import "./b.js";', "export default 1;", "export let one = 1;", 'export * from "./b.js";']
)
def test_what_would_mean_something_else_in_one_script_is_refused(modules, line):
    with pytest.raises(ValueError, match=re.escape(line)):
        bundle("a.js", modules(a=line + "\n", b=""))


def test_modules_that_need_each_other_are_refused(modules):
    folder = modules(
        a='import { b } from "./b.js";\n', b='import { a } from "./a.js";\nexport const b = 1;\n'
    )
    with pytest.raises(ValueError, match=r"a\.js > b\.js > a\.js"):
        in_order("a.js", folder)


def test_a_missing_module_is_named(modules):
    with pytest.raises(FileNotFoundError, match=r"gone\.js"):
        bundle("a.js", modules(a='import { b } from "./gone.js";\n'))


def test_every_module_of_the_screen_is_in_it():
    names = in_order(SCREEN)
    assert len(names) == len(set(names)) > 15
    imported = {
        found for name in names for found in re.findall(r'from "./(.+?)"', (STATIC / name).read_text())
    }
    assert imported == set(names) - {SCREEN}


def test_the_digest_follows_content_and_names(modules, tmp_path):
    before = static_digest(modules(a="1"))
    assert static_digest(modules(a="2")) != before
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    assert static_digest(modules(b="1")) != before


def test_the_page_names_addresses_that_are_kept_for_good(client, new_rater):
    client.sign_in(new_rater(at=clock.now()))
    page = client.get("/trial").text
    for pattern in (r'src="(/screen/\w+\.js)"', r'href="(/static/\w+/trial\.css)"'):
        (address,) = re.findall(pattern, page)
        answer = client.get(address)
        assert answer.status_code == 200
        assert {"public", "max-age=31536000", "immutable"} <= set(answer.headers["Cache-Control"].split(", "))
        answer.close()


def test_an_older_pages_script_is_answered_but_not_kept(client):
    answer = client.get("/screen/0123456789abcdef.js")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
