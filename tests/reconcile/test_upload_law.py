"""The law of uploads: any interleaving of offers, failures and restarts ends with one version per commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.kinds import KINDS, FixedClock, step
from tests.support.laws import examples
from tests.support.memory.ledger import MemoryLedger
from tests.support.memory.store import MemoryStore
from tests.support.uploads import Host

if TYPE_CHECKING:
    from reconciler.ports import Ledger

COMMITS = [("commit", rows) for rows in (0, 1, 2, 3, 6)]
FAILS = [("fail", [*[""] * well, fault]) for well in range(5) for fault in ("before", "after")] + [("fail", ["open"])]
"""Some calls of the ledger go well, and the next one does not."""
PLAIN = [("again", 1), ("again", 4), *[("upload", 0)] * 4]
RARE = [("restart", 0), ("lost database", 0), ("unseen", 1), ("unseen", 2)]
DEEDS = st.sampled_from([*COMMITS * 3, *FAILS, *PLAIN, *RARE])


def vouched_for(ledger: Ledger) -> bool:
    """Whether each recorded commit has its parents recorded."""
    known = ledger.recorded_commits()
    rows = ledger.find_by_sha(known.keys())
    return all(parent in known for row in rows for parent in row.commit.parents)


def complete(host: Host) -> bool:
    """Whether the ledger has each commit of the history with its rows, and nothing else."""
    versions = {entry.version.commit.sha: entry.version for entry in host.history.entries}
    counts = host.ledger.row_counts(KINDS, versions.keys())
    return host.ledger.recorded_commits() == dict.fromkeys(versions, True) and all(
        counts[sha] == len(one.rows) for sha, one in versions.items()
    )


@settings(max_examples=examples(200))
@given(st.lists(DEEDS, min_size=5, max_size=30))
def test_one_version_per_commit(deeds: list[tuple[str, object]]) -> None:
    clock = FixedClock()
    host, emptied = Host(MemoryLedger(clock), max_weight=12), False
    for deed, how in [*deeds, ("upload", 0)]:
        uploaded = False
        match deed:
            case "commit":
                host.outbox.offer(host.history.extend(rows=int(str(how))))
            case "again":
                for entry in host.history.entries[-int(str(how)) :]:
                    host.outbox.offer(entry)
            case "unseen":  # by a process that dies before it offers them
                for _ in range(int(str(how))):
                    host.history.extend()
                host.start()
            case "fail":
                assert isinstance(how, list)
                host.faults[:] = how
                uploaded = host.attempt()
                host.faults.clear()
            case "upload":
                uploaded = host.attempt()
                assert uploaded
            case "lost database":
                host.ledger = MemoryLedger(clock)
                host.uploader.connection.close()
                emptied = True
            case "restart":
                host.start()
        # One that was emptied behind our back shows at the next offer, or after the next start
        emptied = emptied and deed not in {"restart", "unseen"}
        assert vouched_for(host.ledger), deed
        if uploaded and host.history.entries and not emptied:
            assert complete(host), deed


@settings(max_examples=examples(100))
@given(st.lists(st.sampled_from([*COMMITS * 3, *FAILS, *PLAIN, ("restart", 0)]), min_size=5, max_size=25))
def test_one_of_each_host_event_and_interval(deeds: list[tuple[str, object]]) -> None:
    clock = FixedClock()
    host, store = Host(MemoryLedger(clock)), MemoryStore(clock)
    for deed, how in deeds:
        if deed == "commit":
            host.history.extend()
            store.apply(KINDS, step(len(host.history.entries)))
            host.pending.exchange(store)
        elif deed == "fail":
            assert isinstance(how, list)
            host.faults[:] = how
            host.attempt()
            host.faults.clear()
        elif deed == "restart":
            host.start()
        else:
            host.attempt()
    host.pending.exchange(store)
    assert host.attempt()
    host.pending.exchange(store)
    recorded = [one.event for one in reversed(host.ledger.events(limit=1_000))]
    assert recorded == list(store.events_after(0, 1_000))
    assert store.last_uploaded_event() == (recorded[-1].seq if recorded else 0)
    shas = [entry.sha for entry in host.history.entries]
    assert host.ledger.intervals_of("host-1", shas) == store.intervals_of(shas)
    assert host.pending.events.count() == host.pending.intervals.count() == 0
