"""Single cells and headers that may mean several things: what is read, what is refused and what is asked."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct

from reconciler.adapters.textsheets import read_text_sheet
from reconciler.importing.drafts import Drafts
from reconciler.importing.guessing import guess_mapping
from reconciler.importing.interpret import Interpreted, interpret
from reconciler.importing.mapping import mapping_names, read_mapping
from reconciler.importing.sheets import Cell, Sheet, Workbook
from reconciler.model.limits import Limits
from reconciler.validate.validator import build_resource
from reconciler.values import replace
from tests.support.world import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.importing.drafts import Draft
    from reconciler.importing.mapping import SheetMapping
    from reconciler.model.change import Resource

USER = ("User", "Lots", "Risk %")
ACCOUNT = ("Account", "Broker", "Leverage", "Pair")


class Read(Struct, frozen=True):
    """What became of a sheet."""

    read: Interpreted
    drafts: Drafts

    def spec(self, kind: str, name: str) -> dict[str, Any]:
        return next(one.spec for key, one in self.drafts.by_name.items() if (key.kind, key.name) == (kind, name))

    @property
    def codes(self) -> list[str]:
        own: list[Draft] = list(self.drafts.by_name.values())
        found = [*self.read.problems, *self.drafts.problems(), *(one for draft in own for one in draft.problems)]
        return [problem.code for problem in found]

    @property
    def questions(self) -> list[str]:
        return [one.question.key for one in self.read.open]

    @property
    def targets(self) -> dict[str, list[str]]:
        return {one.header: one.to for sheet in self.read.mapping.sheets for one in sheet.columns if one.to}


def sheet(*rows: Sequence[Any], name: str = "Sheet1", **options: Any) -> Sheet:
    cells = {
        number: {
            at: value if isinstance(value, Cell) else Cell(value) for at, value in enumerate(row, 1) if value != ""
        }
        for number, row in enumerate(rows, 1)
    }
    return Sheet(f"desk.xlsx:{name}", name, cells, **options)


def read(*sheets: Sheet, mapping: SheetMapping | None = None, declared: Sequence[Resource] = ()) -> Read:
    numbers = count(1)
    drafts = Drafts(
        SHIPPED.kinds, {one.row_id: one for one in declared}, lambda: f"00000000-0000-4000-8000-{next(numbers):012}"
    )
    known = mapping or guess_mapping(sheets, SHIPPED.kinds)
    done = interpret(Workbook("desk.xlsx", sheets), known, SHIPPED.kinds, drafts, is_given=mapping is not None)
    return Read(done, drafts)


@pytest.mark.parametrize(
    ("decision", "cells", "risk", "asked"),
    [
        ("?", [0.005, 0.01], None, ["percent"]),
        ("", [0.005, 0.01], None, ["percent"]),
        ("percent", [0.005, 0.01], 0.005, []),
        ("fraction", [0.005, 0.01], 0.5, []),
        ("?", [0.5, 1], 0.5, []),
    ],
)
def test_a_given_mapping_does_not_decide_what_it_leaves_open(
    decision: str, cells: list[float], risk: float | None, asked: list[str]
) -> None:
    desk = sheet(USER, *([f"u{number}", 0.1, cell] for number, cell in enumerate(cells)), name="Users")
    mapping = guess_mapping([desk], SHIPPED.kinds)
    rule = mapping.sheets[0]
    columns = [replace(one, percent=decision if one.header == "Risk %" else "") for one in rule.columns]
    done = read(desk, mapping=replace(mapping, sheets=[replace(rule, columns=columns)]))
    assert (done.questions, done.spec("User", "u0").get("risk_per_trade_percent")) == (asked, risk)
    column = done.read.mapping.sheets[0].columns[2]
    assert column.percent == ("?" if asked else "percent" if decision == "?" else decision)


@pytest.mark.parametrize(
    ("header", "cells", "words", "sizes", "rows"),
    [
        ("Lot %", [0.02, 0.03], ["", ""], [None, None], (2, 3)),
        ("Lot %", [0.02, 2], ["", ""], [0.02, 2], ()),
        ("Lot %", ["0,02 %", 2], ["", ""], [0.02, 2], ()),
        ("Lots", [0.02, 0.03], ["", ""], [0.02, 0.03], ()),
        ("Lots", [0.02, 0.03], ["percent", "fixed"], [None, 0.03], (2,)),
        ("Lots", [Cell(0.02, percent=True), 0.03], ["percent", "fixed"], [2, 0.03], ()),
        ("Lots", [0.02, 2], ["percent", "%"], [0.02, 2], ()),
    ],
)
def test_a_small_number_of_lots_may_be_a_fraction_where_it_is_in_percent(
    header: str, cells: Sequence[Any], words: Sequence[str], sizes: Sequence[float | None], rows: tuple[int, ...]
) -> None:
    typed = [["al", cells[0], words[0], 0.5], ["bo", cells[1], words[1], 0.5]]
    done = read(sheet(["User", header, "Lot type", "Risk %"], *typed, name="Users"))
    assert [done.spec("User", name).get("lot_size_value") for name in ("al", "bo")] == sizes
    assert [one.question.rows for one in done.read.open] == ([rows] if rows else [])


@pytest.mark.parametrize(
    ("header", "size", "word", "codes", "found"),
    [
        ("Lots", "2 %", "FIXED", ["contradicting-rows"], "FIXED"),
        ("Lots", Cell(0.02, percent=True), "FIXED", ["contradicting-rows"], "FIXED"),
        ("Lots", "0.5 lots", "PERCENTAGE", ["contradicting-rows"], "PERCENTAGE"),
        ("Lot %", 2, "FIXED", ["contradicting-rows"], "FIXED"),
        ("Lots", 2, "PERCENTAGE", [], "PERCENTAGE"),
        ("Lots", "2 %", "PERCENTAGE", [], "PERCENTAGE"),
        ("Lots", "0.5 lots", "FIXED", [], "FIXED"),
        ("Lots", "2 %", "", [], "PERCENTAGE"),
        ("Lots", "2 lots", "", [], "FIXED"),
        ("Lots", 2, "", [], None),
    ],
)
def test_a_unit_agrees_with_the_column_that_says_it(
    header: str, size: object, word: str, codes: list[str], found: str | None
) -> None:
    done = read(sheet(["User", header, "Lot type", "Risk %"], ["al", size, word, 0.5], ["bo", 1, "", 0.5]))
    assert (done.codes, done.spec("User", "al").get("lot_size_type")) == (codes, found)


@pytest.mark.parametrize(
    ("header", "kind", "text", "value"),
    [
        ("Leverage", "Account", "5,000", None),
        ("Leverage", "Account", "1.234", None),
        ("Timeout", "Instance", "1.500 min", 90),
        ("Timeout", "Instance", "2.000 min", None),
    ],
)
def test_a_range_decides_thousands_only_where_there_is_a_fraction(
    header: str, kind: str, text: str, value: float | None
) -> None:
    names = {"Account": ACCOUNT, "Instance": ("Terminal", "Path", "Timeout", "Status")}[kind]
    row = {"Account": "a1", "Broker": "b", "Pair": "EURUSD", "Terminal": "a1", "Path": r"C:\MT5\a1", "Status": "on"}
    done = read(sheet(names, [(row | {header: text})[name] for name in names]))
    field = {"Leverage": "leverage", "Timeout": "connection_timeout_sec"}[header]
    assert done.codes == []
    assert (done.questions, done.spec(kind, "a1").get(field)) == (["decimal"] if value is None else [], value)


TERMINAL = ("Terminal", "Path", "Status")


@pytest.mark.parametrize(
    ("kind", "header", "target"),
    [
        ("Instance", "Slippage (points)", None),
        ("Instance", "Deviation", None),
        ("Instance", "Timeout (ms)", None),
        ("Instance", "Max log size (GB)", None),
        ("Instance", "RAM (GB)", None),
        ("Instance", "Slipage", "Instance.slippage_tolerance"),
        ("Instance", "Conection timeout", "Instance.connection_timeout_sec"),
        ("Account", "Margin free", None),
        ("Account", "Leverge", "Account.leverage"),
        ("Account", "Commission %", None),
        ("Account", "Comm. ($/lot)", "Account.commission"),
        ("Account", "Commission €", "Account.commission"),
        ("Account", "Commission USD", "Account.commission"),
        ("Account", "Leverage ($)", None),
        ("Account", "Margin (£)", None),
        ("Account", "Margin %", "Account.margin_requirement"),
        ("User", "Risk per trade ($)", None),
        ("User", "Risk £", None),
        ("User", "Risk per trade (%)", "User.risk_per_trade_percent"),
        ("User", "Lot %", "User.lot_size_value"),
    ],
)
def test_a_header_is_only_what_it_says(kind: str, header: str, target: str | None) -> None:
    names = {"Instance": TERMINAL, "Account": ("Account", "Broker", "Pair"), "User": ("User", "SL", "TP")}[kind]
    done = read(sheet([*names, header], ["a1", "ATR", "ATR", 5], name=f"{kind}s"))
    assert done.targets.get(header) == ([target] if target else None)


def test_numbers_are_no_words_of_a_kind() -> None:
    done = read(sheet(["Trader", "Lots", "Risk %"], ["al", 0.1, 0.5], ["bo", "0,2", 1], name="book"))
    assert done.targets == {
        "Trader": ["User.name"],
        "Lots": ["User.lot_size_value"],
        "Risk %": ["User.risk_per_trade_percent"],
    }


@pytest.mark.parametrize(
    ("units", "places"),
    [
        (("", "", "ms"), [3]),
        (("", "", "min"), [3]),
        (("", "", "s"), []),
        (("", "", "(s)", "pips"), []),
        (("", "", "s", "[points]"), [4]),
        (("", "", "GB", "points"), [3, 4]),
        (("", "", "", "$"), [4]),
    ],
)
@pytest.mark.parametrize("above", [True, False])
def test_a_row_of_units_says_in_which_unit_numbers_are(units: Sequence[str], places: list[int], above: bool) -> None:
    names, row = ["Terminal", "Path", "Timeout", "Slippage", "Status"], ["t1", PATHS[0], 300, 3, "on"]
    done = read(sheet(*([units, names, row] if above else [names, units, row]), name="Terminals"))
    assert [(one.code, one.column) for one in done.read.problems] == [("wrong-type", place) for place in places]
    assert done.spec("Instance", "t1")["connection_timeout_sec"] == 300


def test_a_row_of_units_does_not_decide_what_lots_are() -> None:
    for unit, codes in (("%", ["wrong-type"]), ("lots", [])):
        done = read(sheet(["User", "Lots", "Risk"], ["", unit, "%"], ["al", 2, 0.5], name="Users"))
        assert done.codes == codes


def test_the_type_of_a_thing_is_not_its_name() -> None:
    done = read(sheet(["Account type", "Login no", *ACCOUNT[1:]], ["demo", 1, "ostrin", 30, "EURUSD"], name="Desk"))
    assert "Account type" not in done.targets


@pytest.mark.parametrize(
    ("header", "cell", "codes"),
    [("Risk", "$50", ["wrong-type"]), ("Risk", "50 EUR", ["wrong-type"]), ("Risk", "0.5 %", [])],
)
def test_money_in_another_unit_is_an_error(header: str, cell: str, codes: list[str]) -> None:
    assert read(sheet(["User", "Lots", header], ["al", 1, cell], name="Users")).codes == codes


@pytest.mark.parametrize(
    ("text", "code"), [("не active", "not-allowed"), ("活active", "not-allowed"), ("active!", None)]
)
def test_letters_of_other_scripts_are_part_of_a_word(text: str, code: str | None) -> None:
    done = read(sheet(["User", "Lots", "Risk", "Status"], ["al", 1, 0.5, text], name="Users"))
    assert done.codes == ([code] if code else [])


def test_a_wide_sheet_is_looked_at_in_short_time() -> None:
    rows = [[f"{'word' * (1 + at % 3)} {'abcdefgh'[at % 8] * 6}{row}" for at in range(200)] for row in range(41)]
    assert guess_mapping([sheet(*rows)], SHIPPED.kinds).sheets == []


PATHS = (r"C:\MT5\IC\terminal64", r"D:\MT5\FTMO\terminal64")


@pytest.mark.parametrize(
    ("paths", "codes"),
    [(PATHS, ["contradicting-rows"]), ((PATHS[0], PATHS[0].lower().replace("\\", "/")), []), ((PATHS[0], "vps-1"), [])],
)
def test_two_paths_with_one_last_part_are_two_terminals(paths: Sequence[str], codes: list[str]) -> None:
    rows = [[f"a{number}", "ostrin", 30, "EURUSD", path] for number, path in enumerate(paths)]
    assert read(sheet([*ACCOUNT, "MT5 path"], *rows, name="Accounts")).codes == codes


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        (r"D:\MT5\FTMO\terminal64", ["contradicting-rows"]),
        (r"C:\MT5\IC\terminal64", []),
        ("c:/mt5/ic/TERMINAL64/", []),
        ("terminal64", []),
    ],
)
def test_a_path_is_that_of_the_terminal_that_is_declared(path: str, codes: list[str]) -> None:
    document = {"metadata": {"name": "terminal64"}, "spec": {"path": PATHS[0], "status": "ACTIVE"}}
    terminal = build_resource(SHIPPED.kinds.by_name["Instance"], "terminal64", document, "instances/x.yaml", 1)
    desk = sheet([*ACCOUNT, "MT5 path"], ["a1", "ostrin", 30, "EURUSD", path], name="Accounts")
    done = read(desk, declared=[terminal])
    assert done.codes == codes
    assert all(f"has path {path} here and {PATHS[0]} elsewhere" in one.message for one in done.drafts.problems())


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        (("al", "bo"), []),
        (("FX #1", "FX 1"), ["duplicate-name"]),
        (("al", "al"), ["duplicate-name"]),
        (("al", "al", "al"), ["duplicate-name"] * 2),
        (("al", "Иван"), ["missing-field"]),
        (("Max Mustermann", "al", ""), ["missing-field"]),
        (("al", "Total"), []),
    ],
)
def test_each_row_is_one_resource(names: Sequence[str], codes: list[str]) -> None:
    rows = [[name, 1, 0.5, *([] if name in {"Total", "Max Mustermann"} else ["ATR", "ATR"])] for name in names]
    done = read(sheet([*USER, "SL", "TP"], *rows, name="Users"))
    assert done.codes == codes
    assert len(done.drafts.by_name) == len(names) - len(codes) - ("Total" in names)


@pytest.mark.parametrize(
    ("trader", "risk", "codes"),
    [
        ("al", 0.5, []),
        ("Иван", 0.5, ["missing-field"]),
        ("Иван", "", ["missing-field"]),
        ("", 0.5, ["missing-field"]),
        ("", "", []),
        ("-", "", []),
    ],
)
def test_what_a_row_says_of_a_trader_is_not_lost(trader: str, risk: float | str, codes: list[str]) -> None:
    rows = [["a1", "ostrin", 30, "EURUSD", "bo", 1, 0.5], ["a2", "ostrin", 30, "EURUSD", trader, "", risk]]
    done = read(sheet([*ACCOUNT, "Trader", "Lots", "Risk %"], *rows, name="Accounts"))
    assert done.codes == codes
    assert all("Иван" in one.message for one in done.read.problems if trader == "Иван")


@pytest.mark.parametrize(
    ("text", "codes", "names"),
    [
        ("User,Lots,Risk\nal,1,0.5\nbo,1,1,5\n", ["wrong-type"], {"al", "bo"}),
        ("User,Lots,Risk\nal,1,0,5\n", ["wrong-type"], {"al"}),
        ("User,Lots,Risk\nal,1,0.5,\nbo,1,1,\n", [], {"al", "bo"}),
        ("User,Lots,Risk,\nal,1,0.5,note\n", [], {"al"}),
        ('User,Lots,Risk\n"=""007""","=""1""",0.5\n', [], {"007"}),
        ("# a comment\nUser,Lots,Risk\n#5511,1,0.5\n#x1,2,1\n", [], {"5511", "x1"}),
        ("#,User,Lots,Risk\n#1,al,1,0.5\n#2,bo,1,1\n", [], {"al", "bo"}),
    ],
)
def test_the_lines_of_a_csv_file(tmp_path: Path, text: str, codes: list[str], names: set[str]) -> None:
    (tmp_path / "users.csv").write_text(text)
    done = read(*read_text_sheet(tmp_path / "users.csv", Limits()).sheets)
    assert (done.codes, {key.name for key in done.drafts.by_name}) == (codes, names)


@pytest.mark.parametrize("error", ["#N/A", "#DIV/0!", "#REF!", "#BEZUG!", "#NV", "#SPILL!", "Err:502", "####"])
@pytest.mark.parametrize("header", ["User", "Lots", "Risk", "labels.desk"])
def test_an_error_in_a_csv_file_is_no_value(tmp_path: Path, error: str, header: str) -> None:
    row = {"User": "al", "Lots": "1", "Risk": "0.5", "labels.desk": "fx"} | {header: error}
    (tmp_path / "users.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    done = read(*read_text_sheet(tmp_path / "users.csv", Limits()).sheets)
    assert [(one.code, one.message) for one in done.read.problems] == [
        ("wrong-type", f"the cell shows the error {error}")
    ]


def test_an_error_in_a_reference_does_not_lose_it() -> None:
    row = ["a1", Cell(fault="the cell shows the error #REF!"), 30, "EURUSD", "al"]
    assert read(sheet([*ACCOUNT, "Trader"], row, name="Accounts")).codes == ["wrong-type"]
    row[1], row[4] = "ostrin", Cell(fault="the formula =A1 has no stored result")
    assert read(sheet([*ACCOUNT, "Trader"], row, name="Accounts")).codes == ["wrong-type"]


@pytest.mark.parametrize("text", ["#US30", "#5511", "#1", "Error", "###x"])
def test_a_text_with_a_hash_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "users.csv").write_text(f"User,Lots,Risk,labels.x\nal,1,0.5,{text}\n")
    assert read(*read_text_sheet(tmp_path / "users.csv", Limits()).sheets).codes == []


def test_a_column_of_a_mapping_is_named_by_letters() -> None:
    text = (
        b"version: 1\nsheets:\n- {sheet: Users, kind: User, header: 1, columns: [{column: '1', header: x, to: []}]}\n"
    )
    mapping, problems, _ = read_mapping("desk.yaml", text)
    assert (mapping, [(one.line, one.code) for one in problems]) == (None, [(3, "bad-mapping")])


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/h/a/desk.csv"], [("a/desk.csv.yaml", "desk.csv.yaml")]),
        (["/desk.csv", "/desk.xlsx"], [("desk.csv.yaml",), ("desk.xlsx.yaml",)]),
        (
            ["/h/a/desk.csv", "/h/b/Desk.csv"],
            [("h/a/desk.csv.yaml", "a/desk.csv.yaml"), ("h/b/Desk.csv.yaml", "b/Desk.csv.yaml")],
        ),
        (["/desk.csv", "/b/desk.csv"], [("desk.csv.yaml",), ("b/desk.csv.yaml",)]),
        (["C:/.git/desk.csv", "D:/.git/desk.csv"], [("C-/git/desk.csv.yaml",), ("D-/git/desk.csv.yaml",)]),
    ],
)
def test_each_file_has_a_mapping_of_its_own(paths: Sequence[str], names: Sequence[Sequence[str]]) -> None:
    assert list(mapping_names(paths).values()) == names


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("EUR/USD", "EURUSD"),
        ("eurusd", "EURUSD"),
        ("eurusd.r", "EURUSD.r"),
        ("eur / usd .pro", "EURUSD.pro"),
        ("EURUSDm", "EURUSDm"),
        ("#US30", "#US30"),
    ],
)
def test_what_a_broker_adds_to_a_symbol_is_kept(text: str, symbol: str) -> None:
    done = read(sheet(ACCOUNT, ["a1", "ostrin", 30, text], name="Accounts"))
    assert done.spec("Account", "a1")["currency_pair"] == symbol


TABLE = [[*ACCOUNT, "Commission"], ["a1", "ostrin", 30, "EURUSD", 7]]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["Risk", "Trader", "Note"], [0.5, "zoe", "x"], [], *TABLE], [1]),
        ([["Risk", "Trader"], ["0.5", "zoe"], [], *TABLE], [1]),
        ([["Account", "Trader", "Risk"], *TABLE], []),
        ([["My desk", "", "as of Friday"], ["call the broker", "or not", "today"], [], *TABLE], []),
        ([*TABLE, [], ["Terminal", "Path", "Slippage"], ["t1", "x", 3]], [4]),
        ([*TABLE, [], ["a2", "caldervale", 30, "GBPUSD", 7]], []),
        ([*TABLE, [], *TABLE[:1], ["a2", "caldervale", 30, "GBPUSD", 7]], []),
    ],
)
def test_a_second_table_of_a_sheet_is_asked(rows: Sequence[Sequence[Any]], told: Sequence[int]) -> None:
    desk = sheet(*rows, name="Accounts")
    found = [one.line for one in read(desk).read.problems if "another table begins here" in one.message]
    assert found == told
    done = read(desk, mapping=guess_mapping([desk], SHIPPED.kinds))
    assert "ambiguous-cell" not in done.codes


@pytest.mark.parametrize(
    ("behind", "asked"),
    [
        (["", "Trader", "Risk %"], True),
        (["Trader", "Risk %"], False),
        (["", "Trader", "Risk %", "Commission"], False),
        (["", "Commission", "Trader"], False),
        (["", "Trader"], False),
    ],
)
def test_a_table_beside_the_one_that_is_read_is_asked(behind: Sequence[str], asked: bool) -> None:
    cells = {"": "", "Trader": "al", "Risk %": 0.5, "Commission": 7}
    desk = sheet(
        [*ACCOUNT, *behind], ["a1", "ostrin", 30, "EURUSD", *(cells[name] for name in behind)], name="Accounts"
    )
    assert read(desk).codes == (["ambiguous-cell"] if asked else [])


@pytest.mark.parametrize(
    ("kind", "header", "why"),
    [
        ("Instance", "Slippage (points)", "slippage_tolerance is in pips"),
        ("Instance", "RAM [GB]", "memory_limit_mb is in MB"),
        ("User", "Risk ($)", "unit of risk_per_trade_percent differs"),
        ("User", "Stop", "column B is stop_loss_type"),
        ("User", "created_at", "comes from the commits"),
        ("User", "Password", "a secret has no place in configuration"),
        ("User", "Colour", "not known"),
    ],
)
def test_why_a_column_is_left_out(kind: str, header: str, why: str) -> None:
    names = {"Instance": TERMINAL, "User": ("User", "SL", "TP")}[kind]
    done = read(sheet([*names, header], ["a1", "ATR", "ATR", 5], name=f"{kind}s"))
    assert [one.text for one in done.read.assumptions if one.header == header] == [why]


@pytest.mark.parametrize(
    ("headers", "cells", "asked"),
    [
        (("Lots", "Lot"), (0.1, 0.2), True),
        (("Lots", "Lot"), (0.1, "0,1"), False),
        (("Lots", "Lot"), ("", 0.2), True),
        (("Lots", "Lot"), (0.1, ""), False),
        (("lot_size_value", "Lots"), (0.1, 0.2), False),
    ],
)
def test_two_columns_that_may_be_one_field_are_asked_where_they_differ(
    headers: Sequence[str], cells: Sequence[Any], asked: bool
) -> None:
    done = read(sheet(["User", *headers, "Risk %"], ["al", *cells, 0.5], name="Users"))
    assert done.codes == (["ambiguous-cell"] if asked else [])
