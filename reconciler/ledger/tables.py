"""The ledger's tables: what the database has, making it fit the kinds, and rows as they go in and come out.

What the database has is asked once, and again only when something is missing.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import SqlType
from reconciler.kinds.names import recorded_name
from reconciler.model.commit import Commit, Signature
from reconciler.model.host import HostEvent
from reconciler.model.problem import Problem, Severity
from reconciler.model.rows import HistoryRow, RecordedEvent, VersionRow
from reconciler.tables import clickhouse as ddl
from reconciler.tables.clickhouse import desired_columns
from reconciler.tables.problems import shorten_problems
from reconciler.tables.rows import desired_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.ledger.connection import Connection
    from reconciler.model.commit import RowChange, Version
    from reconciler.model.intervals import LiveInterval

ANY_ROW = "SELECT 1 FROM {database:Identifier}.{table:Identifier} LIMIT 1"

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)
"""What ClickHouse's DateTime64 holds: https://clickhouse.com/docs/sql-reference/data-types/datetime64."""


def clamp(moment: datetime) -> datetime:
    """The nearest time that ClickHouse can be asked about."""
    return min(max(moment, EARLIEST), LATEST)


_BOUND_COLUMNS = {
    "repository": "repository",
    "branch": "branch",
    "height": "height",
    "commit": "commit_sha",
    "op": "op",
}


def bound_columns(kind: Kind) -> dict[str, str]:
    """The history's own columns as the kind's table names them, by the names they have in statements."""
    return {f"{short}_column": recorded_name(kind, name) for short, name in _BOUND_COLUMNS.items()}


class Catalog:
    """The tables of the ledger's database with their columns and types.

    Every call raises `NeedsHuman` when a newer version of reconciler has given them another format.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables: dict[str, dict[str, str]] = {}
        self._format = ddl.FORMAT_VERSION

    def columns(self, table: str) -> Mapping[str, str]:
        """A table's columns and their types; none when there is no such table, or it is not for us to see."""
        if table not in self._tables:
            self._read()
        return self._tables.get(table, {})

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """All of them, as they are now."""
        self._read()
        return self._tables

    def fit(self, kinds: Kinds) -> None:
        """Create or alter what these kinds need. Raises `NeedsHuman` when a table cannot be made to fit."""
        self._read()
        if not self._tables:
            self._connection.make_database()
        changed = [self._fit_kind(kind) for kind in kinds]
        if ddl.VERSIONS_TABLE not in self._tables:
            self._connection.create(ddl.VERSIONS)
            changed.append(True)
        elif self._format < ddl.FORMAT_VERSION:
            self._connection.comment(ddl.VERSIONS)
            changed.append(True)
        if ddl.STATES_TABLE not in self._tables:
            self._connection.create(ddl.STATES)
            changed.append(True)
        if any(changed):
            self._read()

    def fit_own(self, table: ddl.Table) -> None:
        """Create one of the ledger's own tables when it is missing."""
        if not self.columns(table.name):
            if not self._tables:
                self._connection.make_database()
            self._connection.create(table)
            self._read()

    def _fit_kind(self, kind: Kind) -> bool:
        """Make a table fit; whether anything had to be done."""
        existing = self._tables.get(kind.table)
        if existing is None:
            self._connection.create(ddl.history_table(kind))
            return True
        if existing.get(kind.key) != ddl.history_columns(kind)[kind.key] and self._is_empty(kind.table):
            self._connection.drop(kind.table)
            self._connection.create(ddl.history_table(kind))
            return True
        changes = ddl.column_changes(kind, existing)
        for change in changes:
            self._connection.alter(kind.table, change)
        return bool(changes)

    def _is_empty(self, table: str) -> bool:
        return not self._connection.ask(ANY_ROW, table=table)

    def _read(self) -> None:
        self._tables = {}
        for table, name, type_, comment in self._connection.catalog():
            self._format = ddl.format_version(comment)
            self._refuse_newer(self._format)
            self._tables.setdefault(table, {})[name] = type_

    def _refuse_newer(self, version: int) -> None:
        if version > ddl.FORMAT_VERSION:
            raise NeedsHuman(
                f"{self._connection.place} has format {version}, "
                f"this version of reconciler reads format {ddl.FORMAT_VERSION}",
                hint="update reconciler on this host; nothing was changed there",
            )


SIGNED, UNSIGNED = "signed", "none"


def version_values(row: VersionRow) -> tuple[object, ...]:
    """The values of `VERSION_COLUMNS`, from commit_sha on."""
    commit = row.commit
    return (
        commit.sha,
        row.height,
        row.mainline,
        commit.parents,
        *_signature_values(commit.author),
        *_signature_values(commit.committer),
        commit.message,
        SIGNED if commit.signed else UNSIGNED,
        *_verdict_values(row),
        row.orphaned,
        row.recorded_at,
        0,
    )


def state_values(row: VersionRow, store: str, seq: int, now: datetime) -> tuple[object, ...]:
    """The values of `STATE_COLUMNS`, from commit_sha on."""
    return (row.commit.sha, store, seq, row.mainline, *_verdict_values(row), row.orphaned, row.recorded_at, now)


def _verdict_values(row: VersionRow) -> tuple[object, ...]:
    problems = json.dumps([problem.kept for problem in shorten_problems(row.problems)])
    return (row.status, problems, row.creates, row.updates, row.deletes, row.digest)


def version_row(values: Sequence[Any]) -> VersionRow:
    """Back from the values of `VERSION_COLUMNS`, from commit_sha to recorded_at."""
    sha, height, mainline, parents, *rest = values
    author, committer = _signature(*rest[0:4]), _signature(*rest[4:8])
    message, signature, status, problems, creates, updates, deletes, digest, orphaned, recorded_at = rest[8:]
    return VersionRow(
        commit=Commit(sha, tuple(parents), author, committer, message, signed=signature == SIGNED),
        height=height,
        mainline=mainline,
        status=status,
        problems=tuple(_problem(fields) for fields in json.loads(problems)),
        creates=creates,
        updates=updates,
        deletes=deletes,
        digest=digest,
        orphaned=orphaned,
        recorded_at=canonical.utc(recorded_at),
    )


def event_values(host: str, event: HostEvent) -> tuple[object, ...]:
    """The values of `EVENT_COLUMNS`, from host on."""
    what = (event.at, event.event, event.commit, event.digest, event.duration_ms)
    return (host, event.store, event.seq, *what, canonical.dumps(event.detail))


def recorded_event(values: Sequence[Any]) -> RecordedEvent:
    """Back from a host and the fields of an event, in their order."""
    host, seq, at, event, commit, digest, duration, detail, store = values
    fields = json.loads(detail)
    return RecordedEvent(host, HostEvent(seq, canonical.utc(at), event, commit, digest, duration, fields, str(store)))


def interval_values(host: str, interval: LiveInterval) -> tuple[object, ...]:
    """The values of `INTERVAL_COLUMNS`, from branch on."""
    what = (interval.commit, interval.digest, interval.since, interval.until, interval.ended or "", interval.change)
    return (interval.branch, host, interval.store, interval.seq, *what)


def row_values(kind: Kind, version: Version, change: RowChange) -> tuple[object, ...]:
    """The values of a kind's history columns, from op on."""
    commit = version.commit
    prune = str(change.row.removed.prune) if change.row.removed else ""
    where = (str(change.change.op), version.height, commit.sha, commit.committer.time, prune)
    return (*where, *desired_values(kind, change.row))


def states(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """History rows as the states they left: `op` and the desired table's columns, None for one that is not there."""
    types = {column.name: column.type for column in kind.columns}
    readers = [(name, _READ[types.get(name)]) for name in (recorded_name(kind, "op"), *desired_columns(kind))]
    return [{name: _plain(read, row.get(name)) for name, read in readers} for row in rows]


def past_row(kind: Kind, row: Mapping[str, Any]) -> HistoryRow:
    """A history row by column. Rows from before there was a column `prune` leave it empty."""
    (values,) = states(kind, [row])
    op, prune, commit, height = (recorded_name(kind, name) for name in ("op", "prune", "commit_sha", "height"))
    del values[op]
    return HistoryRow(row[op], row.get(prune, ""), row[commit], row[height], values)


def _plain(read: Callable[[Any], Any], value: Any) -> Any:
    """A stored value as the store has it. A column that was widened holds what can be read as the narrower type."""
    try:
        return None if value is None else read(value)
    except ValueError:  # a word from before the column became a number
        return value


def _as_found(value: Any) -> Any:
    return canonical.utc(value) if isinstance(value, datetime) else value


_READ: Mapping[SqlType | None, Callable[[Any], Any]] = {
    SqlType.UUID: str,
    SqlType.VARCHAR: str,
    SqlType.JSON: str,
    SqlType.FLOAT: float,
    SqlType.INTEGER: int,
    SqlType.BOOLEAN: lambda value: value in (True, "true"),
    None: _as_found,
}


def _signature_values(signature: Signature) -> tuple[object, ...]:
    offset = signature.time.utcoffset() or timedelta()
    return (signature.name, signature.email, signature.time, offset // timedelta(minutes=1))


def _signature(name: str, email: str, moment: datetime, zone: int) -> Signature:
    return Signature(name, email, canonical.utc(moment).astimezone(timezone(timedelta(minutes=zone))))


def _problem(fields: dict[str, Any]) -> Problem:
    return Problem(**{**fields, "severity": Severity(fields["severity"])})
