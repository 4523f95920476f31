"""Settings of the web application: from the command line and the environment, into one frozen value."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.catalog import catalog_url

SECRET_FILE = "study/secret_key"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class StudySettingsError(ValueError):
    """The application cannot start like this; the message says what to set."""


@dataclass(frozen=True)
class StudySettings:
    """Where the data are and how the application is reached."""

    data: Path
    database_url: str
    secret_key: str
    hosts: tuple[str, ...] = LOOPBACK_HOSTS  # names by which it may be addressed, without port
    secure_cookies: bool = (
        False  # True behind TLS; plain http is for loopback and, if said so, a lab's own net
    )
    proxy_hops: int = 0  # number of proxies in front whose X-Forwarded-* headers are to be believed
    limits_enabled: bool = True  # False only for a load test of the machine itself


def load_study_settings(
    data: Path, *, environment: Mapping[str, str] = os.environ, make_secret: bool = False
) -> StudySettings:
    """Read SECRET_KEY (or the file made by `make_secret`), STUDY_HOSTS, SECURE_COOKIES, PROXY_HOPS, DATABASE_URL.

    Raises StudySettingsError where the data folder or the secret is missing or a number is none.
    """
    if not data.is_dir():
        raise StudySettingsError(
            f"{data}: no such folder; make a dataset first: make build-dataset DATA={data}"
        )
    names = environment.get("STUDY_HOSTS", "")
    hops = environment.get("PROXY_HOPS", "0")
    if not hops.isdigit():
        raise StudySettingsError(f"PROXY_HOPS: expected the number of proxies, found {hops!r}")
    return StudySettings(
        data=data,
        database_url=catalog_url(data),
        secret_key=environment.get("SECRET_KEY") or _secret(data / SECRET_FILE, make_secret),
        hosts=(*LOOPBACK_HOSTS, *(name.strip() for name in names.split(",") if name.strip())),
        secure_cookies=environment.get("SECURE_COOKIES", "0") == "1",
        proxy_hops=int(hops),
    )


def _secret(path: Path, make: bool) -> str:
    """The secret key kept beside the data, readable by its owner only; made once where allowed."""
    if not path.is_file():
        if not make:
            raise StudySettingsError(
                f"no secret key: set SECRET_KEY or run `python -m study_app serve` once, which makes {path}"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # another process was quicker
            return path.read_text().strip()
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()
