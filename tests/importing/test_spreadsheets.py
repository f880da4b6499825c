"""Spreadsheets of people to a valid repository, what is assumed on the way, and what nobody may guess."""

from __future__ import annotations

import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.adapters.csvfile import read_csv
from reconciler.adapters.textsheets import read_text_sheet
from reconciler.adapters.workbookfile import read_workbook
from reconciler.errors import NeedsHuman, TooLarge
from reconciler.model.limits import Limits
from reconciler.wiring.checkout import open_checkout
from tests.importing.sheetmaker import MAKES, csv_text, workbook
from tests.importing.test_reading import read
from tests.support.world import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.importing.conftest import Desk

USER_HEADER = ["User", "Lots", "Risk %", "SL", "TP", "Max trades", "Direction", "Status"]
ACCOUNT_HEADER = ["Account", "Spread", "Commission", "Margin", "Lev.", "Pair", "Status", "Broker"]


def user(name: str = "al", **cells: Any) -> list[Any]:
    usual = dict(zip(USER_HEADER, [name, 0.1, 0.5, "ATR", "ATR", 4, "both", "on"], strict=True))
    return list((usual | cells).values())


def account(name: str = "a1", **cells: Any) -> list[Any]:
    usual = dict(zip(ACCOUNT_HEADER, [name, "var", 7, 5, 30, "EURUSD", "on", "ostrin"], strict=True))
    return list((usual | cells).values())


def sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody whose commits git takes."""
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "trader@example.com")


def specs(desk: Desk, folder: str) -> dict[str, dict[str, Any]]:
    """The specs of a folder's resources by their names."""
    documents = [yaml.safe_load(text) for path, text in desk.files().items() if path.startswith(f"{folder}/")]
    return {one["metadata"]["name"]: one["spec"] for one in documents}


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_a_spreadsheet_becomes_a_valid_repository_and_comes_back_unchanged(
    desk: Desk, make: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(monkeypatch)
    file = make(desk.folder)
    answer = desk.imports(file.name)
    assert (answer.code, answer.out[-1].partition(" ")[0]) == (0, "committed")
    checked = open_checkout(desk.repository, "").check_paths(())
    assert checked.problems == ()
    before = desk.files()
    assert desk.imports(file.name).code == 0
    assert desk.files() == before


@pytest.mark.slow
def test_what_stands_in_a_book_of_everything(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(monkeypatch)
    desk.imports(MAKES["prop_book"](desk.folder).name)
    accounts, users = specs(desk, "accounts"), specs(desk, "users")
    known = {
        name: {key: value for key, value in spec.items() if not key.endswith("_id")} for name, spec in accounts.items()
    }
    assert known == {
        "cv-eurusd": {"spread_type": "VARIABLE", "commission": 7, "margin_requirement": 3.34, "leverage": 30}
        | {"currency_pair": "EURUSD", "status": "ACTIVE"},
        "cv-gbpusd": {"spread_type": "VARIABLE", "commission": 6.5, "margin_requirement": 3.34, "leverage": 30}
        | {"currency_pair": "GBPUSD", "status": "ACTIVE"},
        "op-gold": {"spread_type": "FIXED", "commission": 7, "margin_requirement": 0.2, "leverage": 500}
        | {"currency_pair": "XAUUSD.r", "status": "INACTIVE"},
    }
    assert [spec["risk_per_trade_percent"] for spec in users.values()] == [0.5, 0.75]
    assert {spec["lot_size_type"] for spec in users.values()} == {"FIXED"}
    brokers, instances = specs(desk, "brokers"), specs(desk, "instances")
    assert {spec["broker_id"] for spec in accounts.values()} == {spec["broker_id"] for spec in brokers.values()}
    assert {name: spec["path"] for name, spec in instances.items()} == {
        "cv-live-01": r"C:\MT5\cv-live-01",
        "op-01": r"C:\MT5\op-01",
    }
    log = subprocess.run(
        ["git", "log", "--format=%B"], cwd=desk.repository, capture_output=True, text=True, check=True
    ).stdout
    assert log.startswith("Import prop.xlsx\n")
    assert "\nReconciler-Approve: growth\n" in log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "told", "key"),
    [
        ([[*ACCOUNT_HEADER], account(**{"Lev.": "1.234"})], "desk.xlsx:Accounts!E2", "decimal: . or ,"),
        (
            [[*USER_HEADER], user(**{"Risk %": 0.005}), user("bea", **{"Risk %": 0.01})],
            "desk.xlsx:Users!C2",
            "percent: ",
        ),
    ],
)
def test_what_changes_money_is_not_guessed(desk: Desk, rows: Sequence[Sequence[Any]], told: str, key: str) -> None:
    workbook(desk.folder / "desk.xlsx", {told.partition(":")[2].partition("!")[0]: rows})
    answer = desk.imports("desk.xlsx")
    assert (answer.code, desk.files()) == (1, {})
    line = next(line for line in answer.out if line.startswith(told))
    assert "error [ambiguous-cell]" in line
    assert f"of the mapping decides it, `{key}" in line
    desk.imports("desk.xlsx", "--write-map", "desk.yaml")
    mapping = (desk.folder / "desk.yaml").read_text().splitlines()
    number = int(line.partition("line ")[2].partition(" ")[0]) - 1
    key = key.partition(":")[0]
    assert mapping[number].strip().startswith(f"{key}: '?'")
    decided = "percent" if key == "percent" else "','"
    mapping[number] = f"    {key}: {decided}"
    (desk.folder / "desk.yaml").write_text("\n".join(mapping))
    assert desk.imports("desk.xlsx", "--map", "desk.yaml").code == 0
    spec = next(iter(specs(desk, "users" if key == "percent" else "accounts").values()))
    assert spec.get("leverage", spec.get("risk_per_trade_percent")) in {1234, 0.005}


def test_a_column_decides_what_a_cell_of_it_leaves_open(desk: Desk) -> None:
    rows = [ACCOUNT_HEADER, account(**{"Lev.": "1.234"}), account("a2", **{"Lev.": "30,5"})]
    rows += [account("a3", Commission="1,234")]
    workbook(desk.folder / "desk.xlsx", {"Accounts": rows})
    answer = desk.imports("desk.xlsx")
    assert answer.code == 0
    assert any("decimal: ,, as others in the column show" in line for line in answer.out)
    found = specs(desk, "accounts")
    assert (found["a1"]["leverage"], found["a2"]["leverage"], found["a3"]["commission"]) == (1234, 30.5, 1.234)


def test_all_that_is_wrong_is_told_at_its_cell(desk: Desk) -> None:
    rows = [
        ["Desk"],
        [*USER_HEADER, "Broker"],
        user(**{"Risk %": "lots"}),
        user("bea", SL="maybe"),
        user("cy", **{"Max trades": 0}),
        user("bea", SL="ATR", **{"Risk %": 2}),
        [None, *user()[1:]],
    ]
    workbook(desk.folder / "desk.xlsx", {"Users": rows, "Other": [["x", "y"], [1, 2]]})
    answer = desk.imports("desk.xlsx")
    told = [line.partition(": error [")[0::2] for line in answer.out if ": error [" in line]
    assert [(place, text.partition("]")[0]) for place, text in told] == [
        ("desk.xlsx:Users!C3", "wrong-type"),
        ("desk.xlsx:Users!D4", "not-allowed"),
        ("desk.xlsx:Users!F5", "out-of-range"),
        ("desk.xlsx:Users!C6", "contradicting-rows"),
        ("desk.xlsx:Users!A7", "missing-field"),
    ]
    assert (answer.code, desk.files(), answer.out[-1]) == (1, {}, "nothing was written: 5 errors")
    assert "left alone: the sheet Other\n" in answer.err


@pytest.mark.slow
def test_an_edited_cell_shows_what_would_change_and_overwrites_nothing(desk: Desk) -> None:
    workbook(desk.folder / "desk.xlsx", {"Users": [USER_HEADER, user(), user("bea")]})
    assert desk.imports("desk.xlsx").code == 0
    workbook(desk.folder / "desk.xlsx", {"Users": [USER_HEADER, user(), user("bea", **{"Risk %": 0.75}), user("cy")]})
    before = desk.files()
    answer = desk.imports("desk.xlsx", "--no-commit")
    assert answer.code == 2
    assert any("risk_per_trade_percent  0.75 → 0.5 percent" in line for line in answer.out)
    assert {path: text for path, text in desk.files().items() if path in before} == before
    assert "users/cy.yaml" in desk.files()
    assert "not committed: as you asked" in answer.err


def test_an_update_writes_what_differs_and_keeps_the_rest(desk: Desk) -> None:
    workbook(desk.folder / "desk.xlsx", {"Users": [USER_HEADER, user(), user("bea")]})
    assert desk.imports("desk.xlsx", "--no-commit").code == 0
    before = desk.files()["users/bea.yaml"]
    desk.write({"users/bea.yaml": before.replace("0.5", "0.50  # as agreed on Friday")})
    rows = [USER_HEADER, user(), user("bea", **{"Risk %": 0.75, "SL": "-", "labels.desk": "fx"}), user("cy")]
    workbook(desk.folder / "desk.xlsx", {"Users": [[*rows[0], "labels.desk"], *rows[1:]]})
    mapping = next(path for path in desk.files() if path.endswith("desk.xlsx.yaml"))
    (desk.repository / mapping).unlink()
    answer = desk.imports("desk.xlsx", "--update")
    assert answer.code == 0
    assert any("risk_per_trade_percent  0.5 → 0.75 percent" in line for line in answer.out)
    changed = before.replace("0.5", "0.75  # as agreed on Friday").replace(
        "name: bea\n", "name: bea\n  labels:\n    desk: fx\n"
    )
    assert (desk.files()["users/bea.yaml"], "users/cy.yaml" in desk.files()) == (changed, True)
    assert "not committed, as files changed that were there" in answer.err
    assert desk.imports("desk.xlsx", "--update").code == 0


@pytest.mark.slow
def test_nothing_is_committed_beside_what_somebody_has_staged(desk: Desk) -> None:
    desk.write({"notes.txt": "mine"})
    subprocess.run(["git", "add", "notes.txt"], cwd=desk.repository, check=True)
    workbook(desk.folder / "desk.xlsx", {"Users": [USER_HEADER, user()]})
    answer = desk.imports("desk.xlsx")
    assert answer.code == 0
    assert "not committed: something else is staged" in answer.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 1\nsheets: []\nmore: 1\n", "desk.yaml:1:1: error [bad-mapping]"),
        (
            "version: 1\nsheets:\n- sheet: Users\n  kind: User\n  header: one\n  columns: []\n",
            "desk.yaml:5:11: error [bad-mapping]",
        ),
        ("version: 1\nsheets:\n- {sheet: Gone, kind: User, header: 1, columns: []}\n", "there is no sheet Gone"),
        (
            "version: 1\nsheets:\n- {sheet: Users, kind: User, header: 1, columns: []}\n",
            "the mapping says nothing of the column User",
        ),
        ("- [\n", "desk.yaml"),
    ],
)
def test_a_mapping_that_does_not_fit(desk: Desk, text: str, told: str) -> None:
    workbook(desk.folder / "desk.xlsx", {"Users": [USER_HEADER, user()]})
    (desk.folder / "desk.yaml").write_text(text)
    answer = desk.imports("desk.xlsx", "--map", "desk.yaml")
    assert (answer.code, desk.files()) == (1, {})
    assert any(told in line for line in answer.out)


def test_files_that_bring_too_much_or_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "desk.xlsx"
    workbook(file, {"Users": [USER_HEADER, user(), user("bea")]})
    for name, limit in (("MAX_FILE", 100), ("MAX_UNPACKED", 100), ("MAX_CELLS", 5)):
        with monkeypatch.context() as patch:
            patch.setattr(f"reconciler.adapters.workbookfile.{name}", limit)
            with pytest.raises(TooLarge):
                read_workbook(file, Limits())
    with pytest.raises(TooLarge):
        read_workbook(file, Limits(paths=1))
    for content in (b"", b"PK\3\4", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, file.read_bytes()[:2000]):
        (tmp_path / "bad.xlsx").write_bytes(content)
        with pytest.raises(NeedsHuman):
            read_workbook(tmp_path / "bad.xlsx", Limits())


@pytest.mark.parametrize(
    ("data", "separator"),
    [
        ("a;b\r\n1,5;2\r\n", ";"),
        ("a\tb, c\r\n1\t2\r\n", "\t"),
        ('a,b\n"1;2",3\n', ","),
        ("sep=|\na|b\n1|2\n", "|"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_separators_and_encodings(tmp_path: Path, data: str, separator: str, encoding: str) -> None:
    (tmp_path / "x.csv").write_bytes(data.encode(encoding))
    rows = read_text_sheet(tmp_path / "x.csv", Limits()).sheets[0].rows
    assert [len(cells) for cells in rows.values()] == [2, 2], separator


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize(
    ("head", "limits", "told"),
    [
        ("a,b", Limits(), ""),
        ("a;b,b,b,b", Limits(), ""),
        ('"a\n,b,c";b', Limits(), ""),
        ("sep=", Limits(), ""),
        ("a,b", Limits(paths=2), "more than 2 rows"),
        ("a," * 30, Limits(), "more than 20 cells"),
        ("x" * (1 << 20), Limits(yaml_mb=1), "larger than 1 MB"),
    ],
)
def test_a_text_file_is_bounded_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, head: str, limits: Limits, told: str
) -> None:
    monkeypatch.setattr("reconciler.adapters.textsheets.MAX_CELLS", 20)
    monkeypatch.setattr("reconciler.adapters.csvfile.MAX_CELLS", 20)
    sign = ";" if ";" in head else ","
    (tmp_path / "x.csv").write_text(end.join([head, *[f"1{sign}2"] * 3]), newline="")
    user = SHIPPED.kinds.by_name["User"]
    if told:
        for reading in (read_text_sheet, lambda file, limits: read_csv(file, user, limits)):
            with pytest.raises(TooLarge, match=told):
                reading(tmp_path / "x.csv", limits)
        return
    rows = read_text_sheet(tmp_path / "x.csv", limits).sheets[0].rows
    assert [cell.text for cell in list(rows.values())[-1].values()] == ["1", "2"]
    assert len(rows) == (3 if head == "sep=" else 4)


def test_files_of_one_name_do_not_share_a_mapping(desk: Desk) -> None:
    for folder, risk in (("london", "0.5"), ("paris", "0,75")):
        (desk.folder / folder).mkdir()
        rows = [USER_HEADER, [str(cell) for cell in user(folder, **{"Risk %": risk})]]
        (desk.folder / folder / "desk.csv").write_text(csv_text(rows, ";"), newline="")
    assert desk.imports("london/desk.csv", "paris/desk.csv").code == 0
    kept = {path for path in desk.files() if path.startswith(".reconciler/mappings/")}
    assert kept == {f".reconciler/mappings/{city}/desk.csv.yaml" for city in ("london", "paris")}
    assert "is read by .reconciler/mappings/paris/desk.csv.yaml, as" in desk.imports("paris/desk.csv").err
    assert specs(desk, "users")["paris"]["risk_per_trade_percent"] == 0.75


@pytest.mark.parametrize(("title", "is_fault"), [("Other", True), ("reconciler", False)])
def test_a_text_in_an_exported_workbook_is_never_an_error(tmp_path: Path, title: str, is_fault: bool) -> None:
    workbook(tmp_path / "x.xlsx", {"Users": [["User", "Note"], ["al", "Err:502"]], title: [["version: 1"]]})
    cell = read_workbook(tmp_path / "x.xlsx", Limits()).sheets[0].cell(2, 2)
    assert (bool(cell.fault), cell.text) == (is_fault, "" if is_fault else "Err:502")


def test_a_formula_that_shows_nothing_is_an_empty_cell(tmp_path: Path) -> None:
    workbook(tmp_path / "x.xlsx", {"Users": [["User", "Lots"], ["al", '=IF(1,"","")'], ["bo", "=1+1"]]})
    with zipfile.ZipFile(tmp_path / "x.xlsx") as old, zipfile.ZipFile(tmp_path / "y.xlsx", "w") as new:
        for part in old.namelist():
            new.writestr(part, old.read(part).replace(b'<c r="B2">', b'<c r="B2" t="str">'))
    cells = [read_workbook(tmp_path / "y.xlsx", Limits()).sheets[0].cell(row, 2) for row in (2, 3)]
    assert [(cell.is_empty, "has no stored result" in cell.fault) for cell in cells] == [(True, False), (False, True)]


def test_what_is_merged_or_hidden_is_not_lost(tmp_path: Path) -> None:
    rows = [
        ["Who", None, None, "Trade"],
        ["User", "Lots", "Risk %", "SL", "TP"],
        ["al", 0.1, None, "ATR", "ATR"],
        ["bo", None, None, "ATR", "ATR"],
        ["cy", 0.2, 0.5, "none", "ATR"],
        ["these are all of them"],
    ]
    merged = {"Users!A1:C1": "merge", "Users!B3:C4": "merge", "Users!A6:E6": "merge"}
    workbook(tmp_path / "x.xlsx", {"Users": rows}, merged, hidden="5")
    done = read(*read_workbook(tmp_path / "x.xlsx", Limits()).sheets)
    assert [done.spec("User", name)["lot_size_value"] for name in ("al", "bo", "cy")] == [0.1, 0.1, 0.2]
    told = [(one.line, one.column, one.message) for one in done.read.problems]
    assert told == [(3, 3, "the cell is merged with B3"), (4, 3, "the cell is merged with B3")]
    said = {one.text: one.at for one in done.read.assumptions}
    assert said["a remark: these are all of them"] == "6"
    assert {"hidden, and read: row 5", "struck out, and read: row 5", "none → no value"} <= said.keys()
    assert "above the header" not in said


def test_a_csv_file_names_line_and_cell(desk: Desk) -> None:
    rows = [["My desk"], [], USER_HEADER, [str(cell) for cell in user(SL="maybe")]]
    (desk.folder / "book.csv").write_text(csv_text(rows, ";"), newline="")
    answer = desk.imports("book.csv")
    assert "book.csv:4:4: error [not-allowed]" in "\n".join(answer.out)


def test_a_column_of_lots_is_never_a_commission(desk: Desk) -> None:
    rows = [[*ACCOUNT_HEADER, "Lot", "Strategy"], [*account(), 0.1, "al"]]
    rows[0][2] = "Commission (RT)"
    workbook(desk.folder / "desk.xlsx", {"Desk": rows})
    assert desk.imports("desk.xlsx").code == 0
    assert specs(desk, "accounts")["a1"]["commission"] == 7
    assert specs(desk, "users")["al"]["lot_size_value"] == 0.1


def test_what_all_rows_lack_is_told_once(desk: Desk) -> None:
    rows = [ACCOUNT_HEADER[:-1], *(account(f"a{number}")[:-1] for number in range(9))]
    workbook(desk.folder / "desk.xlsx", {"Accounts": rows})
    answer = desk.imports("desk.xlsx")
    told = [line for line in answer.out if "error [" in line]
    assert len(told) == 1
    assert told[0].startswith(
        "desk.xlsx:Accounts!A2: error [missing-field] /spec/broker_id: Account a0 has no broker_id, as have 8 more"
    )
