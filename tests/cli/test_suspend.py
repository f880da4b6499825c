"""`suspend` and `resume`, and what `sync` and `status` say meanwhile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.bundled import find_example_repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Host, Past

RISK = ("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")


@pytest.fixture(autouse=True)
def maren(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who types."""
    monkeypatch.setattr("reconciler.cli.user.getuser", lambda: "maren")


def one_file(host: Host) -> None:
    """The repository holds one file, and nothing has looked at it."""
    host.repo.commit({RISK[0]: (find_example_repository() / RISK[0]).read_text(encoding="utf-8")})


def one_file_live(host: Host) -> None:
    """The same on its first commit."""
    one_file(host)
    assert host.run("sync").code == 0


@pytest.fixture
def small(begin: Callable[[Past], Host]) -> Host:
    """A host that has not synced yet, whose repository holds one file."""
    return begin(one_file)


@pytest.fixture
def synced(begin: Callable[[Past], Host]) -> Host:
    """The same on its first commit."""
    return begin(one_file_live)


def _live(host: Host) -> float:
    risk = json.loads(host.run("get", "user", "fx-majors-01", "--format", "json").out)["risk_per_trade_percent"]
    assert isinstance(risk, (int, float))
    return risk


@pytest.fixture(autouse=True)
def without_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of this is about it."""
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")


def test_nothing_goes_live_until_somebody_resumes(synced: Host) -> None:
    said = synced.run("suspend", "--reason", " broker maintenance ")
    assert said.code == 0
    assert said.out.startswith("suspended by maren since 2026-01-05T06:")
    assert said.out.endswith(", until somebody resumes: broker maintenance\n")
    synced.edit(*RISK)
    refused = synced.run("sync")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("refused: reconciling is suspended by maren since ")
    assert "broker maintenance; no row was changed\nhint: `reconciler resume` ends it" in refused.err
    assert _live(synced) == 0.75
    resumed = synced.run("resume")
    assert (resumed.code, resumed.out.split(" by ")[0]) == (0, "resumed; it was suspended")
    assert _live(synced) == 0.75
    assert synced.run("sync").code == 0
    assert _live(synced) == 0.5


@pytest.mark.slow
def test_force_reconciles_once(synced: Host) -> None:
    synced.run("suspend", "--reason", "x")
    synced.edit(*RISK)
    assert synced.run("sync", "--force").code == 0
    assert _live(synced) == 0.5
    assert synced.run("sync").code == 1


@pytest.mark.slow
def test_it_expires_by_itself(synced: Host) -> None:
    """The clock of a test goes on by a second whenever it is asked."""
    said = synced.run("suspend", "--reason", "x", "--until", "3s")
    assert ", until 2026-01-05T06:" in said.out
    codes = [synced.run("sync").code for _ in range(5)]
    assert codes[0] == 1
    assert codes[-1] == 0
    assert synced.run("resume").out == "nothing was suspended\n"


def test_status_tells_it(synced: Host) -> None:
    before = json.loads(synced.run("status", "--format", "json").out)
    assert (before["health"], before["suspended"]) == ("Healthy", None)
    assert [one["reason"] for one in before["conditions"] if one["type"] == "Suspended"] == ["NotSuspended"]
    synced.run("suspend", "--reason", "broker maintenance", "--until", "2h")
    found = json.loads(synced.run("status", "--format", "json").out)
    assert (found["sync"], found["health"]) == ("Synced", "Suspended")
    assert list(found["suspended"]) == ["reason", "actor", "since", "until"]
    assert next(one for one in found["conditions"] if one["type"] == "Suspended") == {
        "type": "Suspended",
        "status": "True",
        "reason": "AskedFor",
        "message": "maren suspended it: broker maintenance",
        "since": found["suspended"]["since"],
    }
    text = synced.run("status").out
    assert "health      Suspended\n" in text
    assert "suspended   by maren since 2026-" in text
    synced.run("resume")
    assert "suspended" not in synced.run("status").out


@pytest.mark.slow
def test_json(synced: Host) -> None:
    asked = json.loads(
        synced.run("suspend", "--reason", "x", "--until", "2026-02-01T08:00+01:00", "--format", "json").out
    )
    assert (asked["reason"], asked["actor"], asked["until"]) == ("x", "maren", "2026-02-01T07:00:00Z")
    assert json.loads(synced.run("resume", "--format", "json").out) == {"ended": asked}
    assert json.loads(synced.run("resume", "--format", "json").out) == {"ended": None}


def test_what_makes_no_sense_is_refused(synced: Host) -> None:
    for words, why in (
        (["--reason", " "], "needs a reason"),
        ([], "Missing option '--reason'"),
        (["--reason", "x", "--until", "2026-02-01 08:00"], "any time zone"),
        (["--reason", "x", "--until", "2020-01-01T00:00Z"], "has passed"),
    ):
        refused = synced.run("suspend", *words)
        assert refused.code == 3
        assert why in refused.err
    assert json.loads(synced.run("status", "--format", "json").out)["suspended"] is None


def test_it_can_be_suspended_before_the_first_sync(small: Host) -> None:
    small.run("suspend", "--reason", "not yet")
    assert small.run("sync").code == 1
    assert small.run("status").out.count("nothing yet") == 1


@pytest.mark.slow
def test_the_name_of_whoever_types_does_not_move_the_cursor(synced: Host) -> None:
    assert "\\x1b[2J" in synced.run("suspend", "--reason", "\x1b[2J").out
