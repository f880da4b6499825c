"""The tables of a kind, made and questioned with the duckdb driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.kinds.kind import Column, SqlType
from reconciler.tables.duckdb import make_tables
from reconciler.tables.rows import desired_values, live_values
from reconciler.values import replace
from tests.kinds.loading import shipped
from tests.support.kinds import GADGET, ODD, WIDGET, gadget, make_kind, resource, row, uid, widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.kinds.kind import Kind

STAMPS = [("created_at", "TIMESTAMP"), ("updated_at", "TIMESTAMP")]
ALL = [*shipped(), WIDGET, GADGET, ODD]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory."""
    with duckdb.connect() as opened:
        opened.execute("CREATE SCHEMA desired")
        yield opened


def create(connection: duckdb.DuckDBPyConnection, kind: Kind) -> None:
    """Make a kind's tables and indexes."""
    made = make_tables(kind)
    for statement in (made.live, made.desired, *made.indexes):
        connection.execute(statement)


def columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[tuple[str, str]]:
    """Names and types as the database has them."""
    return connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? "
        "ORDER BY column_index",
        [schema, table],
    ).fetchall()


@pytest.mark.parametrize("kind", [*shipped(), WIDGET, GADGET], ids=lambda kind: kind.table)
def test_ddl_is_the_golden_one(kind: Kind, golden: Callable[[str, str], None]) -> None:
    golden(f"ddl/duckdb_{kind.table}.sql", make_tables(kind).definition + "\n")


DOMAIN = {
    "user_config": "user_id UUID, lot_size_type VARCHAR, lot_size_value DOUBLE, risk_per_trade_percent DOUBLE, "
    "stop_loss_type VARCHAR, take_profit_type VARCHAR, max_open_trades INTEGER, trade_direction VARCHAR, "
    "status VARCHAR",
    "account_config": "account_id UUID, broker_id UUID, spread_type VARCHAR, commission DOUBLE, "
    "margin_requirement DOUBLE, leverage DOUBLE, currency_pair VARCHAR, status VARCHAR",
    "instance_config": "instance_id UUID, path VARCHAR, cpu_limit_percent DOUBLE, memory_limit_mb DOUBLE, "
    "max_trades INTEGER, slippage_tolerance DOUBLE, connection_timeout_sec INTEGER, status VARCHAR",
    "signal_config": "config_id UUID, entry_strategy VARCHAR, exit_strategy VARCHAR, lot_size_type VARCHAR, "
    "risk_per_trade_percent DOUBLE, trade_direction VARCHAR, status VARCHAR",
    "system_config": "config_id UUID, log_level VARCHAR, backup_interval_sec INTEGER, max_log_size_mb DOUBLE, "
    "cache_size_mb DOUBLE, sync_interval_sec INTEGER",
}
INDEXES = {
    "user_config": "[user_id, status]",
    "account_config": "[account_id, broker_id]",
    "instance_config": "[instance_id, status]",
    "signal_config": "[config_id, status]",
    "system_config": "[config_id]",
}


@pytest.mark.parametrize("kind", shipped().members, ids=lambda kind: kind.table)
def test_shipped_tables_are_exactly_those_of_the_domain(connection: duckdb.DuckDBPyConnection, kind: Kind) -> None:
    create(connection, kind)
    written = [tuple(column.split(" ")) for column in DOMAIN[kind.table].split(", ")]
    assert columns(connection, "main", kind.table) == [*written, *STAMPS]
    keys = connection.execute(
        "SELECT constraint_column_names FROM duckdb_constraints() "
        "WHERE schema_name = 'main' AND constraint_type = 'PRIMARY KEY'"
    ).fetchall()
    assert keys == [([written[0][0]],)]
    indexes = connection.execute("SELECT expressions FROM duckdb_indexes() WHERE schema_name = 'main'").fetchall()
    assert [found.replace("'", "").replace('"', "") for (found,) in indexes] == [INDEXES[kind.table]]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.table)
def test_desired_table_has_the_live_columns_and_the_declaration(
    connection: duckdb.DuckDBPyConnection, kind: Kind
) -> None:
    create(connection, kind)
    live, desired = (columns(connection, schema, kind.table) for schema in ("main", "desired"))
    assert desired[: len(live)] == live
    assert [name.removeprefix("declared_") for name, _ in desired[len(live) :]] == [
        "name", "labels", "annotations", "refs", "path", "line", "digest", "created_commit", "updated_commit",
    ]  # fmt: skip


def test_a_column_named_like_one_of_the_declaration_keeps_its_name() -> None:
    assert '"path" VARCHAR(255)' in make_tables(GADGET).desired
    assert '"declared_path" VARCHAR' in make_tables(GADGET).desired
    assert any('("declared_path")' in index for index in make_tables(GADGET).indexes)


def test_odd_names_are_taken_literally(connection: duckdb.DuckDBPyConnection) -> None:
    create(connection, ODD)
    one = row(resource(ODD, "x", {"select": "it's", "ÄÖ.x": 0.5}), 1)
    insert(connection, ODD, live_values(ODD, one))
    with pytest.raises(duckdb.ConstraintException, match="CHECK"):
        insert(connection, ODD, live_values(ODD, row(resource(ODD, "y", {"select": "its"}), 1)))


def insert(connection: duckdb.DuckDBPyConnection, kind: Kind, values: tuple[Any, ...]) -> None:
    """Insert a live row."""
    table = '"' + kind.table.replace('"', '""') + '"'
    connection.execute(f"INSERT INTO main.{table} VALUES ({', '.join('?' for _ in values)})", values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "x" * 21},
        {"label": "x" * 11},
        {"label": "ä" * 11},
        {"label": None},
        {"colour": "BLUE"},
        {"colour": "red"},
        {"weight": 0.0},
        {"weight": -1.0},
        {"weight": 100.00001},
        {"weight": float("nan")},
        {"weight": float("inf")},
        {"ratio": 0.009999999999999998},
        {"ratio": 2.5},
        {"pieces": 0},
        {"pieces": 1001},
        {"pieces": None},
        {"status": "OFF"},
    ],
    ids=str,
)
def test_main_refuses_what_the_schema_does(connection: duckdb.DuckDBPyConnection, wrong: dict[str, Any]) -> None:
    create(connection, WIDGET)
    insert(connection, WIDGET, live_values(WIDGET, row(widget("good"), 1)))
    bad = widget("bad")
    with pytest.raises(duckdb.ConstraintException, match="constraint failed"):
        insert(connection, WIDGET, live_values(WIDGET, row(replace(bad, values={**bad.values, **wrong}), 1)))


@pytest.mark.parametrize(
    "right",
    [
        {"label": "ä" * 10},
        {"label": ""},
        {"weight": 100.0},
        {"weight": 5e-324},
        {"ratio": 0.01},
        {"ratio": None},
        {"ratio": 2.4999999999999996},
        {"pieces": 1},
        {"pieces": 1000},
        {"fragile": None, "note": None, "parts": None, "maker_id": None},
        {"note": "x" * 10_000},
    ],
    ids=lambda right: str(right)[:40],
)
def test_main_takes_what_the_schema_does(connection: duckdb.DuckDBPyConnection, right: dict[str, Any]) -> None:
    create(connection, WIDGET)
    insert(connection, WIDGET, live_values(WIDGET, row(widget("good", **right), 1)))


def test_ids_are_unique(connection: duckdb.DuckDBPyConnection) -> None:
    create(connection, WIDGET)
    insert(connection, WIDGET, live_values(WIDGET, row(widget("a", widget_id=uid(1)), 1)))
    with pytest.raises(duckdb.ConstraintException, match="primary key"):
        insert(connection, WIDGET, live_values(WIDGET, row(widget("b", widget_id=uid(1)), 1)))


def test_desired_takes_the_projection_as_it_is(connection: duckdb.DuckDBPyConnection) -> None:
    create(connection, GADGET)
    values = desired_values(GADGET, row(gadget("a", widget=("w",)), 1))
    connection.execute(f"INSERT INTO desired.gadget_config VALUES ({', '.join('?' for _ in values)})", values)
    found = connection.execute("SELECT path, declared_path, refs FROM desired.gadget_config").fetchall()
    assert found == [(r"C:\gadgets", "gadget_config/a.yaml", '{"widget":["w"]}')]


def test_a_description_does_not_change_the_definition() -> None:
    plain, told = (
        make_kind("Cog", [Column("cog_id", SqlType.UUID), Column("size", SqlType.INTEGER, description=words)])
        for words in ("", "in millimetres")
    )
    assert make_tables(plain).definition == make_tables(told).definition
