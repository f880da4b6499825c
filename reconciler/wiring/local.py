"""The host in this process: what opens its repository, stores and history.

Git and DuckDB are needed by every question that no daemon answers; other drivers are imported by what needs them.
"""

from __future__ import annotations

from contextlib import contextmanager
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
from reconciler.adapters.git.mirror import Mirror
from reconciler.adapters.git.process import git_version
from reconciler.adapters.git.repository import open_repository
from reconciler.adapters.git.transport import ANY_LOGIN, Credentials
from reconciler.adapters.machine import SystemClock
from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.kinds.kind import Kinds
from reconciler.service.context import Openers, remote_state_folder
from reconciler.service.doctor import Probes, examine
from reconciler.service.host import Host as HostService
from reconciler.service.local import LocalHost, no_progress
from reconciler.service.remote import DaemonClient
from reconciler.service.scaffolding import choose_kind, import_rows
from reconciler.sessions import read_layout
from reconciler.settings import EMBEDDED_HISTORY, NO_HISTORY, NO_REDIS
from reconciler.wiring.checkout import bundled_kinds, open_checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.clickhouse.connection import ProbeAnswer
    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
    from reconciler.adapters.git.repository import GitSource
    from reconciler.adapters.redis.sessions import RedisSessions
    from reconciler.importing.tables import RawTable
    from reconciler.model.host import Diagnosis
    from reconciler.model.limits import Limits
    from reconciler.model.live import CompareView
    from reconciler.model.rows import TableExport
    from reconciler.plan import Plan
    from reconciler.ports import PolicyEngine
    from reconciler.reconcile.plan import Planner
    from reconciler.service.context import Progress, Target
    from reconciler.service.scaffolding import Imported
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Origin, Settings

CSV_SUFFIXES = (".csv", ".tsv", ".txt")


def local_host(settings: Settings, progress: Progress | None = None) -> LocalHost:
    """The host in this process, unopened."""
    progress = progress or no_progress
    return LocalHost(settings, make_openers(settings), bundled_kinds(), SystemClock(), session_layout, progress)


@contextmanager
def open_planner(settings: Settings) -> Iterator[Planner]:
    """Plans between commits of the repository that the settings name. Opens no store."""
    with local_host(settings).open_planner() as (planner, _):
        yield planner


def plan_ahead(settings: Settings, head: str, progress: Progress | None = None) -> tuple[Plan, Kinds]:
    """From the live rows to a commit, with the kinds to describe it in; while a daemon runs, from what it has live."""
    host = local_host(settings, progress)
    daemon = find_daemon(host.find_state_folder())
    live = partial(_live_commit, daemon.address, daemon.token) if daemon else None
    return host.plan_ahead(head, live)


def _live_commit(address: str, token: str, target: Target) -> str | None:
    """The commit that a daemon has live. Raises `RetryLater` while it starts, `NeedsHuman` if it is another's."""
    status = DaemonClient(address, token).ask(HostService.status)
    if status.daemon is None or status.daemon.last_sync_at is None:
        raise RetryLater("the daemon has only just started", hint="try again in a moment; `reconciler status` tells")
    applied = status.applied.commit if status.applied else None
    if status.repository != target.repository and not (applied and target.source.has_commit(applied)):
        raise NeedsHuman(
            f"the daemon of this state folder follows {status.repository}, not {target.repository}",
            hint="choose another folder with --state, or name that repository with --repo",
        )
    return applied


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
    )


@contextmanager
def open_source(settings: Settings) -> Iterator[GitSource]:
    """Open the repository that the settings name; one elsewhere as it was fetched last, or for the first time now.

    Raises `UsageError` when there is none.
    """
    if settings.origin.url is None:
        with open_repository(settings.origin.folder, limits=settings.limits) as source:
            yield source
    else:
        with open_mirror(settings) as mirror, _open_or_fetch(mirror, settings.limits) as source:
            yield source


def fetch_source(settings: Settings) -> None:
    """Bring the mirror of a repository elsewhere up to date; a folder is read in place. Raises as `Mirror.fetch`."""
    if settings.origin.url is not None:
        with open_mirror(settings) as mirror:
            mirror.fetch()


def open_mirror(settings: Settings) -> Mirror:
    """The mirror of a repository elsewhere, in its state folder, which is made when missing."""
    state = remote_state_folder(settings)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Mirror(settings.origin.url or "", state, settings.branch, partial(_credentials, settings.origin))


def _credentials(origin: Origin) -> Credentials:

    login, colon, password = origin.credentials.partition(":")
    if not colon:
        login, password = (ANY_LOGIN, login) if login else ("", "")
    return Credentials(login, password, origin.ssh_key, origin.known_hosts)


def _open_or_fetch(mirror: Mirror, limits: Limits) -> GitSource:
    try:
        return mirror.open(limits)
    except RetryLater:
        mirror.fetch()
        return mirror.open(limits)


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


@contextmanager
def policy_engine() -> Iterator[PolicyEngine]:
    """What runs policies. Nothing is started before there is one to run."""
    with Sandbox() as engine:
        yield engine


def _connect_sessions(settings: Settings) -> AbstractContextManager[RedisSessions]:
    from reconciler.wiring import redis

    return redis.connect_sessions(settings, session_layout(), local_host(settings).find_state_folder)


def _compare_view(settings: Settings, state: Path) -> CompareView:
    from reconciler.wiring import redis

    return redis.view_comparison(settings, 0.0, state)


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
