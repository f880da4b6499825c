"""Readers of one moment: what they remember is right for as long as they see it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.duckdb import reader
from reconciler.adapters.duckdb.store import open_store
from reconciler.errors import NeedsHuman
from tests.adapters.store import tampering
from tests.support.cases import some
from tests.support.kinds import KINDS, WIDGET, FixedClock, owner, row, step, tombstone, widget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.model.rows import LiveRow

NAMES = ("ant", "bee", "cow", "dog", "eel")
GONE = widget("bee", widget_id="ffffffff-0000-4000-8000-000000000000", path="old.yaml")


@pytest.fixture
def store(duckdb_store: DuckDBStore) -> DuckDBStore:
    duckdb_store.bind(owner("repo", "main"))
    duckdb_store.apply(KINDS, step(1, row(GONE, 1), *(row(widget(name), 1) for name in NAMES)))
    duckdb_store.apply(KINDS, step(2, tombstone(GONE, 1, 2)))
    return duckdb_store


def walk(reader: DuckDBReader, limit: int) -> Iterator[LiveRow]:
    """All rows, a page at a time."""
    place = None
    while page := reader.live_after(WIDGET, place, limit):
        yield from page
        place = page[-1].name, str(page[-1].values[WIDGET.key])


def ids(rows: Iterator[LiveRow] | tuple[LiveRow, ...]) -> list[str]:
    return [str(one.values[WIDGET.key]) for one in rows]


def _untouched(store: DuckDBStore) -> None:
    assert store.live(WIDGET)


def _one_missing(store: DuckDBStore) -> None:
    tampering.delete(store, widget("cow"))


def _one_foreign(store: DuckDBStore) -> None:
    tampering.connection(store).execute(
        f"INSERT INTO {WIDGET.table} SELECT * REPLACE ('c0ffee00-0000-4000-8000-000000000000'::UUID AS {WIDGET.key}) "
        f"FROM {WIDGET.table} LIMIT 1"
    )


def _one_for_another(store: DuckDBStore) -> None:
    _one_missing(store)
    _one_foreign(store)


@pytest.mark.parametrize("limit", some([1, 3, 2, 100], 1))
@pytest.mark.parametrize("tamper", [_untouched, _one_missing, _one_foreign, _one_for_another])
def test_pages_are_every_live_row_once_whatever_drifted(store: DuckDBStore, tamper: object, limit: int) -> None:
    assert callable(tamper)
    tamper(store)
    with store.another() as reader:
        found = list(walk(reader, limit))
        assert sorted(ids(iter(found))) == sorted(ids(store.live(WIDGET)))
        places = [(one.name, str(one.values[WIDGET.key])) for one in found]
        assert all(before < after for before, after in pairwise(places))
        assert list(walk(reader, limit)) == found


def test_a_table_that_is_gone_has_no_rows_and_keeps_nothing_else_from_being_read(store: DuckDBStore) -> None:
    tampering.connection(store).execute(f"DROP TABLE {WIDGET.table}")
    with store.another() as reader:
        assert reader.counts() == store.counts() == {**dict.fromkeys(KINDS.by_name, 0)}
        assert reader.applied() is not None
        with pytest.raises(NeedsHuman, match="a live table was altered"):
            reader.live_after(WIDGET, None, 1)


def test_what_was_asked_before_a_step_is_not_told_after_it(store: DuckDBStore) -> None:
    with store.another() as before:
        assert before.live(WIDGET, "ant")[0].values["weight"] == 30.0
        first = before.live_after(WIDGET, None, 2)
        store.apply(KINDS, step(3, row(widget("ant", weight=31.0), 1, 3), row(widget("aal"), 3)))
        with store.another() as after:
            assert after.live(WIDGET, "ant")[0].values["weight"] == 31.0
            assert [one.name for one in after.live_after(WIDGET, None, 2)] == ["aal", "ant"]
        assert before.live_after(WIDGET, None, 2) == first
        assert before.live(WIDGET, "ant")[0].values["weight"] == 30.0
        assert [one.name for one in before.live_after(WIDGET, None, 3)] == ["ant", "bee", "bee"]


def test_what_was_asked_before_drift_was_healed_is_not_told_after_it(store: DuckDBStore) -> None:
    tampering.change(store, widget("ant"), weight=99.0)
    with store.another() as reader:
        assert reader.live(WIDGET, "ant")[0].values["weight"] == 99.0
    assert store.heal(KINDS).total == 1
    with store.another() as reader:
        assert reader.live(WIDGET, "ant")[0].values["weight"] == 30.0


def test_what_another_process_wrote_is_seen_once_the_store_is_open_again(tmp_path: Path) -> None:
    for weight in (30.0, 99.0):
        with open_store(tmp_path, FixedClock()) as store:
            if weight == 30.0:
                store.bind(owner("repo", "main"))
                store.apply(KINDS, step(1, row(widget("ant"), 1)))
            with store.another() as reader:
                assert reader.live(WIDGET, "ant")[0].values["weight"] == weight
            tampering.change(store, widget("ant"), weight=99.0)


def test_a_question_is_asked_once_and_not_many_are_remembered(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_ROWS", 3)
    monkeypatch.setattr(reader, "MAX_ANSWERS", 4)
    with store.another() as one, store.another() as other:
        assert one.live_after(WIDGET, None, 2) is other.live_after(WIDGET, None, 2)
        assert one.live_after(WIDGET, None, 5) is not other.live_after(WIDGET, None, 5)
        first = one.live(WIDGET, "ant")
        for name in NAMES:
            assert other.live(WIDGET, name) == store.live(WIDGET, name)
        assert one.live(WIDGET, "ant") == first
        assert one.live(WIDGET, "ant") is not first
