"""Shipping to a ClickHouse server that misbehaves: one version per commit after it recovers, and one of each event."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.clickhouse.ledger import open_ledger
from reconciler.errors import RetryLater
from reconciler.ledger.connection import RecordedBranch
from reconciler.reconcile.upload import BatchUploader, UploadTarget
from tests.adapters.ledger.conftest import IMPATIENT
from tests.support.fronts import RunningFront, running
from tests.support.kinds import KINDS, FixedClock, step
from tests.support.memory.store import MemoryStore
from tests.support.uploads import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFront]:
    with running(tmp_path_factory.mktemp("front") / "engine") as front:
        yield front


class Server:
    """A host whose ledger is a database on a front."""

    def __init__(self, url: Callable[[], str]) -> None:
        self.url, self.host, self.store = url, Host(None), MemoryStore(FixedClock())  # type: ignore[arg-type]
        route = UploadTarget(self.open, self.host.history.backfill)
        self.uploader = BatchUploader(self.host.pending, route, lambda: None, lambda written, recorded: None)

    @contextmanager
    def open(self) -> Iterator[Any]:
        url = self.url()
        with open_ledger(
            url, Path("unused"), RecordedBranch("origin", "main"), FixedClock(), timeouts=IMPATIENT
        ) as ledger:
            yield ledger

    def commit(self, times: int = 3) -> None:
        for _ in range(times):
            self.host.outbox.offer(self.host.history.extend())
            self.store.apply(KINDS, step(len(self.host.history.entries)))
        self.host.pending.exchange(self.store)

    def upload(self) -> None:
        self.uploader.upload(0)
        self.host.pending.exchange(self.store)

    def check(self) -> None:
        """Everything once, read by a client of its own."""
        self.uploader.connection.close()
        shas = {entry.version.commit.sha: True for entry in self.host.history.entries}
        with self.open() as ledger:
            assert ledger.recorded_commits() == shas
            assert len(ledger.versions(limit=99)) == len(shas)
            assert set(ledger.row_counts(KINDS, shas).values()) == {1}
            assert [one.event.seq for one in ledger.events(limit=99)] == list(range(len(shas), 0, -1))
        assert self.store.last_uploaded_event() == len(shas)


@pytest.fixture
def server(front: RunningFront, request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(lambda: front.url(request.node.name))
    server.commit()
    server.upload()
    server.commit()
    yield server
    front.fault("", times=0)
    server.uploader.connection.close()


@pytest.mark.parametrize("table", ["widget_config", "config_versions", "host_events"])
@pytest.mark.parametrize("fault", ["refuse", "code-241", "hang", "lose"])
def test_a_fault_while_writing(front: RunningFront, server: Server, table: str, fault: str) -> None:
    front.fault(fault, times=2 if fault == "lose" else 1, match=f"`{table}` (")
    with pytest.raises(RetryLater):
        server.upload()
    server.commit(1)
    server.upload()
    server.check()


@pytest.mark.parametrize("fault", ["refuse", "hang", "cut"])
def test_a_fault_while_reading(front: RunningFront, server: Server, fault: str) -> None:
    front.fault(fault, times=9, match="config_versions FINAL")
    with pytest.raises(RetryLater):
        server.upload()
    front.fault("", times=0)
    server.upload()
    server.check()


def test_an_outage_over_many_commits_and_a_new_process(front: RunningFront, server: Server) -> None:
    front.fault("refuse", times=1_000)
    for _ in range(3):
        with pytest.raises(RetryLater):
            server.upload()
        server.commit(2)
    server.uploader.connection.close()
    successor = Server(server.url)
    successor.host.history.entries, successor.store = server.host.history.entries, server.store
    successor.host.pending.exchange(successor.store)
    front.fault("", times=0)
    successor.upload()
    successor.check()


def test_a_server_that_lost_its_database_gets_everything_again(front: RunningFront, server: Server) -> None:
    server.url = lambda: front.url("another database")
    server.uploader.connection.close()
    server.uploader.upload(0)
    with server.open() as ledger:
        assert ledger.recorded_commits() == {entry.version.commit.sha: True for entry in server.host.history.entries}


def test_a_server_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    ports: list[int] = []
    server = Server(lambda: f"clickhouse://127.0.0.1:{ports[-1]}/config")
    with running(tmp_path / "engine") as first:
        ports.append(first.port)
        server.commit()
        server.upload()
        server.commit()
        first.process.kill()
        first.process.wait()
        with pytest.raises(RetryLater):
            server.upload()
    server.commit()
    with running(tmp_path / "engine") as second:
        ports.append(second.port)
        server.upload()
        server.check()
