"""The ledger's tables: their columns, their DDL, and what a table lacks for a kind as it is now. Pure.

The history only ever grows: columns are added or widened, never dropped, so that one table holds what a kind was
under every schema it has had. Value columns are therefore nullable whatever the schema says today.
Types: https://clickhouse.com/docs/sql-reference/data-types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import TIMESTAMPS, Column, Kind, SqlType
from reconciler.kinds.names import recorded_name
from reconciler.tables.rows import DECLARATION_COLUMNS, declaration_columns
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_DATABASE = "config_history"
VERSIONS_TABLE = "config_versions"
STATES_TABLE = "version_states"
EVENTS_TABLE = "host_events"
INTERVALS_TABLE = "live_intervals"
OWN_TABLES = frozenset({VERSIONS_TABLE, STATES_TABLE, EVENTS_TABLE, INTERVALS_TABLE})
"""Those that are no kind's."""

FORMAT_VERSION = 2
"""The format of the tables as a whole. A later one, which this program must not write to, has a higher number."""
_FORMAT_COMMENT = "reconciler history, format "
"""What the comment on the table of versions begins with. Histories that have none are of format 1."""

MOMENT = "DateTime64(6, 'UTC')"
WORD = "LowCardinality(String)"

VERSION_COLUMNS: Mapping[str, str] = {
    "repository": WORD,
    "branch": WORD,
    "commit_sha": "String",
    "height": "UInt32",
    "mainline": "Bool",
    "parents": "Array(String)",
    "author_name": "String",
    "author_email": "String",
    "author_time": MOMENT,
    "author_zone": "Int16",
    "committer_name": "String",
    "committer_email": "String",
    "committer_time": MOMENT,
    "committer_zone": "Int16",
    "message": "String",
    "signature": WORD,
    "status": WORD,
    "problems": "String",
    "creates": "UInt32",
    "updates": "UInt32",
    "deletes": "UInt32",
    "digest": "String",
    "orphaned": "Bool",
    "recorded_at": MOMENT,
    "generation": "UInt64",
}
"""Zones are minutes east of UTC. A commit is recorded once, with `generation` 0. Format 1 wrote each change of a
version as a row with a higher one, which counts instead."""

VERSION_KEY = ("repository", "branch", "commit_sha")

STATE_COLUMNS: Mapping[str, str] = {
    "repository": WORD,
    "branch": WORD,
    "commit_sha": "String",
    "store": "UUID",
    "seq": "UInt64",
    **{
        name: VERSION_COLUMNS[name]
        for name in ("mainline", "status", "problems", "creates", "updates", "deletes", "digest", "orphaned")
    },
    "recorded_at": MOMENT,
    "changed_at": MOMENT,
}
"""What may change of a version after it was recorded, as the host with this `store` found it last: `seq` is that
store's own count. The other columns are those of the version."""

STATE_KEY = ("repository", "branch", "commit_sha", "store")

ROW_COLUMNS: Mapping[str, str] = {
    "repository": WORD,
    "branch": WORD,
    "op": WORD,
    "height": "UInt32",
    "commit_sha": "String",
    "committed_at": MOMENT,
    "prune": WORD,
}
"""What a kind's history row has before the columns of the desired table. `prune` is for deletes only."""

EVENT_COLUMNS: Mapping[str, str] = {
    "repository": WORD,
    "branch": WORD,
    "host": WORD,
    "store": "UUID",
    "seq": "UInt64",
    "happened_at": MOMENT,
    "event": WORD,
    "commit_sha": "Nullable(String)",
    "digest": "Nullable(String)",
    "duration_ms": "Float64",
    "detail": "String",
}
"""`store` is the id of the file that counted `seq`: one that was deleted and made anew counts from 1 again."""

EVENT_KEY = ("host", "store", "seq")

INTERVAL_COLUMNS: Mapping[str, str] = {
    "repository": WORD,
    "branch": WORD,
    "host": WORD,
    "store": "UUID",
    "seq": "UInt64",
    "commit_sha": "String",
    "digest": "String",
    "live_from": MOMENT,
    "live_until": f"Nullable({MOMENT})",
    "ended": WORD,
    "generation": "UInt64",
}
"""`ended` is empty while the commit is live. `generation` is the number of the change that the store wrote down."""

INTERVAL_KEY = EVENT_KEY


class Table(Struct, frozen=True):
    """A table. Of several rows with one key the one with the highest value in the column `version` counts, else the
    last.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    version: str = ""
    comment: str = ""


class Placement(Struct, frozen=True):
    """Where a server keeps the tables: on itself, or on each host of a cluster. Replicated, each has all rows."""

    cluster: str = ""
    replicated: bool = False


ONE_SERVER = Placement()


class ColumnChange(Struct, frozen=True):
    """A column that a table lacks, or whose type is too narrow, with the type that it should have."""

    column: str
    type: str
    is_new: bool


VERSIONS = Table(VERSIONS_TABLE, VERSION_COLUMNS, VERSION_KEY, "generation", f"{_FORMAT_COMMENT}{FORMAT_VERSION}")
STATES = Table(STATES_TABLE, STATE_COLUMNS, STATE_KEY, "seq")
EVENTS = Table(EVENTS_TABLE, EVENT_COLUMNS, EVENT_KEY)
INTERVALS = Table(INTERVALS_TABLE, INTERVAL_COLUMNS, INTERVAL_KEY, "generation")

_TYPES: Mapping[str, str] = {
    SqlType.UUID: "UUID",
    SqlType.VARCHAR: "String",
    SqlType.FLOAT: "Float64",
    SqlType.INTEGER: "Int64",
    SqlType.BOOLEAN: "Bool",
    SqlType.JSON: "String",
}
_SQL_TYPES = {type_: SqlType(sql) for sql, type_ in _TYPES.items() if sql != SqlType.JSON}
_NULLABLE_DECLARATIONS = ("path", "line")


def quote(name: str) -> str:
    """An identifier quoted for ClickHouse."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def history_columns(kind: Kind) -> dict[str, str]:
    """The columns of a kind's history table and their types, in the order of `ROW_COLUMNS` and `desired_values`."""
    return {recorded_name(kind, name): type_ for name, type_ in ROW_COLUMNS.items()} | desired_columns(kind)


def desired_columns(kind: Kind) -> dict[str, str]:
    """The columns of the desired table and their types, in the order of `desired_values`."""
    columns: dict[str, str] = {}
    for column in kind.columns:
        plain = _TYPES[column.type]
        columns[column.name] = plain if column.name == kind.key else f"Nullable({plain})"
    columns |= dict.fromkeys(TIMESTAMPS, MOMENT)
    for (name, sql_type), (original, _) in zip(declaration_columns(kind), DECLARATION_COLUMNS, strict=True):
        plain = _TYPES[sql_type]
        columns[name] = f"Nullable({plain})" if original in _NULLABLE_DECLARATIONS else plain
    return columns


def kind_of_table(table: str, columns: Mapping[str, str]) -> Kind | None:
    """A kind that nothing is left of but its history table, as far as that tells; None for any other table.

    It goes by the table's name. Units, limits and references are not known; JSON is text.
    """
    prefixed_names = {f"history_{name}": name for name in ROW_COLUMNS}
    prefixed_names |= {f"declared_{name}": name for name, _ in DECLARATION_COLUMNS}
    prefixed_own = {name for prefixed, name in prefixed_names.items() if prefixed in columns}
    own_columns = {
        *prefixed_names,
        *(name for name in prefixed_names.values() if name not in prefixed_own),
        *TIMESTAMPS,
    }
    fields = tuple(
        Column(name, _SQL_TYPES.get(type_.removeprefix("Nullable(").removesuffix(")"), SqlType.VARCHAR), required=False)
        for name, type_ in columns.items()
        if name not in own_columns
    )
    key = next((name for name, type_ in columns.items() if name not in own_columns and type_ == "UUID"), None)
    if key is None or not {*TIMESTAMPS, "created_commit", "updated_commit"} <= columns.keys():
        return None
    ordered = tuple(sorted(fields, key=lambda column: column.name != key))
    return Kind(table, table, key, ordered, (), (), {}, "", canonical.digest([table, dict(columns)]))


def recorded_column(name: str, columns: Iterable[str]) -> str:
    """The history's own column of a kind's table; it is prefixed where the kind has a field of that name."""
    return f"history_{name}" if f"history_{name}" in columns else name


def find_tables(existing: Mapping[str, Mapping[str, str]]) -> tuple[Table, ...]:
    """The ledger's tables among those of a database, by name with their columns and types; that of versions is last."""
    tables = []
    for name, columns in sorted(existing.items()):
        kind = kind_of_table(name, columns) if name not in OWN_TABLES else None
        if kind is not None:
            parts = (recorded_column(part, columns) for part in ("repository", "branch", "", "height", "commit_sha"))
            tables.append(Table(name, columns, tuple(part or kind.key for part in parts)))
    own = (STATES, EVENTS, INTERVALS, VERSIONS)
    return (*tables, *(replace(table, columns=existing[table.name]) for table in own if table.name in existing))


def create_database(database: str, placement: Placement = ONE_SERVER) -> str:
    """The statement that makes the ledger's database."""
    return f"CREATE DATABASE IF NOT EXISTS {_everywhere(quote(database), placement)}"


def _everywhere(name: str, placement: Placement) -> str:
    """What a statement is about, on all hosts of a cluster."""
    return f"{name} ON CLUSTER {quote(placement.cluster)}" if placement.cluster else name


def _table_name(database: str, table: str, placement: Placement) -> str:
    return _everywhere(f"{quote(database)}.{quote(table)}", placement)


def format_version(comment: str) -> int:
    """The format of a history, from the comment on its table of versions."""
    number = comment.removeprefix(_FORMAT_COMMENT)
    return int(number) if number != comment and number.isdecimal() else 1


def history_table(kind: Kind) -> Table:
    """A kind's history table."""
    key = (
        recorded_name(kind, "repository"),
        recorded_name(kind, "branch"),
        kind.key,
        recorded_name(kind, "height"),
        recorded_name(kind, "commit_sha"),
    )
    return Table(kind.table, history_columns(kind), key)


def create_table(database: str, table: Table, placement: Placement = ONE_SERVER) -> str:
    """The statement that makes a table. Replicated ones have the path that the server gives them."""
    lines = ",\n".join(f"  {quote(name)} {type_}" for name, type_ in table.columns.items())
    order = ", ".join(map(quote, table.key))
    engine = "ReplicatedReplacingMergeTree" if placement.replicated else "ReplacingMergeTree"
    engine += f"({quote(table.version)})" if table.version else ""
    name = _table_name(database, table.name, placement)
    statement = f"CREATE TABLE IF NOT EXISTS {name} (\n{lines}\n)\nENGINE = {engine}\nORDER BY ({order})"
    return f"{statement}\nCOMMENT '{table.comment}'" if table.comment else statement


def comment_table(database: str, table: Table, placement: Placement = ONE_SERVER) -> str:
    """The statement that gives a table its comment."""
    return f"ALTER TABLE {_table_name(database, table.name, placement)} MODIFY COMMENT '{table.comment}'"


def alter_table(database: str, table: str, change: ColumnChange, placement: Placement = ONE_SERVER) -> str:
    """The statement that changes a column."""
    what = "ADD COLUMN IF NOT EXISTS" if change.is_new else "MODIFY COLUMN"
    return f"ALTER TABLE {_table_name(database, table, placement)} {what} {quote(change.column)} {change.type}"


def drop_table(database: str, table: str, placement: Placement = ONE_SERVER) -> str:
    """The statement that removes a table."""
    return f"DROP TABLE {_table_name(database, table, placement)}"


def column_changes(kind: Kind, existing: Mapping[str, str]) -> tuple[ColumnChange, ...]:
    """What lets an existing table hold this kind: columns it lacks, and types that are too narrow.

    `existing` maps the table's columns to their types. Raises `NeedsHuman` when the key column is another one now,
    which cannot be changed in place.
    """
    columns = history_columns(kind)
    if existing.get(kind.key) != columns[kind.key]:
        raise NeedsHuman(
            f"kind {kind.name}: the key of its history table {kind.table} is not {kind.key} {columns[kind.key]}",
            hint=f"keep the key in {kind.origin} as it was, or give the kind another table",
        )
    missing = (ColumnChange(name, type_, is_new=True) for name, type_ in columns.items() if name not in existing)
    wider = ((name, _wide_enough(existing[name], type_)) for name, type_ in columns.items() if name in existing)
    return (
        *missing,
        *(ColumnChange(name, type_, is_new=False) for name, type_ in wider if type_ != existing[name]),
    )


def _wide_enough(old: str, new: str) -> str:
    """The type that holds both: a double for integers and doubles, else text."""
    if old == new:
        return old
    if {old, new} == {"Nullable(Int64)", "Nullable(Float64)"}:
        return "Nullable(Float64)"
    return "Nullable(String)"
