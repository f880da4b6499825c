"""What a daemon says of commits that were refused, and of a branch that was live for a moment and is gone."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.running.hosts import Host
from tests.support import configs
from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

RULE = """-- Nobody risks more than 3 %
SELECT 'User' AS kind, name, 'risk_per_trade_percent' AS field, 'more than 3 % at risk' AS message
FROM desired.user_config WHERE path IS NOT NULL AND risk_per_trade_percent > 3
"""
FIELD = "risk_per_trade_percent"


def ask(host: Host, *command: str) -> Any:
    """What a command says as JSON."""
    answer = host.run(*command, "--format", "json")
    assert answer.code in (0, 2), answer.err
    return json.loads(answer.out)


def page(daemon: RunningDaemon, address: str) -> Any:
    """What a page is made from."""
    with urllib.request.urlopen(f"http://{daemon.client().address}{address}.json", timeout=DEADLINE) as answer:
        return json.load(answer)


def test_a_refused_commit_looks_live_nowhere(tmp_path: Path) -> None:
    host = Host.create(tmp_path, HISTORY_URL="chdb")
    good = host.repo.commit({"policies/risk.sql": RULE}, "Bound the risk")
    with host.daemon() as daemon:
        bad = host.risk("ann", 9)
        daemon.await_status(lambda said: (said["refused"] or {}).get("commit") == bad)
        for reverted in (False, True):
            if reverted:
                host.repo.commit({"users/ann.yaml": configs.user("ann")}, "Revert it")
                daemon.await_status(lambda said: said["sync"] == "Synced")
            assert host.run("sync").code == (0 if reverted else 1)
            listed = {one["commit"]: one for one in ask(host, "log", "-n", "9")}
            assert (listed[bad]["fate"], listed[bad]["refused_by"]) == ("refused", ["policy/risk"])
            assert listed[good]["fate"] == ("was-live" if reverted else "live")
            live = ask(host, "get", "user", "ann")[FIELD]
            assert ask(host, "show", "user", "ann", "--at", bad)[FIELD] == live
            blamed = {one["field"]: one for one in ask(host, "blame", "user", "ann")["fields"]}
            assert (blamed[FIELD]["value"], blamed[FIELD]["commit"] == bad) == (live, False)
            told = page(daemon, f"/versions/{bad}")
            assert (told["version"]["fate"], [one["code"] for one in told["reasons"]]) == ("refused", ["policy/risk"])
            shown = page(daemon, "/resources/user/ann")
            assert shown["blame"][FIELD]["commit"] != bad
            marks = {one["commit"]: one["fate"] for one in shown["changes"]}
            assert marks[bad] == "refused"
            overview = page(daemon, "/index")
            assert sum(day["refused"] for day in overview["activity"]["days"]) in (0, 1)  # commits here are of 2024
            assert {one["commit"]: one["fate"] for one in overview["recent"]}[bad] == "refused"


def test_a_branch_that_was_live_for_a_moment_is_found_again(tmp_path: Path) -> None:
    host = Host.create(tmp_path, HISTORY_URL="chdb")
    first = host.head
    gone = host.repo.commit({"users/ann.yaml": configs.user("ann", risk=0.6)}, "Try", branch="pr-25", parents=[first])
    for branch in ("main", "pr-25"):
        with host.daemon(REPOSITORY_BRANCH=branch):
            assert ask(host, "log")[0]["fate"] == "live"  # it waits for the upload
    host.repo.git("branch", "-q", "-D", "pr-25")
    with host.daemon(REPOSITORY_BRANCH="main") as daemon:
        assert host.run("sync").code == 0
        [span] = next(one for one in ask(host, "log") if one["commit"] == gone)["live"]
        assert span["ended"] == "branch-switched"
        assert page(daemon, f"/versions/{gone}")["version"]["branch"] == "pr-25"
        assert ask(host, "show", "user", "ann", "--at", span["from"])[FIELD] == 0.6
        assert ask(host, "show", "user", "ann", "--at", span["until"])[FIELD] == ask(host, "get", "user", "ann")[FIELD]
        assert [one["commit"] for one in ask(host, "log", "--branch", "pr-25")] == [gone, first]
        assert next(one["commit"] for one in ask(host, "log", "--branch", "main")) == first
        told = host.run("log", "--branch", "nowhere")
        assert (told.code, "the history knows no branch nowhere" in told.err) == (3, True)
        told = host.run("log", "--host", "elsewhere")
        assert (told.code, "the history knows no host elsewhere" in told.err) == (3, True)
