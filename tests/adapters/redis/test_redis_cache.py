"""What only the live view in Redis can do wrong."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.redis.cache import (
    FIRST_ENTRY,
    ROWS_PER_SCRIPT,
    CannotTell,
    RedisCache,
    ViewReader,
    row_key,
)
from reconciler.adapters.redis.connection import connect
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.change import Op
from reconciler.model.live import ViewStep, ViewWrite
from tests.adapters.redis.views import MB, fill, mark, write
from tests.support.valkey import keys

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection
    from reconciler.adapters.redis.server import EmbeddedServer


def used(link: Connection) -> int:
    """Bytes that the server uses."""
    lines = link.ask("INFO", "memory").decode().splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("used_memory:"))


def test_keys_are_those_of_the_contract(link: Connection) -> None:
    RedisCache(link, MB).rebuild([write("ann", "1")], mark(1))
    own = {"config:meta", "config:rows", "config:sizes", "config:changes"}
    assert keys(link) == own | {"config:user:ann", "config:user:id:1"}
    meta = link.ask("HGETALL", "config:meta")
    assert (meta[b"commit"].decode(), meta[b"digest"].decode()) == (mark(1).commit, mark(1).digest)


def test_bytes_are_about_what_the_server_uses(link: Connection) -> None:
    cache = RedisCache(link, 100 * MB)
    before = used(link)
    text = '{"value":"' + "x" * 400 + '"}'
    cache.rebuild([ViewWrite(Op.CREATE, "user", f"fx-{one:06}", f"{one:036}", text) for one in range(5000)], mark(1))
    link.ask("DEL", "config:changes")
    real = used(link) - before
    assert real * 0.8 < cache.state().bytes < real * 1.3


@pytest.mark.parametrize(
    "edit",
    [
        ("DEL", "config:meta"),
        ("HDEL", "config:meta", "bytes"),
        *(("HSET", "config:meta", "bytes", value) for value in ("-5", "nan", "inf", "-inf", "1e300", "many", "")),
        ("HSET", "config:meta", "commit", "somebody"),
        ("DEL", "config:rows"),
    ],
    ids=" ".join,
)
def test_what_the_view_says_of_itself_is_right_after_a_rebuild(link: Connection, edit: tuple[str, ...]) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild([write("ann", "1", "long" * 9), write("ben", "2")], mark(1))
    link.ask(*edit)
    found = cache.state()
    assert found.bytes >= 0
    assert found.mark in {mark(1), None}
    shorter = [write("ann", "1"), write("ben", "2")]
    cache.rebuild(shorter, mark(2))
    state, known = cache.state(), keys(link)
    link.ask("FLUSHALL", "SYNC")
    cache.rebuild(shorter, mark(2))
    assert (state, known) == (cache.state(), keys(link))


def test_no_name_leads_out_of_its_key(link: Connection) -> None:
    names = ["id:7", "a b", "a\nb", "*", "ä", "100%", "a/b", "x:y:z"]
    cache = RedisCache(link, MB)
    cache.rebuild([write(name, f"id-{number}", number) for number, name in enumerate(names)], mark(1))
    reader = ViewReader(link)
    for number, name in enumerate(names):
        assert reader.row("user", name) == {"value": str(number)}
        assert link.ask("GET", f"config:user:id:id-{number}") == name.encode()
    changed = [write(f"n{number}", f"id-{number}", number) for number in range(len(names))]
    assert cache.advance(ViewStep(mark(1), mark(2), tuple(changed)))
    assert not {row_key("user", name) for name in names} & keys(link), "Lua and Python quote names alike"
    assert row_key("user", "a b") == "config:user:a%20b"


def test_the_stream_tells_what_changed_and_no_more(link: Connection) -> None:
    cache, reader = RedisCache(link, MB), ViewReader(link)
    assert reader.newest() == FIRST_ENTRY
    cache.rebuild([write("ann", "1"), write("ben", "2")], mark(1))
    start = reader.newest()
    cache.advance(ViewStep(mark(1), mark(2), (write("ann", "1"), write("ben", "2", "new"), write("cleo", "3", None))))
    entries = reader.after(start, 0.1)
    assert [(one.kind, one.name, one.op, one.commit, one.height) for one in entries] == [
        ("user", "ben", "update", mark(2).commit, 2)
    ]
    cache.rebuild([write("ben", "2", "new")], mark(3))
    entries = reader.after(entries[-1].id, 0.1)
    assert [(one.kind, one.op, one.height) for one in entries] == [("", "rebuild", 3)]
    assert reader.after(entries[-1].id, 0.01) == ()


def test_a_flushed_view_is_no_missing_row(link: Connection) -> None:
    cache, reader = RedisCache(link, MB), ViewReader(link)
    with pytest.raises(RetryLater, match="no whole live view"):
        reader.row("user", "ann")
    cache.rebuild([write("ann", "1")], mark(1))
    link.ask("FLUSHALL")
    with pytest.raises(RetryLater, match="no whole live view") as caught:
        reader.row("user", "ann")
    assert not isinstance(caught.value, CannotTell)


def test_a_row_without_room_is_no_missing_row(link: Connection) -> None:
    cache, reader = RedisCache(link, MB), ViewReader(link)
    fill(cache, 5)
    cache.keep_within(cache.state().bytes - 1)
    with pytest.raises(CannotTell, match="has no room for it"):
        reader.row("user", "u00000")
    with pytest.raises(CannotTell, match="does not have it, which may be because it was lost there"):
        reader.row("user", "u00009")


@pytest.mark.parametrize(
    "loss",
    [
        ("DEL", "config:user:ann"),
        ("UNLINK", "config:user:ann"),
        ("RENAME", "config:user:ann", "elsewhere"),
        ("PEXPIREAT", "config:user:ann", 1),
        ("SET", "config:user:ann", "no JSON"),
        ("SET", "config:user:ann", b"\xff"),
        ("SET", "config:user:ann", "[" * 100_000),
        ("SET", "config:user:ann", "[1]"),
    ],
)
def test_what_was_lost_or_overwritten_is_neither_a_row_nor_none(
    link: Connection, loss: tuple[str | bytes, ...]
) -> None:
    RedisCache(link, MB).rebuild([write("ann", "1"), write("ben", "2")], mark(1))
    link.ask(*loss)
    with pytest.raises(CannotTell, match="user ann"):
        ViewReader(link).row("user", "ann")
    assert ViewReader(link).row("user", "ben") == {"value": "1"}


def test_rows_that_nobody_answers_for_are_not_read(link: Connection) -> None:
    RedisCache(link, MB).rebuild([write("ann", "1")], mark(1))
    link.ask("DEL", "config:meta")
    with pytest.raises(RetryLater, match="no whole live view"):
        ViewReader(link).row("user", "ann")


def test_an_old_snapshot_is_seen_and_replaced(link: Connection) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild([write("ann", "1", "old"), write("left", "9")], mark(1))
    snapshot = {key: link.ask("DUMP", key) for key in keys(link)}
    cache.advance(ViewStep(mark(1), mark(2), (write("ann", "1", "new"), write("left", "9", None), write("ben", "2"))))
    link.ask("FLUSHALL")
    for key, dump in snapshot.items():
        link.ask("RESTORE", key, 0, dump)
    assert cache.state().mark == mark(1)
    cache.rebuild([write("ann", "1", "new"), write("ben", "2")], mark(2))
    reader = ViewReader(link)
    assert reader.row("user", "ann") == {"value": "new"}
    assert "config:user:left" not in keys(link)
    assert reader.row("user", "ben") == {"value": "1"}
    assert (cache.state().mark, cache.state().rows) == (mark(2), 2)


def test_other_keys_are_left_alone(link: Connection) -> None:
    others = {"session:1", "config", "configure:user:ann", "user:1:sessions"}
    for key in others:
        link.ask("SET", key, "mine")
    cache = RedisCache(link, MB)
    fill(cache, 10)
    cache.keep_within(1)
    cache.rebuild([], mark(2))
    assert others <= keys(link)


def test_half_a_step_is_no_state(link: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = RedisCache(link, 100 * MB)
    cache.rebuild([], mark(1))
    real, calls = link.run, []

    def dies(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise RetryLater("gone")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(link, "run", dies)
    writes = tuple(write(f"u{one}", f"{one}") for one in range(ROWS_PER_SCRIPT + 1))
    with pytest.raises(RetryLater, match="gone"):
        cache.advance(ViewStep(mark(1), mark(2), writes))
    monkeypatch.undo()
    assert cache.state().mark is None
    assert not cache.advance(ViewStep(mark(1), mark(2), writes))
    cache.rebuild(writes, mark(2))
    assert (cache.state().mark, cache.state().rows) == (mark(2), ROWS_PER_SCRIPT + 1)


def test_two_who_write_do_not_mix(link: Connection) -> None:
    one, other = RedisCache(link, MB), RedisCache(link, MB)
    one.rebuild([write("ann", "1")], mark(1))
    other.rebuild([write("ann", "1", "theirs")], mark(7))
    assert not one.advance(ViewStep(mark(1), mark(2), (write("ann", "1", "ours"),)))
    assert ViewReader(link).row("user", "ann") == {"value": "theirs"}


def test_readers_see_one_commit_of_a_row_while_it_is_renamed(shared_server: EmbeddedServer, link: Connection) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild([write("n0", "1", 0)], mark(0))
    stop = threading.Event()

    def advance() -> None:
        number = 0
        while not stop.is_set():
            renamed = write(f"n{number + 1}", "1", number + 1)
            assert cache.advance(ViewStep(mark(number), mark(number + 1), (renamed,)))
            number += 1

    writing = threading.Thread(target=advance)
    writing.start()
    try:
        with connect(shared_server.url, answer_timeout=5) as own:
            script = (
                "local n = redis.call('GET', 'config:user:id:1') return {n, redis.call('GET', 'config:user:' .. n)}"
            )
            for _ in range(300):
                name, row = own.ask("EVAL", script, 0)
                assert row.decode() == f'{{"value":"{name.decode()[1:]}"}}'
    finally:
        stop.set()
        writing.join()


def test_a_full_server_takes_no_rows_and_gives_some_up(link: Connection) -> None:
    cache = RedisCache(link, MB)
    fill(cache, 20)
    before = dict(link.ask("CONFIG", "GET", "maxmemory"))[b"maxmemory"]
    try:
        link.ask("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(RetryLater, match="out of memory") as caught:
            cache.advance(ViewStep(mark(1), mark(2), (write("new", "n"),)))
        assert "cache_size_mb" in caught.value.hint
        assert cache.keep_within(cache.state().bytes // 2).dropped >= 10
        assert cache.state().mark == mark(1)
    finally:
        link.ask("CONFIG", "SET", "maxmemory", before)


def test_a_view_of_a_newer_format_is_left_alone(link: Connection) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild([write("ann", "1")], mark(1))
    link.ask("HSET", "config:meta", "format", 2)
    before = link.ask("HGETALL", "config:meta")
    with pytest.raises(NeedsHuman, match="has format 2, this version of reconciler writes format 1") as caught:
        cache.state()
    assert "update reconciler" in caught.value.hint
    with pytest.raises(NeedsHuman, match="format 2"):
        cache.keep_within(1)
    assert not cache.advance(ViewStep(mark(1), mark(2), (write("bob", "2"),)))
    assert link.ask("HGETALL", "config:meta") == before
    assert "config:user:bob" not in keys(link)
    for name in ("ann", "bob"):
        with pytest.raises(NeedsHuman, match="has format 2, this version of reconciler reads format 1") as caught:
            ViewReader(link).row("user", name)
        assert "update reconciler" in caught.value.hint


@pytest.mark.parametrize("field", ["height", "format", "bytes"])
def test_what_somebody_wrote_into_the_mark_is_no_crash(link: Connection, field: str) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild([write("ann", "1")], mark(1))
    link.ask("HSET", "config:meta", field, "nonsense")
    cache.state()
    assert ViewReader(link).row("user", "ann") == {"value": "1"}


def test_a_view_without_a_format_is_of_the_first(link: Connection) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild([write("ann", "1")], mark(1))
    link.ask("HDEL", "config:meta", "format")
    assert cache.state().mark == mark(1)
    assert cache.advance(ViewStep(mark(1), mark(2), (write("bob", "2"),)))
    assert link.ask("HGET", "config:meta", "format") == b"1"
