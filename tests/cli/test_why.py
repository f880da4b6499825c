"""`reconciler why`: what became of a commit and what to do, and why a resource has its values."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Host

DEMO, EURUSD = "accounts/op-demo.yaml", "accounts/cv-eurusd.yaml"


@pytest.mark.slow
def test_a_commit_is_explained_from_before_it_was_looked_at_to_after_it_is_live(synced: Host) -> None:
    first = synced.repo.git("rev-parse", "HEAD")
    good = synced.edit("users/fx-majors-01.yaml", "percent: 0.75", "percent: 0.5")
    bad = synced.edit(DEMO, "leverage: 100", "leverage: 500")
    waiting = synced.run("why", bad[:8])
    assert (waiting.code, "Nothing on this host has looked at it yet." in waiting.out) == (2, True)
    assert synced.run("sync").code == 1
    refused = synced.run("why", "HEAD")
    assert refused.code == 1
    assert "It is valid, and was refused by policy/number-jump." in refused.out
    assert f"{DEMO}:17:13: error [policy/number-jump]" in refused.out
    assert f"`reconciler sync --approve {bad[:8]}`" in refused.err
    behind = synced.run("why", good)
    assert (behind.code, f"{bad[:8]} above it was refused" in behind.out) == (2, True)
    field = synced.run("why", "account", "op-demo", "leverage", "--format", "json")
    (one,) = json.loads(field.out)["fields"]
    assert (field.code, one["value"], one["commit"]) == (2, 100, first)
    assert one["waiting"] == [
        {"commit": bad, "value": 500, "fate": "refused", "refused_by": ["policy/number-jump"]},
    ]
    invalid = synced.edit(DEMO, "leverage: 500", "leverage: 1:30")
    synced.run("sync")
    told = synced.run("why", invalid)
    assert (told.code, "write 30, the number after the colon" in told.out) == (1, True)
    mended = synced.edit(DEMO, "leverage: 1:30", "leverage: 200")
    assert synced.run("sync").code == 0
    skipped = synced.run("why", good, "--format", "json")
    answer = json.loads(skipped.out)
    assert (skipped.code, answer["fate"], answer["by"]) == (0, "skipped", mended)
    live = synced.run("why", mended)
    assert (live.code, "It is live, since " in live.out) == (0, True)
    assert f"then {mended[:8]} went live" in synced.run("why", first).out


@pytest.mark.slow
def test_what_waits_is_told_apart_from_what_has_passed(synced: Host) -> None:
    git = synced.repo.git
    branch = git("branch", "--show-current")
    git("checkout", "-q", "-b", "aside")
    side = synced.edit("users/fx-majors-01.yaml", "percent: 0.75", "percent: 0.5")
    git("checkout", "-q", branch)
    git("merge", "-q", "--no-ff", "aside")
    synced.edit(DEMO, "leverage: 100", "leverage: 500")
    merge = synced.repo.git("commit-tree", "HEAD^{tree}", "-p", "HEAD~2", "-p", side, "-m", "Merge, and bet more")
    git("reset", "-q", "--hard", merge)
    ahead = synced.run("why", "account", "op-demo", "leverage", "--format", "json")
    assert (ahead.code, json.loads(ahead.out)["unseen_head"]) == (2, merge)
    assert synced.run("sync").code == 1
    waiting = synced.run("why", side)
    assert (waiting.code, f"{merge[:8]}, the merge that brings it, was refused by" in waiting.out) == (1, True)
    mended = synced.edit(DEMO, "leverage: 500", "leverage: 200")
    assert synced.run("sync").code == 0
    passed = synced.run("why", merge, "--format", "json")
    told = json.loads(passed.out)
    assert (passed.code, told["fate"], told["by"]) == (0, "refused", mended)
    assert not any("--approve" in step for step in told["next"])
    live = synced.run("why", "account", "op-demo", "leverage", "--format", "json")
    (field,) = json.loads(live.out)["fields"]
    assert (live.code, field["value"], field["waiting"], field["live_since"] is None) == (0, 200, [], False)
    stranger = git("commit-tree", "HEAD^{tree}", "-p", merge, "-m", "Of no branch that is followed")
    told = json.loads(synced.run("why", stranger, "--format", "json").out)
    assert (told["fate"], any("merge it into" in step for step in told["next"])) == ("skipped", True)
    with duckdb.connect(str(synced.state / "state.duckdb")) as beside:
        beside.execute("DELETE FROM account_config WHERE leverage = 200")
    lost = synced.run("why", "account", "op-demo", "leverage", "--format", "json")
    told = json.loads(lost.out)
    assert (lost.code, told["missing"], told["fields"][0]["declared"]) == (2, True, 200)
    assert any("drift --heal" in step for step in told["next"])


@pytest.mark.slow
def test_a_resource_is_explained_also_while_git_is_away(synced: Host) -> None:
    with duckdb.connect(str(synced.state / "state.duckdb")) as beside:
        beside.execute("UPDATE account_config SET leverage = 400 WHERE leverage = 30")
    drifted = synced.run("why", "account", "cv-eurusd", "leverage")
    assert (drifted.code, "git says 30: something else changed the row" in drifted.out) == (2, True)
    assert "Bring the desk's configuration under review" in drifted.out
    for words, hint in ((("nope", "x"), "there are"), (("account", "cv-eurusd", "leverge"), "did you mean leverage?")):
        unknown = synced.run("why", *words)
        assert (unknown.code, hint in unknown.err) == (3, True), unknown
    unknown = synced.run("why", "account", "cv-eurus")
    assert (unknown.code, "did you mean cv-eurusd?" in unknown.err) == (3, True), unknown
    shutil.rmtree(synced.repo.path / ".git")
    away = synced.run("why", "user", "fx-majors-01")
    assert (away.code, "risk_per_trade_percent  0.75 percent" in away.out) == (0, True), away


@pytest.mark.slow
def test_a_halted_resource_names_the_halt_and_what_ends_it(synced: Host) -> None:
    assert synced.run("halt", "user", "fx-majors-01", "fx-metals-01", "--reason", "the feed is wrong").code == 0
    told = synced.run("why", "user", "fx-majors-01")
    assert (told.code, told.out.splitlines()[0]) == (0, "User fx-majors-01 is halted, users/fx-majors-01.yaml:3"), told
    assert (
        ": the feed is wrong. `reconciler release user fx-majors-01 --reason TEXT` gives git's value back." in told.out
    )
    assert "git says ACTIVE, and the halt makes it INACTIVE" in told.out
    assert "something else" not in told.out + told.err
    found = synced.run("why", "user", "fx-majors-01", "status", "--format", "json")
    answer = json.loads(found.out)
    (field,) = answer["fields"]
    assert (field["value"], field["declared"], field["halted"]) == ("INACTIVE", "ACTIVE", "INACTIVE")
    assert (answer["as_declared"], answer["halts"][0]["reason"], answer["next"]) == (False, "the feed is wrong", [])
    with duckdb.connect(str(synced.state / "state.duckdb")) as beside:
        beside.execute("UPDATE user_config SET status = 'ACTIVE'")
    changed = synced.run("why", "user", "fx-majors-01", "status")
    assert (changed.code, "and the halt makes it INACTIVE: something else changed the row" in changed.out) == (2, True)
    assert "drift --heal" in changed.err
    synced.run("halt", "--all", "--reason", "all of it.")
    two = synced.run("why", "user", "fx-majors-01", "status")
    assert "all of it. `reconciler release --all --reason TEXT` ends this halt only." in two.out, two
