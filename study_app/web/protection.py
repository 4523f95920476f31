"""What guards every request: hosts, CSRF, rate limits, headers, and error answers that tell nothing."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date

from flask import Flask, Response, abort, current_app, jsonify, render_template, request
from flask_limiter import Limiter
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from study_app.settings import StudySettings
from study_app.web import running_application

MAX_BODY_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 2
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SENTENCES = {
    400: "The request was not understood. Go back, reload the page and try again.",
    403: "This page was open too long or came from elsewhere. Reload it and try again.",
    404: "There is nothing at this address.",
    405: "There is nothing at this address.",
    413: "The request is too large.",
    429: "Too many requests. Wait a moment; the page tries again by itself.",
    500: "Something went wrong here. Your earlier answers are safe. Please reload the page.",
    503: "Not saved yet, still trying: the server is busy for a moment.",
}

csrf = CSRFProtect()


def hashed_address() -> str:
    """The client's address under a hash that changes every day: enough to count requests, never stored."""
    salt = f"{date.today().isoformat()}:{current_app.secret_key!s}".encode()
    return hmac.new(salt, (request.remote_addr or "").encode(), hashlib.sha256).hexdigest()[:24]


limiter = Limiter(key_func=hashed_address)


def protect(app: Flask, settings: StudySettings) -> None:
    """Configure the application; every line of it has a test in tests/study_app/test_protection.py."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="study",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=60 * 60 * 24 * 30,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        WTF_CSRF_TIME_LIMIT=None,  # a page may stay open over night; the token dies with the session
        WTF_CSRF_SSL_STRICT=False,  # _same_origin is the stricter check and also holds without TLS
        RATELIMIT_ENABLED=settings.limits_enabled,
        RATELIMIT_STORAGE_URI="memory://",
    )
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    csrf.init_app(app)
    limiter.init_app(app)
    app.before_request(_require_known_host)
    app.before_request(_require_same_origin)
    app.after_request(_add_headers)
    app.register_error_handler(HTTPException, _plain_answer)
    app.register_error_handler(OperationalError, _busy)


def wants_json() -> bool:
    """Whether the client is the page's own script and not a person's address bar."""
    return request.path.startswith("/api/") or request.is_json


def _require_known_host() -> None:
    name = request.host.rpartition(":")[0] if not request.host.endswith("]") else request.host
    if (name or request.host) not in running_application.settings().hosts:
        abort(400)


def _require_same_origin() -> None:
    origin = request.headers.get("Origin")
    changes = request.method not in ("GET", "HEAD", "OPTIONS")
    if changes and origin is not None and origin != request.host_url.rstrip("/"):
        abort(403)


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    elif request.endpoint == "static":
        response.cache_control.immutable = True  # the address holds a digest of the content
    return response


def _plain_answer(error: HTTPException) -> tuple[Response | str, int] | HTTPException:
    code = 403 if isinstance(error, CSRFError) else error.code or 500
    if code < 400:
        return error
    sentence = SENTENCES.get(code, error.description or SENTENCES[500])
    if wants_json():
        return jsonify(error=sentence), code
    return render_template("error.html", code=code, sentence=sentence), code


def _busy(_error: OperationalError) -> tuple[Response | str, int, dict[str, str]]:
    """A locked, full or read-only database: nothing was stored, and the client is told to try again."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if wants_json():
        return jsonify(error=SENTENCES[503]), 503, headers
    return render_template("error.html", code=503, sentence=SENTENCES[503]), 503, headers
