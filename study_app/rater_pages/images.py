"""The pictures of a trial under names that tell nothing: `/p/<public id>/...`.

A public id leads to a row, a row to a folder below the data folder; nothing else of a request becomes part of a path.
A view asks for hundreds of tiles, so folders are remembered and the cookie is read without the database.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy import select

from study_app.settings import StudySettings
from study_app.storage.models import StudyExposure, StudyItem
from study_app.web.identity import EXPERIMENTER_KEY, RATER_KEY
from study_app.web.running_application import database

blueprint = Blueprint("images", __name__, url_prefix="/p")

CACHE_CONTROL = "private, max-age=31536000, immutable"  # a changed picture has another id
REMEMBERED_FOLDERS = 20_000  # 500 scenes of 13 items and 9 exposures, in about 5 MB
_EXTENSION = "study_image_folders"
_PUBLIC_ID = re.compile("[0-9a-f]{32}")


class Folders:
    """Preview folders by public id: the last REMEMBERED_FOLDERS that were asked for. Safe between threads."""

    def __init__(self, data: Path, limit: int = REMEMBERED_FOLDERS) -> None:
        self._data = data
        self._limit = limit
        self._known: OrderedDict[str, Path] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, public_id: str) -> Path | None:
        """The folder of an item or exposure, or None where no row has this id."""
        with self._lock:
            if public_id in self._known:
                self._known.move_to_end(public_id)
                return self._known[public_id]
        stored = _stored_path(public_id)
        if stored is None:  # not remembered: guesses must not push out what is in use
            return None
        folder = self._data / stored
        with self._lock:
            self._known[public_id] = folder
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
        return folder


def _stored_path(public_id: str) -> str | None:
    with database().reading() as session:
        for table in (StudyItem, StudyExposure):
            found = session.scalar(select(table.preview_path).where(table.public_id == public_id))
            if found is not None:
                return found
    return None


@blueprint.record_once
def _set_up(state: BlueprintSetupState) -> None:
    settings: StudySettings = state.app.extensions["study_settings"]
    state.app.extensions[_EXTENSION] = Folders(settings.data.resolve())
    # A cookie rewritten by every tile would change the request's Cookie header, and with it void the browser's cache.
    state.app.config["SESSION_REFRESH_EACH_REQUEST"] = False


@blueprint.get("/<public_id>/<any(w480, w2048):size>.jpg")
def preview(public_id: str, size: str) -> Response:
    """A whole picture whose long side has at most 480 or 2048 pixels."""
    return _picture(public_id, f"{size}.jpg")


@blueprint.get("/<public_id>/<int(max=20):level>/<int(max=4095):column>_<int(max=4095):row>.jpg")
def tile(public_id: str, level: int, column: int, row: int) -> Response:
    """One tile of the deep-zoom pyramid; level 0 is a single pixel."""
    return _picture(public_id, f"tiles_files/{level}/{column}_{row}.jpg")


def _picture(public_id: str, name: str) -> Response:
    _require_signed_in()
    folders: Folders = current_app.extensions[_EXTENSION]
    folder = folders.find(public_id) if _PUBLIC_ID.fullmatch(public_id) else None
    if folder is None:
        abort(404)
    etag = f"{public_id}-{name.removesuffix('.jpg').removeprefix('tiles_files/').replace('/', '-')}"
    if request.if_none_match.contains(etag):
        response = Response(status=304)
    else:
        response = Response(_bytes(folder / name), mimetype="image/jpeg")
    # Neither a date nor a file name goes out: the order in which files were written is that of the algorithms.
    response.headers["Cache-Control"] = CACHE_CONTROL
    response.set_etag(etag)
    return response


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        abort(404)


def _require_signed_in() -> None:
    """Read the signed cookie apart from flask.session, whose use adds `Vary: Cookie` and so defeats the cache."""
    app = current_app
    cookie = app.session_interface.open_session(app, request)
    if not cookie or not (cookie.get(RATER_KEY) or cookie.get(EXPERIMENTER_KEY)):
        abort(401, "Please open your invitation link again. Answers that wait in this browser are kept.")
