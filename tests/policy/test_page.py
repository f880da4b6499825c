"""docs/policies.md: its rules run, on the example repository's kinds, and say what the page says they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.sandbox import protocol, screen
from reconciler.adapters.sandbox.engine import SECONDS_FOR_ALL, Sandbox
from reconciler.policy import MAX_MESSAGE, read_policy
from reconciler.reconcile.rules import read_kinds
from reconciler.tables.rows import DECLARATION_COLUMNS
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from tests.adapters.policy.conftest import policy
from tests.docs.markdown import EXAMPLE, blocks, read

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kinds

PAGE = read("docs/policies.md")
RULES = [block.body for block in blocks(PAGE, "sql")]


@pytest.fixture(scope="module")
def kinds() -> Kinds:
    files = {f"schemas/{file.name}": file.read_bytes() for file in (EXAMPLE / "schemas").glob("*.schema.json")}
    return read_kinds(files, bundled_kinds(), fault_finder())[0]


@pytest.fixture(scope="module")
def sandbox() -> object:
    with Sandbox() as engine:
        yield engine


@pytest.mark.parametrize("sql", RULES, ids=lambda sql: sql.splitlines()[0])
def test_a_rule_of_the_page_runs(sql: str, kinds: Kinds, sandbox: Sandbox) -> None:
    whole = sql if "AS message" in sql else f"SELECT 'x' AS message FROM (\n{sql}\n)"
    (verdict,) = sandbox.run([policy(whole)], kinds, (), ())
    assert verdict.fault is None


@pytest.mark.parametrize("words", re.findall(r"`((?:labels|refs|leverage_cap)->[^`]+)`", PAGE))
def test_an_expression_of_the_page_is_one(words: str, kinds: Kinds, sandbox: Sandbox) -> None:
    table = "broker_config" if words.startswith("leverage_cap") else "account_config"
    (verdict,) = sandbox.run([policy(f"SELECT {words} AS message FROM desired.{table}")], kinds, (), ())
    assert verdict.fault is None


def test_the_limits_are_those_in_force() -> None:
    told = " ".join(PAGE.split())
    for words in (
        f"{protocol.POLICY_SECONDS:g} seconds for each, {SECONDS_FOR_ALL:g} for all of them",
        protocol.MEMORY.replace("MB", " MB of memory"),
        f"cut after {MAX_MESSAGE:,} characters",
        f"more than {protocol.MAX_ROWS:,} rows",
    ):
        assert words in told


def test_every_column_and_function_is_named() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert named >= {name for name, _ in DECLARATION_COLUMNS}
    assert named >= screen.TABLE_FUNCTIONS
    assert named >= {*protocol.VIOLATIONS, *protocol.READINGS}


def test_the_number_of_house_rules_is_right() -> None:
    files = sorted((EXAMPLE / "policies").glob("*.sql"))
    assert f"[{len(files)} house rules]" in PAGE
    assert all(not hasattr(read_policy(file.name, file.read_bytes()), "code") for file in files)
