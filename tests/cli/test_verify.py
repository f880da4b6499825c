"""`reconciler verify` on real engines: quiet when all is right, and telling what is not."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import duckdb
import pytest

from tests.cli.conftest import founded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Host, Past

LEVERAGE = "accounts/cv-eurusd.yaml"


def eventful(host: Host) -> None:
    """A history: a change, an invalid commit, a side branch that was merged, and a deletion."""
    founded(host)
    host.edit(LEVERAGE, "commission: 6.0", "commission: 6.5")
    host.edit(LEVERAGE, "leverage: 30", "leverage: 1:30")
    host.edit(LEVERAGE, "leverage: 1:30", "leverage: 30")
    base = host.repo.git("rev-parse", "main")
    host.repo.commit({"accounts/op-demo.yaml": None}, branch="side", parents=[base])
    host.repo.merge("side")
    assert host.run("sync").code == 0


def eventful_but_forgotten(host: Host) -> None:
    """The same, and nobody recorded it."""
    eventful(host)


@pytest.fixture
def synced(begin: Callable[[Past], Host]) -> Host:
    """A host that has seen much."""
    return begin(eventful)


@pytest.fixture
def forgetful(begin: Callable[[Past], Host], monkeypatch: pytest.MonkeyPatch) -> Host:
    """The same without a history, which is not what these tests are about."""
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")
    return begin(eventful_but_forgotten)


def found(host: Host) -> dict[str, dict[str, Any]]:
    """What `verify` finds, by sort."""
    answer = host.run("verify", "--format", "json")
    assert answer.code == 1, answer.err
    return {one["sort"]: one for one in json.loads(answer.out)["differences"]}


def store(host: Host, *statements: str) -> None:
    """Change something behind the store's back."""
    with duckdb.connect(host.state / "state.duckdb") as beside:
        for statement in statements:
            beside.execute(statement)


@contextmanager
def ledger(host: Host) -> Iterator[Any]:
    """The ledger's database as anybody sees it."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(host.state / "history"))
    with closing(client):
        client.database = "config_history"
        yield client


def test_all_is_as_git_says(synced: Host) -> None:
    answer = synced.run("verify")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("history     6 commits\nlive rows   28 of ")
    assert answer.out.endswith("\neverything is as git says\n")


@pytest.mark.slow
def test_a_refused_head_is_no_difference(synced: Host) -> None:
    synced.edit(LEVERAGE, "leverage: 30", "leverage: 1:30")
    assert synced.run("sync").code == 1
    assert synced.run("verify").code == 0


def test_live_rows_that_were_written_by_hand(forgetful: Host) -> None:
    store(
        forgetful,
        "UPDATE account_config SET commission = 45 WHERE commission = 6.5",
        "DELETE FROM system_config WHERE log_level = 'DEBUG'",
        "INSERT INTO user_config SELECT * REPLACE (uuid() AS user_id) FROM user_config LIMIT 1",
    )
    told = found(forgetful)
    assert told["wrong-row"]["examples"] == [
        {"subject": "main Account cv-eurusd", "message": "commission is 45, git says 6.5"}
    ]
    assert [one["subject"] for one in told["missing-row"]["examples"]] == ["main System lab"]
    assert told["unknown-row"]["count"] == 1
    assert set(told) == {"wrong-row", "missing-row", "unknown-row"}


@pytest.mark.slow
def test_what_the_store_keeps_of_git(forgetful: Host) -> None:
    store(
        forgetful,
        "UPDATE desired.account_config SET line = 99, commission = 26 WHERE commission = 6.5",
        "UPDATE gitops.tombstones SET removed_commit = repeat('0', 40)",
    )
    told = found(forgetful)
    messages = {one["subject"]: one["message"] for one in told["wrong-row"]["examples"]}
    assert messages["desired Account cv-eurusd"] == "commission is 26, git says 6.5; line is 99, git says 3"
    assert messages["desired Account op-demo"].startswith(f"updated_commit is {'0' * 40}, git says ")


@pytest.mark.slow
def test_many_differences_are_counted_and_the_first_told(forgetful: Host) -> None:
    store(forgetful, "UPDATE gitops.applied SET digest = 'x'", *(f"DELETE FROM {table}_config" for table in TABLES))
    told = found(forgetful)
    assert told["missing-row"]["count"] == 28
    assert len(told["missing-row"]["examples"]) == 20
    assert told["applied-commit"]["count"] == 1
    assert "  and 8 more\n" in forgetful.run("verify").out


TABLES = ("account", "user", "system", "broker", "instance", "signal")


@pytest.mark.slow
def test_tables_of_another_schema(forgetful: Host) -> None:
    store(forgetful, "UPDATE gitops.kinds SET schema = '{\"title\": \"User\"}' WHERE name = 'User'")
    assert set(found(forgetful)) >= {"other-schema"}


@pytest.mark.slow
def test_versions_that_are_missing_doubled_or_wrong(synced: Host) -> None:
    commits = synced.repo.git("rev-list", "--reverse", "--topo-order", "main").splitlines()
    gone, wrong, hidden = commits[0], commits[1], commits[2]
    with ledger(synced) as client:
        client.command("CREATE TABLE copy AS config_versions ENGINE = MergeTree ORDER BY tuple()")
        client.command(f"INSERT INTO copy SELECT * FROM config_versions FINAL WHERE commit_sha != '{gone}'")
        client.command("DROP TABLE config_versions")
        client.command(
            "CREATE TABLE config_versions AS copy ENGINE = ReplacingMergeTree(generation) "
            "ORDER BY (repository, branch, commit_sha, recorded_at)"
        )
        client.command(
            "INSERT INTO config_versions SELECT * REPLACE ("
            f"if(commit_sha = '{wrong}', 7, creates) AS creates, commit_sha = '{hidden}' AS orphaned) FROM copy"
        )
        client.command(
            "INSERT INTO config_versions SELECT * REPLACE (recorded_at + 1 AS recorded_at) FROM copy "
            f"WHERE commit_sha = '{commits[3]}'"
        )
        client.command("INSERT INTO config_versions SELECT * REPLACE (repeat('e', 40) AS commit_sha) FROM copy LIMIT 1")
    told = found(synced)
    assert {sort: [one["subject"] for one in finding["examples"]] for sort, finding in told.items()} == {
        "missing-version": [gone],
        "wrong-version": [wrong],
        "wrongly-orphaned": [hidden],
        "duplicate-version": [commits[3]],
        "not-orphaned": ["e" * 40],
    }
    assert told["wrong-version"]["examples"][0]["message"] == "creates is 7, git says 0"


def test_changes_of_rows_that_are_missing(synced: Host) -> None:
    first = synced.repo.git("rev-list", "--max-parents=0", "main")
    with ledger(synced) as client:
        client.command("TRUNCATE TABLE user_config")
    told = found(synced)
    assert told["wrong-rows"]["examples"][0] == {
        "subject": first,
        "message": "22 changes of rows are recorded, git says 28",
    }


@pytest.mark.slow
def test_a_rewritten_history_that_was_not_looked_at_yet(synced: Host) -> None:
    synced.repo.git("update-ref", "refs/heads/main", synced.repo.git("rev-parse", "main~2"))
    synced.repo.commit({}, "Another way")
    told = found(synced)
    assert set(told) == {"applied-commit", "not-orphaned", "missing-version"}
    assert synced.run("sync").code == 1  # what it goes back to is not valid
    assert synced.run("verify").code == 0


@pytest.mark.slow
def test_a_host_without_a_history(forgetful: Host) -> None:
    answer = forgetful.run("verify", "--format", "json")
    assert (answer.code, json.loads(answer.out)["commits"]) == (0, None)
    assert "history     this host keeps none\n" in forgetful.run("verify").out


def test_nothing_to_verify(host: Host) -> None:
    answer = host.run("verify")
    assert (answer.code, answer.out) == (3, "")
    assert "nothing is live yet" in answer.err
    assert not host.state.exists()


@pytest.mark.slow
def test_a_branch_that_is_gone(synced: Host) -> None:
    synced.repo.git("checkout", "-q", "--orphan", "empty")
    answer = synced.run("verify", "--branch", "empty")
    assert answer.code == 3
    assert "has no commits" in answer.err
