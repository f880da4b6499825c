"""Kinds are data: no module under reconciler/ knows one by name.

The rule, case-sensitive, on syntax trees, so that comments and docstrings may use English words:
- a string literal is no kind's word (`User`, `user`, `Users`, `users`), has no kind's name with its capital letter as
  a whole word in it, and no table's name, id or file name (`user_config`, `user_id`, `user.schema.json`);
- an identifier is no kind's word and has no table's name in it.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.markdown import EXAMPLE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = ROOT / "reconciler"
STORY = Path("cli/tour.py")
"""The tour tells what happens to two files of the example repository: it needs their names, as any user does."""

ORDINARY = {
    (Path("adapters/git/repository.py"), "user"): "the user information of a URL (RFC 3986, section 3.2.1)",
    (Path("cli/commands/daemon.py"), "signal"): "the module of the standard library",
    (Path("kinds/check.py"), "instance"): "JSON Schema's word for the value that is checked",
    (Path("validate/violations.py"), "instance"): "JSON Schema's word for the value that is checked",
    (Path("adapters/sandbox/child.py"), "signal"): "the module of the standard library",
    (Path("adapters/sandbox/process.py"), "signal"): "the module of the standard library",
    (Path("reconcile/read.py"), "signal"): "the module of the standard library",
    (Path("reconcile/forking.py"), "signal"): "the module of the standard library",
    (Path("notify/forges.py"), "user"): "the user information of a URL, and who wrote a comment on a forge",
    (Path("cli/commands/service.py"), "account"): "a login of Windows",
    (Path("adapters/windows/manager.py"), "account"): "a login of Windows",
    (Path("adapters/windows/plan.py"), "account"): "a login of Windows",
    (Path("adapters/freshprocess.py"), "signal"): "the module of the standard library",
}
"""Words that happen to be a kind's too, and mean something else in this module."""


def _schemas() -> list[dict[str, object]]:
    files = [*(ROOT / "schemas").glob("*.schema.json"), *(EXAMPLE / "schemas").glob("*.schema.json")]
    texts = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [text for text in texts if "x-reconciler" in text]


def _kinds() -> dict[str, tuple[str, str]]:
    """Tables and keys by kind."""
    found = {}
    for schema in _schemas():
        match schema:
            case {"properties": {"kind": {"const": str(name)}}, "x-reconciler": {"table": str(table), "key": str(key)}}:
                found[name] = (table, key)
    return found


KINDS = _kinds()
WORDS = {form for name in KINDS for form in (name, name.lower(), f"{name}s", f"{name.lower()}s")}
NAMES = re.compile(rf"\b(?:{'|'.join(KINDS)})s?\b")
TABLES = {table for table, _ in KINDS.values()}
PARTS = TABLES | {key for _, key in KINDS.values()} | {f"{name.lower()}.schema.json" for name in KINDS}
IDENTIFIED_BY = {"Name": "id", "Attribute": "attr", "arg": "arg", "keyword": "arg", "alias": "name"} | dict.fromkeys(
    ("FunctionDef", "AsyncFunctionDef", "ClassDef"), "name"
)


def offences(source: str) -> Iterator[tuple[int, str]]:
    """Lines and words that break the rule."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            text = node.value
            if text in WORDS or NAMES.search(text) or any(part in text for part in PARTS):
                yield node.lineno, text
        identifier = getattr(node, IDENTIFIED_BY.get(type(node).__name__, ""), None)
        if isinstance(identifier, str) and (identifier in WORDS or any(table in identifier for table in TABLES)):
            yield getattr(node, "lineno", 0), identifier


def test_the_kinds_are_those_that_ship_and_the_examples_own() -> None:
    assert set(KINDS) == {"User", "Account", "Instance", "Signal", "System", "Broker"}


@pytest.mark.parametrize(
    "source",
    [
        "kind == 'User'",
        "words = ['users']",
        "query = f'SELECT * FROM main.user_config WHERE {x}'",
        "message = 'no Account is live'",
        "account = 1",
        "def signal(): pass",
        "rows.instance_config",
        "f(system=1)",
        "path = 'schemas/user.schema.json'",
        "column = 'config_id'",
    ],
)
def test_the_rule_sees(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize(
    "source",
    ["'''The User of a program.'''", "x = 1  # an account", "class SystemClock: pass", "hint = 'ask the user'"],
)
def test_the_rule_lets_pass(source: str) -> None:
    assert not list(offences(source))


def test_no_module_knows_a_kind() -> None:
    found = {
        (file.relative_to(SOURCES), line, word)
        for file in SOURCES.rglob("*.py")
        if "_data" not in file.parts and file.relative_to(SOURCES) != STORY
        for line, word in offences(file.read_text(encoding="utf-8"))
    }
    excused = {one for one in found if (one[0], one[2]) in ORDINARY}
    assert sorted(map(str, found - excused)) == []
    assert {(file, word) for file, _, word in excused} == ORDINARY.keys(), "an excuse that nothing needs any more"


def test_the_tour_is_an_exception_for_a_reason() -> None:
    """It names kinds in files, commands and prose of its story, and calls no method and no column by them."""
    source = (SOURCES / STORY).read_text(encoding="utf-8")
    assert list(offences(source)), "no exception is needed any more"
    assert not any(table in source for table in TABLES)
