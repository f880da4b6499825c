"""A state in memory answers as the one that looks at everything."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.change import Key, Removal, Row, RowId, Stamp
from reconciler.snapshot.snapshot import LoadedBase
from tests.snapshot.test_tree import KINDS, NAMES, PATHS, READER, documents
from tests.support.memory.base import MemoryBase

STAMP = Stamp("a" * 40, datetime(2026, 1, 1, tzinfo=UTC))
REMOVAL = Removal(STAMP.commit, STAMP.time)
declared = st.dictionaries(st.sampled_from(PATHS), documents, max_size=4)


@given(declared, st.sets(st.sampled_from(PATHS)))
def test_both_give_the_same_answers(texts: dict[str, str], gone: set[str]) -> None:
    rows = {
        one.row_id: Row(one, STAMP, STAMP, removed=REMOVAL if path in gone else None)
        for path, text in texts.items()
        for one in READER.read_file(path, text.encode()).resources
    }
    live_keys = [row.resource.key for row in rows.values() if row.removed is None]
    if len(set(live_keys)) < len(live_keys):
        return  # no valid state holds a name twice
    loaded, reference = LoadedBase(rows.values(), KINDS), MemoryBase(rows, KINDS)
    keys = [Key(kind, name) for kind in ("User", "Signal", "Nothing") for name in NAMES]
    assert [loaded.declared_in(path) for path in PATHS] == [reference.declared_in(path) for path in PATHS]
    assert [loaded.by_name(key) for key in keys] == [reference.by_name(key) for key in keys]
    assert [loaded.referrers_of(key) for key in keys] == [reference.referrers_of(key) for key in keys]
    assert [loaded.row(row_id) for row_id in rows] == [reference.row(row_id) for row_id in rows]
    assert loaded.row(RowId("User", "nobody")) is None
    assert loaded.paths({"User"}) == reference.paths({"User"})
    assert list(loaded.rows()) == list(reference.rows())
