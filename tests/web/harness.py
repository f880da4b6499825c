"""A host that does nothing but note what it is asked, behind the real server, and plain HTTP to ask it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import inspect
import json
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from reconciler.model.grants import path_secret
from reconciler.service.context import Heartbeat
from reconciler.service.control import new_suspension
from reconciler.service.endpoints import ENDPOINTS
from reconciler.service.events import EventBuffer
from reconciler.service.host import Host
from reconciler.web.app import ServedHost
from reconciler.web.auth import READING, Deadlines, Rate, ServerConfig
from reconciler.web.server import HttpServer, Listen
from reconciler.wiring.reading import session_layout
from tests.support.patience import DEADLINE
from tests.support.samples import sample
from tests.web.measuring import Noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.grants import Grant
    from reconciler.model.host import HostCondition

TOKEN = "the-token-of-daemon.json"
SECRET = "It's a Secret to Everybody"
"""GitHub's own example: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries."""
HOOK = f"/webhooks/{path_secret(SECRET)}"
OFTEN = Rate(1000.0, 1000)
"""For tests that are about something else than how often a token may be wrong."""
PAYLOADS = Path(__file__).parent / "payloads"


@dataclass
class Daemon:
    """The services of a host, and all else that is served. What is asked is noted: method, and arguments but None.

    `error` is raised by what may fail, `gate` keeps its calls waiting until it is set.
    """

    beats: list[Heartbeat] = field(default_factory=lambda: [Heartbeat("operations", "Idle", 0.1, 60.0)])
    is_ready: bool = True
    hold: HostCondition | None = None
    error: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    futures: list[Future[Mapping[str, Any]]] = field(default_factory=list)
    hold_futures: bool = False
    measures: Noted = field(default_factory=Noted)
    feed: EventBuffer = field(default_factory=EventBuffer)

    def __post_init__(self) -> None:
        self.gate.set()

    def begin_anew(self) -> None:
        """Be as when it was made."""
        vars(self).update(vars(type(self)()))

    @property
    def served(self) -> ServedHost:
        """What the server is made with."""
        pages = SimpleNamespace(heading=dict)
        return ServedHost(self, pages, self.feed, self.hint, self.measures, self.measures.expose)  # type: ignore[arg-type]

    @property
    def context(self) -> Any:
        """The part of a service's context that needs no store."""
        return SimpleNamespace(
            heartbeats=lambda: self.beats,
            ready=lambda: self.is_ready,
            hold=lambda: self.hold,
            session_layout=session_layout,
        )

    def bind(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """What answers a method of a service: for probes the real one."""
        if call in (Host.health, Host.readiness):
            return partial(call, Host(self.context))
        answer = self._queued if call.__qualname__.startswith("HostControl.") else self._called

        def asked(**given: Any) -> Any:
            bound = inspect.signature(call).bind(None, **given)
            bound.apply_defaults()
            arguments = {name: value for name, value in list(bound.arguments.items())[1:] if value is not None}
            return answer(call.__qualname__, arguments)

        return asked

    def ask(self, call: Callable[..., Any]) -> Any:
        """No schemas, which is all that is asked so."""
        return {}

    def hint(self, source: str) -> None:
        """Note who says that something may have changed."""
        self.hints.append(source)

    def answer(self, name: str) -> Mapping[str, Any]:
        """The answer to a method."""
        return {"asked": name, "sync": "Synced"}

    def _called(self, name: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
        self.asked.append((name, arguments))
        assert self.gate.wait(DEADLINE)
        if self.error is not None:
            raise self.error
        return self.answer(name)

    def _queued(self, name: str, arguments: dict[str, Any]) -> Future[Mapping[str, Any]]:
        if name == "HostControl.suspend":
            new_suspension(arguments["by"], arguments["reason"], arguments.get("until"), RealClock())
        self.asked.append((name, arguments))
        future: Future[Mapping[str, Any]] = Future()
        self.futures.append(future)
        if self.error is not None:
            future.set_exception(self.error)
        elif not self.hold_futures:
            future.set_result(self.answer(name))
        return future


class TypedDaemon(Daemon):
    """The same with answers of the types that the endpoints name."""

    def answer(self, name: str) -> Mapping[str, Any]:
        """As little as may be said."""
        return next(
            sample(endpoint.answer)
            for endpoint in ENDPOINTS
            if endpoint.call is not None and endpoint.call.__qualname__ == name
        )


class RealClock:
    """Not the stopped one of tests: what a suspension is until is compared with now."""

    def now(self) -> datetime:
        """The moment."""
        return datetime.now(UTC)


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
    reading: Rate = READING,
    local_reads: bool = True,
    **deadlines: float,
) -> Iterator[Site]:
    """The real server on a free port of 127.0.0.1; every thread of it is gone afterwards."""
    found = daemon or Daemon()
    before = set(threading.enumerate())
    config = ServerConfig(TOKEN, secret, hosts, Deadlines(**deadlines), grants, reading, failing, local_reads)
    with HttpServer(found.served, config, Listen("127.0.0.1", 0)) as server:
        yield Site(found, server)
    left = set(threading.enumerate()) - before
    assert not left


def signed(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in hexadecimal, from the standard library's other interface than the one that is tested."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
