"""Rows as programs find them in the live view."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.model.change import Op, Prune
from reconciler.model.commit import Applied
from reconciler.model.live import CacheState, Use, ViewMark
from reconciler.tables.view import is_behind, view_mark, view_step, view_write, view_writes
from tests.support.kinds import GADGET, KINDS, WIDGET, commit, gadget, row, stamp, tombstone, uid, widget

if TYPE_CHECKING:
    from reconciler.model.change import Row


def test_a_row_has_the_columns_of_its_table_in_their_order() -> None:
    made = view_write(WIDGET, row(widget("w", widget_id=uid(1)), 1, 2))
    assert made.json is not None
    found = json.loads(made.json)
    assert list(found) == [*(column.name for column in WIDGET.columns), "created_at", "updated_at"]
    assert found["parts"] == {"screws": [1, 2.5, None], "ä": "ö"}
    assert found["weight"] == 30.0
    assert type(found["weight"]) is float, "a FLOAT is one to a program that reads it, also when it is whole"
    assert (found["note"], found["fragile"], found["pieces"]) == (None, True, 3)
    assert (found["created_at"], found["updated_at"]) == ("2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z")
    assert (made.kind, made.name, made.id) == ("widget", "w", uid(1))


@pytest.mark.parametrize(
    ("found", "op", "use", "status"),
    [
        (row(widget("w"), 2), Op.CREATE, Use.LIVE, "ACTIVE"),
        (row(widget("w"), 1, 2), Op.UPDATE, Use.LIVE, "ACTIVE"),
        (row(widget("w", status="INACTIVE"), 1, 2), Op.UPDATE, Use.INACTIVE, "INACTIVE"),
        (tombstone(widget("w"), 1, 2), Op.DELETE, Use.GONE, "INACTIVE"),
        (tombstone(widget("w"), 1, 2, prune=Prune.OFF), Op.DELETE, Use.GONE, "ACTIVE"),
        (tombstone(widget("w"), 1, 2, prune=Prune.DELETE), Op.DELETE, Use.GONE, None),
    ],
)
def test_what_becomes_of_a_row(found: Row, op: Op, use: Use, status: str | None) -> None:
    made = view_write(WIDGET, found)
    assert (made.op, made.use) == (op, use)
    assert (json.loads(made.json)["status"] if made.json else None) == status


def test_a_kind_without_a_status_loses_its_row() -> None:
    assert view_write(GADGET, tombstone(gadget("g"), 1, 2)).json is None


def test_use_counts_more_than_age() -> None:
    old = view_write(WIDGET, row(widget("old"), 1))
    off = view_write(WIDGET, row(widget("off", status="INACTIVE"), 90))
    gone = view_write(WIDGET, tombstone(widget("gone"), 1, 99))
    newer = view_write(WIDGET, row(widget("new"), 1, 2))
    assert gone.order < off.order < old.order < newer.order


def test_bytes_are_those_of_what_is_written() -> None:
    short, long = (view_write(WIDGET, row(widget("w", widget_id=uid(1), note=note), 1)) for note in ("", "ä" * 100))
    assert long.bytes - short.bytes == 200


def test_a_step_goes_from_what_is_applied_to_what_will_be() -> None:
    base, applied = (Applied(stamp(number), number, "digest", stamp(number).time) for number in (1, 2))
    made = view_step(KINDS, base, applied, (row(widget("w"), 2), tombstone(gadget("g"), 1, 2)))
    assert made.base == view_mark(base)
    assert (made.to.commit, made.to.height) == (commit(2).sha, 2)
    assert [(one.kind, one.op) for one in made.writes] == [("widget", Op.CREATE), ("gadget", Op.DELETE)]


def test_rows_of_other_kinds_are_none_of_its_business() -> None:
    from reconciler.kinds.kind import Kinds  # noqa: PLC0415

    assert [*view_writes(Kinds((GADGET,)), [row(widget("w"), 1)])] == []


def test_a_view_is_behind_unless_it_is_the_very_state() -> None:
    applied = Applied(stamp(3), 3, "digest", stamp(3).time)
    here = view_mark(applied)
    assert here == ViewMark(commit(3).sha, "digest", 3)
    assert not is_behind(CacheState(here, 5, 0, 0), applied)
    assert is_behind(CacheState(None, 0, 0, 0), applied)
    assert is_behind(CacheState(ViewMark(commit(2).sha, "digest", 2), 5, 0, 0), applied), "A, B, A: the same digest"
    assert not is_behind(CacheState(None, 0, 0, 0), None), "nothing is applied yet"
