"""Stores to test: each kind of store, with the clock they share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.duckdb.store import open_store
from tests.support.kinds import FixedClock
from tests.support.memory.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.ports import Store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new store: making one takes as long as opening one twice."""
    folder = tmp_path_factory.mktemp("empty")
    with open_store(folder, FixedClock()):
        return folder


@pytest.fixture
def duckdb_store(empty_store: Path, tmp_path: Path) -> Iterator[DuckDBStore]:
    """A new DuckDB store."""
    shutil.copytree(empty_store, tmp_path / "state")
    with open_store(tmp_path / "state", FixedClock()) as opened:
        yield opened


@pytest.fixture(params=["memory", "duckdb"])
def store(request: pytest.FixtureRequest) -> Store:
    """A new store of each kind."""
    if request.param == "memory":
        return MemoryStore(FixedClock())
    found: DuckDBStore = request.getfixturevalue("duckdb_store")
    return found
