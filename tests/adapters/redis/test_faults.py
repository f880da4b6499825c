"""A server that is gone, hangs, flushes or wants to know who asks: every call ends soon, in words that help."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.cache import RedisCache, ViewReader
from reconciler.adapters.redis.connection import ANSWER_TIMEOUT, CONNECT_TIMEOUT, connect
from reconciler.adapters.redis.sessions import RedisSessions
from reconciler.adapters.redis.url import read_url
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.model.live import NewSession, ViewStep
from tests.adapters.redis.views import MB, mark, write
from tests.support.patience import until
from tests.support.valkey import pid, server, uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer


def calls(link: Connection) -> Iterator[Callable[[], object]]:
    """One call of each kind."""
    sessions, cache = RedisSessions(link, "user:", "user_id"), RedisCache(link, MB)
    yield lambda: sessions.create(NewSession(uuid(1), uuid(2), "203.0.113.7", "x" * 55))
    yield lambda: sessions.get(uuid(1))
    yield lambda: sessions.touch(uuid(1))
    yield lambda: sessions.page(uuid(2), 10)
    yield lambda: sessions.expire(uuid(1))
    yield lambda: sessions.expire_all(uuid(2))
    yield sessions.owners
    yield cache.state
    yield lambda: cache.advance(ViewStep(mark(1), mark(2), (write("ann", "1"),)))
    yield lambda: cache.rebuild([write("ann", "1")], mark(1))
    yield lambda: cache.keep_within(MB)
    yield lambda: ViewReader(link).row("user", "ann")


def all_fail(link: Connection, words: str) -> None:
    """Each call raises."""
    for call in calls(link):
        with pytest.raises(RetryLater, match=words) as caught:
            call()
        assert caught.value.hint


@pytest.mark.slow
def test_a_server_that_hangs_and_comes_back() -> None:
    with server() as running, connect(running.url) as link:
        link.ask("PING")
        process = pid(link)
        os.kill(process, signal.SIGSTOP)
        try:
            all_fail(link, "does not answer in time")
        finally:
            os.kill(process, signal.SIGCONT)
        until(lambda: is_answered(link))


def is_answered(link: Connection) -> bool:
    """Whether a session can be asked for."""
    with suppress(RetryLater):
        RedisSessions(link, "user:", "user_id").get(uuid(1))
        return True
    return False


@pytest.mark.slow
def test_a_server_that_hung_from_the_first_call_on() -> None:
    with server() as running, connect(running.url) as link, connect(running.url) as other:
        process = pid(other)
        os.kill(process, signal.SIGSTOP)
        try:
            all_fail(link, "does not answer in time")
        finally:
            os.kill(process, signal.SIGCONT)


def restarted(running: EmbeddedServer) -> bool:
    """Whether it could be started again; one that dies right after its start has to rest first."""
    try:
        return running.check()
    except RetryLater:
        return False


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again() -> None:
    with server() as running, connect(running.url) as link:
        os.kill(pid(link), signal.SIGKILL)
        all_fail(link, "no Redis server answers at")
        until(lambda: restarted(running))
        with connect(running.url) as again:
            RedisCache(again, MB).rebuild([write("ann", "1")], mark(1))


def test_an_idle_connection_that_broke_is_not_noticed_by_anyone() -> None:
    """The server ends it while it lies idle: the next call has a new one."""
    with server() as running, connect(running.url) as link, connect(running.url) as other:
        link.ask("PING")
        other.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert link.ask("PING") == b"PONG"


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://someone:hidden@127.0.0.1:{taken.getsockname()[1]}/0"
    with connect(url) as link, pytest.raises(RetryLater, match="no Redis server answers") as caught:
        link.ask("PING")
    assert "refused" in caught.value.hint
    assert "hidden" not in str(caught.value) + caught.value.hint


def test_whoever_does_not_answer_is_asked_once() -> None:
    """Every call ends within a quarter of a second: that is two waits, and nothing is tried twice."""
    assert CONNECT_TIMEOUT + ANSWER_TIMEOUT < 0.25
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link = connect(f"redis://127.0.0.1:{listening.getsockname()[1]}")
        with link, pytest.raises(RetryLater, match="does not answer in time"):
            link.ask("PING")
        listening.setblocking(False)
        listening.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize(
    "url",
    ["http://x", "redis://host:port", "", "redis://h?socket_timeout=soon", "localhost:6379"],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(UsageError, match=r"redis\.url is no URL") as caught:
        connect(url)
    assert "rediss://" in caught.value.hint


def test_an_address_has_no_password_in_it() -> None:
    assert read_url("rediss://me:secret@redis.example.com:6380/1").place == "redis.example.com:6380"
    assert read_url("redis://:secret@[::1]").place == "[::1]:6379"
    assert read_url("unix:///run/valkey.sock?password=secret").place == "/run/valkey.sock"


def test_a_password_that_is_missing_or_wrong_is_told_apart_from_a_server_that_is_away() -> None:
    with server() as running:
        url = running.url.partition("?")[0]
        for asked, words in ((url, "wants a password"), (f"{url}?password=x", "refuses the password")):
            with connect(asked) as link, pytest.raises(NeedsHuman, match=words):
                RedisSessions(link, "user:", "user_id").get(uuid(1))


def test_a_login_that_may_not_do_it() -> None:
    with server() as running, connect(running.url) as link:
        link.ask("ACL", "SETUSER", "reader", "on", ">pw", "~config:*", "+@read", "+hello")
        path = read_url(running.url).place
        with connect(f"unix://reader:pw@{path}") as limited:
            assert limited.ask("GET", "config:user:ann") is None
            with pytest.raises(NeedsHuman, match="does not allow this login"):
                RedisSessions(limited, "user:", "user_id").get(uuid(1))
