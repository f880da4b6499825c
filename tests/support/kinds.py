"""Kinds and rows made by hand, for tests of what works on any kind: widgets, and gadgets that use them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.kinds.kind import Column, Kind, Kinds, Reference, SqlType
from reconciler.model.change import Prune, Removal, Resource, Row, Stamp
from reconciler.model.commit import Commit, Signature, StoreUpdate
from reconciler.model.host import Owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.problem import Problem

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def make_kind(
    name: str,
    columns: Iterable[Column],
    *,
    table: str | None = None,
    indexes: tuple[tuple[str, ...], ...] = (),
    references: tuple[Reference, ...] = (),
) -> Kind:
    """A kind whose key is its first column. Its schema is only a list of what the columns are."""
    columns = tuple(columns)
    schema = {
        "title": name,
        "columns": [
            f"{one.name} {one.type} {one.length} {one.required} {one.enum} {dict(one.bounds)}" for one in columns
        ],
        "references": [f"{one.role} {one.kind} {one.many}" for one in references],
        "indexes": [list(one) for one in indexes],
        "about": {"z": 1.5, "a": True},
    }
    return Kind(
        name=name,
        table=table or f"{name.lower()}_config",
        key=columns[0].name,
        columns=columns,
        indexes=indexes,
        references=references,
        schema=schema,
        origin=f"schemas/{name.lower()}.schema.json",
        digest=canonical.digest(schema),
    )


WIDGET_COLUMNS = (
    Column("widget_id", SqlType.UUID),
    Column("colour", SqlType.VARCHAR, length=10, enum=("RED", "GREEN")),
    Column("label", SqlType.VARCHAR, length=10),
    Column("weight", SqlType.FLOAT, bounds={"exclusiveMinimum": 0, "maximum": 100}),
    Column("ratio", SqlType.FLOAT, required=False, bounds={"minimum": 0.01, "exclusiveMaximum": 2.5}),
    Column("pieces", SqlType.INTEGER, bounds={"minimum": 1, "maximum": 1000}),
    Column("fragile", SqlType.BOOLEAN, required=False),
    Column("note", SqlType.VARCHAR, required=False),
    Column("parts", SqlType.JSON, required=False),
    Column("maker_id", SqlType.UUID, required=False),
    Column("status", SqlType.VARCHAR, length=20, enum=("ACTIVE", "INACTIVE")),
)
WIDGET = make_kind("Widget", WIDGET_COLUMNS, indexes=(("widget_id", "status"),))
"""Every column type and every check; rows that left git stay as INACTIVE."""

GADGET = make_kind(
    "Gadget",
    (
        Column("gadget_id", SqlType.UUID),
        Column("path", SqlType.VARCHAR, length=255),
        Column("speed", SqlType.FLOAT, required=False),
    ),
    indexes=(("gadget_id",),),
    references=(Reference("widget", "Widget"), Reference("spares", "Widget", many=True), Reference("twin", "Gadget")),
)
"""No status, so what left git leaves the table; a column named like one of the declaration's; references."""

ODD = make_kind(
    'Odd "kind"',
    (
        Column('the "key"', SqlType.UUID),
        Column("select", SqlType.VARCHAR, enum=("it's", 'a "b"')),
        Column("ÄÖ.x", SqlType.FLOAT),
    ),
    table='odd. "table"; --',
    indexes=(("select", "ÄÖ.x"),),
)
"""Names that only work when they are quoted."""

KINDS = Kinds((GADGET, WIDGET))


def uid(number: int) -> str:
    """A UUID that is easy to read."""
    return f"00000000-0000-4000-8000-{number:012d}"


def resource(
    kind: Kind,
    name: str,
    values: Mapping[str, Any],
    *,
    refs: Mapping[str, tuple[str, ...]] | None = None,
    path: str | None = None,
    line: int = 1,
) -> Resource:
    """A resource as the validator makes them: every column has a value or None, the digest covers the content."""
    filled = {column.name: values.get(column.name) for column in kind.columns}
    filled[kind.key] = filled[kind.key] or canonical.derived_id(kind.name, name)
    labels, annotations, links = {"host": "a"}, {"why": "so"}, dict(refs or {})
    content = [kind.name, name, labels, annotations, {role: list(names) for role, names in links.items()}, filled]
    return Resource(
        kind=kind.name,
        name=name,
        id=filled[kind.key],
        values=filled,
        labels=labels,
        annotations=annotations,
        refs=links,
        path=path or f"{kind.table}/{name}.yaml",
        line=line,
        digest=canonical.digest(content),
    )


def widget(name: str, *, path: str | None = None, line: int = 1, kind: Kind = WIDGET, **values: Any) -> Resource:
    """A widget; `values` go over the defaults."""
    defaults = {
        "colour": "RED",
        "label": "plain",
        "weight": 30.0,
        "ratio": 0.1,
        "pieces": 3,
        "fragile": True,
        "parts": {"screws": [1, 2.5, None], "ä": "ö"},
        "status": "ACTIVE",
    }
    return resource(kind, name, {**defaults, **values}, path=path, line=line)


def gadget(name: str, *, path: str | None = None, line: int = 1, **refs: tuple[str, ...]) -> Resource:
    """A gadget with references."""
    return resource(GADGET, name, {"path": r"C:\gadgets", "speed": 1.0}, refs=refs, path=path, line=line)


def commit(number: int) -> Commit:
    """The commit with this number on a mainline, an hour after the one before it, made in another time zone."""
    at = (START + timedelta(hours=number)).astimezone(timezone(timedelta(hours=9)))
    signature = Signature("Ann", "ann@example.org", at)
    parents = () if number == 1 else (f"{number - 1:040x}",)
    return Commit(f"{number:040x}", parents, signature, signature, f"step {number}")


def stamp(number: int) -> Stamp:
    """The stamp of that commit."""
    return commit(number).stamp


def row(one: Resource, created: int, updated: int | None = None) -> Row:
    """A declared row; `created` and `updated` are numbers of commits."""
    return Row(one, stamp(created), stamp(updated or created))


def tombstone(
    one: Resource, created: int, removed: int, *, updated: int | None = None, prune: Prune = Prune.DEACTIVATE
) -> Row:
    """What a resource left behind when a commit removed it."""
    at = stamp(removed)
    return Row(one, stamp(created), stamp(updated or created), Removal(at.commit, at.time, prune))


def step(number: int, *rows: Row, warnings: Iterable[Problem] = ()) -> StoreUpdate:
    """The step to a commit."""
    return StoreUpdate(
        commit=commit(number),
        height=number,
        digest=canonical.digest(sorted(one.resource.digest for one in rows)),
        rows=rows,
        warnings=tuple(warnings),
        creates=sum(one.removed is None for one in rows),
        updates=0,
        deletes=sum(one.removed is not None for one in rows),
    )


def owner(url: str, branch: str) -> Owner:
    """A repository and branch, at this URL from the beginning."""
    return Owner(url, branch, url, "")


class FixedClock:
    """A clock that moves on by a second each time it is looked at."""

    def __init__(self) -> None:
        self._ticks = itertools.count()

    def now(self) -> datetime:
        """The next second."""
        return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=next(self._ticks))
