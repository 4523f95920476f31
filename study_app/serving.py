"""Running the application: on this machine by waitress, behind a proxy by gunicorn; a backup each hour."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from flask import Flask

from study_app import create_app
from study_app.keeping.hourly_backups import HourlyBackup
from study_app.preparation.experimenters import has_admin
from study_app.settings import LOOPBACK_HOSTS, StudySettings, StudySettingsError, load_study_settings
from study_app.storage.database import open_database

THREADS = 16
ANY_ADDRESS = ("0.0.0.0", "::", "")
LOOPBACK = (*LOOPBACK_HOSTS, "::1")


def application() -> Flask:
    """The factory for gunicorn: `gunicorn 'study_app.serving:application()'` with STUDY_DATA and SECRET_KEY set.

    Raises StudySettingsError where the secret or an administrator's password is missing: there are no defaults.
    """
    data = Path(os.environ.get("STUDY_DATA", "data"))
    settings = load_study_settings(data)
    catalog = open_database(settings.database_url)
    try:
        with catalog.reading() as session:
            if not has_admin(session):
                raise StudySettingsError(
                    f"{data}: no administrator yet; run `python -m study_app create-admin --data {data}` first"
                )
    finally:
        catalog.close()
    app = create_app(settings)
    app.extensions["hourly_backup"] = HourlyBackup(settings)
    app.extensions["hourly_backup"].start()  # in each worker; whoever comes first makes it
    freeze_what_is_loaded()
    return app


def freeze_what_is_loaded() -> None:
    """Take what stays for good out of the garbage collector's rounds: one over all of it makes a page wait 0.2 s."""
    gc.collect()
    gc.freeze()


def require_safe_address(host: str, settings: StudySettings, environment: Mapping[str, str]) -> None:
    """Raise StudySettingsError for plain http beyond this machine, unless INSECURE_LAN=1 asks for it."""
    if host in LOOPBACK or settings.secure_cookies or environment.get("INSECURE_LAN") == "1":
        return
    raise StudySettingsError(
        f"HOST {host} over plain http: anybody on the network could read links, passwords and cookies. "
        "On a laboratory's own network set INSECURE_LAN=1; elsewhere serve through TLS (SECURE_COOKIES=1 and "
        "PROXY_HOPS behind a proxy)"
    )


def own_addresses(host: str) -> tuple[str, ...]:
    """Names under which browsers reach a server that listens on `host`, the best one first."""
    if host not in ANY_ADDRESS:
        return (host,)
    found = [_outward_address(), socket.gethostname()]
    return tuple(dict.fromkeys(name for name in found if name)) or ("127.0.0.1",)


def _outward_address() -> str:
    """This machine's address on its network; connecting a UDP socket chooses it and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation range: never a real machine
            return str(probe.getsockname()[0])
        except OSError:  # no network at all
            return ""


def reachable_settings(settings: StudySettings, host: str) -> StudySettings:
    """The settings with this machine's own addresses among the allowed hosts, after those that were named."""
    return replace(settings, hosts=tuple(dict.fromkeys((*settings.hosts, *own_addresses(host)))))


def base_url(host: str, port: int, settings: StudySettings) -> str:
    """Where the pages begin, as people type it; behind TLS that is the first name of STUDY_HOSTS."""
    named = [name for name in settings.hosts if name not in LOOPBACK]
    if settings.secure_cookies and named:
        return f"https://{named[0]}"
    name = own_addresses(host)[0]
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _stop(_signal: int, _frame: object) -> NoReturn:
    """End as by Ctrl-C: requests under way are answered, a backup under way is finished."""
    sys.exit(0)


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes requests; raises StudySettingsError where the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=1024)
    except OSError as error:
        raise StudySettingsError(
            f"{host} port {port} cannot be listened on ({error.strerror}); give another --port or --host"
        ) from error


def run(settings: StudySettings, host: str, port: int) -> None:
    """Serve until interrupted or terminated: waitress with 16 threads, and a backup each hour."""
    import waitress

    with listening(host, port) as listener:
        app = create_app(settings)
        signal.signal(signal.SIGTERM, _stop)
        hourly = HourlyBackup(settings)
        hourly.start()
        freeze_what_is_loaded()
        try:
            waitress.serve(
                app,
                sockets=[listener],
                threads=THREADS,
                ident=None,  # the Server header names no program
                clear_untrusted_proxy_headers=not settings.proxy_hops,  # else ProxyFix would never see them
            )
        finally:
            hourly.stop()
