"""Versions and rows as lines of JSONCompactEachRow, and back from what a query returns."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.kind import SqlType
from reconciler.model.commit import Commit, Signature
from reconciler.model.history import PastRow, RecordedEvent, VersionRow
from reconciler.model.host import HostEvent
from reconciler.model.problem import Problem, Severity
from reconciler.tables.clickhouse import desired_columns, own_column
from reconciler.tables.rows import desired_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.commit import RowChange, Version

SIGNED, UNSIGNED = "signed", "none"


@lru_cache(maxsize=4096)
def _moment(value: object) -> str:
    """A moment in ClickHouse's words. Remembered: the rows of a commit share their times."""
    assert isinstance(value, datetime)
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


_ENCODER = json.JSONEncoder(default=_moment, ensure_ascii=False, allow_nan=False)


def lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as the insert format wants them: one JSON array a line, UTF-8.

    A lone surrogate (half a character, or a byte of a path that is not UTF-8) has no UTF-8 form: it becomes U+FFFD.
    """
    text = "\n".join(map(_ENCODER.encode, rows))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()


def version_values(row: VersionRow, generation: int) -> tuple[object, ...]:
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
        row.status,
        json.dumps([asdict(problem) for problem in row.problems]),
        row.creates,
        row.updates,
        row.deletes,
        row.digest,
        row.orphaned,
        row.recorded_at,
        generation,
    )


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


def row_values(kind: Kind, version: Version, change: RowChange) -> tuple[object, ...]:
    """The values of a kind's history columns, from op on."""
    commit = version.commit
    prune = str(change.row.removed.prune) if change.row.removed else ""
    where = (str(change.change.op), version.height, commit.sha, commit.committer.time, prune)
    return (*where, *desired_values(kind, change.row))


def states(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """History rows as the states they left: `op` and the desired table's columns, None for one that is not there."""
    types = {column.name: column.type for column in kind.columns}
    readers = [(name, _READ[types.get(name)]) for name in (own_column(kind, "op"), *desired_columns(kind))]
    return [{name: _plain(read, row.get(name)) for name, read in readers} for row in rows]


def past_row(kind: Kind, row: Mapping[str, Any]) -> PastRow:
    """A history row by column. Rows from before there was a column `prune` leave it empty."""
    (values,) = states(kind, [row])
    op, prune, commit, height = (own_column(kind, name) for name in ("op", "prune", "commit_sha", "height"))
    del values[op]
    return PastRow(row[op], row.get(prune, ""), row[commit], row[height], values)


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
