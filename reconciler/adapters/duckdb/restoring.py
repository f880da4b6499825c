"""A copy of the store put in its place. What was there before is kept beside it."""

from __future__ import annotations

import itertools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb import events, state, suspending
from reconciler.adapters.duckdb.connection import FILE_NAME, fetch_number, open_writable, transaction
from reconciler.adapters.duckdb.copying import contents, remove, settle, writing
from reconciler.errors import BugError, NeedsHuman, UsageError
from reconciler.model.host import HostEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    import duckdb

    from reconciler.model.commit import Applied
    from reconciler.model.host import Suspension

RESTORING = "restoring.duckdb"
ASIDE = "before-restore"
WAL = ".wal"
"""What DuckDB appends to a database's name for the log of what was committed and is not in the file yet."""

ANOTHER = "choose another backup; the store is as it was"


@dataclass(frozen=True, slots=True)
class Restored:
    """The commit whose rows are live now (None: a store before its first), and where the store before it is kept."""

    applied: Applied | None
    aside: Path | None


@dataclass(frozen=True, slots=True)
class _Before:
    """What the store that is replaced still tells: its commit, its host events, as records, and its suspension."""

    commit: str | None = None
    events: Sequence[tuple[Any, ...]] = ()
    suspension: Suspension | None = None


def restore(backup: Path, folder: Path, repository: str, now: datetime) -> Restored:
    """Make a backup the store of a state folder; the next sync brings it to git's head.

    Host events that the backup does not know are taken over from the store before. Nothing is changed until the copy is
    there and proved. Raises `RetryLater` while anybody has the store or the backup open or when the disk is full,
    `UsageError` when there is no such file, `NeedsHuman` when it is damaged, no store, or another repository's.
    """
    store, restoring = folder / FILE_NAME, folder / RESTORING
    held = _read(backup)
    before = _before(store, repository)
    try:
        with writing(restoring):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove(restoring)
            for suffix in ("", WAL):
                if Path(f"{backup}{suffix}").exists():
                    shutil.copyfile(f"{backup}{suffix}", f"{restoring}{suffix}")
        if _read(restoring) != held:
            raise BugError(f"the copy {restoring} is not what {backup} is")
        applied = _adopt(restoring, backup, repository, before, now)
        return Restored(applied, _exchange(restoring, store))
    finally:
        with writing(restoring):
            remove(restoring)


def _read(backup: Path) -> object:
    if not _is_file(backup):
        raise UsageError(
            f"there is no file {backup}", hint="the backups of a host are in `backups` of its state folder"
        )
    try:
        return contents(backup)
    except NeedsHuman as error:
        raise NeedsHuman(str(error), hint=ANOTHER) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file has a name that is too long for this system
        return False


def _before(store: Path, repository: str) -> _Before:
    """What the present store tells. One that is damaged tells nothing: it may be the reason for all this."""
    if not store.exists():
        return _Before()
    try:
        connection = open_writable(store)
    except NeedsHuman:
        return _Before()
    with connection:
        try:
            owner = state.owner(connection) if state.has_format(connection) else None
        except NeedsHuman:
            return _Before()
        if owner is None or owner[0] != repository:
            return _Before()
        applied = state.applied(connection)
        records = connection.execute(f"SELECT seq, {events.COLUMNS} FROM gitops.events ORDER BY seq").fetchall()
        return _Before(applied.stamp.commit if applied else None, records, suspending.get(connection))


def _adopt(restoring: Path, backup: Path, repository: str, before: _Before, now: datetime) -> Applied | None:
    """Make the copy the store of this repository from now on."""
    with open_writable(restoring) as connection:
        if not state.has_format(connection):
            raise NeedsHuman(f"{backup} is an empty database, no store", hint=ANOTHER)
        owner = state.owner(connection)
        if owner is not None and owner[0] != repository:
            raise NeedsHuman(f"{backup} belongs to the repository {owner[0]}, not to {repository}", hint=ANOTHER)
        applied = state.applied(connection)
        commit, digest = (applied.stamp.commit, applied.digest) if applied else (None, None)
        with transaction(connection):
            _take_over(connection, before.events)
            if before.commit is not None:  # who suspended this host meant it, whatever is brought back
                suspending.put(connection, before.suspension)
            state.renew_id(connection)
            detail = {"file": backup.name, "before": before.commit}
            events.add(connection, HostEvent(0, now, "restored", commit, digest, 0, detail))
    with writing(restoring), restoring.open("rb+") as written:
        os.fsync(written.fileno())
    return applied


def _take_over(connection: duckdb.DuckDBPyConnection, records: Sequence[tuple[Any, ...]]) -> None:
    """Add the events that are newer than all there are, and let the numbers go on after them."""
    newest = fetch_number(connection, "SELECT coalesce(max(seq), 0) FROM gitops.events")
    newer = [record for record in records if record[0] > newest]
    if newer:
        marks = ", ".join("?" for _ in newer[0])
        connection.executemany(f"INSERT INTO gitops.events (seq, {events.COLUMNS}) VALUES ({marks})", newer)
        gap = newer[-1][0] - newest
        connection.execute("SELECT max(nextval('gitops.event_seq')) FROM range(?)", [gap]).fetchall()


def _exchange(restoring: Path, store: Path) -> Path | None:
    """Two renames; the log of the store goes first, so that it never meets another file."""
    with writing(store):
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
        settle(store.parent)
    return aside


def _aside(store: Path) -> Path:
    """A name that is not taken yet."""
    names = itertools.chain([ASIDE], (f"{ASIDE}-{number}" for number in itertools.count(2)))
    places = (Path(f"{store}.{name}") for name in names)
    return next(place for place in places if not place.exists() and not Path(f"{place}{WAL}").exists())
