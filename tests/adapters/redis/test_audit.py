"""The live view is compared with the rows that should be there: whatever others did to it is found, and put right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.adapters.redis.audit import ViewAudit
from reconciler.adapters.redis.cache import ROWS_PER_SCRIPT, RedisCache
from reconciler.errors import NeedsHuman
from reconciler.model.live import Use, ViewContent, ViewDifference, ViewFault, ViewStep, ViewWrite
from tests.adapters.redis.views import MB, fill, mark, write
from tests.support.laws import examples
from tests.support.valkey import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.adapters.redis.connection import Connection

ANN, BEN = write("ann", "1", "one"), write("ben", "2", "two")
ALL = (ANN, BEN, write("a b:ä", "3", "three"))


def audit(link: Connection, content: ViewContent) -> dict[str, str]:
    """What is wrong, by key."""
    found = ViewAudit(link, None).differences(content, {"user"})
    return {one.key: str(one.fault) for one in found if one is not None}


def contents(link: Connection) -> Mapping[str, object]:
    """All that programs read."""
    return {key: link.ask("GET", key) for key in keys(link) if key.count(":") > 1}


@pytest.mark.parametrize(
    ("done", "found"),
    [
        ([], {}),
        ([("DEL", "config:user:ann")], {"user:ann": "lost"}),
        ([("UNLINK", "config:user:id:1")], {"user:ann": "lost"}),
        ([("PEXPIREAT", "config:user:ann", 1)], {"user:ann": "lost"}),
        ([("RENAME", "config:user:ann", "config:user:eve")], {"user:ann": "lost", "user:eve": "unknown"}),
        ([("SET", "config:user:ann", '{"value":"ten"}')], {"user:ann": "altered"}),
        ([("SET", "config:user:ann", '{"value": "one"}')], {"user:ann": "altered"}),
        ([("APPEND", "config:user:a%20b%3A%C3%A4", " ")], {"user:a%20b%3A%C3%A4": "altered"}),
        ([("DEL", "config:user:ann"), ("LPUSH", "config:user:ann", "x")], {"user:ann": "altered"}),
        ([("SET", "config:user:id:1", "ben")], {"user:ann": "altered"}),
        ([("COPY", "config:user:ben", "config:user:ann", "REPLACE")], {"user:ann": "altered"}),
        ([("SET", "config:user:ghost", "{}")], {"user:ghost": "unknown"}),
        ([("SET", "config:user:id:9", "ann")], {"user:id:9": "unknown"}),
        ([("SADD", "config:user:id:9", "ann")], {"user:id:9": "unknown"}),
        ([("HSET", "config:user:ghost", "a", "b")], {"user:ghost": "unknown"}),
        (
            [("SET", "config:user:", "{}"), ("SET", "config:user:a:b", "{}")],
            {"user:": "unknown", "user:a:b": "unknown"},
        ),
        ([("SET", b"config:user:\xff\x00", "{}")], {"user:\udcff\x00": "unknown"}),
        ([("ZADD", "config:rows", 1, b"user:\xff")], {"user:\udcff": "unknown"}),
        (
            [("SET", "config:user:ghost", "{}"), ("HSET", "config:sizes", "user:ghost", "10 1")],
            {"user:ghost": "unknown"},
        ),
        ([("SADD", "config:dropped", "user:ann")], {"user:ann": "altered"}),
        ([("ZREM", "config:rows", "user:ann")], {"user:ann": "lost"}),
        ([("ZADD", "config:rows", 1, "user:ghost")], {"user:ghost": "unknown"}),
        ([("HDEL", "config:sizes", "user:ben")], {"user:ben": "lost"}),
        ([("DEL", "config:rows")], dict.fromkeys((one.place for one in ALL), "lost")),
        ([("DEL", "config:rows", "config:sizes")], dict.fromkeys((one.place for one in ALL), "lost")),
        ([("SET", "config:signal:x", "{}"), ("SET", "config:other", "1"), ("SET", "configuser:ann", "1")], {}),
    ],
)
def test_what_others_do_to_a_view_is_found_and_put_right(
    link: Connection, done: Sequence[Sequence[str | int]], found: Mapping[str, str]
) -> None:
    cache, content = RedisCache(link, MB), ViewContent(ALL)
    cache.rebuild(ALL, mark(1))
    right, state = contents(link), cache.state()
    for command in done:
        link.ask(*command)
    assert audit(link, content) == found
    unknown = [key for key, fault in found.items() if fault == "unknown"]
    assert cache.repair([one for one in ALL if one.place in found], unknown, mark(1))
    others = {"config:signal:x": b"{}"} if "config:signal:x" in keys(link) else {}
    assert contents(link) == right | others
    assert audit(link, content) == {}
    if not any("config:sizes" in command and "DEL" in command for command in done):  # that loses what is counted
        assert cache.state() == state


def test_the_id_of_a_row_without_room_stands_for_no_other(link: Connection) -> None:
    cache = RedisCache(link, MB)
    writes = fill(cache, 40)
    assert cache.keep_within(cache.state().bytes // 2).dropped > 15
    link.ask("SET", f"config:user:id:{writes[0].id}", writes[-1].name)
    assert audit(link, ViewContent(writes)) == {writes[0].place: "altered"}
    assert cache.repair(writes[:1], [], mark(1))
    assert link.ask("GET", f"config:user:id:{writes[0].id}") in (None, writes[0].name.encode())
    assert audit(link, ViewContent(writes)) == {}


@pytest.mark.parametrize(
    "key", ["config:meta", "config:rows", "config:sizes", "config:dropped", "config:absent", "config:changes"]
)
@pytest.mark.parametrize("command", [("SET", "x"), ("LPUSH", "x"), ("SADD", "x"), ("ZADD", 1, "x"), ("HSET", "x", "y")])
def test_a_key_of_ours_of_another_type_is_made_anew(link: Connection, key: str, command: tuple[str | int, ...]) -> None:
    cache, content = RedisCache(link, MB), ViewContent(ALL)
    cache.rebuild(ALL, mark(1))
    right, types = contents(link), {name: link.ask("TYPE", name) for name in keys(link)}
    link.ask("SET", "config:other", "1")
    link.ask("DEL", key)
    name, *arguments = command
    link.ask(name, key, *arguments)
    if link.ask("TYPE", key) == types.get(key, {"config:absent": b"hash"}.get(key, b"set")):
        return
    if cache.state().mark is None:
        cache.rebuild(ALL, mark(1))
    elif key == "config:changes":
        assert cache.repair([write("ann", "1", "else"), ANN], [], mark(1))
    assert cache.state().mark == mark(1)
    assert contents(link) == right
    assert {name: link.ask("TYPE", name) for name in keys(link)} == types | {"config:other": b"string"}
    assert audit(link, content) == {}


def test_what_another_program_keeps_under_such_a_name_stays(link: Connection) -> None:
    """Where nothing says that the view is kept here, it may be somebody's."""
    link.ask("SET", "config:meta", "theirs")
    with pytest.raises(NeedsHuman, match="holds something else under our keys"):
        RedisCache(link, MB).state()
    with pytest.raises(NeedsHuman, match="holds something else under our keys"):
        RedisCache(link, MB).rebuild(ALL, mark(1))
    assert link.ask("GET", "config:meta") == b"theirs"


def test_a_repair_is_told_to_whoever_watches(link: Connection) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild(ALL, mark(1))
    link.ask("SET", "config:user:ann", '{"value":"ten"}')
    link.ask("DEL", "config:changes")
    assert cache.repair([ANN, BEN], ["user:ghost"], mark(1))
    told = [
        dict(zip(parts[::2], parts[1::2], strict=True)) for _, parts in link.ask("XRANGE", "config:changes", "-", "+")
    ]
    assert [(one[b"op"], one[b"name"]) for one in told] == [(b"update", b"ann"), (b"rebuild", b"")]


def test_a_view_that_has_gone_on_is_not_repaired(link: Connection) -> None:
    cache = RedisCache(link, MB)
    cache.rebuild(ALL, mark(1))
    assert cache.advance(ViewStep(mark(1), mark(2), (write("ann", "1", "new"),)))
    before = contents(link)
    assert not cache.repair([ANN], ["user:ben"], mark(1))
    assert contents(link) == before


def test_many_rows_are_repaired_in_pieces(link: Connection) -> None:
    cache = RedisCache(link, 100 * MB)
    writes = fill(cache, 3 * ROWS_PER_SCRIPT)
    state = cache.state()
    link.ask("DEL", *(f"config:user:{one.name}" for one in writes))
    assert set(audit(link, ViewContent(writes)).values()) == {"lost"}
    assert cache.repair(writes, [], mark(1))
    assert audit(link, ViewContent(writes)) == {}
    assert cache.state() == state


def test_what_there_is_no_room_for_is_no_loss(link: Connection) -> None:
    cache = RedisCache(link, MB)
    writes = fill(cache, 40)
    assert cache.keep_within(cache.state().bytes // 2).dropped > 15
    assert audit(link, ViewContent(writes)) == {}
    link.ask("SET", "config:user:u00000", "{}")
    link.ask("DEL", "config:user:u00039")
    assert audit(link, ViewContent(writes)) == {"user:u00000": "lost", "user:u00039": "lost"}


def test_the_name_of_what_left_git_may_be_given_again(link: Connection) -> None:
    cache, content = RedisCache(link, MB), ViewContent([ANN])
    cache.rebuild([ANN], mark(1))
    step = (write("ann", "1", "off", Use.GONE), write("ann", "2", "new"))
    assert cache.advance(ViewStep(mark(1), mark(2), step))
    content.take(step)
    assert audit(link, content) == {}
    link.ask("SET", "config:user:ann", '{"value":"off"}')
    assert audit(link, content) == {"user:ann": "altered"}


def test_all_keys_are_looked_at_in_the_end_however_few_at_a_time(link: Connection) -> None:
    cache = RedisCache(link, 100 * MB)
    writes = fill(cache, 2_000)
    link.ask("SET", "config:user:ghost", "{}")
    some, content = ViewAudit(link, 500), ViewContent(writes)
    found = [[one for one in some.differences(content, {"user"}) if one] for _ in range(20)]
    assert ViewDifference("user:ghost", ViewFault.UNKNOWN) in [one for each in found for one in each]
    assert [] in found


STEP = st.dictionaries(
    st.sampled_from("1234"),
    st.tuples(st.sampled_from(["ann", "ben", "cleo"]), st.sampled_from([None, "a", "b"]), st.sampled_from(Use)),
    max_size=4,
)


LIVE, OFF, GONE = Use.LIVE, Use.INACTIVE, Use.GONE


@example(steps=[({"1": ("ben", "a", OFF), "2": ("ann", "a", OFF)}, 500), ({"1": ("ann", None, GONE)}, 500)])
@example(steps=[({"1": ("ann", "a", OFF), "2": ("ben", "a", LIVE)}, 500), ({"3": ("ann", "a", GONE)}, 500)])
@example(steps=[({"1": ("ann", "a", GONE)}, 0), ({"2": ("ann", "a", LIVE)}, 0), ({"1": ("ann", None, GONE)}, 0)])
@example(steps=[({"1": ("ann", "a", OFF)}, 0), ({"1": ("ben", "a", OFF), "2": ("ann", "a", LIVE)}, 9999)])
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(STEP, st.integers(500, 2500)), max_size=6))
def test_a_view_that_nobody_touched_never_differs(
    link: Connection, steps: list[tuple[dict[str, tuple[str, str | None, Use]], int]]
) -> None:
    link.ask("FLUSHALL")
    cache, content = RedisCache(link, MB), ViewContent()
    cache.rebuild([], mark(0))
    names: dict[str, str] = {}
    for number, (rows, budget) in enumerate(steps):
        writes: list[ViewWrite] = []
        for row_id, (name, value, use) in rows.items():
            # As in git: of those that did not leave it, one has a name
            taken = use is not Use.GONE and names.get(name, row_id) != row_id
            if not taken:
                names = {one: owner for one, owner in names.items() if owner != row_id}
                if use is not Use.GONE and value is not None:
                    names[name] = row_id
                writes.append(write(name, row_id, value, use, number))
        assert cache.advance(ViewStep(mark(number), mark(number + 1), tuple(writes)))
        content.take(writes)
        cache.keep_within(budget)
        # When a name is free again, what left git under it comes back with the next repair
        live = {row.place for row in content.rows() if not row.gone}
        assert not {key for key, fault in audit(link, content).items() if key in live or fault != "lost"}
        assert {name.decode() for name in link.ask("SMEMBERS", "config:dropped")} <= {
            row.place for row in content.rows()
        }
