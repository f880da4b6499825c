"""Several hosts at one ledger: none writes over what another says, and each sees its own word first."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.ledger.versions import created, sha, version
from tests.support.cases import some
from tests.support.history import state_at
from tests.support.kinds import KINDS, WIDGET, FixedClock, uid, widget

if TYPE_CHECKING:
    from reconciler.ports import Ledger
    from tests.adapters.ledger.conftest import Histories

pytestmark = pytest.mark.parametrize("histories", some(["duckdb", "chdb", "http"], 1), indirect=True)

HOSTS = (uid(1), uid(2))
BRANCHES = count()
Seen = tuple[bool, bool, str]
"""Whether a version is orphaned and on the mainline, and its digest."""


def see(ledger: Ledger) -> dict[str, Seen]:
    rows = ledger.find_by_sha([sha(1), sha(2)])
    return {row.commit.sha: (row.orphaned, row.mainline, row.digest) for row in rows}


ACTIONS = st.tuples(st.sampled_from(HOSTS), st.sampled_from([1, 2]), st.sampled_from(["orphan", "record", "aside"]))


def test_each_host_sees_what_it_said_itself_else_what_was_said_last(histories: Histories) -> None:
    histories.clock = FixedClock()

    @settings(max_examples=12)
    @given(st.lists(ACTIONS, min_size=2, max_size=7))
    def check(actions: list[tuple[str, int, str]]) -> None:
        branch = f"b{next(BRANCHES)}"
        ledgers = {host: histories.open_sql(branch=branch, store=host) for host in HOSTS}
        reader = histories.open_sql(branch=branch)
        recorded: dict[str, Seen] = {}
        said: dict[str, dict[str, Seen]] = {host: {} for host in HOSTS}
        last: dict[str, Seen] = {}
        for number, (host, commit, action) in enumerate(actions):
            ledger, name = ledgers[host], sha(commit)
            ledger.prepare(KINDS)
            now = said[host].get(name) or last.get(name) or recorded.get(name)
            if action == "orphan":
                ledger.orphan([name])
                if now is None or now[0]:
                    continue
                new = (True, *now[1:])
            else:
                new = (False, action == "record", f"{number}")
                ledger.record([version(commit, mainline=new[1], digest=new[2])])
            if now is None:
                recorded[name] = new
            else:
                said[host][name] = last[name] = new
        for host, ledger in ledgers.items():
            assert see(ledger) == recorded | last | said[host]
        assert see(reader) == recorded | last

    check()


def test_rows_count_by_what_their_host_says_of_the_version(histories: Histories) -> None:
    ours, theirs = (histories.open_sql(store=host) for host in HOSTS)
    for ledger in (ours, theirs):
        ledger.prepare(KINDS)
    ours.record([version(1, created(widget("a"), 1)), version(2, created(widget("b"), 2))])
    ours.orphan([sha(2)])
    theirs.record([version(2, created(widget("b"), 2))])  # has not fetched yet
    assert [row["name"] for row in state_at(ours, WIDGET, 9)] == ["a"]
    assert [row["name"] for row in state_at(theirs, WIDGET, 9)] == ["a", "b"]
    theirs.orphan([sha(2)])
    assert [row["name"] for row in state_at(theirs, WIDGET, 9)] == ["a"]
    assert ours.count_orphans() == theirs.count_orphans() == 1
