"""Live rows that are selected by the store, against the same selection made of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from reconciler.errors import UsageError
from reconciler.kinds.kind import Column, Kinds, Reference, SqlType
from reconciler.model.selection import Selection
from reconciler.service.selection import join_filters, parse_selection, select, selection_mark, sort_value
from tests.support.kinds import WIDGET, make_kind, owner, resource, row, step, tombstone, uid, widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.kinds.kind import Kind
    from reconciler.model.rows import LiveRow

PART = make_kind(
    "Part",
    (
        Column("part_id", SqlType.UUID),
        Column("widget_id", SqlType.UUID, required=False),
        Column("weight", SqlType.FLOAT, required=False),
        Column("pieces", SqlType.INTEGER, required=False),
        Column("fragile", SqlType.BOOLEAN, required=False),
        Column("note", SqlType.VARCHAR, required=False),
        Column("status", SqlType.VARCHAR, enum=("ACTIVE", "INACTIVE")),
    ),
    references=(Reference("widget", "Widget"), Reference("spares", "Widget", many=True), Reference("made_by", "Part")),
)
NAMES = ("cog", "bolt", "axle", "dial", "edge")
WEIGHTS = (30.0, 0.1, None, 0.1, -2.5)
NOTES = ("a,b", "", None, "it's \\ 100%", "ä")
SPOTS = ("", "", "", "near", "")
SPARES = (("one", "two"), ("two",), (), ("one",), ())


@pytest.fixture
def store(duckdb_store: DuckDBStore) -> DuckDBStore:
    widgets = [widget("one", widget_id=uid(1)), widget("two", widget_id=uid(2))]
    parts = [
        structs.replace(
            resource(
                PART,
                name,
                {
                    "widget_id": uid(number % 3),
                    "weight": WEIGHTS[number],
                    "pieces": number or None,
                    "fragile": (True, False, None)[number % 3],
                    "note": NOTES[number],
                    "status": "ACTIVE" if number % 2 else "INACTIVE",
                },
                refs={"spares": SPARES[number], **({"made_by": (NAMES[0],)} if number > 2 else {})},
            ),
            labels={"desk.io/env": "live", "host": name, "spot": SPOTS[number]} if number % 2 else {"host": "all"},
        )
        for number, name in enumerate(NAMES)
    ]
    duckdb_store.bind(owner("repo", "main"))
    rows = [row(one, number + 1) for number, one in enumerate([*widgets, *parts])]
    duckdb_store.apply(Kinds((PART, WIDGET)), step(1, *rows))
    gone = resource(PART, "gone", {"status": "ACTIVE", "note": "x"})
    duckdb_store.apply(Kinds((PART, WIDGET)), step(2, row(gone, 2)))
    duckdb_store.apply(Kinds((PART, WIDGET)), step(3, tombstone(gone, 2, 3)))
    return duckdb_store


SELECTIONS = {
    "": "axle bolt cog dial edge gone",
    "status=ACTIVE": "bolt dial",
    "status!=ACTIVE": "axle cog edge gone",
    "weight=0.1": "bolt dial",
    "weight=30": "cog",
    "weight=-25e-1": "edge",
    "weight!=0.1": "axle cog edge gone",
    "weight=": "axle gone",
    "pieces=4": "edge",
    "fragile=no": "bolt edge",
    "note=": "axle bolt",
    "note!=": "cog dial edge gone",
    r"note=a\,b": "cog",
    r"note=it's \\ 100%": "dial",
    "name=cog": "cog",
    "name!=cog,status=INACTIVE": "axle edge gone",
    "widget=one": "bolt edge",
    "widget!=one": "axle cog dial gone",
    f"widget={uid(0)}": "cog dial",
    f"widget_id={uid(2).upper()}": "axle",
    "spares=one": "cog dial",
    "spares!=one": "axle bolt edge gone",
    "spares=": "axle edge gone",
    "made_by=cog": "dial edge",
    "status=ACTIVE,weight=0.1,spares=two": "bolt",
    "-l host": "axle bolt cog dial edge gone",
    "-l host=all": "axle cog edge",
    "-l spot=": "bolt",
    "-l spot!=": "axle cog dial edge gone",
    "-l spot in (,near)": "bolt dial",
    "-l spot notin (,far)": "axle cog dial edge gone",
    "-l host!=all": "bolt dial gone",
    "-l desk.io/env": "bolt dial",
    "-l !desk.io/env": "axle cog edge gone",
    "-l host in (bolt, dial),desk.io/env==live": "bolt dial",
    "-l host notin (bolt,all)": "dial gone",
    "--sort weight": "edge bolt dial cog axle gone",
    "--sort -weight": "cog bolt dial edge axle gone",
    "--sort -name": "gone edge dial cog bolt axle",
    "--sort widget": "cog dial bolt edge axle gone",
    "--sort spares": "dial cog bolt axle edge gone",
    "--sort status": "bolt dial axle cog edge gone",
    "--sort -updated_at": "edge dial axle bolt cog gone",
}
"""Names of rows by filters, labels (-l) or the field that the order goes by."""


def parse(kind: Kind, text: str) -> Selection:
    option, _, given = text.partition(" ")
    label, sort = (given if option == word else None for word in ("-l", "--sort"))
    return parse_selection(kind, label, None if label or sort else text, sort, details=True)


def test_the_store_and_values_select_alike_also_page_by_page(store: DuckDBStore) -> None:
    everything = store.selected(PART, Selection(details=True), None, None)
    found = {}
    for text in SELECTIONS:
        selection = parse(PART, text)
        rows = store.selected(PART, selection, None, None)
        found[text] = " ".join(one.name for one in rows)
        assert rows == select(PART, selection, everything), text
        assert rows == tuple(pages(store, selection)), text
    assert found == SELECTIONS


def pages(store: DuckDBStore, selection: Selection) -> Iterator[LiveRow]:
    """All rows, two at a time."""
    place = None
    while page := store.selected(PART, selection, place, 2):
        yield from page
        last = page[-1]
        place = (sort_value(PART, selection, last) if selection.sort else None, last.name, last.values["part_id"])


def test_rows_come_with_what_git_says_and_with_the_names_of_ids(store: DuckDBStore) -> None:
    cog, edge, gone = (
        one for one in store.selected(PART, Selection(details=True), None, None) if one.name in {"cog", "edge", "gone"}
    )
    assert cog.declared
    assert edge.declared
    assert gone.declared
    assert (cog.declared.labels, cog.declared.annotations) == ({"host": "all"}, {"why": "so"})
    assert cog.declared.refs == {"spares": ("one", "two")}
    assert (cog.names, edge.names, gone.names) == ({}, {"widget_id": "one"}, {})


WRONG: dict[str, Callable[[], object]] = {
    "Part has no field wight": lambda: parse_selection(PART, None, "wight=1", None),
    "Part has no field colour": lambda: parse_selection(PART, None, None, "colour"),
    "status is never active (did you mean ACTIVE?)": lambda: parse_selection(PART, None, "status=active", None),
    "weight is a number, and '1:30' is none": lambda: parse_selection(PART, None, "weight=1:30", None),
    "fragile is true or false, and never perhaps": lambda: parse_selection(PART, None, "fragile=perhaps", None),
    "'cog' is no filter": lambda: parse_selection(PART, None, "cog", None),
    "label is longer than 2,000 characters": lambda: parse_selection(PART, "a" * 2_001, None, None),
    "there are more than 32 conditions": lambda: parse_selection(PART, ",".join(["a"] * 33), None, None),
    "parts is an object or a list: no filter compares it": lambda: parse_selection(WIDGET, None, "parts={}", None),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_makes_no_sense_is_said(message: str) -> None:
    with pytest.raises(UsageError) as refused:
        WRONG[message]()
    assert str(refused.value) == message
    assert refused.value.hint or "characters" in message


@pytest.mark.parametrize(
    "text",
    [
        "1_0",
        " 1",
        "1 ",
        "\uff11",
        "nan",
        "inf",
        "-Infinity",
        ".inf",
        "1e999",
        "010",
        "0b1",
        "1:30",
        "ten",
        "--1",
        "1,5",
    ],
)
@pytest.mark.parametrize("field", ["weight", "pieces"])
def test_only_what_every_reader_of_yaml_takes_for_a_number_is_one(field: str, text: str) -> None:
    with pytest.raises(UsageError, match=r"is a number, and .* is none"):
        parse_selection(PART, None, join_filters([f"{field}={text}"]), None)


def test_numbers_of_any_size_are_compared(store: DuckDBStore) -> None:
    for text in ("pieces=9007199254740993", f"pieces={2**70}", f"weight={10**300}", f"pieces={10**300}"):
        assert not store.selected(PART, parse_selection(PART, None, text, None), None, None)


@pytest.mark.parametrize("label", ["a in (b", "a,,b", "=b", "a b", "-x", "a in b"])
def test_a_selector_that_kubectl_refuses_is_refused(label: str) -> None:
    with pytest.raises(UsageError, match="selects no label"):
        parse_selection(PART, label, None, None)


def test_filters_keep_their_commas() -> None:
    filters = ["note=a,b", "note!=c\\", "name=x"]
    selection = parse_selection(PART, None, join_filters(filters), None)
    assert [one.values for one in selection.fields] == [("a,b",), ("c\\",), ("x",)]


def test_the_pages_of_one_selection_are_no_other_s() -> None:
    marks = {selection_mark(parse(PART, text)) for text in SELECTIONS}
    assert len(marks) == len(SELECTIONS)
