"""The example's house rules: what each has to find, and where; and that the example itself satisfies them.

The folders below `policies/tests/` say in a comment what their rule has to find there: `# expect: KIND NAME FIELD`,
with `warning` behind it where it is one. `reconciler policy test` asks only whether it found anything.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.model.change import Prune, Removal, Row, Stamp
from reconciler.model.problem import Severity
from reconciler.policy import locate_violations
from reconciler.reconcile import policytests
from reconciler.reconcile.check import check_tree
from reconciler.reconcile.policytests import Expectation, PolicyTest, read_policies
from reconciler.reconcile.rules import Layout, Role
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder
from tests.support.cases import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Key, Resource
    from reconciler.ports import PolicyEngine
    from reconciler.reconcile.policytests import PolicyTestRun

EXAMPLE = Path(__file__).parents[2] / "config-repo-example"
SHIPPED = bundled_kinds()
LAYOUT = Layout()
EXPECTED = re.compile(r"^# expect: (.+)$", re.MULTILINE)
WARNING = "warning"
BEFORE = Stamp("1" * 40, datetime(2026, 1, 5, 6, 0, tzinfo=UTC))
AFTER = Stamp("2" * 40, datetime(2026, 1, 5, 7, 0, tzinfo=UTC))
WARNINGS = {"percentage-lots", "commission", "connection-timeout", "debug-in-production", "risk-per-trade"}
"""The rules that only warn, or also do."""


def files(role: Role) -> dict[str, bytes]:
    """The example's files of some role, by path."""
    found = {path.relative_to(EXAMPLE).as_posix(): path for path in sorted(EXAMPLE.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if LAYOUT.role(name) is role}


SCHEMAS, TREE = files(Role.SCHEMA), files(Role.RESOURCES)
POLICIES = read_policies(
    {path.relative_to(EXAMPLE).as_posix(): path.read_bytes() for path in EXAMPLE.glob("policies/**/*.*")}, LAYOUT
)
RULES = {policy.name: policy for policy in POLICIES.members}


@dataclass(frozen=True)
class State:
    """What some files declare, by path and name."""

    resources: tuple[Resource, ...]
    kinds: Kinds


def read(tree: Mapping[str, bytes]) -> State:
    """What a valid tree declares."""
    checked = check_tree({**SCHEMAS, **tree}, LAYOUT, SHIPPED, fault_finder())
    assert checked.problems == ()
    return State(tuple(one for entry in checked.entries.values() for one in entry.resources), checked.kinds)


def step(old: State, new: State) -> tuple[list[Row], list[Row]]:
    """The rows before and after a commit, as a host has them: what left git is a tombstone then."""
    before = {one.row_id: one for one in old.resources}
    after = {one.row_id: one for one in new.resources}
    same = {key for key, one in after.items() if key in before and before[key].digest == one.digest}
    desired = [Row(one, BEFORE, BEFORE if key in same else AFTER) for key, one in after.items()]
    removal = Removal(AFTER.commit, AFTER.time, Prune.DEACTIVATE)
    gone = [Row(one, BEFORE, BEFORE, removal) for key, one in before.items() if key not in after]
    return [Row(one, BEFORE, BEFORE) for one in old.resources], desired + gone


@pytest.fixture(scope="module")
def engine() -> Iterator[PolicyEngine]:
    """The real one."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def tested(engine: PolicyEngine) -> PolicyTestRun:
    """What `reconciler policy test` comes to."""
    return policytests.PolicyTester(engine, read({}).kinds, Prune.DEACTIVATE, fault_finder()).test(POLICIES, ())


def told(engine: PolicyEngine, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> set[str]:
    """What all rules say about a step, as problems: `RULE FILE POINTER`."""
    before, after = read(old), read(new)
    live, desired = step(before, after)
    index: dict[Key, Resource] = {one.key: one for one in (*before.resources, *after.resources)}
    verdicts = engine.run(list(RULES.values()), after.kinds, live, desired)
    return {
        f"{one.code.removeprefix('policy/')} {one.path} {one.pointer}".strip()
        for one in locate_violations(verdicts, after.kinds, index.get)
    }


def test_every_file_is_a_rule_with_a_title_and_a_reason() -> None:
    assert POLICIES.problems == ()
    assert len(RULES) == len(files(Role.POLICY)) >= 20
    for policy in RULES.values():
        title, reason, *_ = policy.sql.splitlines()
        assert title == f"-- {policy.title}"
        assert reason.startswith("-- ")
        assert len(policy.title) <= 72
        assert max(map(len, policy.sql.splitlines())) <= 120
    assert len({policy.title for policy in RULES.values()}) == len(RULES)


def test_every_rule_has_tests_of_both_sorts() -> None:
    sorts = {(case.policy, case.expected) for policy in RULES.values() for case in POLICIES.tests_of(policy)}
    assert sorts == set(itertools.product(RULES, Expectation))


def test_every_measure_has_a_test() -> None:
    assert POLICIES.measures
    assert all(map(POLICIES.tests_of, POLICIES.measures))


def test_policy_test_passes(tested: PolicyTestRun) -> None:
    assert tested.problems == ()
    assert [result.test.folder for result in tested.results if not result.passed] == []
    assert len(tested.results) == len(POLICIES.tests)


def test_the_readme_lists_every_rule() -> None:
    rows = re.findall(r"^\| \[`(.+?)`\]\((.+?)\) \| (.+?)(?: \(a warning\))? \|$", text("README.md"), re.MULTILINE)
    assert {name: (link, title) for name, link, title in rows} == {
        policy.name: (policy.path, policy.title) for policy in RULES.values()
    }


def text(name: str) -> str:
    """A text file of the example."""
    return (EXAMPLE / name).read_text(encoding="utf-8")


def expected_of(case: PolicyTest) -> list[str]:
    """What the comments of a test's files say."""
    return sorted(EXPECTED.findall(b"".join(case.desired.values()).decode()))


@pytest.mark.parametrize("case", POLICIES.tests, ids=lambda case: f"{case.policy}/{case.name}")
def test_a_rule_finds_what_its_test_says(tested: PolicyTestRun, case: PolicyTest) -> None:
    [violations] = [result.violations for result in tested.results if result.test == case]
    shown = [(one.kind, one.name, one.field, "" if one.severity is Severity.ERROR else WARNING) for one in violations]
    assert sorted(" ".join(part for part in parts if part) for parts in shown) == expected_of(case)
    for one in violations:
        assert not re.search(r"[{}]|\bnan\b|NULL|None|\b\d+e[-+]\d+\b|\.$", one.message), one.message
        assert re.search(r"\b(write|lower|set|name|give|change|keep)\b", one.message), one.message


def test_warnings_are_what_may_be_meant() -> None:
    warned = {case.policy for case in POLICIES.tests for line in expected_of(case) if line.endswith(f" {WARNING}")}
    assert warned == WARNINGS


def test_the_example_satisfies_its_own_rules(engine: PolicyEngine) -> None:
    assert told(engine, {}, TREE) == set()
    assert told(engine, TREE, TREE) == set()


@dataclass(frozen=True)
class Edit:
    """A change of one file: a text in it and what comes in its place; a new file where nothing is replaced."""

    path: str
    old: str
    new: str

    def apply(self, tree: Mapping[str, bytes]) -> dict[str, bytes]:
        """The tree with the change made."""
        if not self.old:
            return {**tree, self.path: self.new.encode()}
        before = tree[self.path].decode()
        assert before.count(self.old) == 1
        return {**tree, self.path: before.replace(self.old, self.new).encode()}


def copy(source: str, path: str, *changes: tuple[str, str]) -> Edit:
    """A new file that is a copy of another one, with its id left out and some texts replaced."""
    copied = re.sub(r"^  (user|account|instance|config)_id: .*\n", "", text(source), flags=re.MULTILINE)
    for old, new in changes:
        assert old in copied
        copied = copied.replace(old, new)
    return Edit(path, "", copied)


FX_1, FX_2, EVAL_1, EVAL_2 = (
    f"users/{name}.yaml" for name in ("fx-majors-01", "fx-majors-02", "prop-eval-01", "prop-eval-02")
)
CV_EURUSD, OP_EURUSD, US100 = (f"accounts/{name}.yaml" for name in ("cv-eurusd", "op-eurusd", "ff-us100"))
CV_LIVE, OP_RAW = "instances/cv-live-01.yaml", "instances/op-raw-01.yaml"
GOLD, US_OPEN = "signals/gold-trend.yaml", "signals/us-open-drive.yaml"
CALDERVALE, FERNHILL = "brokers/caldervale-eu.yaml", "brokers/fernhill-funded.yaml"
EVAL_2_ID = "user_id: a3ae6540-643a-534f-8ec4-cf9e06003dbf"
THIRD = (
    copy(EVAL_1, "users/prop-eval-03.yaml", ("name: prop-eval-01", "name: prop-eval-03")),
    copy(US100, "accounts/ff-us500.yaml", ("ff-us100", "ff-us500"), ("prop-eval-01", "prop-eval-03")),
)

BAD = {
    "a lot between two steps": (
        (Edit(FX_2, "lot_size_value: 0.1 ", "lot_size_value: 0.015 "),),
        {f"lot-step {FX_2} /spec/lot_size_value", f"number-jump {FX_2} /spec/lot_size_value"},
    ),
    "a lot larger than the firm takes": (
        (Edit(EVAL_1, "lot_size_value: 0.5", "lot_size_value: 25"),),
        {f"lot-range {EVAL_1} /spec/lot_size_value", f"number-jump {EVAL_1} /spec/lot_size_value"},
    ),
    "leverage above the cap": (
        (Edit(CV_EURUSD, "leverage: 30 ", "leverage: 500 "),),
        {f"leverage-cap {CV_EURUSD} /spec/leverage", f"number-jump {CV_EURUSD} /spec/leverage"},
    ),
    "a cap below the leverage": (
        (Edit(CALDERVALE, "fx_major: 30", "fx_major: 25"),),
        {f"leverage-cap {CALDERVALE} /spec/leverage_cap/fx_major"},
    ),
    "a pair without its suffix": (
        (Edit(OP_EURUSD, "currency_pair: EURUSD.r", "currency_pair: EURUSD"),),
        {f"symbol-name {OP_EURUSD} /spec/currency_pair"},
    ),
    "a suffix where there is none": (
        (Edit(CV_EURUSD, "currency_pair: EURUSD", "currency_pair: EURUSD.r"),),
        {f"symbol-name {CV_EURUSD} /spec/currency_pair"},
    ),
    "a slipped decimal point": (
        (Edit(FX_1, "percent: 0.75", "percent: 7.5"),),
        {f"{rule} {FX_1} /spec/risk_per_trade_percent" for rule in ("number-jump", "risk-per-trade", "total-risk")},
    ),
    "percent that become lots": (
        (Edit(FX_1, "lot_size_type: PERCENTAGE", "lot_size_type: FIXED"),),
        {f"type-flip {FX_1} /spec/lot_size_type"},
    ),
    "a new user like an old one": (
        THIRD,
        {"distinct-parameters users/prop-eval-03.yaml /spec/lot_size_value"},
    ),
    "a user made like another one": (
        (copy(EVAL_1, EVAL_2, ("name: prop-eval-01", "name: prop-eval-02"), ("spec:\n", f"spec:\n  {EVAL_2_ID}\n")),),
        {f"distinct-parameters {EVAL_2} /spec/lot_size_value"},
    ),
    "more open trades than the instance takes": (
        (Edit(FX_1, "max_open_trades: 6", "max_open_trades: 12"),),
        {f"open-trades {FX_1} /spec/max_open_trades"},
    ),
    "an instance that takes less than its users open": (
        (Edit(CV_LIVE, "max_trades: 15", "max_trades: 8"),),
        {f"open-trades {CV_LIVE} /spec/max_trades"},
    ),
    "an account that moves to a full instance": (
        (Edit(CV_EURUSD, "instance: cv-live-01", "instance: op-raw-01"),),
        {f"open-trades {CV_EURUSD} /metadata/refs/instance"},
    ),
    "a signal against its user": (
        (Edit(GOLD, "trade_direction: BUY", "trade_direction: SELL"),),
        {f"signal-direction {GOLD} /spec/trade_direction"},
    ),
    "a user against its signal": (
        (Edit("users/gold-swing-01.yaml", "trade_direction: BUY", "trade_direction: SELL"),),
        {"signal-direction users/gold-swing-01.yaml /spec/trade_direction"},
    ),
    "a signal above its user": (
        (Edit(US_OPEN, "percent: 0.3", "percent: 0.6"),),
        {f"signal-risk {US_OPEN} /spec/risk_per_trade_percent"},
    ),
    "a user below its signal": (
        (Edit(EVAL_1, "percent: 0.4", "percent: 0.2"),),
        {f"signal-risk {EVAL_1} /spec/risk_per_trade_percent"},
    ),
    "two instances in one folder": (
        (Edit(OP_RAW, r"path: C:\MT5\ostrin-raw-01", r"path: C:\mt5\CALDERVALE-live-01"),),
        {f"terminal-path {OP_RAW} /spec/path"},
    ),
    "a user switched off alone": (
        (Edit(FX_2, "status: ACTIVE", "status: INACTIVE"),),
        {f"account-active {FX_2} /spec/status"},
    ),
    "a broker id of another one": (
        (Edit(OP_EURUSD, "d19dae2b-04b1-5d65-9a3e-7ce8b70cffda", "d1790701-13b1-5152-8221-d99a70d7962e"),),
        {f"account-broker {OP_EURUSD} /spec/broker_id"},
    ),
    "a limit that is gone": (
        (Edit(FERNHILL, "  daily_loss_percent: 5", "  # daily_loss_percent: 5"),),
        {f"limit-removed {FERNHILL} /spec/daily_loss_percent"},
    ),
    "DEBUG in production": (
        (Edit("systems/production.yaml", "log_level: INFO", "log_level: DEBUG"),),
        {"debug-in-production systems/production.yaml /spec/log_level"},
    ),
}

GOOD = {
    "less risk": (Edit(FX_1, "percent: 0.75", "percent: 0.5"),),
    "fewer trades": (Edit(FX_1, "max_open_trades: 6", "max_open_trades: 5"),),
    "a comment": (Edit(FX_1, "# percent of", "# Percent of"),),
    "a little more commission": (Edit(CV_EURUSD, "commission: 6.0", "commission: 6.5"),),
    "a user without accounts": THIRD[:1],
    "a user that is called something else": (
        Edit("users/gold-swing-01.yaml", "name: gold-swing-01", "name: gold-01"),
        Edit("accounts/op-xauusd.yaml", "user: gold-swing-01", "user: gold-01"),
        Edit(GOLD, "users: [gold-swing-01]", "users: [gold-01]"),
    ),
    "an instance that is called something else": (
        Edit(OP_RAW, "name: op-raw-01", "name: op-raw-02"),
        Edit(OP_EURUSD, "instance: op-raw-01", "instance: op-raw-02"),
        Edit("accounts/op-xauusd.yaml", "instance: op-raw-01", "instance: op-raw-02"),
    ),
    "another type with another value": (
        Edit(FX_1, "lot_size_type: PERCENTAGE", "lot_size_type: FIXED"),
        Edit(FX_1, "lot_size_value: 2.0", "lot_size_value: 0.2"),
    ),
    "a user switched off with its accounts": (
        Edit(FX_2, "status: ACTIVE", "status: INACTIVE"),
        Edit(OP_EURUSD, "status: ACTIVE", "status: INACTIVE"),
        Edit("accounts/cv-usdjpy.yaml", "status: ACTIVE", "status: INACTIVE"),
    ),
}


def edited(edits: tuple[Edit, ...]) -> dict[str, bytes]:
    """The example after some changes."""
    tree = dict(TREE)
    for edit in edits:
        tree = edit.apply(tree)
    return tree


@pytest.mark.parametrize("bad", some(BAD, 5))
def test_a_bad_change_is_told_where_it_was_made(engine: PolicyEngine, bad: tuple[tuple[Edit, ...], set[str]]) -> None:
    edits, expected = bad
    assert told(engine, TREE, edited(edits)) == expected


@pytest.mark.parametrize("edits", some(GOOD, 5))
def test_a_harmless_change_is_none_of_the_rules_business(engine: PolicyEngine, edits: tuple[Edit, ...]) -> None:
    assert told(engine, TREE, edited(edits)) == set()


def test_an_instance_that_goes_with_its_active_accounts_is_told_where_it_was(engine: PolicyEngine) -> None:
    gone = {"instances/ff-prop-01.yaml", "accounts/ff-us100.yaml", "accounts/ff-eurusd.yaml"}
    left = {path: data for path, data in TREE.items() if path not in gone}
    assert told(engine, TREE, left) == {"instance-in-use instances/ff-prop-01.yaml"}


def test_what_left_git_long_ago_is_not_told_again(engine: PolicyEngine) -> None:
    """The tombstones of accounts and instance are in both states, INACTIVE; everything else is as it was."""
    old = read(TREE)
    removal = Removal(BEFORE.commit, BEFORE.time, Prune.DEACTIVATE)
    rows = [
        Row(one, BEFORE, BEFORE, removal if one.path in {"instances/ff-prop-01.yaml", US100} else None)
        for one in old.resources
        if one.path != "accounts/ff-eurusd.yaml"
    ]
    verdicts = engine.run(list(RULES.values()), old.kinds, rows, rows)
    assert [(one.policy.name, one.violations, one.fault) for one in verdicts if one.violations or one.fault] == []
