"""Sessions over HTTP, of a real daemon on a real server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.redis.connection import connect
from tests.running.hosts import Host
from tests.support import configs
from tests.support.patience import DEADLINE, until
from tests.support.valkey import pid, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.redis.server import EmbeddedServer
    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow


@dataclass
class Caller:
    """Calls a daemon with its token."""

    address: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            text = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, text, given | {"Connection": "close"} | headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def create(self, owner: str, **more: Any) -> tuple[int, Any]:
        given = {"user_id": owner, "ip_address": "203.0.113.7", "device_fingerprint": "phone"} | more
        return self.ask("POST", "/v1/sessions", given)


@pytest.fixture(scope="module")
def redis() -> Iterator[EmbeddedServer]:
    with server() as running:
        yield running


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, redis: EmbeddedServer) -> Host:
    return Host.create(tmp_path_factory.mktemp("host"), REDIS_URL=redis.url)


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as running:
        yield running


@pytest.fixture(scope="module")
def caller(daemon: RunningDaemon) -> Caller:
    return _caller(daemon)


def _caller(daemon: RunningDaemon) -> Caller:
    daemon.client()
    found = find_daemon(daemon.state)
    assert found is not None
    return Caller(found.address, found.token)


def _id(daemon: RunningDaemon, name: str) -> str:
    return str(daemon.client().rows("user", name)["rows"][0]["values"]["user_id"])


def test_a_session_from_its_beginning_to_its_end(daemon: RunningDaemon, caller: Caller, host: Host) -> None:
    status, begun = caller.create(_id(daemon, "ann"), ip_address="::ffff:203.0.113.7")
    assert (status, begun["status"], begun["ip_address"]) == (201, "ACTIVE", "203.0.113.7")
    assert begun["device_fingerprint"].startswith("hmac-sha256:")
    place = f"/v1/sessions/{begun['session_id']}"
    assert caller.ask("GET", place) == (200, begun)
    status, touched = caller.ask("POST", f"{place}/touch")
    assert (status, touched["last_active"] >= begun["last_active"]) == (200, True)
    told = host.run("session", "get", begun["session_id"], "--format", "json")
    assert json.loads(told.out) == touched  # the command line sees the same one
    status, ended = caller.ask("POST", f"{place}/expire")
    assert (status, ended["status"]) == (200, "EXPIRED")
    status, refused = caller.ask("POST", f"{place}/touch")
    assert (status, refused["error"]["code"]) == (409, "session-ended")
    assert caller.ask("GET", place)[1]["status"] == "EXPIRED"


def test_pages_of_an_owner_by_name_or_id_and_their_end(daemon: RunningDaemon, caller: Caller) -> None:
    begun = [caller.create(_id(daemon, "ben"))[1]["session_id"] for _ in range(5)]
    status, page = caller.ask("GET", "/v1/sessions?user=ben&limit=3")
    assert (status, len(page["sessions"])) == (200, 3)
    status, rest = caller.ask("GET", f"/v1/sessions?user={_id(daemon, 'ben')}&cursor={page['next']}")
    assert (status, rest["next"]) == (200, None)
    assert sorted(one["session_id"] for one in page["sessions"] + rest["sessions"]) == sorted(begun)
    assert caller.ask("POST", "/v1/sessions/expire?user=ben") == (200, {"ended": 5})
    assert {one["status"] for one in caller.ask("GET", "/v1/sessions?user=ben")[1]["sessions"]} == {"EXPIRED"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/v1/sessions", None, 422, "?user="),
        ("GET", "/v1/sessions?user=nobody", None, 422, "no User nobody is live"),
        ("GET", "/v1/sessions?user=ann&limit=0", None, 422, "out of range"),
        ("GET", "/v1/sessions?user=ann&limit=x", None, 422, "out of range"),
        ("GET", "/v1/sessions?user=ann&limit=%C2%B2", None, 422, "out of range"),
        ("GET", "/v1/sessions?user=ann&cursor=x", None, 422, "no place in a list"),
        ("GET", "/v1/sessions?user=ann&after=x", None, 422, "no parameter after"),
        ("GET", "/v1/sessions/*", None, 422, "/session_id"),
        ("GET", "/v1/sessions/a%0Ab%00", None, 422, "/session_id"),
        ("GET", "/v1/sessions/00000000-0000-4000-8000-000000000001", None, 404, "no such session"),
        ("POST", "/v1/sessions/00000000-0000-4000-8000-000000000001/touch", None, 404, "no such session"),
        ("POST", "/v1/sessions/00000000-0000-4000-8000-000000000001/expire", None, 404, "no such session"),
        ("POST", "/v1/sessions", {}, 422, "is missing"),
        ("POST", "/v1/sessions", [], 422, ""),
        ("POST", "/v1/sessions", 7, 422, ""),
        ("POST", "/v1/sessions", b"{", 400, "not JSON"),
        ("POST", "/v1/sessions", {"user_id": "x" * 20_000}, 413, "larger than"),
        ("POST", "/v1/sessions", b'{"user_id": NaN}', 422, ""),
        ("DELETE", "/v1/sessions", None, 405, "GET"),
    ],
)
def test_what_is_asked_has_to_make_sense(
    caller: Caller, method: str, path: str, body: Any, status: int, words: str
) -> None:
    found, told = caller.ask(method, path, body)
    assert (found, words in told["error"]["message"]) == (status, True), told


def test_all_problems_of_a_request_are_told_as_of_a_file(daemon: RunningDaemon, caller: Caller) -> None:
    given = {"ip_address": "300.1.1.1", "device_fingerprint": "a\nb", "colour": "red"}
    status, told = caller.create(_id(daemon, "ann"), **given)
    assert status == 422
    found = {(one["code"], one["pointer"]) for one in told["problems"]}
    assert found == {("bad-format", "/ip_address"), ("bad-format", "/device_fingerprint"), ("unknown-field", "/colour")}
    assert set(told["problems"][0]) == {
        "code", "severity", "path", "line", "column", "pointer", "message", "hint"
    }  # fmt: skip


def test_an_owner_who_is_unknown_or_switched_off_begins_none(host: Host, daemon: RunningDaemon, caller: Caller) -> None:
    status, told = caller.create(str(uuid4()))
    assert (status, told["error"]["code"], told["problems"][0]["code"]) == (409, "refused", "dangling-reference")
    owner = _id(daemon, "eve")
    session = caller.create(owner)[1]["session_id"]
    assert caller.create(owner, session_id=session)[1]["problems"][0]["code"] == "duplicate-id"
    daemon.await_live(host.repo.commit({"users/eve.yaml": configs.user("eve", status="INACTIVE")}))
    until(lambda: caller.ask("GET", f"/v1/sessions/{session}")[1]["status"] != "ACTIVE")
    status, told = caller.create(owner)
    assert (status, told["problems"][0]["code"]) == (409, "not-allowed")


def test_who_may_do_what(caller: Caller) -> None:
    stranger = Caller(caller.address, "")
    assert stranger.ask("POST", "/v1/sessions", {})[0] == 401
    without = {"Authorization": "", "X-Forwarded-For": "203.0.113.9"}
    assert caller.ask("GET", "/v1/sessions?user=ann", **without)[0] == 401
    assert caller.ask("POST", "/v1/sessions", {}, Origin="http://evil.example")[0] == 403


def test_while_redis_hangs_calls_fail_however_many(
    host: Host, daemon: RunningDaemon, caller: Caller, redis: EmbeddedServer
) -> None:
    session = caller.create(_id(daemon, "ann"))[1]["session_id"]
    owner = _id(daemon, "cleo")
    with connect(redis.url, answer_timeout=5) as link, _stopped(pid(link)):
        calls = [
            ("GET", f"/v1/sessions/{session}"),
            ("POST", f"/v1/sessions/{session}/touch"),
            ("GET", "/v1/sessions?user=ann"),
        ]
        for number in range(6):
            _fails(caller, *calls[number % 3])
            time.sleep(0.1)  # so that some find out, and some are told
        assert caller.create(owner)[0] == 503
        with ThreadPoolExecutor(30) as crowd:
            for one in [crowd.submit(_fails, caller, *calls[1]) for _ in range(30)]:
                one.result(DEADLINE)
        assert daemon.status()["sync"] == "Synced"
        for words in (["get", session], ["touch", session], ["expire", session]):
            told = host.run("session", *words)
            assert (told.code, "Redis" in told.err) == (3, True)
    until(lambda: caller.ask("GET", f"/v1/sessions/{session}")[0] == 200)


def test_a_host_without_sessions_says_what_to_set(tmp_path: Path) -> None:
    host = Host.create(tmp_path, REDIS_URL="none")
    with host.daemon() as daemon:
        caller = _caller(daemon)
        for told in (caller.ask("GET", "/v1/sessions?user=ann"), caller.create(_id(daemon, "ann"))):
            assert (told[0], told[1]["error"]["code"]) == (409, "needs-human")
            assert "redis.url" in told[1]["error"]["hint"]


def _fails(caller: Caller, method: str, path: str) -> None:
    status, told = caller.ask(method, path)
    assert (status, told["error"]["code"]) == (503, "retry-later")
    assert "Redis" in told["error"]["message"]


@contextmanager
def _stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)
