"""What only the Redis implementation can do wrong: keys that stay, others who wait, memory that is gone."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from reconciler.adapters.redis.connection import Script, connect, script
from reconciler.adapters.redis.sessions import RECORDS_PER_SCRIPT, RedisSessions
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.live import RETENTION, Lifetimes, NewSession, Session, to_milliseconds
from tests.support.patience import until
from tests.support.valkey import ForwardClock, keys, uuid

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer

ANN, BEN = uuid(1), uuid(2)
WRITE = Script(
    """
    for n = tonumber(ARGV[4]), tonumber(ARGV[5]) do
      local id = string.format('00000000-0000-4000-8000-%012d', n)
      redis.call('HSET', 'session:' .. id, 'session_id', id, 'user_id', ARGV[1], 'ip_address', '203.0.113.7',
        'last_active', ARGV[2], 'device_fingerprint', string.rep('x', 55), 'status', 'ACTIVE')
      redis.call('ZADD', 'user:' .. ARGV[1] .. ':sessions', ARGV[3], id)
    end
    """,
    "0" * 40,
)


def sessions_on(link: Connection, lifetimes: Lifetimes | None = None) -> RedisSessions:
    """Sessions by the server's own time."""
    return RedisSessions(link, "user:", "user_id", lifetimes)


def begin(sessions: RedisSessions, owner: str = ANN) -> Session:
    """A session that has begun."""
    session = sessions.create(NewSession(str(uuid4()), owner, "203.0.113.7", "hmac-sha256:" + "x" * 43))
    assert session is not None
    return session


def many(link: Connection, owner: str, number: int) -> None:
    """Sessions that were there already, written the quick way."""
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
    text, score = moment.isoformat().replace("+00:00", "Z"), to_milliseconds(moment)
    for start in range(0, number, 5000):
        link.run(WRITE, (), (owner, text, score, start, min(number, start + 5000) - 1))
    link.ask("ZADD", "sessions:owners", score, owner)


def test_keys_and_columns_are_those_of_the_contract(link: Connection) -> None:
    session = begin(sessions_on(link))
    assert keys(link) == {f"session:{session.id}", f"user:{ANN}:sessions", "sessions:owners"}
    columns = ["session_id", "user_id", "ip_address", "last_active", "device_fingerprint", "status"]
    found = link.ask("HGETALL", f"session:{session.id}")
    assert {key.decode() for key in found} == set(columns)
    assert found[b"last_active"].decode() == session.last_active.isoformat().replace("+00:00", "Z")
    assert int(link.ask("ZSCORE", f"user:{ANN}:sessions", session.id)) == to_milliseconds(session.last_active)
    assert link.ask("OBJECT", "ENCODING", f"session:{session.id}") == b"listpack", "it takes three times the memory"


def test_the_servers_clock_counts(link: Connection) -> None:
    seconds, _ = link.ask("TIME")
    session = begin(sessions_on(link))
    assert 0 <= session.last_active.timestamp() - int(seconds) < 5


def test_after_its_time_nothing_is_left(link: Connection) -> None:
    sessions = sessions_on(link, Lifetimes(timedelta(milliseconds=100), timedelta(milliseconds=300)))
    for owner in (ANN, ANN, BEN):
        sessions.touch(begin(sessions, owner).id)
    sessions.expire_all(ANN)
    until(lambda: keys(link) == set())


def test_every_key_has_an_end(link: Connection) -> None:
    sessions = sessions_on(link)
    sessions.touch(begin(sessions).id)
    sessions.expire_all(ANN)
    sessions.touch(begin(sessions).id)
    week = RETENTION / timedelta(milliseconds=1)
    for key in keys(link):
        assert week - 10_000 < link.ask("PTTL", key) <= week + 1, key


def test_an_index_loses_what_is_gone_while_its_owner_goes_on(link: Connection) -> None:
    clock, hour = ForwardClock(), timedelta(hours=1)
    sessions = RedisSessions(link, "user:", "user_id", Lifetimes(hour, hour), clock)
    old = begin(sessions)
    clock.go_on(hour * 0.6)
    newer = begin(sessions)
    clock.go_on(hour * 0.5)
    assert sessions.touch(newer.id) is not None
    assert link.ask("ZRANGE", f"user:{ANN}:sessions", 0, -1) == [newer.id.encode()]
    assert sessions.get(old.id) is None


def test_a_record_that_somebody_deleted_leaves_the_list(link: Connection) -> None:
    sessions = sessions_on(link)
    begun = []
    for _ in range(5):
        begun.append(begin(sessions))
        time.sleep(0.002)
    for one in begun[2:]:
        link.ask("DEL", f"session:{one.id}")
    page = sessions.page(ANN, 2)
    assert {one.id for one in page.sessions} == {one.id for one in begun[:2]}
    assert page.after is None
    assert link.ask("ZCARD", f"user:{ANN}:sessions") == 2


@pytest.mark.parametrize("damage", [("last_active", "yesterday"), ("last_active", ""), ("status", b"\xff")])
def test_what_somebody_wrote_into_a_record_is_no_permission(link: Connection, damage: tuple[str, str]) -> None:
    sessions = sessions_on(link)
    session = begin(sessions)
    link.ask("HSET", f"session:{session.id}", *damage)
    found = sessions.touch(session.id)
    assert found is None or not found.is_active


def test_concurrent_touches_lose_nothing(shared_server: EmbeddedServer, link: Connection) -> None:
    sessions = sessions_on(link)
    session = begin(sessions)

    def touch(_: int) -> datetime:
        found = sessions.touch(session.id)
        assert found is not None
        return found.last_active

    with ThreadPoolExecutor(8) as pool:
        moments = list(pool.map(touch, range(400)))
    found = sessions.get(session.id)
    assert found is not None
    assert found.last_active == max(moments)
    assert int(link.ask("ZSCORE", f"user:{ANN}:sessions", session.id)) == to_milliseconds(found.last_active)


def test_no_touch_brings_back_what_was_ended(link: Connection) -> None:
    sessions = sessions_on(link)
    begun = [begin(sessions) for _ in range(40)]
    stop = threading.Event()

    def keep_touching(one: Session) -> bool:
        last = True
        while not stop.is_set():
            found = sessions.touch(one.id)
            assert found is not None
            assert last or not found.is_active, "it came back"
            last = found.is_active
        return last

    with ThreadPoolExecutor(8) as pool:
        touching = [pool.submit(keep_touching, one) for one in begun[:8]]
        try:
            time.sleep(0.1)
            sessions.expire_all(ANN)
            assert not any(one.is_active for one in sessions.page(ANN, 100).sessions)
            time.sleep(0.05)
        finally:
            stop.set()
        assert not any(one.result() for one in touching)


def test_one_of_two_gets_an_id(link: Connection) -> None:
    sessions = sessions_on(link)
    for number in range(50):
        new = [NewSession(uuid(number), owner, "203.0.113.7", "x" * 55) for owner in (ANN, BEN)]
        with ThreadPoolExecutor(2) as pool:
            assert sum(one is not None for one in pool.map(sessions.create, new)) == 1


@pytest.mark.slow
def test_100_000_sessions_of_one_owner_keep_nobody_waiting(link: Connection, shared_server: EmbeddedServer) -> None:
    """Listing, ending and beginning: another owner is served in between, again and again."""
    many(link, ANN, 100_000)
    sessions = sessions_on(link)
    served, stop = [0], threading.Event()

    def other() -> None:
        with connect(shared_server.url, answer_timeout=5) as own:
            mine = sessions_on(own)
            session = begin(mine, BEN)
            while not stop.is_set():
                mine.touch(session.id)
                served[0] += 1

    busy = threading.Thread(target=other)
    busy.start()
    try:
        assert len(sessions.page(ANN, 1000).sessions) == 1000
        begin(sessions)
        until(lambda: served[0] > 0)
        before = served[0]
        assert sessions.expire_all(ANN) >= 99_000
        assert served[0] > before + 10
    finally:
        stop.set()
        busy.join()
    last = sessions.page(ANN, 1)
    assert not last.sessions[0].is_active


def decide_end(link: Connection) -> None:
    """End all of an owner's sessions as a process does that itself ends before it has written one down."""
    header = ("", 1_800_000, 604_800_000, "user_id", "user:")
    link.run(script("when_full", "session", "session_end"), (f"user:{ANN}:sessions",), (*header, ANN))


def test_all_are_ended_before_all_are_written_down(link: Connection) -> None:
    many(link, ANN, 3 * RECORDS_PER_SCRIPT)
    sessions = sessions_on(link)
    first = link.ask("ZRANGE", f"user:{ANN}:sessions", -1, -1)[0].decode()
    decide_end(link)
    found = sessions.get(first)
    assert found is not None
    assert not found.is_active


@pytest.mark.parametrize("look", ["get", "touch", "expire", "page"])
def test_who_looks_before_all_are_written_down_takes_none_out_of_their_number(link: Connection, look: str) -> None:
    sessions = sessions_on(link)
    begun = [begin(sessions) for _ in range(3)]
    decide_end(link)
    for one in begun:
        getattr(sessions, look)(*([ANN, 10] if look == "page" else [one.id]))
    assert sessions.expire_all(ANN) == 3
    assert {link.ask("HGET", f"session:{one.id}", "status") for one in begun} == {b"EXPIRED"}


def test_without_memory_sessions_can_be_read_and_ended_but_none_begins(link: Connection) -> None:
    sessions = sessions_on(link)
    session = begin(sessions)
    before = link.ask("CONFIG", "GET", "maxmemory")
    try:
        link.ask("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(RetryLater, match="out of memory"):
            begin(sessions)
        touched = sessions.touch(session.id)
        assert touched is not None
        assert touched.is_active
        assert sessions.expire_all(ANN) == 1
    finally:
        link.ask("CONFIG", "SET", "maxmemory", dict(before)[b"maxmemory"])
    assert sessions.get(session.id) is not None


def test_a_replica_says_what_it_is(link: Connection) -> None:
    sessions = sessions_on(link)
    try:
        link.ask("REPLICAOF", "127.0.0.1", 1)
        with pytest.raises(RetryLater, match="replica and takes no writes"):
            begin(sessions)
    finally:
        link.ask("REPLICAOF", "NO", "ONE")
    begin(sessions)


def test_somebody_elses_key_needs_a_human(link: Connection) -> None:
    link.ask("SET", f"session:{uuid(7)}", "mine")
    with pytest.raises(NeedsHuman, match="holds something else") as caught:
        sessions_on(link).get(uuid(7))
    assert "database of its own" in caught.value.hint


def test_a_flushed_server_learns_the_scripts_again(link: Connection) -> None:
    sessions = sessions_on(link)
    begin(sessions)
    link.ask("SCRIPT", "FLUSH")
    link.ask("FLUSHALL")
    session = begin(sessions)
    assert sessions.get(session.id) == session
