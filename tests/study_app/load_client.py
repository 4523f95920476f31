"""A simulated rater over real HTTP: the pages in their order, CSRF tokens, and an outbox that does not give up."""

from __future__ import annotations

import html
import http.client
import json
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

LONGEST_WAIT = 2.0  # seconds between two tries; the page's own outbox waits up to 30
PATIENCE = 120.0  # seconds; a server that is away for longer fails the test


class Left(Exception):
    """The rater was told to go."""


class GaveUp(RuntimeError):
    """The server did not answer for PATIENCE, or gave an answer that no rater should ever see."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Acknowledged:
    """A vote that the server said it keeps."""

    key: str
    version: int
    hash: str


@dataclass
class Record:
    """What one rater saw; threads write only to their own."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)  # of answered requests, by kind
    statuses: dict[int, int] = field(default_factory=dict)
    lost_connections: int = 0


@dataclass(frozen=True)
class Knowledge:
    """What the test knows and a rater sees: answers to the plates, and which training pictures are sound."""

    plate_digits: Callable[[str], tuple[str, ...]]  # of a session cookie
    sound_pictures: frozenset[str]


class Browser:
    """One keep-alive connection with cookies; asks again until the server answers."""

    def __init__(self, port: int, record: Record, dice: random.Random) -> None:
        self._port, self._record, self._dice = port, record, dice
        self._connection: http.client.HTTPConnection | None = None
        self._over = threading.Event()
        self.cookies: dict[str, str] = {}
        self.token = ""

    def get(self, path: str, kind: str = "page") -> Answer:
        return self._until_answered(kind, "GET", path, b"", {})

    def submit(self, path: str, fields: Mapping[str, str]) -> Answer:
        body = urlencode({"csrf_token": self.token, **fields}).encode()
        return self._until_answered(
            "page", "POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def send(self, path: str, body: bytes, kind: str, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        json_headers = {"Content-Type": "application/json", "X-CSRFToken": self.token, **named}
        return self._until_answered(kind, "POST", path, body, json_headers)

    def leave(self) -> None:
        """From any thread: whatever this browser does next raises Left."""
        self._over.set()

    def pause(self, seconds: float) -> None:
        """Wait; Left once `leave` was called."""
        if self._over.wait(seconds):
            raise Left

    def close(self) -> None:
        """Give the connection back; the next request makes a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _until_answered(
        self, kind: str, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Answer:
        end, wait = time.monotonic() + PATIENCE, 0.05
        while time.monotonic() < end:
            answer = self._once(kind, method, path, body, headers)
            if answer is not None and answer.status != 503:
                return answer
            self.pause(wait * self._dice.uniform(0.5, 1.0))
            wait = min(2 * wait, LONGEST_WAIT)
        raise GaveUp(f"{method} {path}: no answer for {PATIENCE:.0f} s")

    def _once(self, kind: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer | None:
        start = time.perf_counter()
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            self._connection.request(method, path, body or None, {**headers, "Cookie": cookies})
            reply = self._connection.getresponse()
            answer = Answer(reply.status, dict(reply.getheaders()), reply.read())
        except (OSError, http.client.HTTPException):
            self.close()
            self._record.lost_connections += 1
            return None
        self._record.seconds.setdefault(kind, []).append(time.perf_counter() - start)
        self._record.statuses[answer.status] = self._record.statuses.get(answer.status, 0) + 1
        self._remember(answer)
        return answer

    def _remember(self, answer: Answer) -> None:
        for name, morsel in SimpleCookie(answer.headers.get("Set-Cookie", "")).items():
            self.cookies[name] = morsel.value
        found = re.search(rb'<meta name="csrf-token" content="([^"]+)"', answer.body)
        if found:
            self.token = html.unescape(found[1].decode())


class SimulatedRater:
    """Joins by a lab link and rates until nothing is left. Some double-click, some change their mind.

    `think_seconds` go into each trial, `read_seconds` into each page before it that asks for something.
    """

    def __init__(
        self, port: int, invitation: str, knowledge: Knowledge, *, seed: int, think_seconds: float,
        read_seconds: float = 0.0,
    ) -> None:  # fmt: skip
        self._dice = random.Random(seed)
        self.record = Record()
        self._browser = Browser(port, self.record, self._dice)
        self._invitation, self._knowledge = invitation, knowledge
        self._think_seconds, self._read_seconds = think_seconds, read_seconds

    def run(self) -> Record:
        """The whole way, or until `leave`; raises GaveUp where it ends before its end."""
        with closing(self._browser), suppress(Left):
            self._walk()
        return self.record

    def leave(self) -> None:
        """Go home in the middle; from any thread."""
        self._browser.leave()

    def _walk(self) -> None:
        self._browser.get(f"/join/{self._invitation}")
        self._submit(f"/join/{self._invitation}", {})
        page = self._next_page()
        while page != "/finish":
            STEPS[page](self)
            page = self._next_page()

    def _next_page(self) -> str:
        return self._expect(self._browser.get("/next"), 303).headers["Location"]

    def _submit(self, path: str, fields: Mapping[str, str]) -> None:
        self._browser.pause(self._read_seconds * self._dice.uniform(0.5, 1.5))
        self._expect(self._browser.submit(path, fields), 303)

    def _expect(self, answer: Answer, *statuses: int) -> Answer:
        if answer.status not in statuses:
            raise GaveUp(f"expected {statuses}, got {answer.status}: {answer.body[:500]!r}")
        return answer

    def consent(self) -> None:
        page = self._browser.get("/consent").text()
        if found := re.search(r'name="text" value="([^"]+)"', page):
            self._submit("/consent", {"agree": "yes", "text": found[1]})

    def check_display(self) -> None:
        page = self._browser.get("/display-check").text()
        found = re.search(r'data-patterns="([^"]+)"', page)
        if found is None:
            return
        shown = json.loads(html.unescape(found[1]))
        seen = {
            "upright": sum(shown["upright"]),
            "dark": sum(level > 0 for level in shown["dark"]),
            "bright": sum(level < 255 for level in shown["bright"]),
        }
        sizes = {"viewport_width": 1920, "viewport_height": 1000, "screen_width": 1920, "screen_height": 1080}
        rest = {"dpr": "1", "scale": "1", "pointer": "fine", "gamut": "srgb", "even": "yes", "tried": "0"}
        numbers = {name: str(value) for name, value in {**seen, **sizes}.items()}
        self._submit("/display-check", {**rest, **numbers})

    def check_colours(self) -> None:
        page = self._browser.get("/colour-vision").text()
        digits = self._knowledge.plate_digits(self._browser.cookies["study"])
        if found := re.search(r'name="plate" value="(\d)"', page):
            fields = {"plate": found[1], "answer": digits[int(found[1])]}
            self._submit("/colour-vision", fields)

    def read_instructions(self) -> None:
        self._browser.get("/instructions")
        self._submit("/instructions", {})

    def rest(self) -> None:
        self._browser.get("/break")
        self._browser.pause(0.3)

    def train(self) -> None:
        self._browser.get("/training")
        self._judge(self._browser.get("/api/trial?kind=training", "trial").json())

    def rate(self) -> None:
        self._browser.get("/trial")
        while True:
            document = self._browser.get("/api/trial", "trial").json()
            if "next" in document:
                return
            self._expect(self._browser.get("/api/trial/next", "prefetch"), 200)
            if self._judge(document) != "/trial":
                return

    def _judge(self, document: dict[str, Any]) -> str:
        """Answer a trial as a person with an outbox does; the page to go to."""
        if "next" in document:
            return str(document["next"])
        self._browser.pause(self._think_seconds * self._dice.uniform(0.5, 1.5))
        key, body = str(uuid.UUID(int=self._dice.getrandbits(128), version=4)), self._body(document)
        answer = self._vote(key, body)
        if document["kind"] != "training" and self._dice.random() < 0.1:
            again = self._vote(key, body)  # a double click
            if (again["vote"], again["hash"]) != (answer["vote"], answer["hash"]):
                raise GaveUp(f"a vote came back as another: {answer} {again}")
        if document["kind"] != "training" and self._dice.random() < 0.05:
            self._change_mind()
        return str(answer["next"])

    def _change_mind(self) -> None:
        answer = self._browser.send("/api/trials/reopen", b"{}", "trial")
        if answer.status == 200:
            self._vote(str(uuid.UUID(int=self._dice.getrandbits(128), version=4)), self._body(answer.json()))

    def _vote(self, key: str, body: bytes) -> dict[str, Any]:
        answer = self._expect(self._browser.send("/api/votes", body, "vote", Idempotency_Key=key), 200, 201)
        found: dict[str, Any] = answer.json()
        self.record.acknowledged.append(Acknowledged(found["vote"], found["version"], found["hash"]))
        return found

    def _body(self, document: dict[str, Any]) -> bytes:
        shown = document["images"]
        sound = [one["letter"] for one in shown if one["id"] in self._knowledge.sound_pictures]
        letters = [one["letter"] for one in shown]
        picks = sound or self._dice.sample(letters, min(self._dice.randint(1, 3), len(letters)))
        behaviour = {"dwell_ms": {letter: self._dice.randrange(9000) for letter in letters}, "dpr": 1}
        return json.dumps(
            {
                "assignment": document["assignment"], "version": document["version"], "kind": "choice",
                "picks": picks, "acceptable": True, "reasons": [], "comment": "",
                "client_at": "2026-03-02T09:00:00Z", "behaviour": behaviour,
            }
        ).encode()  # fmt: skip


STEPS: dict[str, Callable[[SimulatedRater], None]] = {
    "/consent": SimulatedRater.consent,
    "/display-check": SimulatedRater.check_display,
    "/colour-vision": SimulatedRater.check_colours,
    "/instructions": SimulatedRater.read_instructions,
    "/training": SimulatedRater.train,
    "/trial": SimulatedRater.rate,
    "/break": SimulatedRater.rest,
}
