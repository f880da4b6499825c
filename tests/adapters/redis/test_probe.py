"""What a doctor learns from a server, and that it leaves it as it was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis import connection
from reconciler.adapters.redis.audit import ViewAudit
from reconciler.adapters.redis.cache import RedisCache, ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.probe import host_rights, probe, reader_rights, session_rights, view_rights
from reconciler.adapters.redis.sessions import RedisSessions
from reconciler.adapters.redis.url import read_url
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.model.live import NewSession, ViewContent
from tests.adapters.redis.rights import DOCUMENTED
from tests.adapters.redis.test_faults import calls
from tests.adapters.redis.views import MB, fill, mark, write
from tests.support.valkey import keys, uuid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer


def test_a_server_that_may_be_used_is_left_as_it_was(link: Connection, shared_server: EmbeddedServer) -> None:
    fill(RedisCache(link, MB), 5)
    before = keys(link)
    answer = probe(shared_server.url, "user:")
    assert answer.place == read_url(shared_server.url).place
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
    yield f"unix://limited:pw@{read_url(shared_server.url).place}"
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


def test_the_documented_rights_are_those_that_doctor_hints_at() -> None:
    assert {
        "reconciler": host_rights("user:").split(),
        "sessions": session_rights("user:").split(),
        "live-view": view_rights().split(),
        "reader": reader_rights().split(),
    } == DOCUMENTED


def test_a_login_with_the_rights_of_a_host_may_do_everything(link: Connection, limited: str) -> None:
    link.ask("ACL", "SETUSER", "limited", *DOCUMENTED["reconciler"])
    answer = probe(limited, "user:")
    assert (answer.refused, answer.policy) == ((), "noeviction")
    with connect(limited, answer_timeout=5) as login:
        for call in calls(login):
            call()
        assert list(ViewAudit(login, keys=None).differences(ViewContent(()), ("user",)))


@pytest.mark.parametrize(("login", "may"), [("sessions", range(7)), ("live-view", range(7, 12)), ("reader", [11])])
def test_a_login_with_the_rights_of_a_part_may_do_that(
    link: Connection, limited: str, login: str, may: Sequence[int]
) -> None:
    RedisCache(link, MB).rebuild([write("ann", "1")], mark(1))
    link.ask("ACL", "SETUSER", "limited", *DOCUMENTED[login])
    with connect(limited, answer_timeout=5) as opened:
        for number, call in enumerate(calls(opened)):
            if number in may:
                call()
            else:
                with pytest.raises(NeedsHuman, match="does not allow this login"):
                    call()
        if login == "reader":
            reader = ViewReader(opened)
            reader.check_format()
            assert reader.has(reader.newest())
            assert reader.after("0-0", 0.01)


SCRIPTS = Path(connection.__file__).parent / "lua"


@pytest.mark.parametrize(
    ("scripts", "rules"),
    [("session*.lua", session_rights("user:")), ("view*.lua", view_rights())],
)
def test_a_login_needs_each_command_that_it_is_given(scripts: str, rules: str) -> None:
    texts = "".join(file.read_text(encoding="utf-8") for file in SCRIPTS.glob(scripts))
    used = {command.lower() for command in re.findall(r"redis\.p?call\('(\w+)'", texts)}
    given = {rule[1:] for rule in rules.split() if rule.startswith("+")}
    assert given - used == {"eval", "evalsha", "hello", "ping", "select"}
    assert used <= given


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (("+@all", "~session:*", "~user:*"), "sessions:owners"),
        (("+@all", "-time", "~*"), "no permissions to run the 'time' command"),
        (("+get", "~*"), "no permissions to run the 'evalsha' command"),
        (("+@all", "~user:*"), "No permissions to access a key (a script on session:…)"),
    ],
)
def test_the_reason_of_the_server_is_passed_on(
    link: Connection, limited: str, rules: Sequence[str], reason: str
) -> None:
    link.ask("ACL", "SETUSER", "limited", *rules)
    with connect(limited, answer_timeout=5) as opened, pytest.raises(NeedsHuman) as caught:
        RedisSessions(opened, "user:", "user_id").create(NewSession(uuid(1), uuid(2), "203.0.113.7", "x" * 55))
    assert reason in str(caught.value)
    assert "script:" not in str(caught.value)
    assert uuid(1) not in str(caught.value)


def test_a_key_of_another_kind_is_named(link: Connection) -> None:
    link.ask("SET", "config:rows", "x")
    with pytest.raises(NeedsHuman, match=r"holds something else under our keys: .* \[ZCARD config:rows\]"):
        RedisCache(link, MB).state()


def test_a_view_of_a_newer_format_is_told_beside_the_rest(link: Connection, shared_server: EmbeddedServer) -> None:
    link.ask("HSET", "config:meta", "format", 2)
    answer = probe(shared_server.url, "user:")
    assert answer.policy == "noeviction"
    assert "has format 2" in str(answer.fault)


@pytest.mark.parametrize(("url", "error"), [("http://x", UsageError), ("redis://127.0.0.1:1", RetryLater)])
def test_what_is_no_server(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        probe(url, "user:")
