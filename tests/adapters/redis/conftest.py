"""A real server for this folder's tests, flushed for each; one implementation of a port after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.sessions import RedisSessions
from tests.support.memory.sessions import MemorySessions
from tests.support.valkey import ForwardClock, server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer
    from reconciler.redisports import Sessions

PREFIX, COLUMN = "user:", "user_id"


@pytest.fixture(scope="session")
def shared_server() -> Iterator[EmbeddedServer]:
    """One server for all tests of a worker."""
    with server() as running:
        yield running


@pytest.fixture
def link(shared_server: EmbeddedServer) -> Iterator[Connection]:
    """A link to an empty server; patient, as the machine may be busy with other tests."""
    with connect(shared_server.url, answer_timeout=5) as opened:
        opened.ask("FLUSHALL", "SYNC")
        yield opened


@pytest.fixture
def clock() -> ForwardClock:
    """The clock that sessions go by."""
    return ForwardClock()


@pytest.fixture
def redis_sessions(link: Connection, clock: ForwardClock) -> RedisSessions:
    """Sessions on an empty server."""
    return RedisSessions(link, PREFIX, COLUMN, clock=clock)


@pytest.fixture(params=["memory", "redis"])
def sessions(request: pytest.FixtureRequest, clock: ForwardClock) -> Sessions:
    """Sessions of each kind."""
    if request.param == "memory":
        return MemorySessions(clock)
    found: RedisSessions = request.getfixturevalue("redis_sessions")
    return found
