"""Real Sentinels: they say where the primary is, and what is wrong with them is told in words."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.cache import RedisCache, ViewReader
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.probe import probe
from reconciler.adapters.redis.sessions import RedisSessions
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.model.live import NewSession
from tests.adapters.redis.views import MB, mark, write
from tests.support.patience import until
from tests.support.sentinels import SERVICE, Group, sentinel_group
from tests.support.valkey import uuid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.adapters.redis.connection import Connection

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def group() -> Iterator[Group]:
    """Servers for the tests that do them no harm for good."""
    with sentinel_group() as running:
        yield running


def patient(group: Group) -> str:
    """Where it is, for a machine that is busy: who is killed refuses at once, all the same."""
    return f"{group.url}&socket_connect_timeout=5&socket_timeout=5"


def session(link: Connection, number: int) -> object:
    """A session by its number, None where it is not."""
    return RedisSessions(link, "user:", "user_id").get(uuid(number))


def begin(link: Connection, number: int) -> None:
    """Begin a session, and wait until the replica has it."""
    RedisSessions(link, "user:", "user_id").create(NewSession(uuid(number), uuid(0), "203.0.113.7", "x" * 55))
    until(lambda: link.ask("WAIT", 1, 1000) == 1)


def is_back(link: Connection, number: int) -> bool:
    """Whether a session can be asked for, and is there."""
    with suppress(RetryLater):
        return session(link, number) is not None
    return False


def test_a_lost_primary_is_followed_by_whoever_is_connected() -> None:
    with sentinel_group() as group, connect(patient(group)) as link, connect(patient(group)) as idle:
        begin(link, 1)
        RedisCache(link, MB).rebuild([write("ann", "1")], mark(1))
        until(lambda: link.ask("WAIT", 1, 1000) == 1)
        idle.ask("PING")
        group.kill(old := group.primary())
        with pytest.raises(RetryLater):
            session(link, 1)
        until(lambda: is_back(link, 1))
        assert group.primary() != old
        assert is_back(idle, 1), "a connection that lay idle is no other"
        assert ViewReader(idle).row("user", "ann")
        group.serve(old, f"replicaof 127.0.0.1 {group.primary()}")
        group.await_replicas()
        begin(link, 2)


def test_a_primary_that_became_a_replica_is_left(group: Group) -> None:
    """Somebody fails over by hand, and both live: what is still connected to the old one goes to the new one."""
    with connect(patient(group)) as link:
        begin(link, 3)
        old = group.primary()
        new = next(port for port in group.servers if port != old)
        with group.ask(old) as one, group.ask(new) as other:
            other.replicaof("NO", "ONE")
            one.execute_command("REPLICAOF", "127.0.0.1", new)
            with pytest.raises(RetryLater, match="is a replica and takes no writes"):
                begin(link, 4)
        until(lambda: writes(link, 5))
    group.await_replicas()


def writes(link: Connection, number: int) -> bool:
    """Whether a session can be begun."""
    with suppress(RetryLater):
        begin(link, number)
        return True
    return False


def test_sentinels_that_are_away_or_hang_are_passed_over(group: Group) -> None:
    first, *_ = group.sentinels
    process = group.sentinels[first]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with connect(patient(group)) as link:
            assert link.ask("PING") == b"PONG"
    finally:
        os.kill(process.pid, signal.SIGCONT)
    with connect(patient(group).replace("127.0.0.1", "127.0.0.1:1,127.0.0.1", 1)) as link:
        assert link.ask("PING") == b"PONG"


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        (f"/{SERVICE}/", "/dsek/", NeedsHuman, "know no primary that is called dsek"),
        ("p%40ss", "wrong", NeedsHuman, "the Redis server at desk (Sentinel "),
        (":p%40ss%2Fw0rd@", "", NeedsHuman, "wants a password"),
        ("s3nt", "wrong", NeedsHuman, "the Sentinel at 127.0.0.1:"),
        ("sentinel_password=s3nt%2Bnel&", "", NeedsHuman, "wants a password"),
        ("/0?", "/99?", NeedsHuman, "has no such database"),
        ("redis+sentinel://", "rediss+sentinel://", RetryLater, "no Sentinel of desk answers"),
    ],
)
def test_what_is_wrong_is_told(group: Group, old: str, new: str, error: type[ReconcilerError], words: str) -> None:
    assert old in patient(group)
    with connect(patient(group).replace(old, new, 1)) as link, pytest.raises(error) as caught:
        link.ask("PING")
    assert words in str(caught.value)
    told = str(caught.value) + caught.value.hint
    assert "redis.url" in caught.value.hint or "rediss://" in caught.value.hint
    assert not any(secret in told for secret in ("w0rd", "nel@", "s3nt", "wrong"))


def test_nobody_answers_or_no_sentinel_does(group: Group) -> None:
    with connect("redis+sentinel://127.0.0.1:1,127.0.0.1:2/desk") as link, pytest.raises(RetryLater) as later:
        link.ask("PING")
    assert str(later.value) == "no Sentinel of desk answers at 127.0.0.1:1, 127.0.0.1:2"
    assert "refused" in later.value.hint
    server = group.primary()
    url = f"redis+sentinel://127.0.0.1:{server}/desk?sentinel_password=p%40ss%2Fw0rd"
    with connect(url, answer_timeout=5) as link, pytest.raises(NeedsHuman, match="is no Sentinel"):
        link.ask("PING")
    sentinel = next(iter(group.sentinels))
    with connect(f"redis://:s3nt%2Bnel@127.0.0.1:{sentinel}/1", answer_timeout=5) as link:
        with pytest.raises(NeedsHuman, match="is a Sentinel") as caught:
            link.ask("PING")
        assert "redis+sentinel://" in caught.value.hint


def test_doctor_is_told_how_a_failover_would_go() -> None:
    with sentinel_group() as group:
        answer = probe(patient(group), "user:")
        assert answer.primary == f"127.0.0.1:{group.primary()}"
        assert (set(answer.sentinels.values()), answer.replicas, answer.waits) == ({""}, 1, False)
        with group.ask(group.primary()) as client:
            client.config_set("min-replicas-to-write", 1)
            assert probe(patient(group), "user:").waits
            client.config_set("min-replicas-to-write", 0)
        lost = list(group.sentinels)[1:]
        for port in lost:
            group.kill(port)
        until(lambda: any("NOQUORUM" in said for said in probe(patient(group), "user:").sentinels.values()))
        said = probe(patient(group), "user:").sentinels
        assert [text.partition(" ")[0] for text in said.values()] == ["the", "no", "no"]
        replica = next(port for port in group.servers if port != group.primary())
        group.kill(replica)
        until(lambda: probe(patient(group), "user:").replicas == 0)
