"""What `load_kinds` accepts, DuckDB makes tables of; what it refuses for a name, DuckDB refuses as well."""

from __future__ import annotations

import copy
import json
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kinds.load import RESERVED_TABLES
from reconciler.kinds.names import RECORDED
from reconciler.model.change import Decoded, Document, Row
from reconciler.tables import clickhouse
from reconciler.tables.clickhouse import ROW_COLUMNS, desired_columns, history_columns
from reconciler.tables.duckdb import make_tables
from reconciler.tables.rows import live_values
from reconciler.validate.validator import Validator
from reconciler.values import replace
from tests.kinds.loading import load
from tests.support.kinds import stamp
from tests.support.laws import examples
from tests.validate.samples import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

DESK = json.loads((CASES.parent / "schemas" / "positive" / "without-references.schema.json").read_text())


def _schema(name: str, table: str, fields: dict[str, Any], indexes: list[list[str]]) -> dict[str, Any]:
    """A kind with a key `id` and some fields: their parts and SQL types."""
    schema = copy.deepcopy(DESK)
    schema["properties"]["kind"]["const"] = name
    parts = {"id": {"description": "The id.", "type": "string", "format": "uuid"}}
    parts |= {field: {"description": "A field.", **part} for field, (part, _) in fields.items()}
    schema["properties"]["spec"] |= {"properties": parts, "required": []}
    columns = {"id": "UUID"} | {field: sql_type for field, (_, sql_type) in fields.items()}
    schema["x-reconciler"] = {"table": table, "key": "id", "columns": columns, "indexes": indexes, "references": {}}
    schema.pop("$defs", None)
    return schema


def _load(*schemas: dict[str, Any]) -> Any:
    return load(
        {f"schemas/{at}.schema.json": json.dumps(schema, indent=1).encode() for at, schema in enumerate(schemas)}
    )


@lru_cache(maxsize=1)
def _database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA desired")
    return connection


@contextmanager
def _empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database; what is done to it is undone."""
    connection = _database()
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")


def _create(connection: duckdb.DuckDBPyConnection, schemas: list[dict[str, Any]]) -> bool:
    """Whether DuckDB makes the tables of all schemas, each taken to be sound."""
    try:
        for schema in schemas:
            kinds, _ = _load(_alone(schema))
            (kind,) = kinds
            made = make_tables(_renamed(kind, schema))
            for statement in (made.live, made.desired, *made.indexes):
                connection.execute(statement)
    except duckdb.CatalogException:
        return False
    return True


def _alone(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with names that clash with nothing."""
    plain = copy.deepcopy(schema)
    spec, annotation = plain["properties"]["spec"], plain["x-reconciler"]
    spec["properties"] = {f"x_{at}" if at else "id": part for at, part in enumerate(spec["properties"].values())}
    annotation["columns"] = {f"x_{at}" if at else "id": kind for at, kind in enumerate(annotation["columns"].values())}
    annotation["indexes"] = []
    return plain


def _renamed(kind: Any, schema: dict[str, Any]) -> Any:
    names = list(schema["x-reconciler"]["columns"])
    columns = tuple(replace(column, name=name) for column, name in zip(kind.columns, names, strict=True))
    indexes = tuple(tuple(index) for index in schema["x-reconciler"]["indexes"])
    return replace(kind, columns=columns, indexes=indexes, digest=json.dumps(schema))


NAMES = st.sampled_from(
    [
        "a",
        "b",
        "a_b",
        "b_a",
        "name",
        "declared_name",
        "declared",
        "path",
        "declared_path",
        "op",
        "prune",
        "index",
        "select",
    ]
)
TEXT = ({"type": "string"}, "VARCHAR")


@st.composite
def tables(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A kind whose names are likely to clash."""
    fields = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    columns = st.lists(st.sampled_from(fields), min_size=1, max_size=3, unique=True)
    indexes = draw(st.lists(columns, max_size=4, unique_by=tuple))
    table = draw(
        st.sampled_from(["t", "t_a", "t_declared", "t_name", "t_a_index", f"u_{name.lower()}", "sqlite_master"])
    )
    return _schema(name, table, dict.fromkeys(fields, TEXT), indexes)


@settings(deadline=None, max_examples=examples(120))
@given(tables("Desk"), tables("Room"))
def test_names_clash_where_duckdb_says_so(desk: dict[str, Any], room: dict[str, Any]) -> None:
    schemas = [desk, room]
    if desk["x-reconciler"]["table"] == room["x-reconciler"]["table"]:
        schemas.pop()
    kinds, problems = _load(*schemas)
    with _empty() as connection:
        assert _create(connection, schemas) is (not problems)
    for one in problems:
        assert one.hint
        assert one.line > 1
    for kind in kinds:
        history = history_columns(kind)
        assert len(history) == len(ROW_COLUMNS) + len(desired_columns(kind))


@pytest.mark.parametrize("name", RECORDED)
def test_a_field_may_not_be_called_like_the_historys_prefixed_column(name: str) -> None:
    _, problems = _load(_schema("Desk", "desk", dict.fromkeys((name, f"history_{name}"), TEXT), []))
    assert [one.pointer for one in problems] == [f"/x-reconciler/columns/history_{name}"]
    assert _load(_schema("Desk", "desk", dict.fromkeys((f"history_{name}",), TEXT), []))[1] == ()


def test_two_indexes_of_one_name() -> None:
    fields = dict.fromkeys(("a", "b", "a_b"), TEXT)
    _, (problem,) = _load(_schema("Desk", "desk", fields, [["a_b"], ["a", "b"]]))
    assert problem.pointer == "/x-reconciler/indexes/1"
    assert "desk_a_b_index" in problem.message


def test_an_index_of_one_kind_may_have_the_name_of_another_ones() -> None:
    fields = dict.fromkeys(("a", "b"), TEXT)
    _, (problem,) = _load(_schema("Desk", "desk", fields, [["a", "b"]]), _schema("Room", "desk_a", fields, [["b"]]))
    assert problem.path == "schemas/1.schema.json"
    assert "schemas/0.schema.json" in problem.message


def test_the_names_are_those_of_the_tables() -> None:
    assert tuple(ROW_COLUMNS) == RECORDED
    assert {value for name, value in vars(clickhouse).items() if name.endswith("_TABLE")} == RESERVED_TABLES


NUMBERS = st.sampled_from(
    [
        0,
        1,
        -5,
        0.1,
        2.5,
        1e300,
        -1e300,
        5e-324,
        2**31,
        2**53,
        2**53 + 1,
        -(2**63),
        2**64,
        2**127,
        10**30,
    ]
)
BOUNDS = st.dictionaries(
    st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), NUMBERS, max_size=2
)
WORDS = st.lists(
    st.sampled_from(["A", "it's", "", "ä", 'a"b', "%s", "$1", "NULL", "1", "x" * 300]),
    min_size=1,
    max_size=4,
    unique=True,
)
VALUES = st.sampled_from(
    [0, 1, -5, 0.1, 2.5, 1e300, -1e300, 2**31 - 1, 2**53, 2**53 + 1, 10**30, 1e-320, -0.0, 10**300]
)
UUID = "00000000-0000-4000-8000-00000000000A"
TEXTS = st.tuples(WORDS, BOUNDS).map(lambda pair: {"type": "string", "enum": [*pair[0], 1], **pair[1]})
FIELDS: dict[str, tuple[st.SearchStrategy[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "FLOAT": (BOUNDS.map(lambda more: {"type": "number", **more}), VALUES),
    "INTEGER": (BOUNDS.map(lambda more: {"type": "integer", **more}), VALUES),
    "VARCHAR": (TEXTS, st.sampled_from(["A", "it's", "", 'a"b'])),
    "UUID": (BOUNDS.map(lambda more: {"type": "string", "format": "uuid", "enum": [UUID, "x"], **more}), st.just(UUID)),
    "JSON": (BOUNDS.map(lambda more: {"type": "array", "enum": [[1], "x"], **more}), st.just([1])),
    "BOOLEAN": (BOUNDS.map(lambda more: {"type": "boolean", "enum": [True, "x"], **more}), st.booleans()),
}  # fmt: skip


def _assert_stored(part: dict[str, Any], sql_type: str, value: Any) -> None:
    """DuckDB makes the table of a kind with such a field, and takes the row where the schema takes the document."""
    kinds, problems = _load(_schema("Desk", "desk", {"field": (part, sql_type)}, []))
    assert problems == ()
    (kind,) = kinds
    spec = {"field": value}
    document: Any = {"apiVersion": "reconciler/v1", "kind": "Desk", "metadata": {"name": "fx"}, "spec": spec}
    entry = Validator(kinds).check("x.yaml", Decoded((Document(document, {}),)))
    made = make_tables(kind)
    with _empty() as connection:
        for statement in (made.live, made.desired, *made.indexes):
            connection.execute(statement)
        for resource in entry.resources:
            row = live_values(kind, Row(resource, stamp(1), stamp(1)))
            connection.execute(f"INSERT INTO main.desk VALUES ({', '.join('?' for _ in row)})", row)


@settings(deadline=None, max_examples=examples(150))
@given(st.data())
def test_duckdb_takes_what_the_schema_does(data: st.DataObject) -> None:
    """The checks of a table are never tighter than the schema they were made from."""
    sql_type = data.draw(st.sampled_from(sorted(FIELDS)))
    parts, values = FIELDS[sql_type]
    _assert_stored(data.draw(parts), sql_type, data.draw(values))


@pytest.mark.parametrize("keyword", ["exclusiveMinimum", "exclusiveMaximum"])
def test_a_bound_that_the_stored_double_meets(keyword: str) -> None:
    bound = 2**53 if keyword == "exclusiveMinimum" else 2**53 + 2
    _assert_stored({"type": "number", keyword: bound}, "FLOAT", 2**53 + 1)
    _assert_stored({"type": "number", keyword: 0.5}, "FLOAT", 0.5)
