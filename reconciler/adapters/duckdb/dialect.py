"""The ledger's statements in DuckDB's words, and its columns in DuckDB's types.

The statements are in ClickHouse's SQL as far as DuckDB has it, too. Functions that it lacks are macros here. How names
and values are bound is rewritten, and FINAL is dropped: a row is written over the one that it replaces.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.ledger.offered import duckdb_type
from reconciler.tables.duckdb import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WORD = re.compile(
    r"`(?P<quoted>(?:[^`\\]|\\.)*)`|(?P<among>\bIN )?\{(?P<name>\w+):(?P<type>\w+(?:\([^}]*\))?)\}|(?P<final>\bFINAL\b)"
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
IDENTIFIER = "Identifier"

MACROS = """
assumeNotNull(a) AS a
toNullable(a) AS a
toString(a) AS CAST(a AS VARCHAR)
toUInt64(a) AS CAST(a AS UBIGINT)
toDate(moment, zone) AS CAST(moment AS DATE)
toDateTime64(moment, digits, zone) AS CAST(moment AS TIMESTAMP)
startsWith(a, b) AS starts_with(a, b)
positionCaseInsensitiveUTF8(a, b) AS strpos(lower(a), lower(b))
indexOf(a, b) AS list_position(a, b)
countIf(a) AS count(*) FILTER (WHERE a)
sumIf(a, b) AS coalesce(sum(a) FILTER (WHERE b), 0)
notEmpty(a) AS len(a) > 0
arrayStringConcat(a, b) AS array_to_string(CAST(a AS VARCHAR[]), b)
JSONHas(a, b) AS json_exists(a, b)
JSONExtractRaw(a, b) AS CAST(json_extract(a, b) AS VARCHAR)
JSONLength(a, b) AS coalesce(json_array_length(a, b), 0)
""".strip().splitlines()
"""Moments have no zone in the file, they are UTC's."""
MACRO_STATEMENTS = ";\n".join(f"CREATE TEMP MACRO {macro}" for macro in MACROS)

DRIFT_OF_KIND = """
list_filter(json_extract(detail, '$.rows[*]'), lambda drift: json_extract_string(drift, 'kind') = {kind:String}
  AND ({every:Bool} OR json_extract_string(drift, 'id') IS NULL
    OR list_contains({ids:Array(String)}, json_extract_string(drift, 'id'))))"""


def translate(statement: str, parameters: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """A statement as DuckDB takes it, and the values that are bound to it."""
    bound: dict[str, object] = {}

    def word(matched: re.Match[str]) -> str:
        if matched["final"]:
            return ""
        if matched["name"] is None:
            return quote(_ESCAPED.sub(r"\1", matched["quoted"]))
        value = parameters[matched["name"]]
        if matched["type"] == IDENTIFIER:
            return quote(str(value))
        bound[matched["name"]] = to_duckdb(value)
        cast = f"CAST(${matched['name']} AS {duckdb_type(matched['type'])})"
        return f"IN (SELECT unnest({cast}))" if matched["among"] else cast

    return _WORD.sub(word, statement), bound


def to_duckdb(value: object) -> object:
    """A value as DuckDB's columns have it: moments in UTC without saying so, and text that has a UTF-8 form.

    Half a character (a lone surrogate, or a byte of a path that is not UTF-8) has none: it becomes U+FFFD.
    """
    if isinstance(value, datetime):
        return canonical.utc(value).replace(tzinfo=None)
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return value


def to_records(rows: Iterable[Sequence[object]]) -> list[tuple[Any, ...]]:
    """Rows as they are appended."""
    return [tuple(map(to_duckdb, row)) for row in rows]
