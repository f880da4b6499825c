"""The host in this process as far as it is only looked at: what opens its repository, store and history.

Git and DuckDB are needed by every question that no daemon answers. What judges, and what only some questions need, is
imported when it is asked for.
"""

from __future__ import annotations

from functools import lru_cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import load_schema
from reconciler.adapters.duckdb import query
from reconciler.adapters.duckdb.files import write_parquet
from reconciler.adapters.duckdb.store import open_reader
from reconciler.adapters.files import write_lines
from reconciler.adapters.haltfile import HaltFile
from reconciler.adapters.machine import SystemClock
from reconciler.service.context import Readers, history_engine, is_recorded
from reconciler.service.localreading import LocalReader, no_progress
from reconciler.sessionlayout import read_layout
from reconciler.settings import EMBEDDED_HISTORY, NO_HISTORY
from reconciler.wiring.hostredis import host_redis
from reconciler.wiring.repository import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.ledger.connection import RecordedBranch
    from reconciler.ledger.ledger import SqlLedger
    from reconciler.model.halt import HaltStep
    from reconciler.model.rows import TableExport
    from reconciler.reconcile.plan import Planner
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.service.context import Progress
    from reconciler.sessionlayout import SessionLayout
    from reconciler.settings import Settings


def local_reader(settings: Settings, progress: Progress | None = None) -> LocalReader:
    """The host in this process, unopened."""
    progress = progress or no_progress
    return LocalReader(settings, make_readers(settings), _bundled_kinds, SystemClock(), session_layout, progress)


def make_readers(settings: Settings) -> Readers:
    """Everything that opens a part of the host which settings name, to look at it."""
    engine = partial(history_engine, settings, has_chdb=has_embedded_history)
    return Readers(
        source=partial(open_source, settings),
        reader=partial(_open_reader, settings),
        ledger=None if settings.history_url == NO_HISTORY else partial(_open_ledger, engine),
        engine=engine,
        recorded=lambda state: is_recorded(engine(state), state),
        halts=HaltFile,
        planner=partial(_open_planner, settings),
        sessions=partial(_connect_sessions, settings),
        query=query.query_rows,
        write_table=_write_table,
    )


def _open_reader(settings: Settings, state: Path) -> DuckDBReader | None:
    def tell(store: DuckDBStore, step: HaltStep) -> None:
        from reconciler.wiring.halted import ignore, tell_halted

        ignore(tell_halted(settings, state, store, step))

    return open_reader(state, tell)


def _open_ledger(engine: Callable[[Path], str], state: Path, recorded: RecordedBranch, silence: int) -> SqlLedger:
    from reconciler.wiring.histories import open_engine

    return open_engine(engine, state, recorded, silence)


def _open_planner(settings: Settings) -> AbstractContextManager[tuple[Planner, str]]:
    from reconciler.wiring.comparing import open_planner

    return open_planner(settings)


def _bundled_kinds() -> BundledSchemas:
    from reconciler.wiring.bundled import bundled_kinds

    return bundled_kinds()


def _connect_sessions(settings: Settings) -> AbstractContextManager[RedisSessions]:
    return host_redis(settings, local_reader(settings).find_state_folder).sessions(session_layout())


def _write_table(table_export: TableExport, lines: Iterable[str] | None, file: Path) -> None:
    if lines is None:
        write_parquet(table_export, file)
    else:
        write_lines(lines, file)


def has_embedded_history() -> bool:
    """Whether the embedded ClickHouse engine is installed."""
    return find_spec(EMBEDDED_HISTORY) is not None


@lru_cache(maxsize=1)
def session_layout() -> SessionLayout:
    """The columns of sessions, and whose they are."""

    return read_layout(load_schema("session_state"))
