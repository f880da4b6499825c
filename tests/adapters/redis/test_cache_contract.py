"""What every implementation of the port `Cache` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.redis.cache import ROWS_PER_SCRIPT, RedisCache
from reconciler.model.live import OVERHEAD, CacheState, Use, ViewMark, ViewStep, ViewWrite
from tests.adapters.redis.views import MB, LookUp, RedisLookUp, fill, mark, write
from tests.support.laws import examples
from tests.support.memory.cache import MemoryCache

if TYPE_CHECKING:
    from reconciler.adapters.redis.connection import Connection
    from reconciler.redisports import Cache


@pytest.fixture(params=["memory", "redis"])
def view(request: pytest.FixtureRequest) -> tuple[Cache, LookUp]:
    """An empty view of each kind, and a look into it."""
    if request.param == "memory":
        memory = MemoryCache(MB)
        return memory, memory
    link: Connection = request.getfixturevalue("link")
    return RedisCache(link, MB), RedisLookUp(link)


View = tuple["Cache", LookUp]


def step(base: int, to: int, *writes: ViewWrite) -> ViewStep:
    """From one commit to another."""
    return ViewStep(mark(base), mark(to), writes)


def test_an_empty_view_has_to_be_rebuilt(view: View) -> None:
    cache, _ = view
    assert cache.state() == CacheState(None, 0, 0, 0)
    assert not cache.advance(step(1, 2, write("ann", "1")))
    assert cache.state() == CacheState(None, 0, 0, 0)


def test_a_rebuilt_view_has_just_what_it_was_given(view: View) -> None:
    cache, look = view
    cache.rebuild([write("ann", "1"), write("ben", "2")], mark(1))
    gone = write("ann", "1", None)
    cache.rebuild([write("ben", "2", "new"), write("cleo", "3"), gone], mark(2))
    assert cache.state().mark == mark(2)
    assert cache.state().rows == 2
    assert look.look_up("user", "ben") == '{"value":"new"}'
    assert look.look_up("user", "ann") is None
    assert [look.name_of("user", one) for one in "123"] == [None, "ben", "cleo"]


def test_a_rebuilt_view_may_be_empty(view: View) -> None:
    cache, look = view
    cache.rebuild([write("ann", "1")], mark(1))
    cache.rebuild([], mark(2))
    assert cache.state() == CacheState(mark(2), 0, 0, 0)
    assert look.look_up("user", "ann") is None


def test_a_step_changes_what_it_says(view: View) -> None:
    cache, look = view
    cache.rebuild([write("ann", "1"), write("ben", "2"), write("cleo", "3")], mark(1))
    assert cache.advance(step(1, 2, write("ann", "1", "new"), write("ben", "2", None), write("dan", "4")))
    assert [look.look_up("user", one) for one in ("ann", "ben", "cleo", "dan")] == [
        '{"value":"new"}',
        None,
        '{"value":"1"}',
        '{"value":"1"}',
    ]
    assert [look.name_of("user", one) for one in "1234"] == ["ann", None, "cleo", "dan"]
    assert (cache.state().mark, cache.state().rows) == (mark(2), 3)


@pytest.mark.parametrize("base", [mark(3), ViewMark(mark(1).commit, mark(9).digest, 1), ViewMark("", "", 0)])
def test_a_step_from_elsewhere_changes_nothing(view: View, base: ViewMark) -> None:
    cache, look = view
    cache.rebuild([write("ann", "1")], mark(1))
    before = cache.state()
    assert not cache.advance(ViewStep(base, mark(4), (write("ann", "1", "new"),)))
    assert cache.state() == before
    assert look.look_up("user", "ann") == '{"value":"1"}'


def test_a_step_is_taken_once(view: View) -> None:
    cache, _ = view
    cache.rebuild([], mark(1))
    assert cache.advance(step(1, 2, write("ann", "1")))
    assert not cache.advance(step(1, 2, write("ann", "1")))


def test_names_can_be_swapped(view: View) -> None:
    cache, look = view
    cache.rebuild([write("ann", "1", "one"), write("ben", "2", "two")], mark(1))
    assert cache.advance(step(1, 2, write("ben", "1", "one"), write("ann", "2", "two")))
    assert look.look_up("user", "ann") == '{"value":"two"}'
    assert look.look_up("user", "ben") == '{"value":"one"}'
    assert [look.name_of("user", one) for one in "12"] == ["ben", "ann"]
    assert cache.state().rows == 2


def test_names_can_be_swapped_far_apart(view: View) -> None:
    cache, look = view
    cache.keep_within(100 * MB)
    others = [write(f"u{one:05}", f"id{one:05}", changed=one) for one in range(1, 2 * ROWS_PER_SCRIPT)]
    cache.rebuild([write("ann", "1", "one"), write("ben", "2", "two"), *others], mark(1))
    first, last = write("ben", "1", "one", changed=0), write("ann", "2", "two", changed=2 * ROWS_PER_SCRIPT)
    assert cache.advance(step(1, 2, first, *others, last))
    assert look.look_up("user", "ann") == '{"value":"two"}'
    assert look.look_up("user", "ben") == '{"value":"one"}'
    assert [look.name_of("user", one) for one in "12"] == ["ben", "ann"]
    assert cache.state().rows == 2 * ROWS_PER_SCRIPT + 1


def test_a_name_that_was_given_again_is_the_live_ones(view: View) -> None:
    cache, look = view
    cache.rebuild([write("ann", "1", "old")], mark(1))
    assert cache.advance(step(1, 2, write("ann", "1", "off", Use.GONE), write("ann", "2", "new")))
    assert look.look_up("user", "ann") == '{"value":"new"}'
    assert cache.advance(step(2, 3, write("ann", "1", "off again", Use.GONE)))
    assert look.look_up("user", "ann") == '{"value":"new"}'
    assert look.name_of("user", "2") == "ann"


def test_what_is_missed_least_goes_first(view: View) -> None:
    cache, look = view
    rows = [
        write("live-old", "1", changed=1),
        write("live-new", "2", changed=9),
        write("off", "3", use=Use.INACTIVE, changed=99),
        write("gone", "4", use=Use.GONE, changed=999),
    ]
    cache.rebuild(rows, mark(1))
    whole = cache.state().bytes
    going = ["gone", "off", "live-old", "live-new"]
    for number, _ in enumerate(going, 1):
        state = cache.keep_within(cache.state().bytes - 1)
        assert state.dropped == number
        assert [name for name in going if look.look_up("user", name) is None] == going[:number]
    assert state.rows == 0
    assert state.bytes < whole


def test_it_keeps_within_its_budget_while_it_grows(view: View) -> None:
    cache, look = view
    cache.keep_within(50 * OVERHEAD)
    fill(cache, 200)
    state = cache.state()
    assert state.bytes <= 50 * OVERHEAD
    assert state.rows + state.dropped == 200
    assert look.look_up("user", "u00199") is not None
    assert cache.advance(step(1, 2, write("u00000", "id00000", "new", changed=1000)))
    assert look.look_up("user", "u00000") == '{"value":"new"}'
    after = cache.state()
    assert after.bytes <= 50 * OVERHEAD
    assert after.rows + after.dropped == 200


def test_what_leaves_git_is_not_dropped_any_more(view: View) -> None:
    cache, _ = view
    fill(cache, 3)
    assert cache.keep_within(cache.state().bytes - 1).dropped == 1
    assert cache.advance(step(1, 2, write("u00000", "id00000", None)))
    assert cache.state().dropped == 0


def test_more_room_brings_rows_back_with_the_next_rebuild(view: View) -> None:
    cache, _ = view
    writes = fill(cache, 20)
    cache.keep_within(5 * OVERHEAD)
    assert cache.keep_within(MB).dropped > 10
    cache.rebuild(writes, mark(1))
    assert (cache.state().rows, cache.state().dropped) == (20, 0)


def test_a_large_step_is_taken_as_a_whole(view: View) -> None:
    cache, look = view
    cache.keep_within(100 * MB)
    fill(cache, 3 * ROWS_PER_SCRIPT + 7)
    writes = [write(f"v{number:05}", f"id{number:05}", "new") for number in range(3 * ROWS_PER_SCRIPT + 7)]
    assert cache.advance(step(1, 2, *writes))
    assert cache.state().rows == 3 * ROWS_PER_SCRIPT + 7
    assert look.look_up("user", "u00005") is None
    assert look.name_of("user", "id00005") == "v00005"


NAMES = st.sampled_from(["ann", "ben", "cleo"])
WRITES = st.dictionaries(
    st.sampled_from(["1", "2", "3", "4"]),
    st.tuples(NAMES, st.sampled_from([None, "a", "b", "c" * 400]), st.sampled_from(Use), st.integers(0, 3)),
    max_size=4,
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(WRITES, st.integers(500, 2500)), max_size=6))
def test_redis_and_the_dictionary_agree(
    link: Connection, steps: list[tuple[dict[str, tuple[str, str | None, Use, int]], int]]
) -> None:
    link.ask("FLUSHALL")
    real, model, look = RedisCache(link, MB), MemoryCache(MB), RedisLookUp(link)
    for cache in (real, model):
        cache.rebuild([], mark(0))
    for number, (rows, budget) in enumerate(steps):
        # As in git, one name is one live row's: of several the first keeps it
        named = {name: row_id for row_id, (name, _, _, _) in reversed(rows.items())}
        writes = [
            write(name, row_id, value, use, changed)
            for row_id, (name, value, use, changed) in rows.items()
            if named[name] == row_id
        ]
        for cache in (real, model):
            assert cache.advance(step(number, number + 1, *writes))
            cache.keep_within(budget)
        assert real.state() == model.state()
        for name in ("ann", "ben", "cleo"):
            assert look.look_up("user", name) == model.look_up("user", name)
        for row_id in "1234":
            assert look.name_of("user", row_id) == model.name_of("user", row_id)
