"""Ledgers of every make, and the HTTP front that the ones on a server talk to."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse.connection import Timeouts
from reconciler.adapters.clickhouse.ledger import ClickHouseLedger, open_ledger
from reconciler.adapters.duckdb.ledger import open_ledger as open_file
from reconciler.ledger.connection import RecordedBranch
from tests.support.cases import some
from tests.support.fronts import RunningFront, running
from tests.support.kinds import FixedClock
from tests.support.memory.ledger import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.ledger.ledger import SqlLedger
    from reconciler.ports import Clock, Ledger

IMPATIENT = Timeouts(connect=1, read=1)


@dataclass
class Histories:
    """A place for histories: everything opened from it sees what was recorded there."""

    url: str
    folder: Path
    closing: ExitStack
    clock: Clock = field(default_factory=FixedClock)
    memory: dict[str, dict[str, MemoryLedger]] = field(default_factory=dict)

    def open(self, repository: str = "origin", branch: str = "main") -> Ledger:
        """The ledger of a repository and branch, as a new process would open it."""
        if self.url == "memory":
            branches = self.memory.setdefault(repository, {})
            return branches.get(branch) or MemoryLedger(self.clock, branch, branches)
        return self.open_sql(repository, branch)

    def open_sql(self, repository: str = "origin", branch: str = "main", store: str = "") -> SqlLedger:
        """The same, where it has to take SQL, as the host with a store sees it."""
        if self.url == "duckdb":
            recorded = RecordedBranch(repository, branch, store)
            return self.closing.enter_context(open_file(self.folder, recorded, self.clock))
        return self.open_clickhouse(repository, branch, store)

    def open_clickhouse(self, repository: str = "origin", branch: str = "main", store: str = "") -> ClickHouseLedger:
        """The same, where it has to be ClickHouse."""
        recorded = RecordedBranch(repository, branch, store)
        ledger = open_ledger(self.url, self.folder, recorded, self.clock, timeouts=Timeouts(connect=5, read=20))
        return self.closing.enter_context(ledger)


@pytest.fixture(scope="package")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFront]:
    """A server for all tests here; each takes a database of its own."""
    with running(tmp_path_factory.mktemp("front") / "engine") as front:
        yield front


@pytest.fixture(scope="session")
def databases() -> Iterator[int]:
    """Numbers for databases."""
    return itertools.count()


@pytest.fixture(params=some(["memory", "duckdb", "chdb", "http", "cluster"], 2))
def histories(request: pytest.FixtureRequest, tmp_path: Path, databases: Iterator[int]) -> Iterator[Histories]:
    """An empty place for histories, of each make in turn."""
    url = request.param
    with ExitStack() as closing:
        if url in {"http", "cluster"}:
            front, database = request.getfixturevalue("front"), f"test {next(databases)}"
            closing.callback(front.drop, database)
            url = front.url(database) + ("?cluster=desk&engine=Replicated" if url == "cluster" else "")
        yield Histories(url, tmp_path, closing)
