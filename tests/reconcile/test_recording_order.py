"""Hosts that share a ledger: one records a commit, and the next where that one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.host import HostEvent
from reconciler.reconcile import upload
from reconciler.reconcile.upload import BatchUploader, PendingUploads, RecordingOrder, UploadTarget, rank_host
from tests.support.kinds import START, FixedClock, uid
from tests.support.memory.ledger import MemoryLedger
from tests.support.uploads import Host

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reconciler.model.commit import Version

HOSTS = tuple(f"host-{number}" for number in range(20))
TURN = 5.0


@given(st.sets(st.text(max_size=8), min_size=1, max_size=9), st.text(max_size=8))
def test_all_hosts_compute_one_order(hosts: set[str], commit: str) -> None:
    assert sorted(rank_host(host, hosts, commit) for host in hosts) == list(range(len(hosts)))
    known = {host: hosts - {host} for host in hosts}  # a host that told nothing yet knows of the others
    assert [rank_host(host, known[host], commit) for host in hosts] == [
        rank_host(host, hosts, commit) for host in hosts
    ]


def test_each_host_has_its_share() -> None:
    first = [min(HOSTS, key=lambda host: rank_host(host, HOSTS, f"{number:040x}")) for number in range(200)]
    assert len(set(first)) == len(HOSTS)


class CountingLedger(MemoryLedger):
    """Says which commits were recorded, insert by insert; who looks sees what was there before the present tick."""

    def __init__(self) -> None:
        super().__init__(FixedClock())
        self.inserts: list[list[str]] = []
        self.seen: Mapping[str, bool] = {}

    def look(self) -> None:
        """Show what is there."""
        self.seen = super().recorded_commits()

    def recorded_commits(self, among: Collection[str] | None = None) -> Mapping[str, bool]:
        return {sha: mainline for sha, mainline in self.seen.items() if among is None or sha in among}

    def record(self, versions: Sequence[Version]) -> None:
        self.inserts.append([version.commit.sha for version in versions])
        super().record(versions)


class Fleet:
    """Twenty hosts at one ledger; all are known from their events, and have looked at the repository before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(upload.time, "monotonic", lambda: self.now)
        self.ledger = CountingLedger()
        self.history = Host(self.ledger).history
        self.hosts = {name: Host(self.ledger, self.history) for name in HOSTS}
        for number, (name, host) in enumerate(self.hosts.items()):
            self.ledger.record_events(name, [HostEvent(1, START, "applied", None, None, 1.0, {}, uid(number))])
            host.pending = PendingUploads(host.outbox, host.pending.events, host.pending.intervals, name)
            target = UploadTarget(host.route().open_ledger, self.history.backfill, turn=TURN)
            host.uploader = BatchUploader(host.pending, target, lambda: None, lambda written, recorded: None)
        self.commit()
        self.tick(HOSTS)
        self.ledger.inserts.clear()

    def commit(self) -> str:
        """A commit that all hosts see at once."""
        new = self.history.extend()
        for host in self.hosts.values():
            host.outbox.offer(new)
        return new.sha

    def tick(self, names: Iterable[str]) -> None:
        """Some hosts upload, all before any sees what another has written."""
        self.ledger.look()
        for name in names:
            self.hosts[name].attempt()
        self.now += TURN

    def order(self, commit: str) -> list[str]:
        return sorted(HOSTS, key=lambda host: rank_host(host, HOSTS, commit))


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    return Fleet(monkeypatch)


def test_one_commit_is_inserted_once_however_many_hosts_there_are(fleet: Fleet) -> None:
    for _ in range(10):
        sha = fleet.commit()
        fleet.tick(HOSTS)
        assert fleet.ledger.inserts == [[sha]]
        fleet.tick(HOSTS)
        assert fleet.ledger.inserts == [[sha]]
        assert not any(host.outbox.backlog().versions for host in fleet.hosts.values())
        fleet.ledger.inserts.clear()


@pytest.mark.parametrize("dead", [1, 3, upload.MAX_RANK - 1, 19])
def test_the_next_host_records_what_the_ones_before_it_do_not(fleet: Fleet, dead: int) -> None:
    sha = fleet.commit()
    alive = fleet.order(sha)[dead:]
    for _ in range(upload.MAX_RANK + 1):
        fleet.tick(alive)
    assert fleet.ledger.inserts == [[sha]]


def test_a_host_that_let_its_turn_go_by_is_not_waited_for_until_it_tells_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(upload.time, "monotonic", lambda: now)
    ledger = CountingLedger()
    ledger.record_events("other", [HostEvent(1, START, "applied", None, None, 1.0, {}, uid(1))])
    order = RecordingOrder("ours", TURN)
    shas = (f"{number:040x}" for number in range(1_000))
    theirs = (sha for sha in shas if rank_host("ours", {"other"}, sha) == 1)
    first = next(theirs)
    assert not order.is_our_turn(ledger, first)
    now += TURN
    assert order.is_our_turn(ledger, first)
    assert order.is_our_turn(ledger, next(theirs))
    now += 2 * upload.HOSTS_INTERVAL
    assert order.is_our_turn(ledger, next(theirs))
    ledger.record_events("other", [HostEvent(2, START, "applied", None, None, 1.0, {}, uid(1))])
    now += 2 * upload.HOSTS_INTERVAL
    assert not order.is_our_turn(ledger, next(theirs))


def test_who_asks_for_the_history_does_not_wait_for_a_turn(fleet: Fleet) -> None:
    sha = fleet.commit()
    last = fleet.order(sha)[-1]
    fleet.ledger.look()
    fleet.hosts[last].attempt()
    assert fleet.ledger.inserts == []
    assert fleet.hosts[last].uploader.waits
    fleet.hosts[last].uploader.upload(0, at_once=True)
    assert fleet.ledger.inserts == [[sha]]
