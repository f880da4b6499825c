"""What number formats show around a number: a value that is shown as 5 ms is no 5 s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.workbookfile import read_workbook
from reconciler.importing.numberformats import show_around
from reconciler.model.limits import Limits
from tests.importing.sheetmaker import workbook
from tests.importing.test_reading import read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("form", "value", "shown", "is_percent"),
    [
        ("General", 7, "", False),
        ("@", 7, "", False),
        ("#,##0.00;-#,##0.00", -7, "", False),
        ('_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', -7, "", False),
        ("# ?/?", 0.5, "", False),
        ("0.00E+00", 7, "", False),
        ("[Red]0.0", 7, "", False),
        ("0.0%", 0.5, "", True),
        ('0.0%;-0.0%;"-"', 0, "", False),
        ("0.0_%", 0.5, "", False),
        ('0.0"%"', 0.5, "7%", False),
        ("0.0\\%", 0.5, "7%", False),
        ("[$€-407] #,##0.00", 7, "€ 7", False),
        ("$#,##0.00_);[Red]($#,##0.00)", -7, "($7)", False),
        ('0.00" lots"', 7, "7 lots", False),
        ('"1:"0', 7, "1:7", False),
        ("0.0,", 7, "7 thousands", False),
        (";;;", 7, "nothing", False),
        ("[>1]0;0.0%", 0.5, "a number by its size", False),
    ],
)
def test_what_a_format_shows(form: str, value: float, shown: str, is_percent: bool) -> None:
    assert show_around(form, value) == (shown, is_percent)


@pytest.mark.parametrize(
    ("header", "value", "form", "found"),
    [
        ("Timeout", 5000, '0" ms"', None),
        ("Timeout", 2, '0" min"', 120),
        ("RAM", 4, '0" GB"', None),
        ("RAM", 512, '0" MB"', 512),
        ("Slippage", 3, '0" points"', None),
        ("Slippage", 3, "$0", None),
        ("CPU %", 0.25, "0%", 25),
        ("CPU %", 25, "0.0_%", 25),
        ("CPU %", 0.5, '0.0"%"', 0.5),
    ],
)
def test_a_unit_in_a_format_counts(tmp_path: Path, header: str, value: Any, form: str, found: float | None) -> None:
    rows = [["Terminal", "Path", header, "Status"], ["t1", r"C:\MT5\t1", value, "on"]]
    workbook(tmp_path / "x.xlsx", {"Terminals": rows}, {"Terminals!C2": form})
    done = read(*read_workbook(tmp_path / "x.xlsx", Limits()).sheets)
    values = [one for key, one in done.spec("Instance", "t1").items() if key not in {"path", "status"}]
    assert (done.codes, values) == (([], [found]) if found is not None else (["wrong-type"], []))
