"""The host in this process: what opens its repository, stores and history.

Git and DuckDB are needed by every question that no daemon answers; other drivers are imported by what needs them.
"""

from __future__ import annotations

from functools import lru_cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from reconciler.adapters import lock, machine
from reconciler.adapters.bundled import load_schema
from reconciler.adapters.csvfile import read_csv
from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.duckdb import backup, query
from reconciler.adapters.duckdb.files import is_duckdb, read_foreign, write_parquet
from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.adapters.files import write_lines, write_new
from reconciler.adapters.git.process import git_version
from reconciler.adapters.machine import SystemClock
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.kinds.kind import Kinds
from reconciler.service.context import Openers
from reconciler.service.doctor import Probes, examine
from reconciler.service.host import Host as HostService
from reconciler.service.local import DaemonCommit, LocalHost, no_progress
from reconciler.service.remote import DaemonClient
from reconciler.service.scaffolding import choose_kind, import_rows
from reconciler.sessions import read_layout
from reconciler.settings import EMBEDDED_HISTORY, NO_HISTORY, NO_REDIS
from reconciler.wiring.checkout import bundled_kinds, fault_finder, open_checkout
from reconciler.wiring.repository import fetch_source, open_source, policy_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.clickhouse.connection import ProbeAnswer
    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from reconciler.adapters.redis.probe import RedisAnswer
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.importing.tables import RawTable
    from reconciler.model.host import Diagnosis
    from reconciler.model.live import CompareView
    from reconciler.model.rows import TableExport
    from reconciler.plan import Plan
    from reconciler.service.context import Place, Progress
    from reconciler.service.scaffolding import Imported
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Settings
    from reconciler.wiring.redis import HostRedis

CSV_SUFFIXES = (".csv", ".tsv", ".txt")


def local_host(settings: Settings, progress: Progress | None = None) -> LocalHost:
    """The host in this process, unopened."""
    progress = progress or no_progress
    return LocalHost(settings, make_openers(settings), bundled_kinds(), SystemClock(), session_layout, progress)


def plan_ahead(settings: Settings, head: str | None, progress: Progress | None = None) -> tuple[Plan, Kinds]:
    """From the live rows to a commit, with the kinds to describe it in; while a daemon runs, from what it has live.

    Without a head, to that of the branch.
    """
    host = local_host(settings, progress)
    daemon = find_daemon(host.find_state_folder())
    live = partial(_live_commit, daemon.address, daemon.token) if daemon else None
    return host.plan_ahead(head, live)


def _live_commit(address: str, token: str, place: Place) -> DaemonCommit:
    """The commit that a daemon has live, and its branch.

    Raises `RetryLater` while it starts, `NeedsHuman` if it is another's.
    """
    status = DaemonClient(address, token).ask(HostService.status)
    if status.daemon is None or status.daemon.last_sync_at is None:
        raise RetryLater("the daemon has only just started", hint="try again in a moment; `reconciler status` tells")
    applied = status.applied.commit if status.applied else None
    if status.repository != place.repository and not (applied and place.source.has_commit(applied)):
        raise NeedsHuman(
            f"the daemon of this state folder follows {status.repository}, not {place.repository}",
            hint="choose another folder with --state, or name that repository with --repo",
        )
    return DaemonCommit(applied, status.branch)


def make_openers(settings: Settings) -> Openers:
    """Everything that opens a part of the host which settings name."""
    clock, url = SystemClock(), settings.history_url
    return Openers(
        source=partial(open_source, settings),
        fetch=partial(fetch_source, settings),
        reader=open_reader,
        store=lambda state: open_store(state, clock),
        ledger=None if url == NO_HISTORY else partial(_open_ledger, url),
        recorded=partial(_is_recorded, url),
        policy_engine=policy_engine,
        sessions=partial(_connect_sessions, settings),
        compare_view=None if settings.redis_url == NO_REDIS else partial(_compare_view, settings),
        query=query.query_rows,
        write_table=_write_table,
        back_up=lambda state: backup.back_up(state, clock.now()),
        restore=lambda file, state, claimant: backup.restore(file, state, claimant.owns, clock.now()),
        faults=fault_finder(),
    )


def _open_ledger(url: str, state: Path, repository: str, branch: str, silence: int) -> ClickHouseLedger:
    from reconciler.adapters.clickhouse import connection, ledger

    timeouts = connection.DEFAULT_TIMEOUTS._replace(read=silence)
    return ledger.open_ledger(url, state, repository, branch, SystemClock(), timeouts=timeouts)


def _is_recorded(url: str, state: Path) -> bool:
    """Whether there is a history: the embedded one is not created by looking."""
    if url != EMBEDDED_HISTORY:
        return True
    from reconciler.adapters.clickhouse.ledger import is_started

    return is_started(state)


def _host_redis(settings: Settings, state: Callable[[], Path]) -> HostRedis:
    """Its driver takes a while to load, and few commands want it."""
    from reconciler.wiring.redis import HostRedis

    return HostRedis(settings, state)


def _connect_sessions(settings: Settings) -> AbstractContextManager[RedisSessions]:
    return _host_redis(settings, local_host(settings).find_state_folder).sessions(session_layout())


def _compare_view(settings: Settings, state: Path) -> CompareView:
    return _host_redis(settings, lambda: state).view_comparison(0.0)


def _ask_redis(settings: Settings, state: Callable[[], Path]) -> RedisAnswer:
    return _host_redis(settings, state).ask(session_layout())


def _write_table(table_export: TableExport, lines: Iterable[str] | None, file: Path) -> None:
    if lines is None:
        write_parquet(table_export, file)
    else:
        write_lines(lines, file)


def has_embedded_history() -> bool:
    """Whether the embedded ClickHouse engine is installed."""
    return find_spec(EMBEDDED_HISTORY) is not None


def _lock_holder(state: Path) -> str | None:
    holder = lock.find_holder(state)
    return None if holder is None else str(holder)


def _ask_history(url: str, state: Path) -> ProbeAnswer:
    from reconciler.adapters.clickhouse.connection import probe

    return probe(url, state)


def diagnose(config: Path | None, load: Callable[[], Settings]) -> Iterator[Diagnosis]:
    """What each check of this host finds."""
    probes = Probes(
        git_version=git_version,
        ask_history=_ask_history,
        ask_redis=_ask_redis,
        measure_disk=machine.measure_disk,
        check_writable=machine.check_writable,
        foreign_owner=machine.find_foreign_owner,
        open_to_others=machine.is_open_to_others,
        lock_holder=_lock_holder,
        left_behind=lock.find_stale_files,
    )
    return examine(config, load, local_host, probes)


def import_files(files: Sequence[Path], settings: Settings, to: Path | None, word: str | None) -> Imported:
    """Write the rows of DuckDB and CSV files as new files of a working tree; `word` is the kind of the rows."""
    start = to if to is not None and not settings.repository.parts else settings.repository
    checkout = open_checkout(start, settings.path)
    return import_rows(checkout, to, partial(_read_tables, files, word), partial(write_new, checkout.root))


def _read_tables(files: Sequence[Path], word: str | None, kinds: Kinds) -> tuple[list[RawTable], tuple[str, ...]]:
    """The rows of some files, and the tables that are no kind's. Raises `UsageError` when nothing in a file is."""
    chosen = choose_kind(kinds, word) if word is not None else None
    tables: list[RawTable] = []
    skipped: list[str] = []
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
        if not is_duckdb(file) and file.suffix.lower() in CSV_SUFFIXES:
            tables.append(read_csv(file, chosen or choose_kind(kinds, file.stem, hint="say which with --kind")))
            continue
        contents = read_foreign(file, Kinds((chosen,)) if chosen else kinds)
        if not contents.tables:
            names = ", ".join(kind.table for kind in kinds)
            raise UsageError(f"{file} has no table of a kind in schema main", hint=f"tables of kinds: {names}")
        tables += contents.tables
        skipped += contents.left_alone
    return tables, tuple(skipped)


@lru_cache(maxsize=1)
def session_layout() -> SessionLayout:
    """The columns of sessions, and whose they are."""
    return read_layout(load_schema("session_state"))
