"""Cells of dates and moments: a time is kept where the field has one, and told where it has none."""

from __future__ import annotations

import copy
import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.workbookfile import read_workbook
from reconciler.importing.cells import read_column
from reconciler.importing.columnreader import Choices
from reconciler.importing.hints import read_hints
from reconciler.importing.sheets import Cell
from reconciler.model.limits import Limits
from tests.importing.sheetmaker import workbook
from tests.importing.widgets import SCHEMA
from tests.kinds.loading import load
from tests.support.world import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.importing.columnreader import ReadColumn

MAC_EPOCH = datetime.fromisoformat("1904-01-01")
DAY = datetime.fromisoformat("2026-04-30")
PLAN: dict[str, Any] = copy.deepcopy(SCHEMA)
for name, form in (("ends", "date"), ("starts", "date-time")):
    PLAN["properties"]["spec"]["properties"][name] = {
        "description": name,
        "type": "string",
        "format": form,
        "maxLength": 40,
    }
    PLAN["x-reconciler"]["columns"][name] = "VARCHAR(40)"
WIDGET = load({"schemas/widget.schema.json": json.dumps(PLAN).encode()}, SHIPPED.kinds)[0].by_name["Widget"]


def read(field: str, *cells: object, **choices: Any) -> ReadColumn:
    column = WIDGET.column(field)
    assert column is not None
    rows = [(row, Cell(cell)) for row, cell in enumerate(cells, 2)]
    return read_column(WIDGET, column, read_hints(WIDGET), Choices(**choices), rows)


@pytest.mark.parametrize(
    ("cell", "day", "moment"),
    [
        (date(2026, 4, 30), "2026-04-30", "2026-04-30T00:00:00Z"),
        (DAY, "2026-04-30", "2026-04-30T00:00:00Z"),
        (DAY.replace(hour=14, minute=30), None, "2026-04-30T14:30:00Z"),
        (46142, "2026-04-30", "2026-04-30T00:00:00Z"),
        (46142 + 14.5 / 24, None, "2026-04-30T14:30:00Z"),
        ("2026-04-30", "2026-04-30", "2026-04-30T00:00:00Z"),
        ("2026-04-30T14:30:00+02:00", None, "2026-04-30T14:30:00+02:00"),
        ("2026-04-30 14:30 +02:00", None, "2026-04-30T12:30:00Z"),
        ("2026-04-30 00:00:00", "2026-04-30", "2026-04-30T00:00:00Z"),
        ("30.4.2026 14:30", None, "2026-04-30T14:30:00Z"),
        ("30.4.2026, 14:30:15.5", None, "2026-04-30T14:30:15.500000Z"),
        ("4/30/2026 2:30 PM", None, "2026-04-30T14:30:00Z"),
        ("4/30/2026 12:00 am", "2026-04-30", "2026-04-30T00:00:00Z"),
        ("30.4.2026 14h", None, None),
        ("30.4.2026 25:00", None, None),
        ("30.4.99", None, None),
        ("26-04-30", None, None),
    ],
)
def test_a_time_is_kept_or_told(cell: object, day: str | None, moment: str | None) -> None:
    for field, value in (("ends", day), ("starts", moment)):
        done = read(field, cell)
        assert (done.values.get(2), [one.code for one in done.faults.values()]) == (
            value,
            [] if value else ["bad-format"],
        )


def test_a_text_of_an_exported_sheet_stays() -> None:
    assert read("starts", "2026-04-30t14:30:00z", is_exact=True).values == {2: "2026-04-30t14:30:00z"}


def test_a_workbook_that_counts_from_1904(tmp_path: Path) -> None:
    rows = [["Ends", "Starts"], [DAY, 46142 - 1462]]
    workbook(tmp_path / "mac.xlsx", {"Widgets": rows}, epoch=MAC_EPOCH)
    sheet = read_workbook(tmp_path / "mac.xlsx", Limits()).sheets[0]
    found = [read("ends", sheet.cell(2, at).value, day_zero=sheet.day_zero).values[2] for at in (1, 2)]
    assert found == ["2026-04-30", "2026-04-30"]
