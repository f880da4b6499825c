"""The ledger's answers about the past, each one query."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from reconciler.adapters.clickhouse import encoding, paststatements
from reconciler.adapters.clickhouse.catalog import bound_columns
from reconciler.model.change import ORDER
from reconciler.model.history import ORPHANED, ActiveDay, Aside, ChangePlace, PastChange
from reconciler.tables.clickhouse import EVENTS_TABLE, VERSIONS_TABLE, kind_of_table
from reconciler.tables.rows import name_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.adapters.clickhouse.catalog import Catalog
    from reconciler.adapters.clickhouse.connection import Connection
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.history import PastRow, Point, VersionRow
    from reconciler.ports import VersionFilter

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)
"""What ClickHouse's DateTime64 holds: https://clickhouse.com/docs/sql-reference/data-types/datetime64."""
HIGHEST = 2**32 - 1
"""No commit has this height."""


class PastQueries:
    """What is asked of one repository's and branch's past; the ledger adds the rest."""

    _connection: Connection
    _catalog: Catalog
    _ours: Mapping[str, str]

    def found(self, only: VersionFilter, *, limit: int) -> tuple[VersionRow, ...]:
        """The versions that a filter lets through, newest committer time first."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return ()
        orphaned = only.status == ORPHANED
        after, height, sha = only.after or (LATEST, HIGHEST, "")
        bound: dict[str, object] = {
            "orphaned": orphaned,
            "status": "" if orphaned else only.status or "",
            "author": only.author or "",
            "since": _bounded(only.since or EARLIEST),
            "until": _bounded(only.until or LATEST),
            "limit": limit,
            "after": _bounded(after),
            "after_height": height,
            "after_sha": sha,
        }
        statement = paststatements.FOUND
        if only.kinds is not None:
            touching, more = self._touching(only.kinds, only.name)
            statement, bound = f"{statement} AND commit_sha IN ({touching})\n", bound | more
        statement += paststatements.NEWEST_FIRST
        return tuple(map(encoding.version_row, self._connection.ask(statement, **self._ours, **bound)))

    def activity(self, since: datetime) -> tuple[ActiveDay, ...]:
        """The days since a moment on which anything was committed to the mainline."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return ()
        rows = self._connection.ask(paststatements.ACTIVITY, since=_bounded(since), **self._ours)
        return tuple(ActiveDay(date.fromisoformat(day), *map(int, counts)) for day, *counts in rows)

    def orphans(self) -> int:
        """How many versions the branch no longer reaches."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return 0
        return int(self._connection.ask(paststatements.ORPHANS, **self._ours)[0][0])

    def aside(self) -> Mapping[str, Aside]:
        """All versions that are not on the mainline now, by their commits."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return {}
        rows = self._connection.ask(paststatements.OFF_THE_MAINLINE, **self._ours)
        return {sha: Aside(tuple(parents), bool(has_rows)) for sha, parents, has_rows in rows}

    def live_at(self, host: str, moment: datetime) -> str | None:
        """The commit that was live on a host at a moment; None when the host has not told."""
        if not self._catalog.columns(EVENTS_TABLE):
            return None
        rows = self._connection.ask(paststatements.LIVE_AT, host=host, moment=_bounded(moment), **self._ours)
        return str(rows[0][0]) if rows else None

    def committed_by(self, moment: datetime) -> VersionRow | None:
        """The highest commit of the mainline whose committer time is not after a moment."""
        if not self._catalog.columns(VERSIONS_TABLE):
            return None
        rows = self._connection.ask(paststatements.COMMITTED_BY, moment=_bounded(moment), **self._ours)
        return encoding.version_row(rows[0]) if rows else None

    def other_kinds(self, known: Kinds) -> tuple[Kind, ...]:
        """Kinds that have a table here and nothing else, each by its table's name."""
        tables = {kind.table for kind in known} | {VERSIONS_TABLE, EVENTS_TABLE}
        others = (kind_of_table(*one) for one in self._catalog.tables().items() if one[0] not in tables)
        return tuple(sorted((kind for kind in others if kind is not None), key=lambda kind: kind.name))

    def rows_at(self, kind: Kind, point: Point, name: str | None = None) -> tuple[PastRow, ...]:
        """Each row of a kind at a point, or those that went by a name or id there, in order of the key column."""
        statement = paststatements.STATE if name is None else paststatements.STATE_OF
        bound = {"new": point.height, "new_dropped": list(point.dropped), **_known_as(name or "")}
        found = [encoding.past_row(kind, row) for row in self._ask_kind(kind, statement, **bound)]
        called = name_column(kind)
        rows = (row for row in found if name is None or name in (row.values[called], row.values[kind.key]))
        return tuple(sorted(rows, key=lambda row: str(row.values[kind.key])))

    def declared(self, kind: Kind, point: Point) -> int:
        """How many resources of a kind git declares at a point."""
        bound = {"new": point.height, "new_dropped": list(point.dropped)}
        counted = self._ask_kind(kind, paststatements.DECLARED, **bound)
        return int(counted[0]["declared"]) if counted else 0

    def between(self, kind: Kind, old: Point, new: Point) -> tuple[tuple[PastRow | None, PastRow | None], ...]:
        """Each row that is another one at two points, as it is at both, in order of the key column."""
        heights = {"old": old.height, "new": new.height}
        bound = {
            **heights,
            "low": min(heights.values()),
            "high": max(heights.values()),
            "old_dropped": list(old.dropped),
            "new_dropped": list(new.dropped),
        }
        sides: dict[str, dict[str, PastRow]] = {"old": {}, "new": {}}
        for row in self._ask_kind(kind, paststatements.BETWEEN, **bound):
            sides[row["history_side"]][str(row[kind.key])] = encoding.past_row(kind, row)
        keys = sorted({*sides["old"], *sides["new"]})
        pairs = ((sides["old"].get(key), sides["new"].get(key)) for key in keys)
        return tuple((before, after) for before, after in pairs if before != after)

    def past_of(self, kind: Kind, name: str) -> tuple[PastChange, ...]:
        """Every change of the resources that ever went by a name or id, the highest first; orphaned ones too."""
        return self._changes(kind, paststatements.PAST_OF, **_known_as(name))

    def newest(self, kind: Kind, *, limit: int, after: ChangePlace | None = None) -> tuple[PastChange, ...]:
        """The highest changes of a kind first, so many at most, and of each row among them the change before."""
        place = after or ChangePlace(HIGHEST, 0, "", "", "")
        bound = {f"after_{part}": value for part, value in place._asdict().items()}
        return self._changes(kind, paststatements.NEWEST, limit=limit, order=list(ORDER), kind=kind.name, **bound)

    def _changes(self, kind: Kind, statement: str, /, **bound: object) -> tuple[PastChange, ...]:
        rows = self._ask_kind(kind, statement, **bound)
        return tuple(
            PastChange(encoding.past_row(kind, row), encoding.version_row(row["history_version"])) for row in rows
        )

    def _ask_kind(self, kind: Kind, statement: str, /, **bound: object) -> Sequence[Mapping[str, Any]]:
        """Ask about a kind's rows; nothing where it has no table yet."""
        if not self._catalog.columns(kind.table) or not self._catalog.columns(VERSIONS_TABLE):
            return ()
        return self._connection.ask_named(statement, **self._columns(kind), **self._ours, **bound)

    def _columns(self, kind: Kind) -> dict[str, str]:
        return {"table": kind.table, "key": kind.key, "name_column": name_column(kind), **bound_columns(kind)}

    def _touching(self, kinds: Sequence[Kind], name: str | None) -> tuple[str, dict[str, object]]:
        bound: dict[str, object] = _known_as(name or "")
        parts = ["SELECT ''"]
        for number, kind in enumerate(kinds):
            if self._catalog.columns(kind.table):
                parts.append(paststatements.touching(number, named=name is not None))
                bound |= {f"{what}_{number}": column for what, column in self._columns(kind).items()}
        return " UNION ALL ".join(parts), bound


def _known_as(name: str) -> dict[str, object]:
    """A name, and the id that it may be."""
    try:
        return {"name": name, "ids": [uuid.UUID(name)] if len(name) == CHARACTERS_OF_ID else []}
    except ValueError:
        return {"name": name, "ids": []}


def _bounded(moment: datetime) -> datetime:
    return min(max(moment, EARLIEST), LATEST)


CHARACTERS_OF_ID = 36
