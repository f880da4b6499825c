"""What a doctor learns from a server, and that it leaves it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.cache import RedisCache
from reconciler.adapters.redis.connection import address
from reconciler.adapters.redis.probe import probe
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from tests.adapters.redis.views import MB, fill
from tests.support.valkey import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer


def test_a_server_that_may_be_used_is_left_as_it_was(link: Connection, shared_server: EmbeddedServer) -> None:
    fill(RedisCache(link, MB), 5)
    before = keys(link)
    answer = probe(shared_server.url, "user:")
    assert answer.place == address(shared_server.url)
    assert answer.version.startswith("Valkey ")
    assert (answer.policy, answer.refused, answer.fault) == ("noeviction", (), None)
    assert keys(link) == before


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_it_tells_what_is_dropped_when_it_is_full(link: Connection, shared_server: EmbeddedServer, policy: str) -> None:
    link.ask("CONFIG", "SET", "maxmemory-policy", policy)
    try:
        assert probe(shared_server.url, "user:").policy == policy
    finally:
        link.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.fixture
def limited(link: Connection, shared_server: EmbeddedServer) -> Iterator[str]:
    """The URL of a login that may do little, whose rules a test goes on to give."""
    link.ask("ACL", "SETUSER", "limited", "reset", "on", ">pw", "+hello", "+ping")
    yield f"unix://limited:pw@{address(shared_server.url)}"
    link.ask("ACL", "DELUSER", "limited")


ALL_KEYS = ("~config:*", "~session:*", "~sessions:*", "~user:*")


def test_rights_that_are_missing_are_named(link: Connection, limited: str) -> None:
    with pytest.raises(NeedsHuman, match="does not allow this login"):
        probe(limited, "user:")
    link.ask("ACL", "SETUSER", "limited", *ALL_KEYS, "+@all", "-zadd", "-xadd", "-info")
    answer = probe(limited, "user:")
    assert (answer.version, answer.policy) == ("", "")
    assert {one.split()[0] for one in answer.refused} == {"ZADD", "XADD"}
    assert "ZADD config:…" in answer.refused
    link.ask("ACL", "SETUSER", "limited", "resetkeys", "~config:*", "+@all")
    answer = probe(limited, "user:")
    assert {one.split()[1].partition(":")[0] for one in answer.refused} == {"session", "sessions", "user"}


def test_the_rights_of_the_hint_are_enough(link: Connection, limited: str) -> None:
    link.ask("ACL", "SETUSER", "limited", *ALL_KEYS, "+@all", "-@dangerous", "+info")
    assert probe(limited, "user:").refused == ()


def test_a_view_of_a_newer_format_is_told_beside_the_rest(link: Connection, shared_server: EmbeddedServer) -> None:
    link.ask("HSET", "config:meta", "format", 2)
    answer = probe(shared_server.url, "user:")
    assert answer.policy == "noeviction"
    assert "has format 2" in str(answer.fault)


@pytest.mark.parametrize(("url", "error"), [("http://x", UsageError), ("redis://127.0.0.1:1", RetryLater)])
def test_what_is_no_server(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        probe(url, "user:")
