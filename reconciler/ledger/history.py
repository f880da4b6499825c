"""What is asked about the past of one repository and branch.

Nothing from outside is formatted into a statement: `$PARTS` are the constants here, and names are bound as
`Identifier`. A history row counts if its commit is valid, on the mainline and not orphaned, or one of some commits that
were.
"""

from __future__ import annotations

import re
import uuid
from datetime import date
from string import Template
from typing import TYPE_CHECKING, Any

from reconciler.ledger.tables import (
    EARLIEST,
    LATEST,
    bound_columns,
    clamp,
    past_row,
    version_row,
)
from reconciler.model.change import ORDER
from reconciler.model.rows import ORPHANED, ActiveDay, ChangeCursor, HistoryChange, SideVersion
from reconciler.tables.clickhouse import (
    OWN_TABLES,
    STATE_COLUMNS,
    STATES_TABLE,
    VERSION_COLUMNS,
    VERSIONS_TABLE,
    kind_of_table,
)
from reconciler.tables.rows import name_column

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.ledger.connection import Connection
    from reconciler.ledger.tables import Catalog
    from reconciler.model.rows import HistoryPoint, HistoryRow, VersionRow
    from reconciler.ports import VersionFilter

PARTS = {
    "OURS": "repository = {repository:String} AND branch = {branch:String}",
    "ROWS_OF_OURS": (
        "{repository_column:Identifier} = {repository:String} AND {branch_column:Identifier} = {branch:String}"
    ),
    "TABLE": "{database:Identifier}.{table:Identifier}",
    "VERSIONS": "$VERSIONS",
    "VERSION": ", ".join(name for name in VERSION_COLUMNS if name not in ("repository", "branch", "generation")),
    "COMMIT": "{commit_column:Identifier}",
    "HEIGHT": "{height_column:Identifier}",
    "KEY": "{key:Identifier}",
}


def build(text: str, **more: str) -> str:
    """A statement of the parts. `$VERSIONS` stays in it until it is asked."""
    return Template(text).substitute(PARTS | more)


RECORDED_VERSIONS = "{database:Identifier}.config_versions FINAL"
"""What `$VERSIONS` stands for where nothing can have changed since it was recorded: in a history of format 1."""

_NAMES = ", ".join(VERSION_COLUMNS)
_OF_BOTH = ", ".join(f"{'state' if name in STATE_COLUMNS else 'recorded'}.{name} AS {name}" for name in VERSION_COLUMNS)
_STATES = "{database:Identifier}.version_states"
VERSIONS = build(f"""(
SELECT {_NAMES} FROM {RECORDED_VERSIONS}
WHERE $OURS AND commit_sha NOT IN (SELECT commit_sha FROM {_STATES} WHERE $OURS)
UNION ALL
SELECT {_OF_BOTH} FROM (
  SELECT * FROM {RECORDED_VERSIONS} WHERE $OURS AND commit_sha IN (SELECT commit_sha FROM {_STATES} WHERE $OURS)
) AS recorded INNER JOIN (
  SELECT DISTINCT ON (commit_sha) * FROM {_STATES} FINAL WHERE $OURS
  ORDER BY store = {{store:UUID}} DESC, changed_at DESC, store
) AS state ON state.commit_sha = recorded.commit_sha
)""")  # noqa: S608  of our own making
"""What else it stands for: what this host's store last found of a version, else what another did, else the record."""


def resolve_versions(statement: str, catalog: Catalog) -> str:
    """A statement of the parts, for the tables that the history has."""
    return Template(statement).substitute(VERSIONS=VERSIONS if catalog.columns(STATES_TABLE) else RECORDED_VERSIONS)


PARTS["VALID"] = build("$OURS AND mainline AND NOT orphaned AND status = 'VALID'")

PARTS["NAMED"] = build("""
SELECT $KEY FROM $TABLE
WHERE $ROWS_OF_OURS AND ({name_column:Identifier} = {name:String} OR $KEY IN {ids:Array(UUID)})
""")
"""The resources that ever went by a name. FINAL makes no difference to which they are."""

FOUND = build("""
SELECT $VERSION FROM $VERSIONS
WHERE $OURS AND orphaned = {orphaned:Bool} AND ({status:String} = '' OR status = {status:String})
  AND positionCaseInsensitiveUTF8(concat(author_name, ' <', author_email, '>'), {author:String}) > 0
  AND (positionCaseInsensitiveUTF8(concat(message, ' ', author_name, ' <', author_email, '>'), {text:String}) > 0
    OR startsWith(commit_sha, {sha:String}))
  AND committer_time >= {since:DateTime64(6, 'UTC')} AND committer_time < {until:DateTime64(6, 'UTC')}
  AND ({after_sha:String} = '' OR committer_time < {after:DateTime64(6, 'UTC')}
    OR committer_time = {after:DateTime64(6, 'UTC')} AND (
      height < {after_height:UInt32} OR height = {after_height:UInt32} AND commit_sha > {after_sha:String}
    ))
""")
"""An empty author or text is part of every one."""
SHA = re.compile("[0-9a-f]{4,64}", re.ASCII)
NO_SHA = "-"
"""No commit's begins so."""

NEWEST_FIRST = "ORDER BY committer_time DESC, height DESC, commit_sha LIMIT {limit:UInt64}"

ACTIVITY = build("""
SELECT toString(toDate(committer_time, 'UTC')) AS day, count(), countIf(status = 'INVALID'),
  sumIf(creates, NOT kept_back), sumIf(updates, NOT kept_back), sumIf(deletes, NOT kept_back), countIf(kept_back)
FROM (
  SELECT *, commit_sha IN {refused:Array(String)} AND status = 'VALID' AS kept_back FROM $VERSIONS
  WHERE $OURS AND mainline AND NOT orphaned AND committer_time >= {since:DateTime64(6, 'UTC')}
)
GROUP BY day ORDER BY day
""")

ORPHANS = build("SELECT count() FROM $VERSIONS WHERE $OURS AND orphaned")

OFF_THE_MAINLINE = build("""
SELECT commit_sha, parents, mainline AND status = 'VALID' FROM $VERSIONS
WHERE $OURS AND (orphaned OR NOT mainline)
""")

COMMITTED_BY = build("""
SELECT $VERSION FROM $VERSIONS
WHERE $OURS AND mainline AND NOT orphaned AND committer_time <= {moment:DateTime64(6, 'UTC')}
ORDER BY height DESC LIMIT 1
""")

_AT = """
SELECT DISTINCT ON ($KEY) * FROM $TABLE FINAL
WHERE $ROWS_OF_OURS AND $WHICH AND ($COMMIT IN {${POINT}_dropped:Array(String)}
  OR $HEIGHT <= {$POINT:UInt32} AND $COMMIT IN (
    SELECT commit_sha FROM $VERSIONS WHERE $VALID AND height <= {$POINT:UInt32} AND $THOSE
  ))
ORDER BY $KEY, $HEIGHT DESC
"""


def _at(point: str, keys: str) -> str:
    """The newest row up to a point of each of some keys. Only the commits that touched them are looked up."""
    which = build("$KEY IN ($KEYS)", KEYS=keys)
    those = build("commit_sha IN (SELECT $COMMIT FROM $TABLE WHERE $ROWS_OF_OURS AND $WHICH)", WHICH=which)
    return build(_AT, POINT=point, WHICH=which, THOSE=those)


_TOUCHED = build("""
SELECT $KEY FROM $TABLE
WHERE $ROWS_OF_OURS AND (
  $HEIGHT > {low:UInt32} AND $HEIGHT <= {high:UInt32}
  OR $COMMIT IN {old_dropped:Array(String)} OR $COMMIT IN {new_dropped:Array(String)}
)
""")
"""The rows with anything of only one of two points; others may be among them."""

STATE = build(_AT, POINT="new", WHICH="true", THOSE="true")

DECLARED = build("""
SELECT countIf(last != 'delete') AS declared FROM (
  SELECT argMax({op_column:Identifier}, $HEIGHT) AS last FROM $TABLE
  WHERE $ROWS_OF_OURS AND ($COMMIT IN {new_dropped:Array(String)}
    OR $HEIGHT <= {new:UInt32} AND $COMMIT IN (
      SELECT commit_sha FROM $VERSIONS WHERE $VALID AND height <= {new:UInt32}
    ))
  GROUP BY $KEY
)
""")
"""Without FINAL, which takes four times as long: a row that was recorded again says the same here."""

STATE_OF = _at("new", PARTS["NAMED"])

BETWEEN = build(
    "SELECT 'old' AS history_side, * FROM ($OLD) UNION ALL SELECT 'new', * FROM ($NEW)",
    OLD=_at("old", _TOUCHED),
    NEW=_at("new", _TOUCHED),
)

PAST_OF = build("""
SELECT history_version, row.* FROM (
  SELECT * FROM $TABLE FINAL WHERE $ROWS_OF_OURS AND $KEY IN ($NAMED)
) AS row INNER JOIN (
  SELECT commit_sha AS history_commit, ($VERSION) AS history_version FROM $VERSIONS
  WHERE $OURS AND mainline AND status = 'VALID' AND commit_sha IN (
    SELECT $COMMIT FROM $TABLE WHERE $ROWS_OF_OURS AND $KEY IN ($NAMED)
  )
) AS versions ON row.$COMMIT = versions.history_commit
ORDER BY row.$HEIGHT DESC, row.$COMMIT, row.$KEY
""")

PARTS["WITHIN"] = build("indexOf({order:Array(String)}, {op_column:Identifier}) - 1, {name_column:Identifier}")
"""The order of the changes of a commit, but for the id."""

PARTS["AFTER"] = build("""
($HEIGHT < {after_height:UInt32} OR $HEIGHT = {after_height:UInt32}
  AND (
    indexOf({order:Array(String)}, {op_column:Identifier}) - 1, {kind:String}, {name_column:Identifier}, toString($KEY)
  ) > ({after_rank:UInt8}, {after_kind:String}, {after_name:String}, {after_id:String}))
""")

PARTS["HIGH_ENOUGH"] = build("""
$HEIGHT >= (SELECT min(high) FROM (
  SELECT DISTINCT $HEIGHT AS high FROM $TABLE
  WHERE $ROWS_OF_OURS AND $HEIGHT < {after_height:UInt32}
    AND $COMMIT IN (SELECT commit_sha FROM $VERSIONS WHERE $VALID)
  ORDER BY high DESC LIMIT {limit:UInt64}
))
""")
"""As many commits hold at least as many changes: the others need not be put in order. All, where there are fewer."""

PARTS["NEWEST_KEYS"] = build("""
SELECT DISTINCT $KEY, $HEIGHT, $WITHIN FROM $TABLE
WHERE $ROWS_OF_OURS AND $HIGH_ENOUGH AND $AFTER AND $COMMIT IN (SELECT commit_sha FROM $VERSIONS WHERE $VALID)
ORDER BY $HEIGHT DESC, $WITHIN, toString($KEY) LIMIT {limit:UInt64}
""")

NEWEST = build("""
SELECT history_version, row.* FROM (
  SELECT *, row_number() OVER (PARTITION BY $KEY ORDER BY $HEIGHT DESC) AS history_rank FROM $TABLE FINAL
  WHERE $ROWS_OF_OURS AND $KEY IN (SELECT $KEY FROM ($NEWEST_KEYS)) AND $AFTER
    AND $COMMIT IN (SELECT commit_sha FROM $VERSIONS WHERE $VALID)
) AS row INNER JOIN (
  SELECT commit_sha AS history_commit, ($VERSION) AS history_version FROM $VERSIONS WHERE $VALID
) AS versions ON row.$COMMIT = versions.history_commit
WHERE history_rank <= {limit:UInt64} + 1
ORDER BY row.$HEIGHT DESC, $WITHIN, toString(row.$KEY)
""")

_OF_A_KIND = ("table", "key", "name_column", "repository_column", "branch_column", "commit_column")


def touching(number: int, *, named: bool) -> str:
    """The commits that changed a resource of the kind with this number, or one that went by a name."""
    which = build("$KEY IN ($NAMED)") if named else "true"
    statement = build("SELECT $COMMIT FROM $TABLE WHERE $ROWS_OF_OURS AND $WHICH", WHICH=which)
    for name in _OF_A_KIND:
        statement = statement.replace(f"{{{name}:", f"{{{name}_{number}:")
    return statement


HIGHEST = 2**32 - 1
"""No commit has this height."""


class HistoryQueries:
    """What is asked of one repository's and branch's past; the ledger adds the rest."""

    _connection: Connection
    _catalog: Catalog
    _ours: Mapping[str, str]
    _store: str

    def find_versions(self, only: VersionFilter, *, limit: int) -> tuple[VersionRow, ...]:
        """The versions that a filter lets through, newest committer time first."""
        orphaned, text = only.status == ORPHANED, (only.text or "").lower()
        after, height, sha = only.after or (LATEST, HIGHEST, "")
        bound: dict[str, object] = {
            "orphaned": orphaned,
            "status": "" if orphaned else only.status or "",
            "author": only.author or "",
            "text": only.text or "",
            "sha": text if SHA.fullmatch(text) else NO_SHA,
            "since": clamp(only.since or EARLIEST),
            "until": clamp(only.until or LATEST),
            "limit": limit,
            "after": clamp(after),
            "after_height": height,
            "after_sha": sha,
        }
        statement = FOUND
        if only.kinds is not None:
            touching, more = self._touching(only.kinds, only.name)
            statement, bound = f"{statement} AND commit_sha IN ({touching})\n", bound | more
        statement += NEWEST_FIRST
        return tuple(map(version_row, self._ask(statement, **bound)))

    def activity(self, since: datetime, refused: Collection[str] = ()) -> tuple[ActiveDay, ...]:
        """The days since a moment on which anything was committed to the mainline."""
        rows = self._ask(ACTIVITY, since=clamp(since), refused=list(refused))
        return tuple(ActiveDay(date.fromisoformat(day), *map(int, counts)) for day, *counts in rows)

    def count_orphans(self) -> int:
        """How many versions the branch no longer reaches."""
        counted = self._ask(ORPHANS)
        return int(counted[0][0]) if counted else 0

    def side_versions(self) -> Mapping[str, SideVersion]:
        """All versions that are not on the mainline now, by their commits."""
        rows = self._ask(OFF_THE_MAINLINE)
        return {sha: SideVersion(tuple(parents), bool(has_rows)) for sha, parents, has_rows in rows}

    def version_at(self, moment: datetime) -> VersionRow | None:
        """The highest commit of the mainline whose committer time is not after a moment."""
        rows = self._ask(COMMITTED_BY, moment=clamp(moment))
        return version_row(rows[0]) if rows else None

    def other_kinds(self, known: Kinds) -> tuple[Kind, ...]:
        """Kinds that have a table here and nothing else, each by its table's name."""
        tables = {kind.table for kind in known} | OWN_TABLES
        others = (kind_of_table(*table) for table in self._catalog.tables().items() if table[0] not in tables)
        return tuple(sorted((kind for kind in others if kind is not None), key=lambda kind: kind.name))

    def rows_at(self, kind: Kind, point: HistoryPoint, name: str | None = None) -> tuple[HistoryRow, ...]:
        """Each row of a kind at a point, or those that went by a name or id there, in order of the key column."""
        statement = STATE if name is None else STATE_OF
        bound = {"new": point.height, "new_dropped": list(point.dropped), **_bind_name(name or "")}
        past_rows = [past_row(kind, row) for row in self._ask_kind(kind, statement, **bound)]
        called = name_column(kind)
        rows = (row for row in past_rows if name is None or name in (row.values[called], row.values[kind.key]))
        return tuple(sorted(rows, key=lambda row: str(row.values[kind.key])))

    def count_declared(self, kind: Kind, point: HistoryPoint) -> int:
        """How many resources of a kind git declares at a point."""
        bound = {"new": point.height, "new_dropped": list(point.dropped)}
        counted = self._ask_kind(kind, DECLARED, **bound)
        return int(counted[0]["declared"]) if counted else 0

    def changed_rows(
        self, kind: Kind, old: HistoryPoint, new: HistoryPoint
    ) -> tuple[tuple[HistoryRow | None, HistoryRow | None], ...]:
        """Each row that is another one at two points, as it is at both, in order of the key column."""
        heights = {"old": old.height, "new": new.height}
        bound = {
            **heights,
            "low": min(heights.values()),
            "high": max(heights.values()),
            "old_dropped": list(old.dropped),
            "new_dropped": list(new.dropped),
        }
        sides: dict[str, dict[str, HistoryRow]] = {"old": {}, "new": {}}
        for row in self._ask_kind(kind, BETWEEN, **bound):
            sides[row["history_side"]][str(row[kind.key])] = past_row(kind, row)
        keys = sorted({*sides["old"], *sides["new"]})
        pairs = ((sides["old"].get(key), sides["new"].get(key)) for key in keys)
        return tuple((before, after) for before, after in pairs if before != after)

    def changes_of(self, kind: Kind, name: str) -> tuple[HistoryChange, ...]:
        """Every change of the resources that ever went by a name or id, the highest first; orphaned ones too."""
        return self._changes(kind, PAST_OF, **_bind_name(name))

    def newest_changes(self, kind: Kind, *, limit: int, after: ChangeCursor | None = None) -> tuple[HistoryChange, ...]:
        """The highest changes of a kind first, so many at most, and of each row among them the change before."""
        place = after or ChangeCursor(HIGHEST, 0, "", "", "")
        bound = {f"after_{part}": value for part, value in place._asdict().items()}
        return self._changes(kind, NEWEST, limit=limit, order=list(ORDER), kind=kind.name, **bound)

    def _changes(self, kind: Kind, statement: str, /, **bound: object) -> tuple[HistoryChange, ...]:
        rows = self._ask_kind(kind, statement, **bound)
        return tuple(HistoryChange(past_row(kind, row), version_row(row["history_version"])) for row in rows)

    def _ask(self, statement: str, /, **bound: object) -> Sequence[Sequence[Any]]:
        """Ask about the versions; nothing before they have a table: somebody may look before the first sync."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return ()
        return self._connection.ask(self._resolve(statement), store=self._store, **self._ours, **bound)

    def _ask_kind(self, kind: Kind, statement: str, /, **bound: object) -> Sequence[Mapping[str, Any]]:
        """Ask about a kind's rows; nothing where it has no table yet."""
        if not self._catalog.columns(kind.table) or not self._catalog.columns(VERSIONS_TABLE):
            return ()
        bound |= {"store": self._store, **self._ours, **self._columns(kind)}
        return self._connection.ask_named(self._resolve(statement), **bound)

    def _resolve(self, statement: str) -> str:
        return resolve_versions(statement, self._catalog)

    def _columns(self, kind: Kind) -> dict[str, str]:
        return {"table": kind.table, "key": kind.key, "name_column": name_column(kind), **bound_columns(kind)}

    def _touching(self, kinds: Sequence[Kind], name: str | None) -> tuple[str, dict[str, object]]:
        bound: dict[str, object] = _bind_name(name or "")
        parts = ["SELECT ''"]
        for number, kind in enumerate(kinds):
            if self._catalog.columns(kind.table):
                parts.append(touching(number, named=name is not None))
                bound |= {f"{what}_{number}": column for what, column in self._columns(kind).items()}
        return " UNION ALL ".join(parts), bound


def _bind_name(name: str) -> dict[str, object]:
    """A name, and the id that it may be."""
    try:
        return {"name": name, "ids": [uuid.UUID(name)] if len(name) == CHARACTERS_OF_ID else []}
    except ValueError:
        return {"name": name, "ids": []}


CHARACTERS_OF_ID = 36
