"""Laws of the store, on random histories: the database is the dictionary, with tables."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.duckdb.store import open_store
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.model.change import Prune, Removal, Row
from tests.adapters.store.observing import observe
from tests.support.kinds import (
    GADGET,
    KINDS,
    WIDGET,
    WIDGET_COLUMNS,
    FixedClock,
    make_kind,
    resource,
    stamp,
    step,
    uid,
)
from tests.support.laws import examples
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from reconciler.model.change import RowId

STATUS = Column("status", SqlType.VARCHAR, length=20, required=False, enum=("ACTIVE", "INACTIVE"))
WIDE = Kinds(
    (
        make_kind("Gadget", (*GADGET.columns, STATUS), references=GADGET.references),
        make_kind("Widget", (*WIDGET_COLUMNS, Column("height", SqlType.FLOAT, required=False))),
    )
)
NAMES = st.sampled_from(["a", "b", "ab"])
IDS = st.integers(1, 3).map(uid)
PATHS = st.sampled_from(["1.yaml", "in/2.yaml", "in/side/3.yaml"])


@dataclass(frozen=True)
class Edit:
    """What a commit says of one id: declared with these, or removed when `name` is None."""

    kind: str
    id: str
    name: str | None
    path: str
    number: float
    refs: tuple[str, ...]
    prune: Prune


edits = st.builds(
    Edit,
    kind=st.sampled_from(["Widget", "Gadget"]),
    id=IDS,
    name=st.none() | NAMES,
    path=PATHS,
    number=st.sampled_from([0.1, 1.0, 30.0]),
    refs=st.lists(NAMES, max_size=2).map(tuple),
    prune=st.sampled_from(Prune),
)
histories = st.lists(st.lists(edits, max_size=4, unique_by=lambda edit: (edit.kind, edit.id)), min_size=1, max_size=4)


def touched(edit: Edit, number: int, rows: dict[RowId, Row]) -> Row | None:
    """The row that an edit leaves, given the rows before; None where there is nothing to remove."""
    kind = KINDS.by_name[edit.kind]
    old = next((one for row_id, one in rows.items() if row_id == (edit.kind, edit.id)), None)
    if edit.name is None:
        at = stamp(number)
        gone = Removal(at.commit, at.time, edit.prune)
        return None if old is None or old.removed else Row(old.resource, old.created, old.updated, gone)
    status = "ACTIVE" if edit.number < 1 else "INACTIVE"
    values = (
        {"widget_id": edit.id, "colour": "RED", "label": "x", "weight": edit.number, "pieces": 1, "status": status}
        if kind is WIDGET
        else {"gadget_id": edit.id, "path": "p", "speed": edit.number}
    )
    refs = {} if kind is WIDGET or not edit.refs else {"widget": edit.refs[:1], "spares": edit.refs}
    declared = resource(kind, edit.name, values, refs=refs, path=edit.path, line=int(edit.id[-1]))
    return Row(declared, old.created if old else stamp(number), stamp(number))


def valid(found: list[Row], rows: dict[RowId, Row]) -> list[Row]:
    """Those of a commit's rows that leave every name to one row: a store is only told of valid states."""
    after = rows | {one.row_id: one for one in found}
    names = Counter(one.resource.key for one in after.values() if one.removed is None)
    kept = [one for one in found if one.removed or names[one.resource.key] == 1]
    return found if len(kept) == len(found) else valid(kept, rows)


@settings(max_examples=examples(12))
@given(history=histories, widened=st.integers(1, 5))
def test_the_database_does_what_the_dictionary_does(history: list[list[Edit]], widened: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory = MemoryStore(FixedClock())
        rows: dict[RowId, Row] = {}
        with open_store(Path(folder), FixedClock()) as store:
            for number, commit in enumerate(history, 1):
                kinds = KINDS if number < widened else WIDE
                found = valid([one for edit in commit if (one := touched(edit, number, rows)) is not None], rows)
                rows |= {one.row_id: one for one in found}
                taken = step(number, *found)
                memory.apply(kinds, taken)
                store.apply(kinds, taken)
                expected = seen(memory, kinds)
                assert seen(store, kinds) == expected
                store.apply(kinds, taken)
                assert seen(store, kinds) == expected
        with open_store(Path(folder), FixedClock()) as store:
            assert seen(store, kinds) == expected
            store.replace(kinds, step(len(history), *rows.values()))
            assert seen(store, kinds) == expected
            assert store.applied() is not None


def seen(store: object, kinds: Kinds) -> object:
    """What can be observed. Columns that came later are None or absent in a resource, which is no difference."""
    return without_none(observe(store, kinds))  # type: ignore[arg-type]


def without_none(value: object) -> object:
    """A value without the pairs of typed mappings that say None."""
    none = ("NoneType", "None")
    if isinstance(value, dict):
        return {key: without_none(one) for key, one in value.items()}
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "dict":
        return ("dict", [(key, without_none(one)) for key, one in value[1] if one != none])
    if isinstance(value, (list, tuple)):
        return [without_none(one) for one in value]
    return value
