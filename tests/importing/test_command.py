"""`reconciler import` on real files, in a real repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.adapters import csvfile
from reconciler.adapters.bundled import find_example_repository
from reconciler.adapters.duckdb import files
from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.machine import SystemClock
from reconciler.errors import NeedsHuman, TooLarge
from reconciler.model.limits import Limits
from reconciler.wiring.checkout import open_checkout
from tests.importing.conftest import HEADER, USERS, Desk, user_row, users
from tests.support.gitrepo import GitRepo
from tests.support.world import SHIPPED, World

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = find_example_repository()


def _example_files() -> dict[str, str]:
    return {
        file.relative_to(EXAMPLE).as_posix(): file.read_text(encoding="utf-8")
        for file in EXAMPLE.rglob("*")
        if file.is_file()
    }


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The store after a sync of the example repository and one more commit, in which a signal left git."""
    repo = GitRepo.create(tmp_path / "source")
    repo.commit(_example_files())
    with open_store(tmp_path / "state", SystemClock()) as store:
        world = World(repo.path, store=store)
        assert not world.sync().plan.problems
    return tmp_path / "state" / "state.duckdb"


def _declared(folder: Path) -> dict[Any, tuple[Any, ...]]:
    checked = open_checkout(folder, "").check_paths(())
    assert not [problem for problem in checked.problems if problem.is_error]
    return {
        one.row_id: (one.digest, one.path, one.refs, one.labels)
        for entry in checked.entries.values()
        for one in entry.resources
    }


@pytest.mark.slow
def test_the_example_comes_back_from_its_store(desk: Desk, state: Path) -> None:
    desk.write({path: text for path, text in _example_files().items() if "schemas/" in path})
    answer = desk.imports(str(state))
    assert answer.out[-2:] == [
        "28 rows: 28 files written, 0 declared already",
        "0 to create, 0 to update, 0 to delete.",
    ]
    assert answer.code == 0
    assert _declared(desk.repository) == _declared(EXAMPLE)
    text = desk.files()["accounts/cv-eurusd.yaml"]
    assert text.startswith("# yaml-language-server: $schema=../.reconciler/schemas/account.schema.json\napiVersion")
    assert desk.files()["brokers/ostrin-prime.yaml"].startswith(
        "# yaml-language-server: $schema=../schemas/broker.schema.json\n"
    )
    again = desk.imports(str(state))
    assert (again.code, again.out[0]) == (0, "28 rows: 0 files written, 28 declared already")


def test_rows_of_a_kind_without_a_schema_here_are_told(desk: Desk, state: Path) -> None:
    answer = desk.imports(str(state))
    assert "left alone, as no kind has such a table: broker_config" in answer.err
    assert answer.code == 1
    assert all("[dangling-reference] /metadata/refs/broker" in line for line in answer.out[:-1])
    assert desk.files() == {}


def test_one_kind_of_a_store(desk: Desk, state: Path) -> None:
    answer = desk.imports(str(state), "--kind", "systems")
    assert sorted(desk.files()) == ["systems/lab.yaml", "systems/production.yaml"]
    assert answer.out[:2] == ["+ System lab  systems/lab.yaml", "+ System production  systems/production.yaml"]


@pytest.mark.slow
def test_what_left_git_is_imported_as_the_row_it_left(desk: Desk, tmp_path: Path) -> None:
    source = GitRepo.create(tmp_path / "source")
    source.commit(_example_files())
    gone = (EXAMPLE / "signals" / "gold-trend.yaml").read_text(encoding="utf-8")
    source.commit({"signals/gold-trend.yaml": None, "signals/other.yaml": gone.replace("fff0e9e9", "fff0e9e0")})
    with open_store(tmp_path / "state", SystemClock()) as store:
        World(source.path, store=store).sync()
    answer = desk.imports(str(tmp_path / "state" / "state.duckdb"), "--kind", "signal", "--to", str(desk.repository))
    assert answer.code == 1  # the users are not there
    assert not any("gold-trend" in line and "duplicate" in line for line in answer.out)
    desk.imports(str(tmp_path / "state" / "state.duckdb"), "--kind", "user")
    assert desk.imports(str(tmp_path / "state" / "state.duckdb"), "--kind", "signal").code == 0
    assert "status: INACTIVE" in desk.files()["signals/signal-fff0e9e9.yaml"]
    assert "refs" not in desk.files()["signals/signal-fff0e9e9.yaml"]
    assert "status: ACTIVE" in desk.files()["signals/gold-trend.yaml"]


def test_a_csv_file_as_a_spreadsheet_saves_it(desk: Desk) -> None:
    text = users(user_row(1), user_row(2, risk='"0.75"'), ";" * 8, header=f"\ufeff{HEADER.upper()}", end="\r\n")
    answer = desk.imports(desk.csv("Users.csv", text.replace(",", ";")))
    assert answer.out[0] == "+ User user-00000001  users/user-00000001.yaml"
    assert answer.code == 0
    assert "created_at and updated_at are not imported" in answer.err
    assert desk.files()["users/user-00000001.yaml"].splitlines() == [
        "apiVersion: reconciler/v1",
        "kind: User",
        "metadata:",
        "  name: user-00000001",
        "spec:",
        "  user_id: 00000001-0000-4000-8000-000000000000",
        "  lot_size_type: FIXED",
        "  lot_size_value: 0.1",
        "  risk_per_trade_percent: 0.5",
        "  stop_loss_type: ATR",
        "  take_profit_type: ATR",
        "  max_open_trades: 4",
        "  trade_direction: BOTH",
        "  status: ACTIVE",
    ]


def test_everything_that_is_wrong_is_told_and_nothing_is_written(desk: Desk) -> None:
    rows = (user_row(1, risk="0,5").replace("0,5", '"0,5"'), user_row(2, status=""), user_row(3), user_row(3), "1,2")
    answer = desk.imports(desk.csv("users.csv", users(*rows, user_row(4, risk="200"))), "--kind", "user")
    told = [line.split(": ")[0] + " " + line.split("[")[1].split(": ")[0] for line in answer.out[:-1]]
    assert told == [
        "users.csv:2:1 wrong-type] /spec/risk_per_trade_percent",
        "users.csv:3:1 missing-field] /spec/status",
        "users.csv:4:1 duplicate-id] /spec/user_id",
        "users.csv:5:1 duplicate-id] /spec/user_id",
        "users.csv:6:1 wrong-type]",
        "users.csv:7:1 out-of-range] /spec/risk_per_trade_percent",
    ]
    assert answer.out[-1] == "nothing was written: 6 errors"
    assert answer.code == 1
    assert desk.files() == {}


def test_columns_under_other_names_are_understood_and_told(desk: Desk) -> None:
    header = HEADER.replace("status", "state").replace("user_id", "User_Id") + ",,REMARK,created_at"
    rows = [f"{user_row(number)},,x,2026-01-01" for number in (1, 2)]
    answer = desk.imports(desk.csv("users.csv", users(*rows, header=header)))
    told = [line.split() for line in answer.out]
    assert ["I", "state", "User.status", "2"] in told
    assert ["K", "REMARK", "not", "known", "2"] in told
    assert ["L", "created_at", "comes", "from", "the", "commits", "2"] in told
    assert answer.code == 0
    assert "status: ACTIVE" in desk.files()["users/user-00000001.yaml"]


def test_a_row_with_neither_name_nor_id(desk: Desk) -> None:
    rows = ("," + user_row(1).partition(",")[2], user_row(2).replace("-", ""))
    answer = desk.imports(desk.csv("users.csv", users(*rows)))
    assert [line.partition(": ")[2].split(": ")[0] for line in answer.out[:-1]] == [
        "error [missing-field] /metadata/name",
        "error [bad-format] /spec/user_id",
    ]
    bare = desk.csv("bare.csv", users(user_row(2).partition(",")[2], header=HEADER.partition(",")[2]))
    answer = desk.imports(bare, "--kind", "user")
    assert len(answer.out) == 2
    assert "there is neither a column user_id nor one of names" in answer.out[0]


def test_lines_above_the_header_of_a_csv_file(desk: Desk) -> None:
    text = users(user_row(1), user_row(2, risk="1:30"), header=HEADER)
    answer = desk.imports(desk.csv("users.csv", f"# exported, by hand\n\nsep=;\n# a;b\n{text.replace(',', ';')}"))
    assert answer.out[0].startswith("users.csv:7:1: error [wrong-type] /spec/risk_per_trade_percent: ")
    assert "write 30, the number after the colon" in answer.out[0]


def test_names_and_metadata_of_a_csv_file(desk: Desk) -> None:
    record = user_row(1).partition(",")[2]
    header = f"Name,labels,annotations,refs,path,digest,{HEADER.partition(',')[2]}"
    cells = 'alice,"{""desk"": ""fx""}",,"{}",x,y'
    assert desk.imports(desk.csv("user.csv", users(f"{cells},{record}", header=header))).code == 0
    assert desk.files()["users/alice.yaml"].splitlines()[2:6] == [
        "metadata:",
        "  name: alice",
        "  labels:",
        "    desk: fx",
    ]
    assert "user_id" not in desk.files()["users/alice.yaml"]
    answer = desk.imports(desk.csv("user.csv", users(f"Ann!,[1],,x,,,{record}", header=header)))
    assert [line.partition("[")[2].partition(": ")[0] for line in answer.out[:-1]] == [
        "bad-format] /metadata/name",
        "wrong-type] /metadata/labels",
        "wrong-type] /metadata/refs",
    ]


def test_what_git_declares_otherwise_is_told_and_left_alone(desk: Desk) -> None:
    assert desk.imports(desk.csv("users.csv", users(user_row(1), user_row(2)))).code == 0
    desk.write({"users/user-00000001.yaml": desk.files()["users/user-00000001.yaml"].replace("0.5", "0.75  # tuned")})
    before = desk.files()
    answer = desk.imports(desk.csv("users.csv", users(user_row(1), user_row(2), user_row(3))))
    assert answer.out == [
        "+ User user-00000003  users/user-00000003.yaml",
        "~ User user-00000001  users/user-00000001.yaml:1",
        "    risk_per_trade_percent  0.5 → 0.75 percent  (loosens, 1.5 x)",
        "3 rows: 1 file written, 1 declared already",
        "0 to create, 1 to update, 0 to delete.",
    ]
    assert answer.code == 2
    assert before.items() <= desk.files().items()


def test_a_name_that_git_knows_already_is_a_problem_at_the_row(desk: Desk) -> None:
    desk.imports(desk.csv("users.csv", users(user_row(1))))
    header = f"name,{HEADER}"
    answer = desk.imports(desk.csv("users.csv", users(f"user-00000001,{user_row(2)}", header=header)))
    assert answer.out[0].startswith(
        "users.csv:2:1: error [duplicate-name] /metadata/name: User user-00000001 is declared more than once: "
        "also in users/user-00000001.yaml:1"
    )
    assert answer.code == 1


def test_files_go_where_their_kind_stands(desk: Desk) -> None:
    desk.imports(desk.csv("users.csv", users(user_row(1))))
    text = desk.files()["users/user-00000001.yaml"]
    (desk.repository / "users" / "user-00000001.yaml").unlink()
    desk.write({"people/fx/one.yaml": text, "people/fx/USER-00000002.yaml": "# empty\n"})
    desk.imports(desk.csv("users.csv", users(user_row(2))))
    assert "people/fx/user-00000002-2.yaml" in desk.files()
    desk.imports(desk.csv("users.csv", users(user_row(3))), "--to", str(desk.repository / "new"))
    assert "new/users/user-00000003.yaml" in desk.files()


def test_names_are_longer_where_ids_begin_alike(desk: Desk) -> None:
    rows = [f"{one}{user_row(0).partition('-')[2]}" for one in ("abcdef01-", "abcdef01-1")]
    rows[1] = rows[1].replace("abcdef01-10000", "abcdef01-1000")
    desk.imports(desk.csv("users.csv", users(*rows)))
    assert sorted(desk.files()) == ["users/user-abcdef010.yaml", "users/user-abcdef011.yaml"]


def test_a_folder_outside_the_configuration(desk: Desk) -> None:
    csv = desk.csv("users.csv", users(user_row(1)))
    for place, told in ((".hidden", "would not be part of the configuration"), ("..", "is outside the repository")):
        answer = desk.imports(csv, "--to", str(desk.repository / place))
        assert (answer.code, told in answer.err) == (3, True)
    desk.write({"reconciler.yaml": "apiVersion: reconciler/v1\nkind: Repository\nspec: {exclude: [users/]}\n"})
    assert "users/user-00000001.yaml would not be part" in desk.imports(csv).err
    assert list(desk.files()) == ["reconciler.yaml"]


def test_a_file_in_the_way_stays_and_nothing_else_is_written(desk: Desk) -> None:
    (desk.repository / "users").mkdir()
    (desk.repository / "users" / "user-00000002.yaml").mkdir()
    answer = desk.imports(desk.csv("users.csv", users(user_row(1), user_row(2), user_row(3))))
    assert answer.code == 3
    assert "user-00000002.yaml is there already, nothing was written" in answer.err
    assert desk.files() == {}
    assert sorted(path.name for path in desk.repository.iterdir()) == [".git", "users"]


def test_types_of_another_program(desk: Desk) -> None:
    columns = (
        "user_id UUID, LOT_SIZE_TYPE VARCHAR, lot_size_value FLOAT, risk_per_trade_percent DECIMAL(9,4), "
        "stop_loss_type VARCHAR, take_profit_type VARCHAR, max_open_trades DOUBLE, trade_direction VARCHAR, "
        "status ENUM('ACTIVE', 'INACTIVE'), created_at TIMESTAMPTZ"
    )
    file = desk.database(
        "foreign.duckdb",
        f"CREATE TABLE USER_CONFIG ({columns})",
        "INSERT INTO USER_CONFIG VALUES ('00000001-0000-4000-8000-000000000000', 'FIXED', 0.1, 0.75, 'ATR', 'ATR', 4, "
        "'BOTH', 'INACTIVE', '2026-01-01')",
        "CREATE TABLE orders (a INTEGER)",
        "CREATE SCHEMA other",
        "CREATE TABLE other.user_config (a INTEGER)",
    )
    answer = desk.imports(file)
    assert answer.code == 0, answer
    assert "left alone, as no kind has such a table: orders, other.user_config" in answer.err
    ((_, values),) = desk.live()["User"]
    assert (values["lot_size_value"], values["risk_per_trade_percent"], values["status"]) == (0.1, 0.75, "INACTIVE")


def test_problems_of_a_table_name_file_table_and_row(desk: Desk) -> None:
    rows = ", ".join("('" + row.replace(",", "', '") + "')" for row in (user_row(1), user_row(2, risk="x")))
    answer = desk.imports(desk.database("old.duckdb", USERS, f"INSERT INTO user_config VALUES {rows}"))
    assert answer.out[0].startswith("old.duckdb:user_config:2:1: error [wrong-type] /spec/risk_per_trade_percent: 'x'")


def test_references_are_found_by_ids(desk: Desk) -> None:
    desk.write({path: text for path, text in _example_files().items() if path.startswith(("schemas/", "brokers/"))})
    header = "account_id,broker_id,spread_type,commission,margin_requirement,leverage,currency_pair,status"
    known = "00000001-0000-4000-8000-000000000000,D1790701-13b1-5152-8221-d99a70d7962e,FIXED,7,3.34,30,'#US30,ACTIVE"
    other = "00000002-0000-4000-8000-000000000000,e1790701-13b1-5152-8221-d99a70d7962e,FIXED,7,3.34,30,EURUSD,ACTIVE"
    assert desk.imports(desk.csv("accounts.csv", f"{header}\n{known.replace(chr(39), '')}\n{other}\n")).code == 0
    assert "  refs:\n    broker: caldervale-eu\n" in desk.files()["accounts/account-00000001.yaml"]
    assert "currency_pair: '#US30'\n" in desk.files()["accounts/account-00000001.yaml"]
    assert "refs" not in desk.files()["accounts/account-00000002.yaml"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("users.csv", b"\xff\xfeu\0s\0\0\0", "is not UTF-8"),
        ("users.csv", b"", "users.csv is empty"),
        ("users.csv", b'user_id,status\n"a"b,c\n', "is no CSV file: line 2"),
        ("trades.csv", b"a,b\n", "there is no kind trades"),
        ("users.json", b"[]", "users.json is not read: import takes the rows of DuckDB files and of CSV files"),
        ("users.yaml", b"kind: User\n", "put into the repository as it is"),
        ("EA.set", b"a=1\n", "schema new KIND --from FILE"),
        ("users.csv", b"# only\n\n# comments\n", "users.csv is empty"),
        ("old.duckdb", b"hello", "damaged, or no DuckDB file"),
        ("old.db", b"\0" * 8 + b"DUCK" + b"\0" * 5000, "old.db"),
    ],
)
def test_a_file_that_cannot_be_read(desk: Desk, name: str, content: bytes, told: str) -> None:
    (desk.folder / name).write_bytes(content)
    answer = desk.imports(name)
    assert (answer.code, answer.out) == (3, [])
    assert told in answer.err


def test_a_database_without_a_table_of_ours(desk: Desk) -> None:
    answer = desk.imports(desk.database("old.duckdb", "CREATE TABLE orders (a INTEGER)"))
    assert answer.code == 3
    assert "old.duckdb has no table of a kind" in answer.err


def test_a_truncated_database(desk: Desk, state: Path) -> None:
    (desk.folder / "cut.duckdb").write_bytes(state.read_bytes()[:9000])
    answer = desk.imports("cut.duckdb")
    assert (answer.code, "cut.duckdb is damaged" in answer.err) == (3, True)
    assert "delete" not in answer.err  # it is not ours to rebuild


def test_a_database_in_use(desk: Desk) -> None:
    file = desk.database("old.duckdb", USERS)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        answer = desk.imports(file)
        holder.communicate()
    assert answer.code == 3
    assert "old.duckdb is in use by process" in answer.err


WIDE = ", ".join(f"c{number} INTEGER" for number in range(1_001))
LARGE_FILES = {
    "rows": ("CREATE TABLE user_config AS SELECT range AS user_id FROM range(4)", "there are more than 3 rows in all"),
    "rows of two tables": (
        "CREATE TABLE user_config AS SELECT 1 AS a FROM range(2); CREATE TABLE signal_config AS FROM user_config",
        "there are more than 3 rows in all",
    ),
    "a cell": (
        "CREATE TABLE user_config AS SELECT repeat('x', 1048577) AS a",
        "user_config:1: a holds more than 1,048,576",
    ),
    "text": (
        "CREATE TABLE user_config AS SELECT repeat('x', 600000) AS a FROM range(2)",
        "there are more than 1 MB of rows in all",
    ),
    "columns": (f"CREATE TABLE user_config ({WIDE})", "user_config has more than 1,000 columns"),
    "tables": (
        "; ".join(f"CREATE TABLE t{number} (a INTEGER, b INTEGER)" for number in range(11)),
        "the tables of {file} have more than 20 columns",
    ),
    "the file": ("CREATE TABLE user_config (a INTEGER)", "{file} is larger than 0 GB"),
}


@pytest.mark.parametrize("what", LARGE_FILES)
def test_a_database_that_brings_too_much(desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    statements, told = LARGE_FILES[what]
    file = desk.folder / desk.database("large.duckdb", *statements.split("; "))
    if what in ("tables", "the file"):
        monkeypatch.setattr(files, "MAX_CATALOG" if what == "tables" else "MAX_FILE", 20)
    with pytest.raises(TooLarge) as caught:
        files.read_foreign(file, SHIPPED.kinds, Limits(paths=3, yaml_mb=1))
    assert told.format(file=file) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a\n" + "1\n" * 4, "has more than 3 rows"),
        ("a\n" + "x" * (1 << 20), "is larger than 1 MB"),
        ("a," * 1_001, "has more than 1,000 columns"),
        ("a\n" + "," * 200, "has more than 100 cells"),
        ("a\n" + "x" * 200_000, "field larger than field limit"),
    ],
)
def test_a_csv_file_that_brings_too_much(desk: Desk, monkeypatch: pytest.MonkeyPatch, content: str, told: str) -> None:
    if "cells" in told:
        monkeypatch.setattr(csvfile, "MAX_CELLS", 100)
    file = desk.folder / desk.csv("users.csv", content)
    with pytest.raises((TooLarge, NeedsHuman), match=told):
        csvfile.read_csv(file, SHIPPED.kinds.by_name["User"], Limits(paths=3, yaml_mb=1))


@pytest.mark.slow
def test_a_small_file_that_stands_for_gigabytes(desk: Desk) -> None:
    file = desk.database(
        "bomb.duckdb",
        "CREATE TABLE user_config (user_id VARCHAR, status VARCHAR GENERATED ALWAYS AS (repeat('x', 30000000)))",
        "INSERT INTO user_config (user_id) SELECT range FROM range(2000)",
    )
    assert (desk.folder / file).stat().st_size < 1_000_000
    answer = desk.imports(file)
    assert (answer.code, desk.files()) == (3, {})
    assert "bomb.duckdb takes more memory than an import may have" in answer.err


@pytest.mark.slow
def test_a_file_over_which_the_reader_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = desk.database("old.duckdb", USERS)
    monkeypatch.setattr(files, "read_apart", os.abort)
    answer = desk.imports(file)
    assert (answer.code, "cannot read old.duckdb: the process that did gave no answer" in answer.err) == (3, True)


def test_a_foreign_file_is_shut_off_and_not_changed(desk: Desk) -> None:
    secret = desk.csv("secret.csv", "a\n1\n")
    file = desk.database("old.duckdb", USERS, f"CREATE VIEW account_config AS SELECT * FROM read_csv('{secret}')")
    with duckdb.connect(file) as connection:
        values = ", ".join(f"'{cell}'" for cell in user_row(1).split(","))
        connection.execute(f"INSERT INTO user_config VALUES ({values})")
    before = (desk.folder / file).read_bytes()
    assert desk.imports(file).code == 0
    assert (desk.folder / file).read_bytes() == before
    assert list(desk.files()) == ["users/user-00000001.yaml"]


def test_a_repository_with_errors_is_not_added_to(desk: Desk) -> None:
    desk.write({"users/broken.yaml": "kind: User\n\tx: 1\n"})
    answer = desk.imports(desk.csv("users.csv", users(user_row(1))))
    assert (answer.code, list(desk.files())) == (1, ["users/broken.yaml"])
    assert answer.out[0].startswith("users/broken.yaml:2:1: error [yaml-syntax]")


def test_many_new_files_are_counted(desk: Desk) -> None:
    answer = desk.imports(
        desk.csv("users.csv", users(*(user_row(number, prefix="000000") for number in range(10, 31))))
    )
    assert answer.out[0] == "+ 21 User"
    shutil.rmtree(desk.repository / "users")
