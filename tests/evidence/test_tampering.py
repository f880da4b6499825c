"""Somebody can write to the store and to the ledger: whatever is done there shows against the roots of the days before.

The attacks on a store are SQL in its own file; on a ledger they are what it holds afterwards.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.clickhouse.ledger import open_ledger as open_chdb
from reconciler.adapters.duckdb.connection import FILE_NAME, open_writable
from reconciler.adapters.duckdb.ledger import open_ledger as open_file
from reconciler.adapters.duckdb.store import open_store
from reconciler.evidence.chain import ROOT_MADE, find_outside, is_whole
from reconciler.ledger.connection import RecordedBranch
from reconciler.model.intervals import IntervalEnd
from reconciler.reconcile.roots import make_root
from reconciler.values import replace
from tests.evidence.hosts import COMMITS, DAYS, HOST, DayClock, Rows, event_of, roots, unsigned, working
from tests.support.kinds import uid
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.evidence.chain import Root
    from reconciler.ledger.ledger import SqlLedger

A_DAY = COMMITS + 1
"""Events of a day, without its root."""
SECOND_DAY = 2 + A_DAY
"""The number of an event of the second day: `bound` and the first day's root are before it."""


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worked")
    with working(folder):
        return folder


ATTACKS_ON_STORE = {
    "rewrite the detail of an event": f"UPDATE gitops.events SET detail = '{{}}' WHERE seq = {SECOND_DAY + 1}",
    "rewrite which commit an event is about": f"UPDATE gitops.events SET commit_sha = 'a' WHERE seq = {SECOND_DAY + 1}",
    "rewrite when an event was": "UPDATE gitops.events SET happened_at = happened_at + INTERVAL 1 MICROSECOND "
    f"WHERE seq = {SECOND_DAY + 1}",
    "rewrite what an event was": f"UPDATE gitops.events SET event = 'refused' WHERE seq = {SECOND_DAY + 1}",
    "rewrite a digest": f"UPDATE gitops.events SET digest = NULL WHERE seq = {SECOND_DAY + 1}",
    "rewrite how long it took": f"UPDATE gitops.events SET duration_ms = 0 WHERE seq = {SECOND_DAY + 1}",
    "rewrite a root": 'UPDATE gitops.events SET detail = json_merge_patch(detail, \'{"key": "SHA256:mine"}\') '
    f"WHERE event = '{ROOT_MADE}' AND seq = (SELECT min(seq) FROM gitops.events WHERE event = '{ROOT_MADE}')",
    "drop an event": f"DELETE FROM gitops.events WHERE seq = {SECOND_DAY + 1}",
    "drop the first event": "DELETE FROM gitops.events WHERE seq = 1",
    "drop the last event under a root": "DELETE FROM gitops.events WHERE seq = "
    f"(SELECT max(seq) - 1 FROM gitops.events WHERE event = '{ROOT_MADE}')",
    "truncate the events": f"DELETE FROM gitops.events WHERE seq > {SECOND_DAY} AND event != '{ROOT_MADE}'",
    "reorder two events": f"UPDATE gitops.events SET seq = 9001 WHERE seq = {SECOND_DAY + 1}; "
    f"UPDATE gitops.events SET seq = {SECOND_DAY + 1} WHERE seq = {SECOND_DAY + 2}; "
    f"UPDATE gitops.events SET seq = {SECOND_DAY + 2} WHERE seq = 9001",
    "insert an event in place of one that was dropped": f"DELETE FROM gitops.events WHERE seq = {SECOND_DAY + 1}; "
    f"INSERT INTO gitops.events SELECT {SECOND_DAY + 1}, * EXCLUDE seq FROM gitops.events WHERE seq = {SECOND_DAY + 2}",
    "insert an event of another store": "INSERT INTO gitops.events SELECT 9001, * EXCLUDE (seq, store), "
    f"'{uid(9)}' FROM gitops.events WHERE seq = {SECOND_DAY + 1}",
    "rewrite which commit was live": "UPDATE gitops.live SET commit_sha = 'a' WHERE seq = 3",
    "rewrite since when it was live": "UPDATE gitops.live SET live_from = live_from - INTERVAL 1 HOUR WHERE seq = 3",
    "rewrite until when it was live": "UPDATE gitops.live SET live_until = live_until + INTERVAL 1 HOUR WHERE seq = 3",
    "rewrite why it was live no more": "UPDATE gitops.live SET ended = 'rolled-back' WHERE seq = 3",
    "say that it is live still": "UPDATE gitops.live SET live_until = NULL, ended = NULL WHERE seq = 3",
    "drop an interval": "DELETE FROM gitops.live WHERE seq = 3",
    "truncate the intervals": "DELETE FROM gitops.live WHERE seq > 3",
    "reorder two intervals": "UPDATE gitops.live SET seq = CASE seq WHEN 3 THEN 5 ELSE 3 END WHERE seq IN (3, 5)",
    "insert an interval": "INSERT INTO gitops.live SELECT * REPLACE (commit_sha || 'a' AS commit_sha) FROM gitops.live "
    "WHERE seq = 3",
    "insert an interval of another store": f"INSERT INTO gitops.live SELECT * REPLACE ('{uid(9)}' AS store) "
    "FROM gitops.live WHERE seq = 3",
}


def attack(folder: Path, statements: str) -> None:
    with closing(open_writable(folder / FILE_NAME)) as connection:
        for statement in statements.split("; "):
            connection.execute(statement)


def copy(folder: Path, to: Path) -> Path:
    to.mkdir(exist_ok=True)
    (to / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes())
    return to


def is_found(kept: list[Root], source: Any, numbers: Any) -> bool:
    return not all(is_whole(root, source) for root in kept) or bool(find_outside(numbers, kept))


def test_what_nobody_touched_is_whole(worked: Path, tmp_path: Path) -> None:
    with open_store(copy(worked, tmp_path), DayClock()) as store:
        kept = roots(store)
        assert len(kept) == DAYS
        assert [root.previous for root in kept[1:]] == [root.head for root in kept[:-1]]
        assert [one.entries for one in kept] == [root.events + root.intervals for root in kept]
        assert not is_found(kept, store, store.recorded_numbers())


@pytest.mark.parametrize("statements", ATTACKS_ON_STORE.values(), ids=ATTACKS_ON_STORE)
def test_an_attack_on_the_store_is_found_from_roots_kept_elsewhere(
    worked: Path, tmp_path: Path, statements: str
) -> None:
    with open_store(copy(worked, tmp_path), DayClock()) as store:
        kept, before = roots(store), Rows.of(store)
    attack(tmp_path, statements)
    with open_store(tmp_path, DayClock()) as store:
        after = Rows.of(store)
        assert (after.events, after.intervals) != (before.events, before.intervals)
        assert is_found(kept, store, store.recorded_numbers())


def test_a_whole_chain_that_is_made_again_leads_to_other_roots(worked: Path, tmp_path: Path) -> None:
    """Whoever has the host's key as well can sign it: the root that is elsewhere says so all the same."""
    with open_store(copy(worked, tmp_path), DayClock()) as store:
        kept = roots(store)
    attack(tmp_path, f"DELETE FROM gitops.events WHERE event = '{ROOT_MADE}'; DELETE FROM gitops.events WHERE seq = 4")
    clock = DayClock()
    clock.moment = datetime.fromisoformat(kept[-1].made_at)
    with open_store(tmp_path, clock) as store:
        assert make_root(store, HOST, clock.now(), unsigned) is not None
        forged = roots(store)
        assert not is_found(forged, store, store.recorded_numbers())
        assert is_found(kept, store, store.recorded_numbers())
        assert kept[-1] not in forged


@pytest.fixture(params=["duckdb", "chdb"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlLedger]:
    open_ = open_file if request.param == "duckdb" else lambda folder, *rest: open_chdb("chdb", folder, *rest)
    with open_(tmp_path / "ledger", RecordedBranch("origin", "main", ""), DayClock()) as opened:
        yield opened


def on_event(change: Callable[[Any], Any]) -> Callable[[Rows], None]:
    def altered(rows: Rows) -> None:
        rows.events[SECOND_DAY] = change(rows.events[SECOND_DAY])

    return altered


def on_interval(change: Callable[[Any], Any]) -> Callable[[Rows], None]:
    def altered(rows: Rows) -> None:
        rows.intervals[2] = change(rows.intervals[2])

    return altered


def swap(rows: Rows) -> None:
    first, second = rows.events[SECOND_DAY], rows.events[SECOND_DAY + 1]
    rows.events[SECOND_DAY] = replace(second, seq=first.seq)
    rows.events[SECOND_DAY + 1] = replace(first, seq=second.seq)


ATTACKS_ON_LEDGER: dict[str, Callable[[Rows], object]] = {
    "rewrite the detail of an event": on_event(lambda event: replace(event, detail={})),
    "rewrite what an event was": on_event(lambda event: replace(event, event="refused")),
    "drop an event": lambda rows: rows.events.pop(SECOND_DAY),
    "truncate the events": lambda rows: rows.events.__delitem__(slice(SECOND_DAY, None)),
    "reorder two events": swap,
    "insert an event of another store": lambda rows: rows.events.append(event_of(3, uid(9))),
    "rewrite which commit was live": on_interval(lambda one: replace(one, commit="a" * 40)),
    "rewrite why it was live no more": on_interval(lambda one: replace(one, ended=IntervalEnd.ROLLED_BACK)),
    "drop an interval": lambda rows: rows.intervals.pop(2),
    "truncate the intervals": lambda rows: rows.intervals.__delitem__(slice(3, None)),
    "insert an interval of another store": lambda rows: rows.intervals.append(replace(rows.intervals[2], store=uid(9))),
}


def test_the_ledger_has_the_same_chain(worked: Path, tmp_path: Path, ledger: SqlLedger) -> None:
    with open_store(copy(worked, tmp_path), DayClock()) as store:
        rows, kept = Rows.of(store), roots(store)
    ledger.record_events(HOST, rows.events)
    ledger.record_intervals(HOST, rows.intervals)
    assert not is_found(kept, ledger, ledger.recorded_numbers(HOST))
    assert [one.seq for one in ledger.newest_events_named(HOST, ROOT_MADE, 2)] == [
        one.seq for one in reversed(rows.events) if one.event == ROOT_MADE
    ][:2]


@pytest.mark.parametrize("alter", ATTACKS_ON_LEDGER.values(), ids=ATTACKS_ON_LEDGER)
def test_an_attack_on_the_ledger_is_found_from_roots_kept_elsewhere(
    worked: Path, tmp_path: Path, ledger: SqlLedger, alter: Callable[[Rows], object]
) -> None:
    with open_store(copy(worked, tmp_path), DayClock()) as store:
        rows, kept = Rows.of(store), roots(store)
    alter(rows)
    ledger.record_events(HOST, rows.events)
    ledger.record_intervals(HOST, rows.intervals)
    assert is_found(kept, ledger, ledger.recorded_numbers(HOST))


@settings(max_examples=examples(200))
@given(data=st.data())
def test_no_edit_of_rows_under_a_root_goes_unseen(worked: Path, data: st.DataObject) -> None:
    """Drop, double, swap and alter, in any order: the rows are as they were, or a root says that they are not."""
    rows, kept = _READ.setdefault(worked, _read(worked))
    edited = Rows(rows.events, rows.intervals)
    for _ in range(data.draw(st.integers(1, 4))):
        _edit(data, edited)
    covered = kept[-1].events
    same = [one for one in edited.events if one.seq <= covered] == [
        one for one in rows.events if one.seq <= covered
    ] and edited.intervals == rows.intervals
    assert all(is_whole(root, edited) for root in kept) is same


_READ: dict[Path, tuple[Rows, list[Root]]] = {}


def _read(folder: Path) -> tuple[Rows, list[Root]]:
    with open_store(folder, DayClock()) as store:
        return Rows.of(store), roots(store)


def _edit(data: st.DataObject, rows: Rows) -> None:
    of: list[Any] = data.draw(st.sampled_from([rows.events, rows.intervals]))
    if len(of) < 2:
        return
    one, other = (data.draw(st.integers(0, len(of) - 1)) for _ in range(2))
    match data.draw(st.sampled_from(["drop", "swap", "alter", "renumber"])):
        case "drop":
            del of[one]
        case "swap":
            first, second = of[one], of[other]
            of[one], of[other] = replace(second, seq=first.seq), replace(first, seq=second.seq)
        case "alter":
            of[one] = replace(of[one], commit=data.draw(st.sampled_from(["a" * 40, "b" * 40])))
        case "renumber":
            of[one] = replace(of[one], seq=data.draw(st.integers(1, 40)))
