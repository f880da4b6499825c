"""Live rows, searched and a page at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.duckdb.reader import MAX_ROWS, StoreSnapshot
from reconciler.kinds.kind import Kinds
from reconciler.model.rows import Search
from tests.support.kinds import GADGET, KINDS, ODD, WIDGET, gadget, owner, resource, row, step, tombstone, uid, widget

if TYPE_CHECKING:
    from reconciler.adapters.duckdb.store import DuckDBStore

TEXTS = {"plain": "Gold", "percent": "100%", "quoted": "' OR 1=1 --", "script": "<script>", "arabic": "ذهب"}


@pytest.fixture
def store(duckdb_store: DuckDBStore) -> DuckDBStore:
    rows = [row(widget(name, note=text), 1) for name, text in TEXTS.items()]
    gone = widget("plain", widget_id=uid(1), note="gone", path="old.yaml")
    rows += [row(gone, 1), row(widget("parts", parts={"metal": "gold"}, pieces=777), 1)]
    duckdb_store.bind(owner("repo", "main"))
    duckdb_store.apply(KINDS, step(1, *rows))
    duckdb_store.apply(KINDS, step(2, tombstone(gone, 1, 2)))
    return duckdb_store


def names(store: DuckDBStore, **asked: object) -> list[str]:
    number, rows = store.found(WIDGET, Search(**asked))  # type: ignore[arg-type]
    assert number == len(rows)
    return [one.name for one in rows]


def test_without_a_search_all_are_found_in_order_of_name(store: DuckDBStore) -> None:
    number, rows = store.found(WIDGET, Search())
    assert (number, rows) == (7, store.live(WIDGET))
    assert [(one.name, one.path is None) for one in rows if one.name == "plain"] == [("plain", False), ("plain", True)]


FOUND = {
    "gold": ["parts", "plain"],
    "GOLD": ["parts", "plain"],
    "%": ["percent"],
    "_": ["arabic", "parts", "percent", "plain", "quoted", "script"],
    "' OR 1=1": ["quoted"],
    "<SCRIPT": ["script"],
    "ذهب": ["arabic"],
    uid(1): ["plain"],
    "777": ["parts"],
    "78": [],
    "777.0": ["parts"],
    "nothing": [],
}
"""Names of rows by a text that is looked for."""


def test_what_is_called_so_comes_first(store: DuckDBStore) -> None:
    found = [row(widget(name, note="b-side"), 3) for name in ("a-b-side", "b-sides", "B-side", "another")]
    store.apply(KINDS, step(3, *found))
    assert names(store, text="b-side") == ["B-side", "b-sides", "a-b-side", "another"]
    assert store.found(WIDGET, Search("b-side", {}, 1, 2))[0] == 4
    assert store.found(WIDGET, Search("b-side", {}, 9, 2)) == (4, ())


def test_rows_are_sorted_by_a_column_and_those_without_come_last(store: DuckDBStore) -> None:
    for turned in (False, True):
        found = [one.values["note"] for one in store.found(WIDGET, Search(sort="note", descending=turned))[1]]
        notes = [note for note in found if note is not None]
        assert found == [*sorted(notes, reverse=turned), *([None] * (len(found) - len(notes)))]
    assert names(store, sort="no such column") == names(store)


def test_a_text_is_looked_for_as_it_is(store: DuckDBStore) -> None:
    assert {text: names(store, text=text) for text in FOUND} == FOUND


def test_labels_and_paths_are_looked_at(store: DuckDBStore) -> None:
    assert len(names(store, text='"host":"a"')) == 7
    assert names(store, text="/script.yaml") == ["script"]


def test_what_a_row_refers_to_finds_it_and_roles_do_not(duckdb_store: DuckDBStore) -> None:
    duckdb_store.bind(owner("repo", "main"))
    both = [gadget("a", widget=("ruby",), spares=("opal", "pearl")), gadget("b", widget=("opal",))]
    duckdb_store.apply(KINDS, step(1, *(row(one, 1) for one in both)))
    found = {
        text: [one.name for one in duckdb_store.found(GADGET, Search(text))[1]]
        for text in ("RUBY", "opal", "pearl", "spares", "opal pearl")
    }
    assert found == {"RUBY": ["a"], "opal": ["a", "b"], "pearl": ["a"], "spares": [], "opal pearl": ["a"]}


def test_values_pick_rows(store: DuckDBStore) -> None:
    assert names(store, equals={"status": "INACTIVE"}) == ["plain"]
    assert names(store, equals={"status": "INACTIVE"}, text="gold") == []
    assert names(store, equals={"status": "' OR 1=1 --"}) == []


def test_pages_are_all_of_it_and_nothing_twice(store: DuckDBStore) -> None:
    pages = [store.found(WIDGET, Search(offset=offset, limit=3)) for offset in range(0, 12, 3)]
    assert [number for number, _ in pages] == [7, 7, 7, 7]
    assert tuple(one for _, rows in pages for one in rows) == store.live(WIDGET)


def test_names_that_only_work_quoted(duckdb_store: DuckDBStore) -> None:
    duckdb_store.bind(owner("repo", "main"))
    odd = [resource(ODD, name, {"select": word, "ÄÖ.x": 0.5}) for name, word in (("a", "it's"), ("b", 'a "b"'))]
    duckdb_store.apply(Kinds((GADGET, ODD)), step(1, *(row(one, 1) for one in odd)))
    assert [one.name for one in duckdb_store.found(ODD, Search("it's"))[1]] == ["a"]
    assert [one.name for one in duckdb_store.found(ODD, Search(equals={"select": 'a "b"'}))[1]] == ["b"]


def test_a_kind_without_a_table_has_no_rows(duckdb_store: DuckDBStore) -> None:
    assert duckdb_store.found(WIDGET, Search()) == (0, ())


def test_rows_are_found_by_what_they_refer_to_whatever_it_is_called(store: DuckDBStore) -> None:
    gadgets = [row(gadget(f"g{number}", widget=(name,)), 3) for number, name in enumerate(("plain", "arabic"))]
    store.apply(KINDS, step(3, *gadgets))
    for text, found in {"plai": ["g0"], "PLAIN": ["g0"], "widget": [], "arab": ["g1"], '"plain"': []}.items():
        assert [one.name for one in store.found(GADGET, Search(text))[1]] == found, text


def test_a_question_is_asked_once_at_each_moment_by_however_many() -> None:
    moment, asked = StoreSnapshot(1, {}), list[int]()

    def ask(number: int) -> tuple[int, ...]:
        asked.append(number)
        return tuple(range(number % (MAX_ROWS + 2)))

    with ThreadPoolExecutor(8) as threads:
        numbers = [*range(2), *range(2), *range(300), *range(2)] * 4
        found = list(threads.map(lambda number: moment.once((number,), lambda: ask(number)), numbers))
    assert found == [tuple(range(number % (MAX_ROWS + 2))) for number in numbers]
    asked.clear()
    go = threading.Barrier(8)

    def slowly() -> tuple[int, ...]:
        asked.append(0)
        time.sleep(0.05)
        return (7,)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: (go.wait(), moment.once(("slow",), slowly))[1], range(8))) == {(7,)}
    assert asked == [0]
