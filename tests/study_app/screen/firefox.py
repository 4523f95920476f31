"""Debian's Firefox by its own Marionette protocol: no driver program, no package; as much of it as the proofs need.

The protocol (Firefox source docs, "Marionette"): each message is `<length>:<json>`; a command is
[0, id, name, parameters], its answer [1, id, error, result]; commands are those of the WebDriver standard.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.study_app.servers import NotHere, free_port

PROGRAMS = ("firefox-esr", "firefox")
START_SECONDS = 60
SCRIPT_MS = 120_000


class FirefoxError(RuntimeError):
    """Firefox refused a command; the message is its own."""


class Firefox:
    """One window of a running Firefox."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._stream, self._number = connection, connection.makefile("rb"), 0
        self._message()  # the greeting
        self.ask("WebDriver:NewSession", {"timeouts": {"script": SCRIPT_MS}})
        self.ask("Marionette:SetContext", {"value": "content"})

    def ask(self, name: str, parameters: dict[str, Any] | None = None) -> Any:
        """Send a command and return its result; raises FirefoxError."""
        self._number += 1
        text = json.dumps([0, self._number, name, parameters or {}]).encode()
        self._connection.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._message()
        if error:
            raise FirefoxError(f"{name}: {error['error']}: {error['message']}")
        return result

    def open(self, url: str) -> None:
        self.ask("WebDriver:Navigate", {"url": url})

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """The value of the body of an async function, `arguments` as in WebDriver, in the page's own world."""
        body = f"return (async () => {{ {script} }})()"
        asked = {"script": body, "args": list(arguments), "sandbox": None}
        return self.ask("WebDriver:ExecuteScript", asked)["value"]

    def wait_for(self, condition: str, seconds: float = 30) -> None:
        """Until a JavaScript expression is true; raises FirefoxError."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"return Boolean({condition})"):
            if time.monotonic() > end:
                raise FirefoxError(f"still not so after {seconds:.0f} s: {condition}")
            time.sleep(0.05)

    def press(self, key: str, *, control: bool = False, shift: bool = False) -> None:
        """A real key press; `key` is a character or one of WebDriver's code points."""
        held = ["\ue009"] * control + ["\ue008"] * shift
        actions = [{"type": "keyDown", "value": one} for one in (*held, key)]
        actions += [{"type": "keyUp", "value": one} for one in (key, *held)]
        self.ask("WebDriver:PerformActions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def screenshot(self) -> np.ndarray:
        """The device pixels of the window: rows x columns x 3."""
        found = self.ask("WebDriver:TakeScreenshot", {"full": False})["value"]
        with Image.open(io.BytesIO(base64.b64decode(found))) as image:
            return np.asarray(image.convert("RGB"))

    def _message(self) -> Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            if not byte:
                raise FirefoxError("the connection ended")
            length += byte
        return json.loads(self._stream.read(int(length)))


@contextmanager
def launched_firefox(folder: Path, dpr: float) -> Iterator[Firefox]:
    """A headless Firefox with a new profile and this device pixel ratio; raises NotHere without one."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise NotHere("Firefox not found: install Debian's firefox-esr to run this")
    port = free_port()
    settings = {
        "marionette.port": port, "layout.css.devPixelsPerPx": str(dpr), "gfx.color_management.mode": 0,
        "app.update.enabled": False, "browser.shell.checkDefaultBrowser": False,
    }  # fmt: skip
    profile = folder / f"profile-{dpr}"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [program, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    with (folder / "firefox.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment(folder))
    try:
        with _connected(port, process) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _environment(folder: Path) -> dict[str, str]:
    size = {"MOZ_HEADLESS_WIDTH": "2720", "MOZ_HEADLESS_HEIGHT": "1900"}
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), **size}


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=SCRIPT_MS / 1000)
        except OSError:
            time.sleep(0.1)
    raise FirefoxError(f"Firefox did not answer on port {port} within {START_SECONDS} s; see its log")
