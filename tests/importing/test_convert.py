"""Cells to values: exactly, or with a problem that says why not."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.importing.tables import CellError, convert_cell
from reconciler.kinds.kind import Column, SqlType


def column(sql_type: SqlType) -> Column:
    return Column("x", sql_type)


@pytest.mark.parametrize(
    ("sql_type", "raw", "value"),
    [
        (SqlType.FLOAT, "0.1", 0.1),
        (SqlType.FLOAT, " 30 ", 30.0),
        (SqlType.FLOAT, 30, 30.0),
        (SqlType.FLOAT, "-0.0", 0.0),
        (SqlType.FLOAT, "0.1000", 0.1),
        (SqlType.FLOAT, "1e-07", 1e-7),
        (SqlType.FLOAT, "1E400000", CellError),
        (SqlType.INTEGER, "3", 3),
        (SqlType.INTEGER, "3.0", 3),
        (SqlType.INTEGER, 3.0, 3),
        (SqlType.INTEGER, "9007199254740993", 9007199254740993),
        (SqlType.UUID, "BFE13562-DAE7-5660-82DA-24B6330334BD ", "bfe13562-dae7-5660-82da-24b6330334bd"),
        (SqlType.VARCHAR, " a ", " a "),
        (SqlType.BOOLEAN, "TRUE", True),
        (SqlType.BOOLEAN, "0", False),
        (SqlType.BOOLEAN, 1, True),
        (SqlType.JSON, '{"b": 1.0, "a": [null]}', {"a": [None], "b": 1}),
        (SqlType.VARCHAR, "", ""),
        (SqlType.FLOAT, "", None),
        (SqlType.INTEGER, None, None),
        (SqlType.JSON, "", None),
    ],
)
def test_a_cell_is_its_value(sql_type: SqlType, raw: Any, value: Any) -> None:
    found = convert_cell(column(sql_type), raw)
    if value is CellError:
        assert isinstance(found, CellError)
    else:
        assert (found, type(found)) == (value, type(value))
        assert str(found) == str(value)  # 0.0 is not -0.0


@pytest.mark.parametrize(
    ("sql_type", "raw", "code", "told"),
    [
        (SqlType.FLOAT, "0,5", "wrong-type", "write 0.5, with a point"),
        (SqlType.FLOAT, "1,000.5", "wrong-type", "such as 1"),
        (SqlType.FLOAT, "2%", "wrong-type", "'2%' is no number"),
        (SqlType.FLOAT, "1:30", "wrong-type", "'1:30' is no number write 30, the number after the colon"),
        (SqlType.INTEGER, "1:100", "wrong-type", "write 100, the number after the colon"),
        (SqlType.FLOAT, "1_000", "wrong-type", "write 1000"),
        (SqlType.FLOAT, "٣", "wrong-type", "is no number"),
        (SqlType.FLOAT, True, "wrong-type", "true is no number"),
        (SqlType.FLOAT, "nan", "not-finite", "'nan' is not a finite number"),
        (SqlType.FLOAT, float("inf"), "not-finite", "'inf'"),
        (SqlType.FLOAT, "1e309", "not-finite", "'1e309'"),
        (SqlType.FLOAT, 10**400, "not-finite", "…"),
        (SqlType.INTEGER, "3.5", "wrong-type", "is no whole number"),
        (SqlType.INTEGER, "1e999999999", "not-finite", "1e999999999"),
        (SqlType.VARCHAR, 30, "wrong-type", "30 is no text"),
        (SqlType.BOOLEAN, "maybe", "wrong-type", "neither true nor false"),
        (SqlType.JSON, "{a: 1}", "wrong-type", "is no JSON"),
        (SqlType.JSON, r'"\ud800"', "wrong-type", "half a character"),
        (SqlType.JSON, "[NaN]", "wrong-type", "is no JSON"),
        (SqlType.JSON, "[" * 5000, "wrong-type", "is"),
    ],
)
def test_a_cell_that_is_no_value_is_told(sql_type: SqlType, raw: Any, code: str, told: str) -> None:
    found = convert_cell(column(sql_type), raw)
    assert isinstance(found, CellError)
    assert found.code == code
    assert told in f"{found.message} {found.hint}"
    assert len(found.message) < 200
