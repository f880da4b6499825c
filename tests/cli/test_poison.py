"""Schemas that an engine chokes on, as commands meet them: a problem with its place, and the next commit goes live."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.main import run
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo
from tests.validate.samples import CASES
from tests.validate.test_poison import FAULTY, MAP, REFERENCES, SOUND, TEXT, WAYS, with_part

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Host

pytestmark = pytest.mark.slow  # whole hosts; `make test` has the parts

DESK = json.loads((CASES.parent / "schemas" / "positive" / "every-type.schema.json").read_text())
FIELD = {"description": "Some field.", "type": "object"}


def _numbered(schema: Any, number: int) -> str:
    """The schema under a name and a table of its own."""
    own = copy.deepcopy(schema)
    own["properties"]["kind"]["const"] = f"Desk{number}x"
    own["x-reconciler"]["table"] = f"desk_{number}x"
    return json.dumps(own, indent=1)


def _referring(case: str) -> Any:
    definitions, target, _ = REFERENCES[case]
    schema = with_part(MAP, {**FIELD, "properties": {"x": {"$ref": target}}})
    schema["$defs"] |= definitions
    return schema


def _named(*, columns: tuple[str, ...], indexes: list[list[str]]) -> Any:
    schema = copy.deepcopy(DESK)
    for name in columns:
        schema["properties"]["spec"]["properties"][name] = {"description": "Some field.", "type": "string"}
        schema["x-reconciler"]["columns"][name] = "VARCHAR"
    schema["x-reconciler"]["indexes"] = indexes
    return schema


NAMES = [
    _named(columns=("a", "b", "a_b"), indexes=[["a_b"], ["a", "b"]]),
    _named(columns=("name", "declared_name"), indexes=[]),
    _named(columns=("op", "history_op"), indexes=[]),
]
PATTERNS = [way(row["pattern"]) for way in WAYS.values() for row in FAULTY]
POISON = [
    *(with_part(MAP, {**FIELD, "patternProperties": {"^a": part}}) for part in PATTERNS),
    *(
        _referring(case) for case in REFERENCES if case != "long circle"
    ),  # thousands of problems, which no format prints
    *NAMES,
]


def test_validate_tells_what_is_wrong_with_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "schemas").mkdir()
    for number, schema in enumerate(POISON):
        (tmp_path / "schemas" / f"desk-{number}.schema.json").write_text(_numbered(schema, number), encoding="utf-8")
    for number, row in enumerate(SOUND):
        sound = with_part((*TEXT, "pattern"), row["pattern"])
        (tmp_path / "schemas" / f"sound-{number}.schema.json").write_text(_numbered(sound, 1000 + number))
    code = run(["validate", "--format", "json", "--repo", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)["problems"]
    assert code == 1
    assert {one["path"] for one in told} == {f"schemas/desk-{number}.schema.json" for number in range(len(POISON))}
    assert all(one["line"] and one["column"] and one["message"] and one["hint"] for one in told)


def test_the_commit_after_each_is_live(synced: Host) -> None:
    """One commit with what is wrong with names alone, one with the rest: neither is in the way of the next."""
    for poison in (NAMES, [POISON[0], _referring("fan of 25"), _referring("into const that refers to itself")]):
        files = {f"schemas/desk-{number}.schema.json": _numbered(one, number) for number, one in enumerate(poison)}
        synced.repo.commit(files, "Bring what no engine takes")
        assert synced.run("sync").code == 1
        assert synced.run("plan").code == 1
        synced.repo.commit(dict.fromkeys(files), "Take it back")
        assert synced.run("sync").code == 0


def test_what_backtracks_for_ever_elsewhere_is_live_or_refused_at_once(synced: Host) -> None:
    schema = _numbered(with_part((*TEXT, "pattern"), "^([A-Za-z]+[ .-]?)+$"), 1)
    document = (
        "apiVersion: reconciler/v1\nkind: Desk1x\nmetadata: {name: fx}\nspec: {city: A, loss: 1, some_text: TEXT}\n"
    )
    bad, good = (document.replace("TEXT", text) for text in ("a" * 27 + "1", "New York"))
    synced.repo.commit({"schemas/desk.schema.json": schema, "desk.yaml": bad}, "Bring a wrong desk")
    told = synced.run("sync", "--format", "json")
    assert told.code == 1
    assert "bad-format" in told.out
    synced.repo.commit({"desk.yaml": good}, "Mend it")
    assert synced.run("sync").code == 0
    assert "New York" in synced.run("get", "Desk1x", "fx", "--format", "json").out


@pytest.mark.slow
def test_a_daemon_goes_on_after_each(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    schema = _numbered(with_part((*TEXT, "pattern"), "^([A-Za-z]+[ .-]?)+$"), 1)
    document = (
        "apiVersion: reconciler/v1\nkind: Desk1x\nmetadata: {name: fx}\nspec: {city: A, loss: 1, some_text: TEXT}\n"
    )
    repo.commit({"schemas/desk.schema.json": schema, "desk.yaml": document.replace("TEXT", "ok")})
    other = "schemas/other.schema.json"
    poison: list[dict[str, str | None]] = [
        {"desk.yaml": document.replace("TEXT", "a" * 27 + "1")},
        {"desk.yaml": document.replace("TEXT", "ab" * 400_000 + "1")},
        {other: _numbered(_referring("fan of 25"), 2)},
        *({other: _numbered(schema, 2)} for schema in NAMES),
    ]
    with running(repo.path, tmp_path / "state") as daemon:
        for number, files in enumerate(poison):
            bad = repo.commit(files)
            daemon.await_status(lambda status, bad=bad: bad in str(status))
            mended: dict[str, str | None] = {"desk.yaml": document.replace("TEXT", f"ok {'x' * number}"), other: None}
            daemon.await_live(repo.commit(mended if other in files else {"desk.yaml": mended["desk.yaml"]}))
