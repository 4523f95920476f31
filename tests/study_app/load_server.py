"""The application as gunicorn serves it in the load tests, with a hook that only they have.

LOAD_KILL_FILE names a file: whoever removes it, in the moment between the commit of a vote and its reply, dies.
LOAD_BREAK_SECONDS makes the breaks between sittings as short as a test can wait. The module serves as gunicorn's
configuration too: so the master imports everything once, and a worker in place of a dead one is there at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from study_app import create_app
from study_app.lab import managing, results
from study_app.rater_pages import images, joining, trial_page
from study_app.rating import sittings
from study_app.serving import freeze_what_is_loaded
from study_app.settings import load_study_settings

IMPORTED_AHEAD = (
    images,
    joining,
    managing,
    results,
    trial_page,
)  # what create_app would import in each worker


class DiesBeforeReply:
    """Runs the application; after a stored vote it dies by SIGKILL where the file asks for it, reply unsent."""

    def __init__(self, application: Callable[..., Iterable[bytes]], kill_file: Path) -> None:
        self._application, self._kill_file = application, kill_file

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        heard: list[tuple[Any, ...]] = []

        def hear(*reply: Any) -> Callable[[bytes], None]:
            heard.append(reply)
            return lambda _: None

        body = self._application(environ, hear)
        if environ["PATH_INFO"] == "/api/votes" and heard[0][0].startswith("201") and self._asked_to_die():
            os.kill(os.getpid(), signal.SIGKILL)
        start_response(*heard[0])
        return body

    def _asked_to_die(self) -> bool:
        try:
            self._kill_file.unlink()
        except FileNotFoundError:
            return False
        return True


def application() -> DiesBeforeReply:
    """The factory that gunicorn calls in each worker."""
    sittings.BREAK_LENGTH = timedelta(seconds=float(os.environ["LOAD_BREAK_SECONDS"]))
    app = create_app(load_study_settings(Path(os.environ["STUDY_DATA"])))
    freeze_what_is_loaded()
    return DiesBeforeReply(app, Path(os.environ["LOAD_KILL_FILE"]))
