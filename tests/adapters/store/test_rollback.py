"""The rollback that a store keeps: begun and ended in the transaction of the rows that it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.backup import back_up, restore
from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.model.change import Op
from reconciler.model.commit import Attempt
from reconciler.model.intervals import IntervalEnd
from reconciler.model.problem import Problem
from reconciler.model.rollback import Rollback, Skipped, SkippedChange, SkippedField, SkippedFile
from tests.adapters.store.observing import typed
from tests.support.kinds import KINDS, FixedClock, owner, row, stamp, step, uid, widget

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.ports import Store

NOW = datetime(2026, 11, 22, 17, 4, 50, 53_482, tzinfo=UTC)
FIELDS = (SkippedField("size", 1.5, None), SkippedField("labels.ä 🦆", None, 'a "b"'))
CHANGES = Skipped(
    (SkippedChange(Op.UPDATE, "Widget", uid(1), "first", FIELDS), SkippedChange(Op.DELETE, "Widget", uid(2), "gone")),
    (SkippedFile("policies/a.sql", None, "c" * 40),),
)
ROLLBACK = Rollback(stamp(1).commit, stamp(2).commit, "it loses money", "ines", NOW, CHANGES)


def rolled_back(store: Store) -> None:
    store.apply(KINDS, step(1, row(widget("first"), 1)))
    store.apply(KINDS, step(2, row(widget("second"), 2)))
    store.roll_back(KINDS, step(1, row(widget("first"), 1)), ROLLBACK)


def events(store: Store) -> list[tuple[str, object]]:
    return [(event.event, event.detail.get("reason")) for event in store.events_after(0, 100)]


def test_it_is_kept_with_the_rows_of_its_target(store: Store) -> None:
    assert store.rollback() is None
    rolled_back(store)
    assert typed(store.rollback()) == typed(ROLLBACK)
    applied = store.applied()
    assert applied is not None
    assert applied.stamp == stamp(1)
    assert [one.name for one in store.live(KINDS.by_name["Widget"])] == ["first"]
    assert [one.ended for one in store.intervals_of([stamp(2).commit])] == [IntervalEnd.ROLLED_BACK]
    assert [one.ended for one in store.intervals_of([stamp(1).commit])] == [IntervalEnd.REPLACED, None]
    assert events(store)[-2:] == [("applied", None), ("rolled-back", ROLLBACK.reason)]


def test_it_is_over_when_a_commit_goes_live(store: Store) -> None:
    rolled_back(store)
    store.apply(KINDS, step(3, row(widget("third"), 3)))
    assert store.rollback() is None
    assert events(store)[-2:] == [("applied", None), ("rollback-ended", ROLLBACK.reason)]
    store.apply(KINDS, step(4))
    assert events(store)[-1] == ("applied", None)
    assert [one.ended for one in store.intervals_of([stamp(3).commit])] == [IntervalEnd.REPLACED]


def test_a_newer_one_takes_its_place(store: Store) -> None:
    rolled_back(store)
    newer = Rollback(stamp(9).commit, stamp(2).commit, "again", "tom", NOW)
    store.roll_back(KINDS, step(9), newer)
    assert store.rollback() == newer
    assert [event for event, _ in events(store)][-2:] == ["applied", "rolled-back"]


def test_what_was_held_and_is_refused_then_is_told_again(store: Store) -> None:
    for code in ("rolled-back", "rolled-back", "policy/x", "policy/x"):
        problem = Problem("a.yaml", 1, 1, code, "", "no")
        store.refuse(Attempt(stamp(2), NOW, refused=True, problems=(problem,)))
    assert [event.detail["refused_by"] for event in store.events_after(0, 100)] == [["rolled-back"], ["policy/x"]]


def test_somebody_ends_it(store: Store) -> None:
    rolled_back(store)
    assert store.end_rollback("it was right", "tom") == ROLLBACK
    assert (store.rollback(), store.end_rollback("it was right", "tom")) == (None, None)
    *_, last = store.events_after(0, 100)
    assert (last.event, last.detail["ended_by"], last.detail["end_reason"]) == ("rollback-ended", "tom", "it was right")


def test_another_process_and_a_restored_store_know_it(tmp_path: Path) -> None:
    with open_store(tmp_path, FixedClock()) as store:
        store.bind(owner("origin", "main"))
        store.apply(KINDS, step(1, row(widget("first"), 1)))
    made = back_up(tmp_path, NOW)
    with open_store(tmp_path, FixedClock()) as store:
        store.apply(KINDS, step(2, row(widget("second"), 2)))
        store.roll_back(KINDS, step(1, row(widget("first"), 1)), ROLLBACK)
    with open_reader(tmp_path) or open_store(tmp_path, FixedClock()) as reader:
        assert reader.rollback() == ROLLBACK
    restore(made, tmp_path, lambda owner, applied: True, NOW)
    with open_store(tmp_path, FixedClock()) as store:
        assert store.rollback() == ROLLBACK, "whoever rolled this host back meant it, whatever is brought back"
