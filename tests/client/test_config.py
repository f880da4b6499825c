"""A program's view of the configuration: fast, current, and never without an answer that was once known."""

from __future__ import annotations

import os
import queue
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.redis.cache import RedisCache, ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import EmbeddedServer
from reconciler.client import CannotTell, Change, Config, NoSuchRow, Row
from reconciler.client import config as client
from reconciler.client.sources import RedisSource
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.model.live import ViewStep
from tests.adapters.redis.views import MB, mark, write
from tests.support.patience import DEADLINE, NEVER, until
from tests.support.valkey import pid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.adapters.redis.connection import Connection


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="rv", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def server(state: Path) -> Iterator[EmbeddedServer]:
    """A server of the test's own."""
    with EmbeddedServer(state, 16 * MB) as running:
        yield running


@pytest.fixture
def link(server: EmbeddedServer) -> Iterator[Connection]:
    """A patient link to it."""
    with connect(server.url, answer_timeout=5) as opened:
        yield opened


@pytest.fixture
def cache(link: Connection) -> RedisCache:
    """The live view at commit 1: one row."""
    cache = RedisCache(link, MB)
    cache.rebuild([write("ann", "1", "one")], mark(1))
    return cache


@pytest.fixture
def config(server: EmbeddedServer, cache: RedisCache, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A program's configuration from that server."""
    monkeypatch.setattr(client, "REST", 0.05)
    with Config(server.url) as opened:
        yield opened


def is_started_again(server: EmbeddedServer) -> bool:
    """Start a server that has died, once it may be; whether it was."""
    with suppress(RetryLater):
        return server.check()
    return False


def advance(cache: RedisCache, number: int, value: str) -> None:
    """One commit more."""
    assert cache.advance(ViewStep(mark(number), mark(number + 1), (write("ann", "1", value),)))


def again(config: Config) -> Row:
    """The row once its source answers again."""
    rows: list[Row] = []

    def is_current() -> bool:
        with suppress(RetryLater):
            rows.append(config.user("ann"))
        return bool(rows) and rows[-1].is_current

    until(is_current)
    return rows[-1]


def test_a_row_is_what_is_live(config: Config, cache: RedisCache) -> None:
    row = config.user("ann")
    assert (row.value, row["value"], dict(row), row.age, row.is_current) == ("one", "one", {"value": "one"}, 0.0, True)
    advance(cache, 1, "two")
    assert config.user("ann").value == "two"
    assert config.User("ann").value == "two"


def test_a_column_that_is_not_there(config: Config) -> None:
    with pytest.raises(AttributeError, match="no column colour"):
        _ = config.user("ann").colour


LOSSES = [("DEL", "config:user:ann"), ("PEXPIREAT", "config:user:ann", 1), ("SET", "config:user:ann", "no row")]


def test_redis_alone_cannot_tell_that_there_is_no_row(config: Config, link: Connection) -> None:
    with pytest.raises(CannotTell, match="does not have it") as caught:
        config.user("nobody")
    assert not isinstance(caught.value, LookupError)
    assert "the daemon knows" in caught.value.hint


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_row_is_no_missing_row(config: Config, link: Connection, loss: tuple[str | int, ...]) -> None:
    link.ask(*loss)
    with pytest.raises(CannotTell):
        config.user("ann")


@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_that_is_lost_while_it_is_known_makes_no_other_row_old(
    config: Config, cache: RedisCache, link: Connection, monkeypatch: pytest.MonkeyPatch, loss: tuple[str | int, ...]
) -> None:
    monkeypatch.setattr(client, "REST", NEVER)
    assert cache.advance(ViewStep(mark(1), mark(2), (write("ben", "2", "theirs"),)))
    assert config.user("ann").is_current
    assert config.user("ben").is_current
    link.ask(*loss)
    row = config.user("ann")
    assert (row.value, row.is_current) == ("one", False)
    assert config.user("ben").is_current


@pytest.mark.parametrize("loss", LOSSES)
def test_the_daemon_is_asked_for_what_redis_does_not_have(
    server: EmbeddedServer, cache: RedisCache, link: Connection, loss: tuple[str | int, ...]
) -> None:
    link.ask(*loss)
    with Config("", sources=(RedisSource(lambda: server.url), Other())) as config:
        row = config.user("ann")
        assert (row.value, row.is_current) == ("theirs", True)
        with pytest.raises(NoSuchRow, match="no live row of kind user is called nobody"):
            config.user("nobody")
        with pytest.raises(LookupError):
            config.user("nobody")


def test_a_row_that_the_daemon_says_is_gone_is_forgotten(
    server: EmbeddedServer, cache: RedisCache, link: Connection
) -> None:
    assert cache.advance(ViewStep(mark(1), mark(2), (write("ben", "2"),)))
    with Config("", sources=(RedisSource(lambda: server.url), Other())) as config:
        config.user("ben")
        assert cache.advance(ViewStep(mark(2), mark(3), (write("ben", "2", None),)))
        with pytest.raises(NoSuchRow):
            config.user("ben")


def test_a_view_of_a_newer_format_is_refused_in_words(config: Config, link: Connection) -> None:
    link.ask("HSET", "config:meta", "format", 2)
    with pytest.raises(NeedsHuman, match="has format 2, this version of reconciler reads format 1"):
        config.user("ann")
    with pytest.raises(NeedsHuman, match="has format 2"):
        next(config.watch())


def test_while_nobody_answers_the_last_known_row_is_given(
    config: Config, server: EmbeddedServer, link: Connection
) -> None:
    config.user("ann")
    process = pid(link)
    os.kill(process, signal.SIGSTOP)
    try:
        time.sleep(0.1)
        row = config.user("ann")
        assert (row.value, row.is_current) == ("one", False)
        assert row.age >= 0.1
        later = config.user("ann")
        assert later.age > row.age
        with pytest.raises(RetryLater, match="does not answer"):
            config.user("ben")
    finally:
        os.kill(process, signal.SIGCONT)
    assert again(config).value == "one"


def test_while_a_server_hangs_it_is_not_asked_for_a_known_row(
    config: Config, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.user("ann")
    process = pid(link)
    monkeypatch.setattr(client, "REST", NEVER)
    os.kill(process, signal.SIGSTOP)
    try:
        assert config.user("ann").is_current is False
        with monkeypatch.context() as alone:
            alone.setattr(ViewReader, "row", lambda *_: pytest.fail("it was asked again"))
            assert config.user("ann").value == "one"
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_flushed_server_takes_no_row_away(config: Config, cache: RedisCache, link: Connection) -> None:
    config.user("ann")
    link.ask("FLUSHALL")
    assert config.user("ann").is_current is False
    cache.rebuild([write("ann", "1", "one")], mark(1))
    assert again(config).value == "one"


def test_a_server_that_was_started_again_is_found_by_its_folder(
    state: Path, server: EmbeddedServer, cache: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REST", 0.05)
    with Config(state) as config:
        assert config.user("ann").value == "one"
        url = server.url
        with connect(url) as link:
            os.kill(pid(link), signal.SIGKILL)

        def is_started_again() -> bool:
            assert config.user("ann").value == "one"
            with suppress(RetryLater):
                server.check()
            return server.url != url

        until(is_started_again)
        with connect(server.url, answer_timeout=5) as link:
            RedisCache(link, MB).rebuild([write("ann", "1", "two")], mark(2))
        assert again(config).value == "two"


def test_a_folder_without_a_server(state: Path) -> None:
    with Config(state) as config, pytest.raises(RetryLater, match="no Redis server runs in"):
        config.user("ann")


@pytest.mark.parametrize("where", ["nowhere", "/no/such/folder", "host:port:5"])
def test_what_is_no_place(where: str) -> None:
    with pytest.raises(UsageError, match="no Redis server, no daemon and no folder"):
        Config(where)


class Other:
    """A source beside Redis, such as the daemon's HTTP side."""

    def __init__(self) -> None:
        self.asked = 0

    def row(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """Its row."""
        self.asked += 1
        return {"value": "theirs"} if name == "ann" else None

    def follow(self) -> Other:
        """Nothing to follow."""
        return self

    def changes(self) -> Iterator[Change | None]:
        """One change."""
        yield Change("user", "ann", "update", "theirs", 9)

    def close(self) -> None:
        """Nothing to let go of."""


def test_the_next_source_answers_when_the_first_cannot(state: Path) -> None:
    from reconciler.client.config import _sources  # noqa: PLC0415

    other = Other()
    with Config("", sources=(*_sources(state), other)) as config:
        row = config.user("ann")
        assert (row.value, row.age) == ("theirs", 0.0)
        with pytest.raises(NoSuchRow):
            config.user("nobody")
        assert next(config.watch()).commit == "theirs"


def watching(config: Config, **about: str) -> queue.Queue[Change]:
    """The changes that a program sees, from now on."""
    seen: queue.Queue[Change] = queue.Queue()
    changes = config.watch(**about)
    threading.Thread(target=lambda: [seen.put(one) for one in changes], daemon=True).start()
    return seen


def test_watching_tells_changes_from_now_on(config: Config, cache: RedisCache) -> None:
    advance(cache, 1, "before")
    seen = watching(config)
    advance(cache, 2, "two")
    assert seen.get(timeout=DEADLINE) == Change("user", "ann", "update", mark(3).commit, 3)
    advance(cache, 3, "three")
    assert seen.get(timeout=DEADLINE).height == 4
    assert seen.empty()


def test_watching_one_row(config: Config, cache: RedisCache) -> None:
    seen = watching(config, kind="User", name="ben")
    advance(cache, 1, "two")
    assert cache.advance(ViewStep(mark(2), mark(3), (write("ben", "2"),)))
    assert seen.get(timeout=DEADLINE).name == "ben"


def test_watching_outlives_a_flush(config: Config, cache: RedisCache, link: Connection) -> None:
    seen = watching(config)
    link.ask("FLUSHALL")
    time.sleep(0.01)
    cache.rebuild([write("ann", "1", "one")], mark(1))
    assert seen.get(timeout=DEADLINE).op == "rebuild"
    advance(cache, 1, "two")
    later = next(one for one in iter(lambda: seen.get(timeout=DEADLINE), None) if one.op != "rebuild")
    assert (later.op, later.height) == ("update", 2)


def test_watching_outlives_an_outage_and_says_what_may_be_missed(
    state: Path, server: EmbeddedServer, cache: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REST", 0.05)
    with Config(state) as config:
        seen = watching(config)
        advance(cache, 1, "two")
        assert seen.get(timeout=DEADLINE).height == 2
        with connect(server.url) as link:
            link.ask("FLUSHALL")
            os.kill(pid(link), signal.SIGKILL)
        until(lambda: is_started_again(server))
        assert seen.get(timeout=DEADLINE).op == "rebuild"
