"""Rows → file → import → commit → sync: the live rows are those that were there."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import canonical
from reconciler.settings import load
from reconciler.wiring.importing import FileImport
from tests.importing.conftest import HEADER
from tests.importing.widgets import COLUMNS, FIELDS, SCHEMA_FILE
from tests.importing.widgets import rows as widgets
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import World

TYPES = {"FLOAT": "DOUBLE", **{name: name for name in ("UUID", "INTEGER", "BOOLEAN", "JSON")}}
directions = st.sampled_from(["BUY", "SELL", "BOTH"])
percents = st.floats(0, 100, exclude_min=True)
users = st.tuples(
    st.uuids().map(str), st.just("PERCENTAGE"), percents, percents, st.just("ATR"), st.just("FIXED"),
    st.integers(1, 1000), directions, st.sampled_from(["ACTIVE", "INACTIVE"]),
)  # fmt: skip
tables = st.tuples(
    st.lists(widgets, min_size=1, max_size=6, unique_by=lambda row: row["widget_id"]),
    st.lists(users, max_size=4, unique_by=lambda row: row[0]),
)


def _live_after_import(folder: Path, *files: Path) -> dict[str, dict[str, Any]]:
    """The live rows by id, after importing into a new repository that has the widgets' schema."""
    repository = folder / "config"
    repo = GitRepo.create(repository)
    for path, text in SCHEMA_FILE.items():
        (repository / path).parent.mkdir()
        (repository / path).write_text(text, encoding="utf-8")
    importing = FileImport(files, load(None, {"repository.url": str(repository)}, {}), None, None)
    imported = importing.plan(None, {})
    importing.write(imported)
    assert imported.row_import.problems == ()
    assert imported.row_import.plan.changes == ()
    found = [path for path in repository.rglob("*") if path.is_file() and ".git" not in path.parts]
    repo.commit({path.relative_to(repository).as_posix(): path.read_bytes() for path in found})
    world = World(repository)
    assert world.sync().plan.problems == ()
    live = world.live()
    keys = {"User": "user_id", "Widget": "widget_id"}
    return {
        values[key]: {name: value for name, value in values.items() if not name.endswith("_at")}
        for kind, key in keys.items()
        for _, values in live[kind]
    }


def _expected(
    rows: list[dict[str, Any]], people: list[tuple[Any, ...]], *, empty_is_none: bool
) -> dict[str, dict[str, Any]]:
    expected = {row["widget_id"]: {**row, "parts": canonical.normalize(row["parts"])} for row in rows}
    for row in expected.values():
        row["weight"] = canonical.number(row["weight"])
        if empty_is_none and row["note"] == "":
            row["note"] = None
    return expected | {row[0]: dict(zip(HEADER.split(","), row, strict=True)) for row in people}


def _cells(row: dict[str, Any]) -> list[Any]:
    parts = None if row["parts"] is None else json.dumps(row["parts"], ensure_ascii=False)
    return [parts if name == "parts" else row[name] for name in COLUMNS]


@settings(max_examples=examples(8))
@given(tables)
def test_through_duckdb(given_rows: tuple[list[dict[str, Any]], list[tuple[Any, ...]]]) -> None:
    rows, people = given_rows
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "old.duckdb"
        columns = ", ".join(f"{column} {TYPES.get(sql, sql)}" for column, (sql, _) in FIELDS.items())
        texts = ", ".join(
            f"{column} {'DOUBLE' if column.endswith(('value', 'percent')) else 'VARCHAR'}"
            for column in HEADER.split(",")
        )
        with duckdb.connect(str(file)) as connection:
            connection.execute(f"CREATE TABLE widget_config ({columns}); CREATE TABLE user_config ({texts})")
            connection.executemany(f"INSERT INTO widget_config VALUES ({', '.join('?' * 8)})", list(map(_cells, rows)))
            if people:
                connection.executemany(f"INSERT INTO user_config VALUES ({', '.join('?' * 9)})", people)
        assert _live_after_import(Path(name), file) == _expected(rows, people, empty_is_none=False)


@settings(max_examples=examples(8))
@given(
    tables, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig"])
)
def test_through_csv(
    given_rows: tuple[list[dict[str, Any]], list[tuple[Any, ...]]], separator: str, end: str, encoding: str
) -> None:
    rows, people = given_rows
    with tempfile.TemporaryDirectory() as name:
        files = []
        for stem, header, records in (
            ("widget_config", COLUMNS, list(map(_cells, rows))),
            ("Users", HEADER.split(","), people),
        ):
            files.append(Path(name) / f"{stem}.csv")
            with files[-1].open("w", encoding=encoding, newline="") as opened:
                writer = csv.writer(opened, delimiter=separator, lineterminator=end)
                writer.writerows([header, *records])
        assert _live_after_import(Path(name), *files) == _expected(rows, people, empty_is_none=True)
