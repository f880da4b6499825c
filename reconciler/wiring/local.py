"""The host in this process: what opens its repository, stores and history.

Git and DuckDB are needed by every question that no daemon answers; other drivers are imported by what needs them.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import load_schema
from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.duckdb import backup, query
from reconciler.adapters.duckdb.files import write_parquet
from reconciler.adapters.duckdb.ledger import HistoryFile, open_ledger
from reconciler.adapters.duckdb.store import open_reader, open_store
from reconciler.adapters.files import write_lines
from reconciler.adapters.haltfile import HaltFile
from reconciler.adapters.machine import SystemClock
from reconciler.daemon.publishing import publish_once
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.ledger.connection import DUCKDB_FILE
from reconciler.reconcile.empty import EmptyStore
from reconciler.reconcile.plan import Planner
from reconciler.reconcile.sync import AppliedStep
from reconciler.service.context import Openers, history_engine, is_recorded
from reconciler.service.host import Host as HostService
from reconciler.service.local import DaemonCommit, LocalHost, no_progress
from reconciler.service.remote import DaemonClient
from reconciler.sessions import read_layout
from reconciler.settings import EMBEDDED_HISTORY, FILE_HISTORY, NO_HISTORY, NO_REDIS
from reconciler.values import replace
from reconciler.wiring.checkout import bundled_kinds, fault_finder, open_draft
from reconciler.wiring.policies import policy_engine
from reconciler.wiring.repository import fetch_source, open_nearby, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.adapters.duckdb.store import DuckDBStore
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.kinds.kind import Kinds
    from reconciler.ledger.connection import Connection, RecordedBranch
    from reconciler.ledger.copy import CopiedTable
    from reconciler.ledger.ledger import SqlLedger
    from reconciler.model.halt import HaltStep
    from reconciler.model.live import CompareView
    from reconciler.model.rows import TableExport
    from reconciler.plan import Plan
    from reconciler.ports import Clock
    from reconciler.service.context import Place, Progress
    from reconciler.service.workingtree import Checkout
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Settings
    from reconciler.wiring.policies import OpenEngine
    from reconciler.wiring.redis import HostRedis


def local_host(settings: Settings, progress: Progress | None = None) -> LocalHost:
    """The host in this process, unopened."""
    progress = progress or no_progress
    return LocalHost(settings, make_openers(settings), bundled_kinds(), SystemClock(), session_layout, progress)


def plan_ahead(
    settings: Settings, open_engine: OpenEngine, head: str | None, progress: Progress | None = None
) -> tuple[Plan, Kinds]:
    """From the live rows to a commit, with the kinds to describe it in; while a daemon runs, from what it has live.

    Without a head, to that of the branch.
    """
    host = local_host(settings, progress)
    host.openers = replace(host.openers, policy_engine=open_engine)
    return plan_on(host, head)


def plan_on(host: LocalHost, head: str | None) -> tuple[Plan, Kinds]:
    """The same on a host that is not opened yet."""
    daemon = find_daemon(host.find_state_folder())
    live = partial(_live_commit, daemon.address, daemon.token) if daemon and not daemon.stopped else None
    return host.plan_ahead(head, live)


def plan_edited(
    settings: Settings, checkout: Checkout, edits: Mapping[str, bytes], progress: Progress | None = None
) -> tuple[Plan, Kinds, str] | None:
    """From the live rows to a working tree with some files edited, as if it were committed.

    Where no rows are at hand it is from what is checked out, and the text beside says why. None without a repository.
    """
    with open_draft(checkout, edits) as opened:
        if opened is None:
            return None
        source, draft = opened
        host = local_host(settings, progress)
        host.openers = replace(host.openers, source=lambda: nullcontext(source), fetch=lambda: None)
        try:
            why = "" if _has_rows(host) else "nothing is live on this host"
            if not why:
                return *plan_on(host, draft.commit), why
        except ReconcilerError as error:
            why = str(error)
        planner = Planner.of_folder(source, settings.path, bundled_kinds(), policy_engine, fault_finder())
        if draft.parent is None:
            return *planner.plan_sync(EmptyStore(), draft.commit), why
        return *planner.plan_commits(draft.parent, draft.commit), why


def _has_rows(host: LocalHost) -> bool:
    state = host.find_state_folder()
    if find_daemon(state):
        return True
    with open_reader(state) or nullcontext() as store:
        return store is not None and store.applied() is not None


def copy_history(settings: Settings, url: str, progress: Progress | None = None) -> tuple[CopiedTable, ...]:
    """Copy the history of the host that settings name to the one that a value of `history.url` names."""
    return local_host(settings, progress).copy_history(url, lambda state: find_daemon(state) is not None)


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
    return DaemonCommit(applied, status.branch, status.rolled_back)


def make_openers(settings: Settings) -> Openers:
    """Everything that opens a part of the host which settings name."""
    clock = SystemClock()
    engine = partial(history_engine, settings, has_chdb=has_embedded_history)
    return Openers(
        source=partial(open_source, settings),
        nearby=partial(open_nearby, settings),
        fetch=partial(fetch_source, settings),
        reader=partial(_open_reader, settings),
        store=partial(_open_store, settings, clock),
        obey=partial(_obey, settings, clock),
        ledger=None if settings.history_url == NO_HISTORY else partial(_open_ledger, engine),
        engine=engine,
        recorded=lambda state: is_recorded(engine(state), state),
        connect_history=_connect_history,
        policy_engine=policy_engine,
        sessions=partial(_connect_sessions, settings),
        compare_view=None if settings.redis_url == NO_REDIS else partial(_compare_view, settings),
        query=query.query_rows,
        write_table=_write_table,
        back_up=lambda state: backup.back_up(state, clock.now()),
        restore=lambda file, state, claimant: backup.restore(file, state, claimant.owns, clock.now()),
        publish=partial(publish_once, settings),
        halts=HaltFile,
        faults=fault_finder(),
    )


def _open_reader(settings: Settings, state: Path) -> DuckDBReader | None:
    return open_reader(state, lambda store, step: _ignore(_tell_halted(settings, state, store, step)))


def _open_store(settings: Settings, clock: Clock, state: Path) -> DuckDBStore:
    store = open_store(state, clock)
    try:
        if store.obeyed is not None:
            _ignore(_tell_halted(settings, state, store, store.obeyed))
    except BaseException:
        store.close()
        raise
    return store


def _obey(settings: Settings, clock: Clock, state: Path) -> tuple[str, ...]:
    with open_store(state, clock) as store:
        return tuple(_tell_halted(settings, state, store, store.obeyed))


def _ignore(notes: Iterable[str]) -> None:
    """They are for whoever halts."""
    for _ in notes:
        pass


def _tell_halted(settings: Settings, state: Path, store: DuckDBStore, obeyed: HaltStep | None) -> Iterator[str]:
    """Tell those who follow the live rows what halts changed; what was not told, and why."""
    step = AppliedStep.of_halts(store.made_under(), obeyed) if obeyed else None
    try:
        publish_once(settings, state, store, step)
    except ReconcilerError as error:
        yield f"the published copy was not told: {error}"
    if step is not None and settings.redis_url != NO_REDIS:
        try:
            _host_redis(settings, lambda: state).tell_halted(step)
        except ReconcilerError as error:
            yield f"the live view in Redis was not told: {error}"


def _open_ledger(engine: Callable[[Path], str], state: Path, recorded: RecordedBranch, silence: int) -> SqlLedger:
    url = engine(state)
    if url == FILE_HISTORY:
        return open_ledger(state, recorded, SystemClock())
    from reconciler.adapters.clickhouse import connection, ledger

    timeouts = connection.DEFAULT_TIMEOUTS._replace(read=silence)
    return ledger.open_ledger(url, state, recorded, SystemClock(), timeouts=timeouts)


def _connect_history(url: str, state: Path) -> Connection:
    if url == FILE_HISTORY:
        return HistoryFile(state / DUCKDB_FILE)
    from reconciler.adapters.clickhouse.connection import open_history

    return open_history(url, state)


def _host_redis(settings: Settings, state: Callable[[], Path]) -> HostRedis:
    """Its driver takes a while to load, and few commands want it."""
    from reconciler.wiring.redis import HostRedis

    return HostRedis(settings, state)


def _connect_sessions(settings: Settings) -> AbstractContextManager[RedisSessions]:
    return _host_redis(settings, local_host(settings).find_state_folder).sessions(session_layout())


def _compare_view(settings: Settings, state: Path) -> CompareView:
    return _host_redis(settings, lambda: state).view_comparison(0.0)


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
