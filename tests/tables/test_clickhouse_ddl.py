"""The ledger's DDL: as golden files, and what an older table needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import NeedsHuman
from reconciler.kinds.kind import Column, SqlType
from reconciler.tables.clickhouse import (
    DEFAULT_DATABASE,
    EVENTS,
    INTERVALS,
    STATES,
    VERSIONS,
    ColumnChange,
    Placement,
    alter_table,
    column_changes,
    comment_table,
    create_database,
    create_table,
    drop_table,
    history_columns,
    history_table,
)
from reconciler.values import replace
from tests.support.kinds import GADGET, ODD, WIDGET, WIDGET_COLUMNS, make_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.kinds.kind import Kind

TABLE = "`config_history`.`widget_config`"


@pytest.mark.parametrize("kind", [WIDGET, GADGET, ODD], ids=["widget", "gadget", "odd"])
def test_a_kinds_table(golden: Callable[[str, str], None], request: pytest.FixtureRequest, kind: Kind) -> None:
    golden(
        f"ddl/clickhouse-{request.node.callspec.id}.sql", f"{create_table(DEFAULT_DATABASE, history_table(kind))};\n"
    )


def test_the_tables_of_every_history(golden: Callable[[str, str], None]) -> None:
    tables = (create_table(DEFAULT_DATABASE, table) for table in (VERSIONS, STATES, EVENTS, INTERVALS))
    statements = (create_database(DEFAULT_DATABASE), *tables)
    golden("ddl/clickhouse.sql", "".join(f"{statement};\n" for statement in statements))


def test_the_statements_of_a_cluster(golden: Callable[[str, str], None]) -> None:
    """All that is ever sent about tables: each on every host, with an engine that has all rows there."""
    desk = Placement("desk-1", replicated=True)
    added = ColumnChange("fin`ish", "Nullable(UUID)", is_new=True)
    wider = ColumnChange("pieces", "Nullable(Float64)", is_new=False)
    statements = (
        create_database(DEFAULT_DATABASE, desk),
        *(create_table(DEFAULT_DATABASE, table, desk) for table in (VERSIONS, STATES, EVENTS, INTERVALS)),
        create_table(DEFAULT_DATABASE, history_table(WIDGET), desk),
        comment_table(DEFAULT_DATABASE, VERSIONS, desk),
        alter_table(DEFAULT_DATABASE, WIDGET.table, added, desk),
        alter_table(DEFAULT_DATABASE, WIDGET.table, wider, desk),
        drop_table(DEFAULT_DATABASE, WIDGET.table, desk),
    )
    golden("ddl/clickhouse-cluster.sql", "".join(f"{statement};\n" for statement in statements))
    assert all(" ON CLUSTER `desk-1`" in statement for statement in statements)


def test_a_cluster_and_its_engine_are_independent() -> None:
    """In a database that replicates itself ON CLUSTER is refused; ClickHouse Cloud has its own engine."""
    replicated = create_table(DEFAULT_DATABASE, VERSIONS, Placement(replicated=True))
    assert "ReplicatedReplacingMergeTree(`generation`)" in replicated
    assert "ON CLUSTER" not in replicated
    assert "ENGINE = ReplacingMergeTree(" in create_table(DEFAULT_DATABASE, VERSIONS, Placement("desk"))


def migrations(kind: Kind, existing: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(alter_table(DEFAULT_DATABASE, kind.table, change) for change in column_changes(kind, existing))


def typed(type_: SqlType) -> Kind:
    columns = (replace(column, type=type_) if column.name == "pieces" else column for column in WIDGET_COLUMNS)
    return make_kind("Widget", columns)


def test_a_table_that_fits_is_left_alone() -> None:
    for kind in (WIDGET, GADGET, ODD):
        assert column_changes(kind, history_columns(kind)) == ()


def test_a_column_is_added_and_none_is_dropped() -> None:
    newer = make_kind("Widget", (*WIDGET_COLUMNS, Column("fin`ish", SqlType.UUID)))
    assert migrations(newer, history_columns(WIDGET)) == (
        f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS `fin\\`ish` Nullable(UUID)",
    )
    assert migrations(WIDGET, history_columns(newer)) == ()


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        (SqlType.INTEGER, SqlType.FLOAT, "Float64"),
        (SqlType.FLOAT, SqlType.INTEGER, None),
        (SqlType.FLOAT, SqlType.VARCHAR, "String"),
        (SqlType.VARCHAR, SqlType.FLOAT, None),
        (SqlType.UUID, SqlType.BOOLEAN, "String"),
        (SqlType.VARCHAR, SqlType.JSON, None),
    ],
)
def test_a_column_is_widened_and_never_narrowed(old: SqlType, new: SqlType, wider: str | None) -> None:
    expected = (f"ALTER TABLE {TABLE} MODIFY COLUMN `pieces` Nullable({wider})",) if wider else ()
    assert migrations(typed(new), history_columns(typed(old))) == expected


def test_another_key_is_refused() -> None:
    with pytest.raises(NeedsHuman, match="the key of its history table gadget_config is not gadget_id UUID"):
        column_changes(GADGET, history_columns(GADGET) | {"gadget_id": "String"})
