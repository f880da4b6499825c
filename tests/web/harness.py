"""A daemon that does nothing but note what it is asked, behind the real server, and plain HTTP to ask it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.daemon.events import Feed
from reconciler.web.address import Listen
from reconciler.web.limits import Rate
from reconciler.web.operations import Heartbeat
from reconciler.web.server import HttpServer
from reconciler.web.serving import Deadlines, Serving
from reconciler.web.webhooks import path_secret
from tests.web.measuring import Noted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.grants import Grant
    from reconciler.web.catalogue import Catalogue

TOKEN = "the-token-of-daemon.json"
SECRET = "It's a Secret to Everybody"
"""GitHub's own example: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries."""
HOOK = f"/webhooks/{path_secret(SECRET)}"
OFTEN = Rate(1000.0, 1000)
"""For tests that are about something else than how often a token may be wrong."""
PAYLOADS = Path(__file__).parent / "payloads"


@dataclass
class Daemon:
    """Implements `Operations`. `error` is raised by what may fail, `gate` keeps its calls waiting until it is set."""

    beats: list[Heartbeat] = field(default_factory=lambda: [Heartbeat("operations", "Idle", 0.1, 60.0)])
    is_ready: bool = True
    error: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    futures: list[Future[Mapping[str, Any]]] = field(default_factory=list)
    hold_futures: bool = False
    measures: Noted = field(default_factory=Noted)
    feed: Feed = field(default_factory=Feed)
    sessions: Any = None

    def __post_init__(self) -> None:
        self.gate.set()

    def begin_anew(self) -> None:
        """Be as when it was made."""
        vars(self).update(vars(type(self)()))

    def heartbeats(self) -> Sequence[Heartbeat]:
        return self.beats

    def ready(self) -> bool:
        return self.is_ready

    def hint(self, source: str) -> None:
        self.hints.append(source)

    def submit_sync(self, approve: str | None, by: str, *, force: bool) -> Future[Mapping[str, Any]]:
        return self._queued("sync", approve, by, force)

    def submit_verify(self, by: str) -> Future[Mapping[str, Any]]:
        return self._queued("verify", by)

    def status(self) -> Mapping[str, Any]:
        return self._called("status")

    def drift(self) -> Mapping[str, Any]:
        return self._called("drift")

    def rows(self, kind: str, name: str | None) -> Mapping[str, Any]:
        return self._called("rows", kind, name)

    def page(self, kind: str, limit: int, after: tuple[str, str] | None) -> Mapping[str, Any]:
        return self._called("page", kind, limit, *([after] if after else []))

    def versions(
        self, limit: int, filters: Mapping[str, str], after: tuple[Any, ...] | None = None
    ) -> Mapping[str, Any]:
        return self._called("versions", limit, dict(filters), *([after] if after else []))

    def version(self, revision: str) -> Mapping[str, Any]:
        return self._called("version", revision)

    def history(
        self, kind: str | None, name: str | None, limit: int, after: tuple[Any, ...] | None = None
    ) -> Mapping[str, Any]:
        return self._called("history", kind, name, limit, *([after] if after else []))

    def show(self, kind: str, name: str | None, at: str) -> Mapping[str, Any]:
        return {**self._called("show", kind, name, at), "rows": [], "key": "id"}

    def diff(self, base: str, head: str) -> Mapping[str, Any]:
        return self._called("diff", base, head)

    def blame(self, kind: str, name: str) -> Mapping[str, Any]:
        return self._called("blame", kind, name)

    @property
    def catalogue(self) -> Catalogue:
        return self

    def kinds(self) -> Mapping[str, Any]:
        return self._called("kinds")

    def kind(self, word: str) -> Mapping[str, Any]:
        return self._called("kind", word)

    def plan(self) -> Mapping[str, Any]:
        return self._called("plan")

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def suspend(self, reason: str, until: datetime | None, by: str) -> Mapping[str, Any]:
        return self._called("suspend", reason, until, by)

    def resume(self, by: str) -> Mapping[str, Any]:
        return self._called("resume", by)

    def _called(self, *what: Any) -> Mapping[str, Any]:
        self.asked.append(what)
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        return {"asked": what[0], "sync": "Synced"}

    def _queued(self, *what: Any) -> Future[Mapping[str, Any]]:
        self.asked.append(what)
        future: Future[Mapping[str, Any]] = Future()
        self.futures.append(future)
        if self.error is not None:
            future.set_exception(self.error)
        elif not self.hold_futures:
            future.set_result({"asked": what[0]})
        return future


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers in lower case, and the JSON in it."""

    status: int
    headers: Mapping[str, str]
    json: Any

    @property
    def code(self) -> str:
        """The error's code; its body has to be the one error body."""
        assert set(self.json) == {"error"}
        assert {name: type(value) for name, value in self.json["error"].items()} == dict.fromkeys(
            ("code", "message", "hint"), str
        )
        return str(self.json["error"]["code"])


@dataclass
class Site:
    """A running server and the daemon behind it."""

    daemon: Daemon
    server: HttpServer

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """One request; underscores in header names are dashes."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            return reply(connection)
        finally:
            connection.close()

    def operate(self, path: str, told: Any = None, **headers: str) -> Reply:
        """A POST of JSON with the daemon's token."""
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} | headers
        return self.ask("POST", path, None if told is None else json.dumps(told).encode(), **given)

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection(str(self.server.address.local), timeout=40)


def reply(connection: http.client.HTTPConnection) -> Reply:
    """The answer to the last request."""
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    text = response.read()
    return Reply(response.status, headers, json.loads(text) if text else None)


@contextmanager
def running(
    daemon: Daemon | None = None,
    *,
    hosts: frozenset[str] = frozenset(),
    secret: str = SECRET,
    grants: tuple[Grant, ...] = (),
    failing: Rate = OFTEN,
    **deadlines: float,
) -> Iterator[Site]:
    """The real server on a free port of 127.0.0.1; every thread of it is gone afterwards."""
    found = daemon or Daemon()
    before = set(threading.enumerate())
    serving = Serving(TOKEN, secret, hosts, Deadlines(**deadlines), grants, failing=failing)
    with HttpServer(found, serving, Listen("127.0.0.1", 0)) as server:
        yield Site(found, server)
    left = set(threading.enumerate()) - before
    assert not left


def signed(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in hexadecimal, from the standard library's other interface than the one that is tested."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
