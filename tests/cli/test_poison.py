"""Schemas that an engine chokes on, as commands meet them: a problem with its place, and the next commit goes live."""

from __future__ import annotations

import copy
import json
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.main import run
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE
from tests.validate.samples import CASES
from tests.validate.test_poison import FAULTY, LIST, MAP, REFERENCES, SOUND, TEXT, WAYS, with_part

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


def test_a_daemon_answers_while_it_judges(tmp_path: Path) -> None:
    """Thousands of missing fields, documents that many alternatives fit, large files with unknown fields."""
    repo = GitRepo.create(tmp_path / "config")
    items = {"anyOf": [{"type": "object", "required": [f"f{number}" for number in range(800)]}, {"type": "string"}]}
    schema = _numbered(with_part(LIST, {**FIELD, "type": "array", "items": items}), 1)
    document = "apiVersion: reconciler/v1\nkind: Desk1x\nmetadata: {name: fxNUMBER}\nspec: {city: A, loss: 1MORE}\n"

    def files(more: str, count: int) -> dict[str, str | None]:
        texts = {number: document.replace("NUMBER", str(number)).replace("MORE", more) for number in range(count)}
        return {f"desks/{number}.yaml": text for number, text in texts.items()}

    good = files("", 1)
    repo.commit({"schemas/desk.schema.json": schema, **good})
    poison = [
        files(f", some_list: [{', '.join(['{}'] * 9_000)}]", 3),
        files(f", some_list: [{', '.join(['text'] * 9_000)}, 1]", 3),
        files("".join(f", surprise_{number}: 1" for number in range(10_000)), 3),
    ]
    with running(repo.path, tmp_path / "state") as daemon, HealthProbe(daemon.client().address) as probe:
        for number, bad in enumerate(poison, 2):
            sha = repo.commit(bad)
            daemon.await_status(lambda status, sha=sha: sha in str(status))
            mended = document.replace("loss: 1", f"loss: {number}").replace("NUMBER", "0").replace("MORE", "")
            daemon.await_live(repo.commit(dict.fromkeys(bad) | {"desks/0.yaml": mended}))
    assert probe.beats > 10
    assert probe.late <= 1.0, probe.late


class HealthProbe:
    """Asks whether a daemon is well, again and again. `late` is how long the slowest answer took at most.

    Without what the machine does besides: as long as this process had to wait for its own turn meanwhile.
    """

    def __init__(self, address: str) -> None:
        self._url, self._end = f"http://{address}/healthz", threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._ask, self._wait)]
        self._overslept = self.late = 0.0
        self.beats = 0

    def _wait(self) -> None:
        while not self._end.is_set():
            began = time.monotonic()
            self._end.wait(0.01)
            self._overslept = max(self._overslept, time.monotonic() - began - 0.01)

    def _ask(self) -> None:
        while not self._end.wait(0.02):
            self._overslept, began = 0.0, time.monotonic()
            with urllib.request.urlopen(self._url, timeout=DEADLINE) as answer:
                assert answer.status == 200
            self.late = max(self.late, time.monotonic() - began - 2 * self._overslept)
            self.beats += 1

    def __enter__(self) -> HealthProbe:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
