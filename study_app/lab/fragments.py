"""Parts of pages that a script asks for every few seconds: an unchanged part costs a header, not a drawing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from flask import Response, make_response, request


def etag_of(*figures: object) -> str:
    """A tag of plain values: dataclasses, tuples, numbers, texts."""
    return hashlib.sha256(repr(figures).encode()).hexdigest()[:32]


def fragment(tag: str, draw: Callable[[], str]) -> Response:
    """The fragment under this tag, or 304 without drawing it where the client has it already."""
    unchanged = request.if_none_match.contains_weak(tag)
    response = make_response(("", 304) if unchanged else draw())
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
