"""`sql`, `export` and `completion`, without a daemon."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest
import tree_sitter_powershell
import yaml
from tree_sitter import Language, Parser

from reconciler.adapters.bundled import find_example_repository
from reconciler.cli.completion import SHELLS
from reconciler.cli.main import COMMANDS, run
from tests.support.cases import some
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Answer, Host

HOSTILE = (
    "<script>",
    "a,b",
    "two\nlines",
    "\x1b[31mred",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "' OR 1=1 --",
    "x" * 10_240,
)


def values(texts: tuple[str, ...]) -> str:
    """These texts as a query, in order."""
    quoted = (f"({number}, '{text}')" for number, text in enumerate(text.replace("'", "''") for text in texts))
    return f"SELECT text FROM (VALUES {', '.join(quoted)}) AS v(n, text) ORDER BY n"


def test_live_rows(synced: Host) -> None:
    asked = synced.run("sql", "SELECT name, risk_per_trade_percent FROM desired.user_config ORDER BY name LIMIT 2")
    assert asked == type(asked)(0, "name          risk_per_trade_percent\nfx-majors-01  0.75\nfx-majors-02  0.5\n", "")


def test_before_the_first_sync_there_is_nothing(host: Host) -> None:
    assert host.run("sql", "SELECT count(*) AS n FROM user_config").out == "n\n0\n"
    assert host.run("sql", "SELECT name FROM desired.user_config", "--format", "csv").out == "name\n"
    history = host.run("sql", "SELECT 1", "--history")
    assert (history.code, history.out) == (3, "")
    assert history.err.startswith("error: the history is empty\nhint: `reconciler sync`")
    assert not (host.state / "state.duckdb").exists()
    assert not (host.state / "history").exists()


@pytest.mark.slow
def test_the_history(synced: Host) -> None:
    sql = "SELECT op, count() AS n FROM user_config JOIN versions USING (commit_sha) GROUP BY op"
    assert synced.run("sql", "--history", sql).out == "op      n\ncreate  6\n"


@pytest.mark.slow
def test_a_host_without_history(synced: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")
    asked = synced.run("sql", "--history", "SELECT 1")
    assert (asked.code, asked.out) == (3, "")
    assert "keeps no history" in asked.err
    assert synced.run("sql", "SELECT 1 AS a").out == "a\n1\n"


def test_every_value_can_be_told_from_another(synced: Host) -> None:
    sql = "SELECT NULL, '' AS empty, 'NULL' AS word, ' a ' AS wide, 30.0 AS whole, 0.1e0 AS tenth, true AS yes"
    _, cells = synced.run("sql", sql).out.splitlines()
    assert cells.split() == ["NULL", "''", "'NULL'", "'", "a", "'", "30", "0.1", "true"]
    rows = json.loads(synced.run("sql", sql, "--format", "json").out)["rows"]
    assert rows == [[None, "", "NULL", " a ", 30, 0.1, True]]


@pytest.mark.slow
def test_hostile_text_is_shown_as_text(synced: Host) -> None:
    lines = synced.run("sql", values(HOSTILE)).out.splitlines()
    assert lines[1:] == ["<script>", "a,b", r"two\nlines", r"\x1b[31mred", r"\u202eevil", "' OR 1=1 --", "x" * 10_240]
    told = synced.run("sql", values(HOSTILE), "--format", "json").out
    assert "\x1b" not in told
    assert [text for (text,) in json.loads(told)["rows"]] == list(HOSTILE)
    read = csv.reader(io.StringIO(synced.run("sql", values(HOSTILE), "--format", "csv").out, newline=""))
    assert [text for (text,) in read][1:] == list(HOSTILE)


@pytest.mark.slow
def test_more_rows_than_are_told(synced: Host) -> None:
    asked = synced.run("sql", "SELECT n FROM range(5) AS t(n)", "--limit", "2")
    assert (asked.code, asked.out) == (0, "n\n0\n1\n")
    assert asked.err == "there are more rows than these 2: --limit tells more, up to 100,000\n"
    long = synced.run("sql", "SELECT n, repeat('x', 1000000) AS x FROM range(50) AS t(n)", "--format", "json")
    assert (json.loads(long.out)["cut"], json.loads(long.out)["cut_by"]) == (True, "bytes")
    told = "only 16 rows fit into the 16 MiB of one answer, and there are more: name fewer columns, or use `export`\n"
    assert long.err == told
    none = synced.run("sql", "SELECT repeat('x', 20000000) AS x")
    assert (none.code, none.out) == (3, "")
    assert none.err.startswith("error: the first row alone takes more than the 16 MiB that an answer may have\n")


@pytest.mark.slow
def test_what_is_no_query(synced: Host) -> None:
    asked = synced.run("sql", "DELETE FROM user_config")
    assert (asked.code, asked.out) == (3, "")
    assert asked.err == (
        "error: the query was not run: this is a statement of type DELETE\n"
        "hint: a query is one SELECT; everything else is done by commits\n"
    )
    assert synced.run("sql", "SELECT count(*) AS n FROM user_config").out == "n\n6\n"


WORDS_OF_THE_OTHER = [
    (("SELECT user_config.name FROM user_config FINAL",), "leave out FINAL, which is ClickHouse's"),
    (("SELECT * FROM user_config FINAL, system_config FINAL",), "leave out FINAL, which is ClickHouse's"),
    (("SELECT * FROM versions",), "that is a table of the history: add --history"),
    (("SELECT * FROM host_events",), "that is a table of the history: add --history"),
    (("--history", "SELECT count() FROM user_config FINAL"), "leave out FINAL: these tables have each row once"),
    (("--history", "SELECT height FROM versions AS v FINAL"), "leave out FINAL: these tables have each row once"),
    (("--history", "SELECT name FROM user_config SAMPLE 0.1"), "leave out SAMPLE"),
    (("--history", "SELECT * FROM desired.user_config"), "the live rows are asked without --history"),
]


@pytest.mark.parametrize("asked_and_hint", some(WORDS_OF_THE_OTHER, 1))
def test_words_of_the_other_database_are_hinted_at(synced: Host, asked_and_hint: tuple[tuple[str, ...], str]) -> None:
    asked, hint = asked_and_hint
    answer = synced.run("sql", *asked)
    assert (answer.code, answer.out) == (3, "")
    assert f"\nhint: {hint}" in answer.err or f"; {hint}" in answer.err


@pytest.mark.slow
def test_a_query_from_stdin(synced: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(data: bytes) -> Answer:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        return synced.run("sql", "-")

    assert told("SELECT 'é' AS text;\n".encode("utf-8-sig")).out == "text\né\n"
    wrong = told("SELECT 'é'".encode("latin-1"))
    assert (wrong.code, wrong.err.splitlines()[0]) == (3, "error: the query on stdin is not UTF-8")


def test_an_export_read_back_is_what_is_live(synced: Host, tmp_path: Path) -> None:
    assert synced.run("export", "--to", str(tmp_path / "a" / "b")).code == 0
    with duckdb.connect(str(synced.state / "state.duckdb"), read_only=True) as store, duckdb.connect() as other:
        tables = [name for (name,) in store.execute("FROM (SHOW TABLES)").fetchall()]
        for table in tables:
            file = tmp_path / "a" / "b" / f"{table}.parquet"
            columns = store.execute(f"SELECT column_name, column_type FROM (DESCRIBE main.{table})").fetchall()
            listed = ", ".join(name for name, _ in columns)
            live = store.execute(f"SELECT {listed} FROM {table} ORDER BY 1").fetchall()
            read = other.execute(f"SELECT {listed} FROM '{file}' ORDER BY 1")
            assert [(name, str(type_)) for name, type_, *_ in read.description] == columns
            assert read.fetchall() == live != []
    assert {file.name for file in (tmp_path / "a" / "b").iterdir()} == {f"{table}.parquet" for table in tables}


@pytest.mark.slow
def test_an_export_imported_is_what_was_declared(synced: Host, tmp_path: Path) -> None:
    assert synced.run("export", "--to", str(tmp_path), "--format", "csv").code == 0
    anew = GitRepo.create(tmp_path / "anew")
    shutil.copytree(find_example_repository() / "schemas", anew.path / "schemas")
    files = [str(file) for file in tmp_path.glob("*.csv")]
    imported = replace(synced, repo=anew, state=tmp_path / "state").run("import", *files)
    assert imported.code == 0, imported.err
    assert declared(anew.path) == declared(find_example_repository())


def declared(folder: Path) -> dict[tuple[str, str], object]:
    """What the files of a repository say, by kind and name; annotations and ids that follow from names left out."""
    found = {}
    for file in folder.rglob("*.yaml"):
        for one in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if one["kind"] != "Repository" and "policies" not in file.parts:
                ids = {name: value for name, value in one["spec"].items() if name.endswith("_id")}
                spec = {name: value for name, value in one["spec"].items() if name not in ids}
                found[one["kind"], one["metadata"]["name"]] = (spec, one["metadata"].get("refs"))
    return found


@pytest.mark.slow
def test_every_format_has_the_same_values(synced: Host, tmp_path: Path) -> None:
    for form in ("csv", "json"):
        asked = synced.run("export", "account", "Users", "--to", str(tmp_path), "--format", form)
        assert asked.out.splitlines()[0].startswith(f"{tmp_path / f'account_config.{form}'}  8 rows, ")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "user_config.csv").read_text(encoding="utf-8"), newline="")))
    read = json.loads((tmp_path / "user_config.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in rows] == [row["name"] for row in read]
    assert {row["lot_size_value"] for row in rows} >= {"2", "0.1"}
    assert {row["lot_size_value"] for row in read} >= {2, 0.1}
    accounts = json.loads((tmp_path / "account_config.json").read_text(encoding="utf-8"))
    assert all(row["refs"]["broker"] for row in accounts)
    assert {file.name for file in tmp_path.iterdir()} == {
        f"{t}_config.{f}" for t in ("user", "account") for f in ("csv", "json")
    }


@pytest.mark.slow
def test_the_history_as_files(synced: Host, tmp_path: Path) -> None:
    assert synced.run("export", "--history", "--to", str(tmp_path), "versions", "user").code == 0
    with duckdb.connect() as other:
        changes, versions = (f"'{tmp_path}/{table}.parquet'" for table in ("user_config", "versions"))
        sql = f"SELECT op, v.height, count(*) FROM {changes} JOIN {versions} AS v USING (commit_sha) GROUP BY ALL"
        assert other.execute(sql).fetchall() == [("create", 1, 6)]
        assert other.execute(f"SELECT typeof(committer_time) FROM {versions}").fetchall() == [("TIMESTAMP",)]
    unknown = synced.run("export", "--history", "--to", str(tmp_path), "nothing")
    assert (unknown.code, unknown.err.splitlines()[0]) == (3, "error: the history has no table nothing")


@pytest.mark.slow
def test_a_file_that_is_there_is_replaced_whole_or_not_at_all(synced: Host, tmp_path: Path) -> None:
    there = tmp_path / "user_config.csv"
    there.write_text("old\n", encoding="utf-8")
    assert synced.run("export", "usr", "--to", str(tmp_path), "--format", "csv").code == 3
    assert there.read_text(encoding="utf-8") == "old\n"
    assert synced.run("export", "user", "--to", str(tmp_path), "--format", "csv").code == 0
    assert there.read_text(encoding="utf-8").startswith("user_id,")
    assert [file.name for file in tmp_path.iterdir()] == ["user_config.csv"]
    refused = synced.run("export", "user", "--to", str(there / "below"))
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith("error: cannot write to ")


COMPLETE = """
source "$1"; compopt() { :; }
IFS=' ' COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
if [ "$3" ]; then COMP_CWORD=$((COMP_CWORD + 1)); fi
_reconciler_completion reconciler; printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when somebody presses Tab at the end of a line, after a space if `$3` says so."""


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A folder with the program, as it is found by shells."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "reconciler"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(folder)


@pytest.mark.slow
def test_bash_completes(synced: Host, tmp_path: Path, program: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    script = tmp_path / "completion.bash"
    script.write_text(synced.run("completion", "bash").out, encoding="utf-8", newline="\n")
    place = f"--repo {synced.repo.path} --state {synced.state}"
    for line, choices in {
        "dri": ["drift"],
        f"{place} get bro": ["broker"],
        f"{place} get user fx-": ["fx-majors-01", "fx-majors-02"],
        "export --format ": ["parquet", "csv", "json"],
        "get nothing x": [],
    }.items():
        done = subprocess.run(
            [
                bash,
                "--norc",
                "-c",
                COMPLETE,
                "-",
                str(script),
                f"reconciler {line}",
                "" if line.rstrip() == line else "yes",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"},
            check=True,
        )
        assert [word for word in done.stdout.splitlines() if word] == choices, (line, done.stderr)
        assert done.stderr == ""


def test_powershell_is_answered(
    synced: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--repo", str(synced.repo.path), "--state", str(synced.state)]
    monkeypatch.setenv("_RECONCILER_COMPLETE", "powershell_complete")
    monkeypatch.setenv("_RECONCILER_WORDS", "\n".join(["reconciler", *place, "get", "user"]))
    monkeypatch.setenv("_RECONCILER_TYPED", "gold")
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run([])
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err) == (0, "gold-swing-01\tplain\t\n", "")
    monkeypatch.setenv("_RECONCILER_WORDS", "reconciler")
    monkeypatch.setenv("_RECONCILER_TYPED", "'bla")
    with pytest.raises(SystemExit):
        run([])
    assert capsys.readouterr().out == f"blame\tplain\t{COMMANDS['blame'][1]}\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_for_each_shell(synced: Host, shell: str) -> None:
    said = synced.run("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert f"_RECONCILER_COMPLETE={shell}_complete" in said.out.replace(" = '", "=")
    if shell == "powershell":
        tree = Parser(Language(tree_sitter_powershell.language())).parse(said.out.encode())
        assert not tree.root_node.has_error
        return
    program = shutil.which(shell)
    if program:  # fish and zsh are seldom here
        subprocess.run([program, "-n"], input=said.out, text=True, timeout=30, check=True)


def test_a_shell_that_nobody_has(synced: Host) -> None:
    assert synced.run("completion", "tcsh").code == 3
