"""The JSON in docs/commands.md is what the commands print, but for shas, digests, moments and places."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.docs.commandline import reconciler
from tests.docs.markdown import EXAMPLE, Edit, blocks, read
from tests.docs.session import PLACE, environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # two dozen commands

# The first block of a section is the command's own; one after it is part of what it prints while a daemon runs.
TOLD = {block.section: json.loads(block.body) for block in reversed(blocks(read("docs/commands.md"), "json"))}
OF_A_DAEMON = frozenset({"session", "logs"})
"""What needs one, or what it owns: see test_daemon.py."""
VARYING = (
    (re.compile(r'("token"): "[\w-]{43}"'), r"\1: <token>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<sha>"),
    (re.compile(r'("id"): "[0-9a-f]{8}"'), r"\1: <id>"),
    (re.compile(r'("host"): "[^"]+"'), r"\1: <host>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)"), "<moment>"),
)
RISK = Edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
ACCOUNT = "d7df3d7e-89aa-53ee-aff5-a6cedc214994"
LISTS = {"log", "history", "schema", "doctor", "export"}
"""Commands of whose lists the page shows the first."""
SLIP = Edit("accounts/cv-eurusd.yaml", "leverage: 30", "leverage: 1:30")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each command prints after the second commit; `validate` with a slip that is not committed."""
    desk = tmp_path_factory.mktemp("commands") / "desk"
    shutil.copytree(EXAMPLE, desk)

    def run(*command: str, code: int = 0) -> str:
        said = reconciler(command, desk, environment(desk))
        assert said.code == code, said.err
        return said.out.replace(str(desk), PLACE)

    _git(desk, "init", "--quiet", "--initial-branch", "main")
    _commit(desk, "Bring the desk's configuration under review")
    run("sync")
    RISK.apply(desk)
    _commit(desk, "Cut risk on the majors for election week")
    asked = {"sync": ["sync"], "status": ["status"], "get": ["get", "user", "fx-majors-01"], "log": ["log", "-n", "1"]}
    asked |= {"history": ["history", "user", "fx-majors-01"], "blame": ["blame", "user", "fx-majors-01"]}
    asked |= {"uses": ["uses", "user", "fx-majors-01"]}
    asked["show"] = ["show", "user", "fx-majors-01", "--at", "HEAD~1"]
    asked["why"] = ["why", "user", "fx-majors-01", "risk_per_trade_percent"]
    asked["schema"] = ["schema", "list"]
    asked["doctor"] = ["doctor"]
    asked["sql"] = ["sql", "SELECT name, risk_per_trade_percent FROM desired.user_config ORDER BY ALL LIMIT 1"]
    asked["token"] = ["token", "--role", "read"]
    asked["suspend"] = ["suspend", "--reason", "broker maintenance", "--until", "2h"]
    asked["resume"] = ["resume"]
    asked["halt"] = ["halt", "user", "fx-majors-01", "--reason", "the feed is wrong"]
    asked["release"] = ["release", "user", "fx-majors-01", "--reason", "the feed is well"]
    asked["policy"] = ["policy", "test", "connection-timeout"]
    differs = {"plan": run("plan", "--base", "HEAD~1", "--format", "json", code=2)}
    told = {name: json.loads(run(*words, "--format", "json")) for name, words in asked.items()}
    differs["diff"] = run("diff", "HEAD~1", "HEAD", "--format", "json", code=2)
    cut = ("set", "user", "fx-majors-01", "max_open_trades=5", "--dry-run")
    differs["set"] = run(*cut, "--format", "json", code=2)
    run("export", "system", "--to", "rows", "--format", "json")
    told["export"] = json.loads((desk / "rows" / "system_config.json").read_text(encoding="utf-8"))
    told["blame"]["fields"] = [one for one in told["blame"]["fields"] if one["field"] == "risk_per_trade_percent"]
    with duckdb.connect(str(desk / ".git" / "reconciler" / "state.duckdb")) as beside:
        beside.execute("UPDATE account_config SET leverage = 500 WHERE account_id = ?", [ACCOUNT])
    differs["drift"] = run("drift", "--format", "json", code=2)
    differs["verify"] = run("verify", "--format", "json", code=1)
    differs["rollback"] = run("rollback", "--reason", "it loses money", "--format", "json")
    SLIP.apply(desk)
    told |= {name: json.loads(text) for name, text in differs.items()}
    return {**told, "validate": json.loads(run("validate", "--format", "json", code=1))}


@pytest.mark.parametrize("command", [command for command in TOLD if command not in OF_A_DAEMON])
def test_the_page_shows_what_is_printed(command: str, printed: dict[str, Any]) -> None:
    real = printed[command][0] if command in LISTS else printed[command]
    assert _normal(TOLD[command]) == _normal(real)


def _commit(desk: Path, message: str) -> None:
    _git(desk, "add", ".")
    _git(desk, "commit", "--quiet", "-m", message)


def _git(desk: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=desk, env=environment(desk), capture_output=True, timeout=60, check=True)


def _normal(value: Any) -> list[str]:
    """As text, so that the order of keys counts too."""
    text = json.dumps(value, indent=1)
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text.splitlines()
