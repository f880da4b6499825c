"""The daily roots of a daemon: one for each day that is over, and a condition where its key signs none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.duckdb.sharing import SharedStore
from reconciler.daemon.conditions import Conditions
from reconciler.daemon.roots import LONGEST_PAUSE, DailyRoots
from reconciler.errors import NeedsHuman
from reconciler.evidence.chain import ROOT_MADE, START, Signature
from reconciler.reconcile.roots import NO_KEY, make_root
from reconciler.service.context import EVIDENCE
from tests.daemon.hosts import Lines
from tests.evidence.hosts import HOST, MORNING, DayClock, signed_roots
from tests.support.kinds import KINDS, owner, step

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.evidence.chain import SignedRoot
    from reconciler.ports import Store


class Key:
    """What signs, while it is there."""

    def __init__(self, *, there: bool = True) -> None:
        self.there = there

    def sign(self, message: bytes) -> Signature:
        if not self.there:
            raise NeedsHuman("there is no key")
        return Signature(f"signed {len(message)}", "SHA256:key")


class Desk:
    def __init__(self, folder: Path, key: Key | None) -> None:
        self.clock = DayClock()
        self.store = SharedStore(folder, self.clock)
        self.conditions = Conditions(self.clock, lambda change: None)
        self.key = key
        self.roots = self.new_roots()

    def new_roots(self) -> DailyRoots:
        """As after a start of the daemon."""
        signs = self.key is not None
        return DailyRoots(self.store, self._make, self.conditions, self.clock, Lines(), signs=signs)

    def _make(self, store: Store) -> SignedRoot | None:
        return make_root(store, HOST, self.clock.now(), self.key.sign if self.key else lambda message: None)

    def next_day(self) -> None:
        self.clock.moment = datetime.combine(self.clock.moment.date() + timedelta(days=1), MORNING.timetz())

    def days(self) -> list[str]:
        return [one.root.day for one in signed_roots(self.store.store())]


def test_a_day_that_is_over_gets_one_root(tmp_path: Path) -> None:
    desk = Desk(tmp_path, None)
    desk.store.store().bind(owner("origin", "main"))
    desk.store.store().apply(KINDS, step(1))
    assert 0 < desk.roots.make() <= LONGEST_PAUSE
    assert desk.days() == []
    desk.next_day()
    for roots in (desk.roots, desk.roots, desk.new_roots()):
        roots.make()
    assert desk.days() == ["2026-11-23"]
    desk.next_day()
    desk.next_day()
    desk.roots.make()
    assert desk.days() == ["2026-11-23", "2026-11-25"]
    assert desk.conditions.snapshot().active == {}
    assert {one.unsigned for one in signed_roots(desk.store.store())} == {NO_KEY}
    desk.store.close_idle()


def test_midnight_is_not_slept_through(tmp_path: Path) -> None:
    desk = Desk(tmp_path, None)
    desk.clock.moment = desk.clock.moment.replace(hour=23, minute=59, second=0)
    assert desk.roots.make() <= 61
    desk.store.close_idle()


def test_a_key_that_does_not_sign_is_a_condition_until_it_does(tmp_path: Path) -> None:
    key = Key(there=False)
    desk = Desk(tmp_path, key)
    desk.store.store().bind(owner("origin", "main"))
    desk.next_day()
    desk.roots.make()
    condition = desk.conditions.snapshot().active[EVIDENCE]
    assert (condition.reason, condition.message) == (
        "NotSigned",
        "the root of 2026-11-23 is not signed: there is no key",
    )
    desk.conditions.clear(EVIDENCE)
    desk.new_roots().make()
    assert EVIDENCE in desk.conditions.snapshot().active  # also after a start
    desk.next_day()
    key.there = True
    desk.roots.make()
    assert EVIDENCE not in desk.conditions.snapshot().active
    unsigned, signed = signed_roots(desk.store.store())
    assert (unsigned.signature, unsigned.unsigned, signed.key) == ("", "there is no key", "SHA256:key")
    assert signed.root.previous == unsigned.root.head
    desk.store.close_idle()


@pytest.mark.parametrize(
    "altered",
    [
        {"day": 7},
        {"day": "some day"},
        {"day": "2026-11-23T08:00:00Z"},
        {"made_at": "this morning"},
        {"made_at": "2026-11-24T08:00:00"},
        {"made_at": ""},
        {"events": -1},
        {"events": 1 << 70},
        {"events": 1_000},
        {"intervals": -1},
        {"intervals": 1 << 70},
        {"entries": -1},
        {"head": "short"},
        {"spans": [{"of": "events", "store": "s", "after": 0, "to": 1 << 70}]},
        {"spans": [{"of": "nothing", "store": "s", "after": 0, "to": 1}]},
        {"format": 2},
    ],
    ids=str,
)
def test_the_chain_goes_on_from_a_root_that_can_be_read(tmp_path: Path, altered: dict[str, Any]) -> None:
    desk = Desk(tmp_path, None)
    store = desk.store.store()
    store.bind(owner("origin", "main"))
    now = desk.clock.now()
    first = make_root(store, HOST, now + timedelta(days=1), lambda message: None)
    assert first is not None
    detail = first.detail()
    store.record_event(ROOT_MADE, {**detail, "root": {**first.root.to_json(), **altered}})
    desk.next_day()
    desk.roots.make()  # the day of the altered one: it is looked at, and there is one that can be read
    assert desk.days() == [first.root.day]
    desk.next_day()
    desk.roots.make()
    next_root = signed_roots(store)[-1].root
    assert (next_root.day, next_root.previous) == ("2026-11-24", first.root.head)
    desk.store.close_idle()


def test_without_a_root_that_can_be_read_a_new_chain_begins(tmp_path: Path) -> None:
    desk = Desk(tmp_path, None)
    store = desk.store.store()
    store.bind(owner("origin", "main"))
    store.record_event(ROOT_MADE, {"root": {"day": 7}})
    desk.next_day()
    desk.roots.make()
    assert desk.days() == ["2026-11-23"]
    assert signed_roots(store)[0].root.previous == START
    desk.store.close_idle()
