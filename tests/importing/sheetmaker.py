"""Spreadsheets as people make them: workbooks, CSV files of several programs, a settings file."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils.datetime import WINDOWS_EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def workbook(
    file: Path,
    sheets: Mapping[str, Sequence[Sequence[Any]]],
    formats: Mapping[str, str] | None = None,
    epoch: datetime = WINDOWS_EPOCH,
    hidden: str = "",
) -> None:
    """A workbook with rows of cells, some of them with a number format: `{"Accounts!C4": "0.0%"}`.

    `hidden` is a row of the first sheet, whose first cell is struck out as well.
    """
    book = Workbook()
    book.epoch = epoch
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row, 1):
                if value is not None:
                    sheet.cell(number, column, value)
    for place, form in (formats or {}).items():
        title, _, cell = place.rpartition("!")
        if form == "merge":
            book[title].merge_cells(cell)
        else:
            for row in book[title][cell] if ":" in cell else ((book[title][cell],),):
                for one in row:
                    one.number_format = form
    if hidden:
        book.worksheets[0].row_dimensions[int(hidden)].hidden = True
        book.worksheets[0][f"A{hidden}"].font = Font(strike=True)
    book.save(file)


def csv_text(rows: Sequence[Sequence[str]], separator: str, end: str = "\r\n") -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator=end).writerows(rows)
    return stream.getvalue()


def prop_book(folder: Path) -> Path:
    """Titles above, merged cells, ratios, percentages, a total without results, a remark: one sheet of everything."""
    rows: list[list[Any]] = [
        ["My prop book as of Friday"],
        [],
        [
            "Konto",
            "Broker",
            "Trader",
            "Pair",
            "Lev.",
            "Comm. ($/lot)",
            "Spread",
            "Margin %",
            "Risk %",
            "Lots",
            "Max trades",
            "SL",
            "TP",
            "Side",
            "Aktiv?",
            "Terminal",
            "Notes",
        ],
        [
            "CV EURUSD",
            "Caldervale EU",
            "FX Majors",
            "EUR/USD",
            "1:30",
            "$7.00",
            "var",
            0.0334,
            0.005,
            0.1,
            5,
            "ATR",
            "ATR",
            "both",
            "ja",
            r"C:\MT5\cv-live-01",
            "watch",
        ],
        [
            "CV GBPUSD",
            None,
            "FX Majors",
            "GBP/USD",
            time(1, 30),
            "6,5",
            "var",
            0.0334,
            0.005,
            0.1,
            5,
            "ATR",
            "ATR",
            "both",
            "ja",
            r"C:\MT5\cv-live-01",
        ],
        [
            "OP Gold",
            "Ostrin Prime",
            "Gold Swing",
            "XAUUSD.r",
            "1:500",
            "7",
            "fixed",
            0.002,
            0.0075,
            0.2,
            3,
            "pips",
            "fixed",
            "long",
            "nein",
            r"C:\MT5\op-01",
        ],
        ["Total", None, None, None, None, "=SUM(F4:F6)"],
        [],
        ["* commission per round turn"],
    ]
    formats = {"Sheet1!H4:I6": "0.00%", "Sheet1!B4:B5": "merge", "Sheet1!A1:H1": "merge"}
    workbook(folder / "prop.xlsx", {"Sheet1": rows}, formats)
    return folder / "prop.xlsx"


def two_sheets(folder: Path) -> Path:
    """A sheet for each kind and one of remarks; the header in the fourth row, numbers as text."""
    traders: list[list[Any]] = [
        ["Trader", "Risk", "Lot size", "Sizing", "Stop loss", "Take profit", "Max positions", "Direction", "State"],
        ["al", "0.5 %", "0.10", "fixed lots", "fixed", "ATR", "4", "long", "on"],
        ["bea", "0.75 %", "2", "percent", "ATR", "percent", "6", "both", "off"],
    ]
    accounts: list[list[Any]] = [
        ["Accounts"],
        [],
        ["as of", date(2026, 4, 3)],
        [
            "Account no.",
            "Owner",
            "Broker",
            "Symbol",
            "Leverage",
            "Commission/lot",
            "Spread type",
            "Margin req.",
            "Status",
        ],
        [5012345, "al", "Ostrin Prime", "eurusd", "1:100", 7, "variable", "1.000,00", "live"],
        [5012346, "bea", "Ostrin Prime", "#US30", 50, 3.5, "FIXED", "5,5", "paused"],
    ]
    accounts[4][7] = "1,5"
    workbook(folder / "desk.xlsx", {"Traders": traders, "My accounts": accounts, "Read me": [["call the broker"]]})
    return folder / "desk.xlsx"


def german_csv(folder: Path) -> Path:
    """Semicolons, decimal commas, Windows-1252."""
    rows = [
        ["Händler", "Risiko %", "Volumen", "Stop", "Ziel", "max. offene Trades", "Richtung", "Aktiv"],
        ["Jürgen Groß", "0,5", "0,25", "ATR", "ATR", "3", "Kauf", "ja"],
        ["Zoë", "1,25", "1.000,5", "fest", "fest", "2", "beide", "nein"],
    ]
    rows[2][2] = "10,5"
    rows[0][2] = "Lots"
    (folder / "händler.csv").write_bytes(csv_text(rows, ";").encode("cp1252"))
    return folder / "händler.csv"


def unicode_tsv(folder: Path) -> Path:
    """Excel's `Unicode text`: UTF-16 with tabs."""
    rows = [
        ["Terminal", "Install path", "VPS", "CPU %", "RAM (MB)", "Max trades", "Slippage (pips)", "Timeout", "Status"],
        ["cv-live-01", r"C:\MT5\cv-live-01" + "\\", "vps-ldn-01", "25", "1 024", "15", "1.5", "30 s", "running"],
        ["op-raw-01", r"D:\MT5\op", "vps-ldn-02", "12.5", "768", "10", "0.8", "1 min", "stopped"],
    ]
    (folder / "terminals.txt").write_bytes(b"\xff\xfe" + csv_text(rows, "\t").encode("utf-16-le"))
    return folder / "terminals.txt"


def exact_header(folder: Path) -> Path:
    """A file with our own header, filled in by hand."""
    rows = [
        [
            "name",
            "lot_size_type",
            "lot_size_value",
            "risk_per_trade_percent",
            "stop_loss_type",
            "take_profit_type",
            "max_open_trades",
            "trade_direction",
            "status",
        ],
        ["al", "fixed", "0,5", "0.5%", "atr", "fixed", "4", "buy", "active"],
    ]
    (folder / "users.csv").write_text(csv_text(rows, ","), encoding="utf-8-sig", newline="")
    return folder / "users.csv"


def settings_file(folder: Path) -> Path:
    """The inputs of an expert advisor."""
    text = "; saved by MetaTrader\r\nInpRiskPercent=0.5||0.1||0.1||2||N\r\nLots=0.25||0||0||0||N\r\nMaxOpenTrades=4\r\n"
    text += "StopLossType=ATR\r\nTakeProfitType=ATR\r\nTradeDirection=both\r\nMagicNumber=77\r\n"
    (folder / "GoldSwing.set").write_bytes(b"\xff\xfe" + text.encode("utf-16-le"))
    return folder / "GoldSwing.set"


MAKES: Mapping[str, Callable[[Path], Path]] = {
    make.__name__: make for make in (prop_book, two_sheets, german_csv, unicode_tsv, exact_header, settings_file)
}
