"""Live rows that somebody changed by hand, and copies of the store, from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.cli.conftest import first_synced

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Answer, Host, Past


def unrecorded(host: Host) -> None:
    """On its first commit, without a history."""
    first_synced(host)


@pytest.fixture
def synced(begin: Callable[[Past], Host], monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on its first commit, without a history."""
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")
    return begin(unrecorded)


def by_hand(host: Host, *statements: str) -> None:
    """What somebody does in the file."""
    with duckdb.connect(str(host.state / "state.duckdb")) as beside:
        for statement in statements:
            beside.execute(statement)


def live(host: Host) -> list[str]:
    """The live rows of two kinds, as they are shown."""
    return [host.run("get", kind).out for kind in ("accounts", "users")]


def test_nothing_live_is_no_drift(host: Host) -> None:
    assert [host.run("drift", *more).code for more in ((), ("--heal",))] == [0, 0]
    assert not host.state.exists()


def test_drift_is_shown_and_healed(synced: Host) -> None:
    before = live(synced)
    assert (clean := synced.run("drift")).code == 0
    assert clean.out == "the live rows are what git says\n"
    by_hand(
        synced,
        "UPDATE account_config SET leverage = 500 WHERE currency_pair = 'EURUSD' AND leverage = 30",
        "DELETE FROM user_config WHERE risk_per_trade_percent = 0.75",
        "DROP INDEX system_config_config_id_index",
    )
    shown = synced.run("drift")
    assert shown.code == 2
    assert "~ Account cv-eurusd\n    leverage: live 500, git says 30\n" in shown.out
    assert "- User fx-majors-01 is missing\n" in shown.out
    assert "~ System: the table system_config is altered\n    index system_config_config_id_index: live -" in shown.out
    assert shown.out.endswith("3 differences: 1 Account, 1 System, 1 User\n")
    healed = synced.run("drift", "--heal")
    assert healed.code == 0
    assert healed.out.endswith("3 differences put right: 1 Account, 1 System, 1 User\n")
    assert synced.run("drift").code == 0
    assert live(synced) == before


@pytest.mark.slow
def test_drift_as_json(synced: Host) -> None:
    by_hand(synced, "UPDATE account_config SET leverage = 500 WHERE currency_pair = 'EURUSD' AND leverage = 30")
    answer = synced.run("drift", "--format", "json")
    assert answer.code == 2
    found = json.loads(answer.out)
    (drift,) = found["drift"]
    assert found["summary"] == {"Account": 1}
    assert (drift["what"], drift["name"], drift["fields"]) == ("changed", "cv-eurusd", ["leverage"])
    assert drift["before"] == {**drift["after"], "leverage": 500}


@pytest.mark.slow
def test_more_than_a_thousand_rows_are_healed(synced: Host) -> None:
    copies = "SELECT u.* REPLACE (uuid() AS user_id) FROM user_config AS u, range(400)"
    by_hand(synced, f"INSERT INTO user_config {copies}")
    answer = synced.run("drift", "--heal")
    assert answer.code == 0
    assert answer.out.splitlines()[-2:] == ["… and 1,400 more", "2,400 differences put right: 2,400 User"]
    assert synced.run("drift").code == 0


@pytest.mark.slow
def test_another_repositorys_store_is_not_looked_at(synced: Host, tmp_path: Path) -> None:
    by_hand(synced, "UPDATE gitops.owner SET url = 'elsewhere'")
    by_hand(synced, "UPDATE gitops.applied SET commit_sha = repeat('7', 40)")
    for command in (["drift"], ["drift", "--heal"]):
        answer = synced.run(*command)
        assert answer.code == 3
        assert "belongs to the repository elsewhere" in answer.err


BOTH = "UPDATE {}.account_config SET leverage = 500 WHERE currency_pair = 'EURUSD' AND leverage = 30"
LIVE, DESIRED = BOTH.format("main"), BOTH.format("desired")
CHANGED = {
    "a live row": ((LIVE,), 2, "wrong-row: 1\n  main Account cv-eurusd: leverage is 500, git says 30", "drift --heal"),
    "a live table": (("DROP TABLE main.account_config",), 2, "altered-table: 1\n  main Account", "drift --heal"),
    "a row, and what git says of it": (
        (LIVE, DESIRED),
        1,
        "wrong-row: 2\n  desired Account cv-eurusd: leverage is 500, git says 30\n  main Account cv-eurusd",
        "restore another one",
    ),
    "what git says": ((DESIRED,), 1, "desired Account cv-eurusd", "restore another one"),
    "the digest": (("UPDATE gitops.applied SET digest = repeat('0', 64)",), 1, "applied-commit: 1", "another one"),
    "no table of what git says": (("DROP TABLE desired.user_config",), 1, "not-compared: 1", "another one"),
    "a commit that git does not have": (
        ("UPDATE gitops.applied SET commit_sha = repeat('7', 40)",),
        1,
        "not-compared: 1",
        "restore another one",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("changed", list(CHANGED))
def test_a_backup_that_was_changed_is_told_as_such(synced: Host, changed: str, tmp_path: Path) -> None:
    statements, code, found, remedy = CHANGED[changed]
    made = synced.run("backup")
    backup = Path(made.out.strip()).rename(tmp_path / "changed.duckdb")
    with duckdb.connect(str(backup)) as other:
        for statement in statements:
            other.execute(statement)
    done = synced.run("restore", str(backup))
    assert (done.code, found in done.out) == (code, True), done
    assert remedy in done.err
    assert "state.duckdb.before-restore" in done.err
    if code == 2:
        assert synced.run("drift").code == 2
        assert synced.run("drift", "--heal").code == 0
        assert synced.run("verify").code == 0


@pytest.mark.slow
def test_what_a_store_that_cannot_be_read_knew_is_said_to_be_only_there(synced: Host) -> None:
    backup = synced.run("backup").out.strip()
    os.truncate(synced.state / "state.duckdb", 100)
    done = synced.run("restore", backup)
    assert done.code == 0
    assert "could not be read: a suspension, and host events of it, are only there" in done.err
    assert "the live rows are what git says at that commit" in done.err


@pytest.mark.slow
def test_there_and_back(synced: Host) -> None:
    before = live(synced)
    made = synced.run("backup")
    assert made.code == 0
    file = Path(made.out.strip())
    assert file.parent == synced.state / "backups"
    synced.edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    assert synced.run("sync").code == 0
    after = live(synced)
    done = synced.run("restore", str(file))
    assert done.code == 0
    assert done.out.startswith("live: ")
    assert "state.duckdb.before-restore" in done.err
    assert live(synced) == before
    assert synced.run("status").out.splitlines()[1].split() == ["sync", "OutOfSync"]
    assert synced.run("sync").code == 0
    assert live(synced) == after
    assert synced.run("drift").code == 0


@pytest.mark.slow
def test_what_is_no_backup(synced: Host, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database", encoding="utf-8")

    def refused(file: str) -> Answer:
        answer = synced.run("restore", str(tmp_path / file))
        assert answer.code == 3
        assert answer.out == ""
        return answer

    assert "damaged or no DuckDB file" in refused("notes.txt").err
    assert "there is no file" in refused("gone.duckdb").err
    assert synced.run("drift").code == 0


def test_no_store_no_backup(host: Host) -> None:
    answer = host.run("backup")
    assert answer.code == 3
    assert "there is no store" in answer.err
    assert not host.state.exists()


@pytest.fixture
def recorded(begin: Callable[[Past], Host]) -> Host:
    """A host on its first commit, with its history."""
    return begin(first_synced)


@pytest.mark.slow
def test_drift_that_was_healed_shows_inside_its_interval(recorded: Host) -> None:
    def ask(*words: str) -> Any:
        return json.loads(recorded.run(*words, "--format", "json").out)

    since = ask("log")[0]["live"][0]["from"]
    by_hand(recorded, "UPDATE account_config SET leverage = 500 WHERE leverage = 30 AND currency_pair = 'EURUSD'")
    assert recorded.run("drift", "--heal").code == 0
    recorded.edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5", "Cut")
    assert recorded.run("sync").code == 0
    [change] = ask("history", "account", "cv-eurusd")
    [drift] = change["drift"]
    healed = drift["ended_at"]
    assert (drift["found_at"], drift["ended"], drift["right_at"], drift["commit"]) == (
        healed,
        "healed",
        None,
        change["commit"],
    )
    assert (drift["before"], drift["after"]) == ({"leverage": 500}, {"leverage": 30})
    text = recorded.run("history", "account", "cv-eurusd").out
    assert text.startswith("drift     found 20")
    assert "~ Account cv-eurusd\n    leverage: live 500, git says 30\n\n" in text
    (then,) = ask("show", "account", "cv-eurusd", "--at", since)["_drift"]
    assert (then["certain"], then["before"]) == (False, {"leverage": 500})
    assert "_drift" not in ask("show", "account", "cv-eurusd", "--at", healed)
    assert "_drift" not in ask("show", "user", "gold-swing-01", "--at", since)
    assert [row["name"] for row in ask("show", "account", "--at", since) if "_drift" in row] == ["cv-eurusd"]
    warned = recorded.run("show", "account", "cv-eurusd", "--at", since)
    assert "warning: rows may have differed then from what is shown: found 20" in warned.err
    assert "leverage: live 500, git says 30" in warned.err
    newest, first = ask("log")
    assert "drift" not in newest["live"][0]
    assert first["live"][0]["drift"] == [{"at": healed, "event": "drift-healed", "rows": {"Account": 1}}]
    assert ", drifted" in recorded.run("log").out
