"""Changes that somebody will make one day, each committed alone on the example repository: what a plan says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.bundled import find_example_repository
from reconciler.cli.main import run
from tests.support.cases import some
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Example:
    """The example repository in git, and its files."""

    repo: GitRepo
    base: str
    files: dict[str, str]

    def commit(self, changes: dict[str, str | None]) -> str:
        """A commit on top of the example alone."""
        return self.repo.commit(changes, "Change something", branch="change", parents=[self.base])

    def edited(self, path: str, old: str, new: str) -> dict[str, str | None]:
        """One text of one file changed."""
        assert self.files[path].count(old) == 1, (path, old)
        return {path: self.files[path].replace(old, new)}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    folder = find_example_repository()
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}
    repo = GitRepo.create(tmp_path_factory.mktemp("example") / "config")
    return Example(repo, repo.commit(dict(files), "Bring the desk's configuration under review"), files)


@pytest.fixture
def plan(example: Example, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, dict[str, Any]]]:
    """Plan a commit against the example."""

    def planned(head: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        repo = str(example.repo.path)
        code = run(["plan", "--base", example.base, "--head", head, "--format", "json", "--repo", repo])
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return code, found

    return planned


MAJORS, SECOND = "users/fx-majors-01.yaml", "users/fx-majors-02.yaml"
EURUSD, OSTRIN = "accounts/cv-eurusd.yaml", "accounts/op-eurusd.yaml"
LIVE, RAW = "instances/cv-live-01.yaml", "instances/op-raw-01.yaml"
POLICY = "policies/leverage-cap.sql"

EDITS = {
    "lot off the step": (SECOND, "lot_size_value: 0.1 ", "lot_size_value: 0.015 ", "policy/lot-step"),
    "leverage as a ratio": (EURUSD, "leverage: 30", "leverage: 1:30", "ambiguous-scalar"),
    "leverage over the cap": (EURUSD, "leverage: 30", "leverage: 500", "policy/leverage-cap"),
    "pair too long": (EURUSD, "currency_pair: EURUSD", "currency_pair: US2000.cash", "too-long"),
    "pair without the suffix": (OSTRIN, "currency_pair: EURUSD.r", "currency_pair: EURUSD", "policy/symbol-name"),
    "risk times ten": (
        MAJORS,
        "risk_per_trade_percent: 0.75",
        "risk_per_trade_percent: 7.5",
        "policy/number-jump",
    ),
    "type flips, value stays": (MAJORS, "lot_size_type: PERCENTAGE", "lot_size_type: FIXED", "policy/type-flip"),
    "more trades than the terminal takes": (
        MAJORS,
        "max_open_trades: 6",
        "max_open_trades: 12",
        "policy/open-trades",
    ),
    "signal against its user": (
        "signals/gold-trend.yaml",
        "trade_direction: BUY",
        "trade_direction: SELL",
        "policy/signal-direction",
    ),
    "one path twice but for case": (
        RAW,
        r"path: C:\MT5\ostrin-raw-01",
        r"path: c:\mt5\CALDERVALE-live-01",
        "policy/terminal-path",
    ),
    "no limit of trades": (LIVE, "max_trades: 15", "max_trades: 0", "out-of-range"),
    "key twice": (MAJORS, "  status: ACTIVE", "  status: ACTIVE\n  status: INACTIVE", "duplicate-key"),
    "password": (EURUSD, "  status: ACTIVE", "  status: ACTIVE\n  password: hunter2", "secret"),
    "typo": (MAJORS, "max_open_trades: 6", "max_open_trade: 6", "unknown-field"),
    "user that does not exist": (EURUSD, "user: fx-majors-01", "user: fx-majors-09", "dangling-reference"),
    "log level off": ("systems/production.yaml", "log_level: INFO", "log_level: OFF", "ambiguous-scalar"),
    "policy that is no SQL": (POLICY, "SELECT", "SELEKT", "bad-policy"),
}
"""Path, what was written, what is written now, and the rule that is told first."""


@pytest.mark.parametrize("name", some([*EDITS], 6))
def test_a_bad_edit_is_refused_at_its_line(
    name: str, example: Example, plan: Callable[[str], tuple[int, dict[str, Any]]]
) -> None:
    path, old, new, rule = EDITS[name]
    text = example.files[path]
    if rule == "bad-policy":
        at = text.rindex(old)
        changes: dict[str, str | None] = {path: text[:at] + new + text[at + len(old) :]}
        line = text[:at].count("\n") + 1
    else:
        changes = example.edited(path, old, new)
        line = text[: text.index(old)].count("\n") + 1 + new.count("\n")
    code, found = plan(example.commit(changes))
    first = found["problems"][0]
    assert (code, first["path"], first["line"], first["code"]) == (1, path, line, rule)


def test_a_copy_of_a_users_parameters_at_the_prop_firm_is_refused(
    example: Example, plan: Callable[[str], tuple[int, dict[str, Any]]]
) -> None:
    twin = example.files["users/prop-eval-01.yaml"].replace("prop-eval-01", "prop-eval-03")
    account = example.files["accounts/ff-us100.yaml"].replace("ff-us100", "ff-us100-b")
    twin = twin.replace("a6a59377-2a84-5363-9596-de24e5169fe5", "0d5b1bf4-3f0b-4c0c-9d1f-2f1c8f0f9a01")
    account = account.replace("0a4fa7e5-59eb-5b99-9ed6-881e17512693", "0d5b1bf4-3f0b-4c0c-9d1f-2f1c8f0f9a02")
    changes = {
        "users/prop-eval-03.yaml": twin,
        "accounts/ff-us100-b.yaml": account.replace("prop-eval-01", "prop-eval-03"),
    }
    code, found = plan(example.commit(dict(changes)))
    first = found["problems"][0]
    assert (code, first["path"], first["code"]) == (1, "users/prop-eval-03.yaml", "policy/distinct-parameters")


def test_deleting_a_terminal_that_trades_is_refused(
    example: Example, plan: Callable[[str], tuple[int, dict[str, Any]]]
) -> None:
    code, found = plan(example.commit({LIVE: None}))
    assert code == 1
    assert {(one["path"], one["code"]) for one in found["problems"]} == {
        *((f"accounts/cv-{pair}.yaml", "dangling-reference") for pair in ("eurusd", "gbpusd", "usdjpy")),
        (LIVE, "guard/prune-limit"),
        (LIVE, "policy/instance-in-use"),
    }


GOOD = {
    "less risk": (MAJORS, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5", {"risk_per_trade_percent"}),
    "fewer trades": (MAJORS, "max_open_trades: 6", "max_open_trades: 5", {"max_open_trades"}),
    "dearer": (EURUSD, "commission: 6.0", "commission: 6.5", {"commission"}),
    "off": (OSTRIN, "status: ACTIVE", "status: INACTIVE", {"status"}),
    "another host": (LIVE, "host: vps-ldn-01", "host: vps-fra-01", {"labels.host"}),
    "one direction": (MAJORS, "trade_direction: BOTH", "trade_direction: BUY", {"trade_direction"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_edit_is_told_field_by_field(
    name: str, example: Example, plan: Callable[[str], tuple[int, dict[str, Any]]]
) -> None:
    path, old, new, fields = GOOD[name]
    code, found = plan(example.commit(example.edited(path, old, new)))
    assert (code, found["problems"]) == (2, [])
    assert {field["field"] for change in found["changes"] for field in change["fields"]} == fields
    assert found["summary"] == {"create": 0, "update": 1, "delete": 0, "unchanged": 27}


def test_a_comment_is_no_change(example: Example, plan: Callable[[str], tuple[int, dict[str, Any]]]) -> None:
    code, found = plan(example.commit({MAJORS: example.files[MAJORS] + "# nothing else\n"}))
    assert (code, found["changes"], found["summary"]["unchanged"]) == (0, [], 28)
