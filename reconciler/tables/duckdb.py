"""DuckDB's tables for a kind: `main.<table>` holds the live rows, `desired.<table>` what git says."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.kinds.kind import TIMESTAMPS, SqlType
from reconciler.kinds.names import LOOKED_UP, declared_name, index_name
from reconciler.tables.rows import declaration_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.kinds.kind import Column, Kind

LIVE = "main"
DESIRED = "desired"

COMPARISONS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


class Tables(Struct, frozen=True):
    """The statements that create a kind's two tables, and the indexes that they get once filled."""

    live: str
    desired: str
    indexes: tuple[str, ...]

    @property
    def definition(self) -> str:
        """The whole definition as one text: when it changes, the tables are rebuilt."""
        return "\n".join(f"{statement};" for statement in (self.live, self.desired, *self.indexes))


@lru_cache(maxsize=64)
def make_tables(kind: Kind) -> Tables:
    """The tables of a kind. Only the live one has the checks: its rows are what trading programs rely on."""
    return Tables(
        live=_create(LIVE, kind, (*map(_live_column, kind.columns), *_stamps(" NOT NULL"))),
        desired=_create(DESIRED, kind, (*map(_typed, kind.columns), *_stamps(""), *_declaration(kind))),
        indexes=(*_live_indexes(kind), *_desired_indexes(kind)),
    )


def live_columns(kind: Kind) -> tuple[str, ...]:
    """The live table's columns, in order; those of `tables.rows.live_values`."""
    return (*(column.name for column in kind.columns), *TIMESTAMPS)


def declared_columns(kind: Kind) -> tuple[str, ...]:
    """The desired table's columns after those of the live one; together those of `tables.rows.desired_values`."""
    return tuple(name for name, _ in declaration_columns(kind))


def quote(identifier: str) -> str:
    """A quoted identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def spell_in_query(table: str) -> str:
    """A table's name as a query has to write it, in lower case: quotes are doubled."""
    return quote(table)[1:-1].lower()


def quote_list(identifiers: Iterable[str]) -> str:
    return ", ".join(map(quote, identifiers))


def qualify(schema: str, table: str) -> str:
    return f"{quote(schema)}.{quote(table)}"


def _create(schema: str, kind: Kind, columns: tuple[str, ...]) -> str:
    body = ",\n".join(f"    {column}" for column in (*columns, f"PRIMARY KEY ({quote(kind.key)})"))
    return f"CREATE TABLE {qualify(schema, kind.table)} (\n{body}\n)"


def _typed(column: Column) -> str:
    return f"{quote(column.name)} {_sql_type(column)}"


def _live_column(column: Column) -> str:
    name = quote(column.name)
    checks = "".join(f" CHECK ({check})" for check in _checks(column, name))
    return f"{_typed(column)}{' NOT NULL' if column.required else ''}{checks}"


def _sql_type(column: Column) -> str:
    if column.type is SqlType.FLOAT:
        return "DOUBLE"
    if column.type is SqlType.VARCHAR and column.length is not None:
        return f"VARCHAR({column.length})"
    return column.type.value


def _checks(column: Column, name: str) -> list[str]:
    checks = []
    if column.type is SqlType.VARCHAR and column.length is not None:
        checks.append(f"length({name}) <= {column.length}")  # DuckDB takes the n of VARCHAR(n) and ignores it
    if column.enum:
        checks.append(f"{name} IN ({', '.join(map(_literal, column.enum))})")
    bounds = [(sign, column.bounds[word]) for word, sign in COMPARISONS.items() if word in column.bounds]
    return checks + [f"{name} {_compare(sign, bound)}" for sign, bound in bounds]


def _compare(sign: str, bound: float) -> str:
    """The comparison with a bound. Schemas compare exactly; beyond 2**53 the double that is stored may be the bound."""
    if abs(bound) < canonical.EXACT_INTEGER:
        return f"{sign} {_number(bound)}"
    return f"{sign[0]}= {_number(float(bound))}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _number(value: float) -> str:
    """A bound as a DuckDB literal: `0.01` alone is a DECIMAL, not the same number as the double."""
    exact = canonical.normalize(value)
    text = repr(exact)
    return f"{text}e0" if isinstance(exact, float) and "e" not in text else text


def _stamps(suffix: str) -> tuple[str, ...]:
    return tuple(f"{quote(name)} TIMESTAMP{suffix}" for name in TIMESTAMPS)


def _declaration(kind: Kind) -> tuple[str, ...]:
    return tuple(f"{quote(name)} {sql_type}" for name, sql_type in declaration_columns(kind))


def _live_indexes(kind: Kind) -> tuple[str, ...]:
    return tuple(_index(LIVE, kind.table, columns) for columns in kind.indexes)


def _desired_indexes(kind: Kind) -> tuple[str, ...]:
    return tuple(_index(DESIRED, kind.table, (name,)) for name in lookup_columns(kind))


def lookup_columns(kind: Kind) -> tuple[str, ...]:
    """The declaration columns with an index, as this kind's table names them."""
    return tuple(declared_name(kind, name) for name in LOOKED_UP)


def _index(schema: str, table: str, columns: tuple[str, ...]) -> str:
    return f"CREATE INDEX {quote(index_name(table, columns))} ON {qualify(schema, table)} ({quote_list(columns)})"
