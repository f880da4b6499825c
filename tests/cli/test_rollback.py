"""`rollback`, and what the other commands say of it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import Host, first_synced

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Past

pytestmark = pytest.mark.slow  # whole hosts; tests/reconcile/test_rollback.py has the parts

FIELD = "risk_per_trade_percent"
FILE, GOOD, BAD, BETTER = ("users/fx-majors-01.yaml", f"{FIELD}: 0.75", f"{FIELD}: 0.9", f"{FIELD}: 0.6")


def went_wrong(host: Host) -> None:
    first_synced(host)
    host.edit(FILE, GOOD, BAD, "Bet more")
    assert host.run("sync").code == 0


@pytest.fixture
def host(begin: Callable[[Past], Host], monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr("reconciler.cli.user.getuser", lambda: "ines")
    return begin(went_wrong)


def ask(host: Host, what: str) -> Any:
    """What a command says as JSON."""
    return json.loads(host.run(*what.split(), "--format", "json").out)


def test_back_held_mended(host: Host) -> None:
    done = host.run("rollback", "--reason", "it loses money")
    assert (done.code, "0 created, 1 updated, 0 deleted; " in done.out) == (0, True)
    assert (host.run("sync").code, host.run("plan").code) == (1, 2)
    status = ask(host, "status")
    assert (status["rolled_back"]["reason"], status["refused"], status["health"]) == (
        "it loses money",
        None,
        "Suspended",
    )
    assert [one["pointer"] for one in status["rolled_back"]["held"]] == [f"/spec/{FIELD}"]
    condition = next(one for one in status["conditions"] if one["type"] == "RolledBack")
    assert (condition["status"], condition["reason"]) == ("True", "HeadSkipped")
    host.edit("users/gold-swing-01.yaml", "max_open_trades: 3", "max_open_trades: 2", "Something else")
    assert host.run("sync").code == 1
    assert [one["fate"] for one in ask(host, "log")][:3] == ["held", "skipped", "live"]
    assert "is still 0.9, which the rollback skipped" in host.run("why", "HEAD").out
    assert host.run("verify").code == 0
    host.edit(FILE, BAD, BETTER, "Bet less")
    assert host.run("sync").code == 0
    assert ask(host, "status")["rolled_back"] is None
    assert [one["fate"] for one in ask(host, "log")][:4] == ["live", "skipped", "was-live", "was-live"]
    assert ask(host, "log")[2]["live"][0]["ended"] == "rolled-back"


def test_it_is_ended_by_somebody(host: Host) -> None:
    assert host.run("rollback", "--reason", "it loses money").code == 0
    both = host.run("rollback", "--end", "--to", "HEAD", "--reason", "x")
    assert (both.code, "--end ends that" in both.err) == (3, True)
    ended = host.run("rollback", "--end", "--reason", "it was right")
    assert (ended.code, ended.out[:6]) == (0, "ended:")
    assert host.run("sync").code == 0
    assert host.run("rollback", "--end", "--reason", "again").out == "this host is not rolled back\n"


def test_a_host_without_a_daemon_tells_the_history(host: Host) -> None:
    """So that a state folder that was lost but for the history takes its halts and its rollback from there."""
    assert host.run("rollback", "--reason", "it loses money").code == 0
    assert host.run("halt", "user", "gold-swing-01", "--reason", "the feed").code == 0
    assert host.run("sync").code == 1
    before = ask(host, "status")
    lose_all_but_the_history(host)
    assert host.run("sync").code == 1
    after = ask(host, "status")
    assert (after["rolled_back"], after["halted"]) == (before["rolled_back"], before["halted"])
    assert before["rolled_back"]
    assert before["halted"]
    ended = {one["ended"] for version in ask(host, "log") for one in version["live"]}
    assert {"rolled-back", "halt-changed"} <= ended


def lose_all_but_the_history(host: Host) -> None:
    for left in host.state.iterdir():
        if left.name != "history":
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def test_back_while_the_folder_of_the_repository_is_gone(host: Host) -> None:
    away = host.repo.path.with_name("away")
    host.repo.path.rename(away)
    bad = host.run("rollback", "--to", "main", "--reason", "it loses money")
    assert (bad.code, "is no sha of the history" in bad.err) == (3, True)
    done = host.run("rollback", "--reason", "it loses money")
    assert (done.code, "0 created, 1 updated, 0 deleted; " in done.out) == (0, True), done
    status = ask(host, "status")
    assert (status["rolled_back"]["skips"], status["applied"]["height"]) == ([f"User fx-majors-01 {FIELD}"], 1)
    away.rename(host.repo.path)
    assert (host.run("sync").code, host.run("verify").code) == (1, 0)
    host.edit(FILE, BAD, BETTER, "Bet less")
    assert host.run("sync").code == 0
    assert host.run("verify").code == 0
    assert [one["fate"] for one in ask(host, "log")] == ["live", "was-live", "was-live"]


def test_no_way_back_without_git_and_history(host: Host) -> None:
    for place in host.state.glob("history*"):
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    host.repo.path.rename(host.repo.path.with_name("away"))
    refused = host.run("rollback", "--reason", "it loses money")
    assert refused.code == 3
    for word in ("does not exist", "the history does not have it", "reconciler halt --all"):
        assert word in refused.err, refused
    host.repo.path.with_name("away").rename(host.repo.path)


@pytest.mark.parametrize("named", [False, True])
def test_a_target_that_git_has_collected(host: Host, named: bool) -> None:
    """The branch was rewritten, and nothing keeps what was live."""
    good, tree = (host.repo.git("rev-parse", what).strip() for what in ("HEAD~1", "HEAD^{tree}"))
    anew = host.repo.git("commit-tree", tree, "-m", "All of it, in one commit").strip()
    host.repo.git("update-ref", "refs/heads/main", anew)
    host.repo.git("reflog", "expire", "--expire=now", "--all")
    host.repo.git("gc", "--quiet", "--prune=now")
    assert host.run("sync").code == 0
    assert host.run("rollback", "--to", "f" * 40, "--reason", "it loses money").code == 3
    where = ("--to", good[:10]) if named else ("--to", good)
    done = host.run("rollback", *where, "--reason", "it loses money")
    assert done.code == 0, done
    assert ask(host, "status")["rolled_back"]["target"] == good
    assert host.run("sync").code == 1, "the values that were skipped are still there"
    host.edit(FILE, BAD, BETTER, "Bet less")
    assert (host.run("sync").code, host.run("verify").code) == (0, 0)
