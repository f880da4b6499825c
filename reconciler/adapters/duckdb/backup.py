"""Copies of the store, each whole and consistent, in the folder `backups` of a state folder; and one put in its
place.

The store's own connection may reach no file but its own, so another one makes the copy, on which nobody's SQL but
this is ever run. It holds the lock of what it reads: nobody writes meanwhile. Copying the bytes would not do: what
was committed may still stand in the log beside the file, and closing a file that DuckDB has open gives up its lock
(POSIX).
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _duckdb as duckdb
from msgspec import Struct

from reconciler.adapters.duckdb import intervals, state
from reconciler.adapters.duckdb.connection import (
    CONFIG,
    FILE_NAME,
    WAL,
    StoreConnection,
    examine_store,
    explain_file_error,
    explain_open_error,
    fetch_number,
    first_line,
    is_there,
    open_readable,
    open_writable,
    transaction,
)
from reconciler.adapters.duckdb.halts import read_halts
from reconciler.adapters.duckdb.rollbacks import rollback, set_rollback
from reconciler.adapters.duckdb.state import (
    EVENT_COLUMNS,
    add_event,
    set_suspension,
    suspension,
)
from reconciler.adapters.files import sync_folder
from reconciler.adapters.haltfile import HaltFile
from reconciler.adapters.machine import explain_os_error
from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RetryLater, UsageError
from reconciler.model.halt import Halts
from reconciler.model.host import HostEvent
from reconciler.tables.duckdb import qualify, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model.commit import Applied
    from reconciler.model.host import Owner, Suspension
    from reconciler.model.intervals import LiveInterval
    from reconciler.model.rollback import Rollback

UNFENCED = {key: value for key, value in CONFIG.items() if key != "enable_external_access"}
Fingerprint = dict[str, tuple[Any, ...]]
"""For each table its statement, its indexes, how many rows it has and a hash of them all."""


def copy_database(source: Path, target: Path) -> Fingerprint:
    """Copy a database to a new file, readable by its owner only and on the disk for good; the contents of both.

    Whatever has the target's name is replaced, but only once the source is locked. Raises `RetryLater` while the source
    is in use or when the disk is full, `NeedsHuman` when it is damaged, `BugError` when this process has it open.
    """
    config = {**UNFENCED, "temp_directory": f"{target}.tmp"}
    with disk_errors(target), duckdb.connect(":memory:", config=config) as connection:
        _attach(connection, source)
        remove_database(target)
        try:
            before = _fingerprint(connection, "source")
            connection.execute(f"ATTACH '{_escaped(target)}' AS target")
            connection.execute("COPY FROM DATABASE source TO target")
            connection.execute("DETACH target")
        except duckdb.Error as error:
            raise _not_copied(source, target, error) from error
    with disk_errors(target):
        target.chmod(0o600)
        with target.open("rb+") as written:
            os.fsync(written.fileno())
    if read_fingerprint(target) != before:
        raise BugError(f"the copy {target} is not what {source} is")
    return before


def read_fingerprint(file: Path) -> Fingerprint:
    """What a database file holds, every row of it read. Raises like `open_readable`."""
    connection = open_readable(file)
    with connection:
        try:
            (database,) = connection.execute("SELECT current_database()").fetchall()[0]
            return _fingerprint(connection, database)
        except duckdb.Error as error:
            raise explain_open_error(file, error) from error


def remove_database(file: Path) -> None:
    """Delete a database file, and whatever DuckDB left beside it."""
    for found in file.parent.glob(f"{file.name}*"):
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)


@contextmanager
def disk_errors(file: Path) -> Iterator[None]:
    """Errors of the operating system as ours."""
    try:
        yield
    except OSError as error:
        raise explain_os_error(f"cannot write {file}, the store is as it was", error) from error


def _attach(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    try:
        connection.execute(f"ATTACH '{_escaped(source)}' AS source")
    except duckdb.ResourceInUseException as error:
        raise BugError(f"{source} is open in this process, which has to close it first") from error
    except duckdb.Error as error:
        raise explain_open_error(source, error) from error


def _not_copied(source: Path, target: Path, error: duckdb.Error) -> ReconcilerError:
    what = f"the store {source} cannot be copied to {target}, the store is as it was"
    return explain_file_error(examine_store(source), error, what) or RetryLater(
        f"{what}: {first_line(error)}", hint="see to what it says, then try again"
    )


def _fingerprint(connection: StoreConnection | duckdb.DuckDBPyConnection, database: str) -> Fingerprint:
    tables = connection.execute(
        "SELECT schema_name, table_name, sql, (SELECT list(i.sql ORDER BY i.sql) FROM duckdb_indexes() AS i "
        "WHERE i.database_name = t.database_name AND i.schema_name = t.schema_name AND i.table_name = t.table_name) "
        "FROM duckdb_tables() AS t WHERE database_name = ? ORDER BY ALL",
        [database],
    ).fetchall()
    fingerprint: Fingerprint = {}
    for schema, table, statement, indexes in tables:
        place = f"{quote(database)}.{qualify(schema, table)}"
        records = connection.execute(f"SELECT count(*), sum(hash(t)) FROM {place} AS t").fetchall()
        fingerprint[f"{schema}.{table}"] = (statement, str(indexes), *records[0])
    return fingerprint


def _escaped(file: Path) -> str:
    return str(file).replace("'", "''")


FOLDER = "backups"
UNFINISHED = "unfinished.duckdb"
STAMP = "%Y%m%dT%H%M%SZ"
NAME = re.compile(r"state-(?P<at>\d{8}T\d{6}Z)\.duckdb", re.ASCII)


class Backup(Struct, frozen=True, order=True):
    """A copy, and when it was made (aware, UTC, to the second)."""

    at: datetime
    file: Path


def back_up(folder: Path, now: datetime) -> Path:
    """Copy the store of a state folder to `backups/state-<UTC>.duckdb` there, readable by its owner only.

    What has such a name is whole: it was opened and compared before it got it. This process must not have the store
    open (`BugError`). Raises `RetryLater` while another one has, or when the disk is full, `NeedsHuman` when there is
    no store, it is damaged, or the folder cannot be written.
    """
    store, backups = folder / FILE_NAME, folder / FOLDER
    if not is_there(store):
        raise NeedsHuman(f"there is no store in {folder} to back up", hint="`reconciler sync` makes one from git")
    unfinished = backups / UNFINISHED
    finished = backups / f"state-{now.astimezone(UTC).strftime(STAMP)}.duckdb"
    with disk_errors(backups):
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        copied = copy_database(store, unfinished)
        _check_whole(store, unfinished, copied)
    except BaseException:
        with disk_errors(unfinished):
            remove_database(unfinished)
        raise
    with disk_errors(finished):
        unfinished.replace(finished)
        sync_folder(backups)
    return finished


def _check_whole(store: Path, copy: Path, copied: Fingerprint) -> None:
    """A copy of what is no store of ours, or has lost what it keeps beside the rows, brings nothing back."""
    with open_readable(copy) as connection:
        version = state.stored_format(connection)
    missing = (state.TABLES if version == state.FORMAT_VERSION else state.OLDEST_TABLES) - copied.keys()
    if missing:
        lacks = ", ".join(sorted(missing))
        message = f"something altered what the store {store} keeps: it lacks {lacks}, so a copy would be no backup"
        raise NeedsHuman(message, hint=examine_store(store).rebuild)


def backups(folder: Path) -> tuple[Backup, ...]:
    """The copies in a state folder, the oldest first. Files of other names are none of ours."""
    return tuple(sorted(_named(folder / FOLDER)))


def delete_backup(found: Backup) -> None:
    """Delete a copy. Raises `NeedsHuman` when it cannot be deleted."""
    with disk_errors(found.file):
        remove_database(found.file)


def _named(folder: Path) -> Iterator[Backup]:
    for file in folder.glob("state-*.duckdb"):
        name = NAME.fullmatch(file.name)
        try:
            at = datetime.fromisoformat(name["at"]) if name else None
        except ValueError:  # the 99th of a month
            continue
        if at is not None:
            yield Backup(at, file)


RESTORING = "restoring.duckdb"
ASIDE_SUFFIX = "before-restore"
ALL = 2**62
"""More intervals than there can be."""
Owns: TypeAlias = "Callable[[Owner, Applied | None], bool]"
ANOTHER_HINT = "choose another backup; the store is as it was"


class Restored(Struct, frozen=True):
    """The commit whose rows are live now (None: a store before its first), and where the store before it is kept.

    `unread`: that one was of no use, so nothing of it was taken over.
    """

    applied: Applied | None
    aside: Path | None
    unread: bool = False


class _OldStore(Struct, frozen=True):
    """What the store that is replaced still tells: its commit, its host events, as records, what was live, and its
    suspension, rollback and halts. `lacks_past`: nobody has asked the ledger what stood on the host before it."""

    commit: str | None = None
    events: Sequence[tuple[Any, ...]] = ()
    intervals: Sequence[LiveInterval] = ()
    suspension: Suspension | None = None
    rollback: Rollback | None = None
    halts: Halts = Halts()
    lacks_past: bool = True
    unread: bool = False


def restore(backup: Path, folder: Path, owns: Owns, now: datetime) -> Restored:
    """Make a backup the store of a state folder; the next sync brings it to git's head.

    `owns` tells whether a store of an owner and applied commit is this repository's. Host events that the backup
    does not know are taken over from the store before. Nothing is changed until the copy is there and proved.
    Raises `RetryLater` while anybody has the store or the backup open or when the disk is full, `UsageError` when
    there is no such file, `NeedsHuman` when it is damaged, no store, or another repository's.
    """
    store, restoring = folder / FILE_NAME, folder / RESTORING
    held = _read(backup)
    before = _before(store, owns)
    try:
        with disk_errors(restoring):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_database(restoring)
            for suffix in ("", WAL):
                if Path(f"{backup}{suffix}").exists():
                    shutil.copyfile(f"{backup}{suffix}", f"{restoring}{suffix}")
        if _read(restoring) != held:
            raise BugError(f"the copy {restoring} is not what {backup} is")
        applied = _adopt(restoring, backup, owns, before, now)
        if before.halts.number:  # a file that was lost, or is older: what the rows obeyed stands
            HaltFile(folder).change(lambda found: found if found.number >= before.halts.number else before.halts)
        return Restored(applied, _exchange(restoring, store), before.unread)
    finally:
        with disk_errors(restoring):
            remove_database(restoring)


def _read(backup: Path) -> object:
    if not _is_file(backup):
        raise UsageError(
            f"there is no file {backup}", hint="the backups of a host are in `backups` of its state folder"
        )
    try:
        return read_fingerprint(backup)
    except NeedsHuman as error:
        raise NeedsHuman(str(error), hint=ANOTHER_HINT) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file has a name that is too long for this system
        return False


def _before(store: Path, owns: Owns) -> _OldStore:
    """What the present store tells. One that is damaged tells nothing: it may be the reason for all this."""
    if not is_there(store):
        return _OldStore()
    try:
        with open_writable(store) as connection:
            return _read_old(connection, owns)
    except (NeedsHuman, BugError):
        return _OldStore(unread=True)


def _read_old(connection: StoreConnection, owns: Owns) -> _OldStore:
    if state.stored_format(connection) is None:
        return _OldStore()
    state.prepare(connection)
    owner, applied = state.owner(connection), state.applied(connection)
    if owner is None or not owns(owner, applied):
        return _OldStore()
    records = connection.execute(f"SELECT seq, {EVENT_COLUMNS} FROM gitops.events ORDER BY seq").fetchall()
    return _OldStore(
        commit=applied.stamp.commit if applied else None,
        events=records,
        intervals=intervals.intervals_after(connection, 0, ALL),
        suspension=suspension(connection),
        rollback=rollback(connection),
        halts=read_halts(connection),
        lacks_past=applied is None or state.cursor(connection, state.LACKS_PAST) > 0,
    )


def _adopt(restoring: Path, backup: Path, owns: Owns, before: _OldStore, now: datetime) -> Applied | None:
    """Make the copy the store of this repository from now on."""
    with open_writable(restoring) as connection:
        if state.stored_format(connection) is None:
            raise NeedsHuman(f"{backup} is an empty database, no store", hint=ANOTHER_HINT)
        state.prepare(connection)
        owner, applied = state.owner(connection), state.applied(connection)
        if owner is not None and not owns(owner, applied):
            raise NeedsHuman(f"{backup} belongs to the repository {owner.url}, not to this one", hint=ANOTHER_HINT)
        commit, digest = (applied.stamp.commit, applied.digest) if applied else (None, None)
        with transaction(connection):
            intervals.take_over_intervals(connection, before.intervals)
            _take_over(connection, before.events)
            if (
                before.commit is not None
            ):  # who suspended this host, or rolled it back, meant it, whatever is brought back
                set_suspension(connection, before.suspension)
                set_rollback(connection, before.rollback)
            state.renew_id(connection)
            state.set_cursor(connection, state.LACKS_PAST, int(before.lacks_past))
            detail = {"file": backup.name, "before": before.commit}
            add_event(connection, HostEvent(0, now, "restored", commit, digest, 0, detail))
            if applied is not None and commit is not None:
                timeline = intervals.read_timeline(connection)
                intervals.begin_interval(connection, timeline, commit, applied.live_digest, now)
    with disk_errors(restoring), restoring.open("rb+") as written:
        os.fsync(written.fileno())
    return applied


def _take_over(connection: StoreConnection, records: Sequence[tuple[Any, ...]]) -> None:
    """Add the events that are newer than all there are, and let the numbers go on after them."""
    newest = fetch_number(connection, "SELECT coalesce(max(seq), 0) FROM gitops.events")
    newer = [record for record in records if record[0] > newest]
    if newer:
        marks = ", ".join("?" for _ in newer[0])
        connection.executemany(f"INSERT INTO gitops.events (seq, {EVENT_COLUMNS}) VALUES ({marks})", newer)
        gap = newer[-1][0] - newest
        connection.execute("SELECT max(nextval('gitops.event_seq')) FROM range(?)", [gap]).fetchall()


def _exchange(restoring: Path, store: Path) -> Path | None:
    """Two renames; the log of the store goes first, so that it never meets another file."""
    with disk_errors(store):
        aside = _aside(store) if store.exists() else None
        log = Path(f"{store}{WAL}")
        if log.exists():
            log.replace(f"{aside or _aside(store)}{WAL}")
        if aside is not None:
            store.replace(aside)
        try:
            restoring.replace(store)
        except OSError:
            if aside is not None:
                aside.replace(store)
            raise
        sync_folder(store.parent)
    return aside


def _aside(store: Path) -> Path:
    """A name that is not taken yet."""
    names = itertools.chain([ASIDE_SUFFIX], (f"{ASIDE_SUFFIX}-{number}" for number in itertools.count(2)))
    places = (Path(f"{store}.{name}") for name in names)
    return next(place for place in places if not place.exists() and not Path(f"{place}{WAL}").exists())
