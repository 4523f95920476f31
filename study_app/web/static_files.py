"""The trial screen's files: kept by the browser for good under an address that holds a digest of all of them.

The screen is some twenty small modules. Loaded one by one they cost more than anything else of a first page, so that
page gets them as one script, put together from the same files when the application starts; nothing else is changed.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState

STATIC = Path(__file__).parents[1] / "static"
KEPT_SECONDS = 365 * 24 * 60 * 60
SCREEN = "trial.js"
_EXTENSION = "study_screen_script"
_IMPORT = re.compile(r'^import (\* as \w+|\{[^}]*\}) from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function|class|const) (\w+))", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)

blueprint = Blueprint("static_files", __name__)


def static_digest(folder: Path = STATIC) -> str:
    """Of all files and their names: a part of their address, which so changes with any of them."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def in_order(entry: str, folder: Path = STATIC) -> list[str]:
    """`entry` and all modules that it imports, each after those that it needs itself.

    Raises FileNotFoundError where one is missing, ValueError where two need each other.
    """
    done: list[str] = []
    _visit(entry, folder, (), done)
    return done


def bundle(entry: str, folder: Path = STATIC) -> str:
    """The modules of `in_order` as one: each keeps its own scope and hands out what it exports.

    Raises ValueError for an import or export of a form that the screen's modules do not use.
    """
    *modules, last = in_order(entry, folder)
    return "\n".join([*(_enclosed(name, folder) for name in modules), _rewritten(last, folder)[0]])


@blueprint.record_once
def _set_up(state: BlueprintSetupState) -> None:
    state.app.extensions[_EXTENSION] = (static_digest(), bundle(SCREEN))


@blueprint.app_template_global()
def screen_digest() -> str:
    """The digest that the screen's address needs."""
    return str(current_app.extensions[_EXTENSION][0])


@blueprint.get("/screen/<digest>.js")
def screen(digest: str) -> Response:
    """The trial screen's modules as one. An older page has its own already, so any digest gives the present one."""
    response = Response(current_app.extensions[_EXTENSION][1], mimetype="text/javascript")
    if digest == screen_digest():
        response.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}, immutable"
    return response


def _visit(name: str, folder: Path, above: tuple[str, ...], done: list[str]) -> None:
    if name in above:
        raise ValueError(
            f"modules import each other: {' > '.join((*above, name))}; one of them has to give way"
        )
    if name in done:
        return
    for _, needed in _IMPORT.findall((folder / name).read_text(encoding="utf-8")):
        _visit(needed, folder, (*above, name), done)
    done.append(name)


def _enclosed(name: str, folder: Path) -> str:
    body, exported = _rewritten(name, folder)
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();"


def _rewritten(name: str, folder: Path) -> tuple[str, list[str]]:
    """A module's text with its imports as constants and without `export`, and the names that it exports."""
    text = (folder / name).read_text(encoding="utf-8")
    exported = _EXPORT.findall(text)
    text = _IMPORT.sub(lambda found: f"const {_pattern(found[1])} = {_variable(found[2])};", text)
    text = _EXPORT.sub("", text)
    if left_over := _LEFT_OVER.search(text):
        raise ValueError(f"{name}: cannot put {left_over[0]!r} into one script; import or export names")
    return text, exported


def _pattern(imported: str) -> str:
    """`{ a as b }` is `{ a: b }` where a constant is taken apart; `* as a` is `a`."""
    return imported.removeprefix("* as ").replace(" as ", ": ")


def _variable(name: str) -> str:
    return "module_" + name.removesuffix(".js").replace("-", "_")
