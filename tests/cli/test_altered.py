"""Tables that somebody made something else of: told by every command, put right when asked, and no trace of a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.duckdb.connection import FILE_NAME
from tests.support.cases import some

if TYPE_CHECKING:
    from tests.cli.conftest import Host

AGAIN = "CREATE OR REPLACE TABLE user_config AS SELECT * {} FROM user_config"
READABLE = {
    "no number": AGAIN.format("REPLACE ('NaN'::DOUBLE AS lot_size_value, '-inf'::DOUBLE AS risk_per_trade_percent)"),
    "texts": AGAIN.format("REPLACE ('lots' AS lot_size_value, 'never' AS created_at)"),
    "dates": AGAIN.format("REPLACE (DATE '2026-01-01' AS lot_size_value, 1.5::DECIMAL(9, 3) AS updated_at)"),
    "nothing": AGAIN.format("REPLACE (NULL AS status, NULL AS updated_at)"),
}
UNREADABLE = {
    "a column less": AGAIN.format("EXCLUDE (lot_size_value)"),
    "dropped": "DROP TABLE user_config",
    "odd ids": AGAIN.format("REPLACE (user_id::VARCHAR || 'x' AS user_id)"),
}


def _alter(host: Host, statement: str) -> None:
    host.run("sync")
    with duckdb.connect(str(host.state / FILE_NAME)) as other:
        other.execute(statement)


@pytest.mark.slow
@pytest.mark.parametrize("statement", some(READABLE, 1))
def test_what_can_be_read_is_shown_as_it_is(host: Host, statement: str) -> None:
    _alter(host, statement)
    assert host.run("get", "user", "fx-majors-01").code == 0
    assert host.run("get", "users", "--format", "json").code == 0
    verified = host.run("verify")
    assert (verified.code, "wrong-row: 6" in verified.out) == (1, True)
    _is_healed(host)


@pytest.mark.slow
@pytest.mark.parametrize("statement", some(UNREADABLE, 1))
def test_what_cannot_be_read_is_told_as_altered(host: Host, statement: str) -> None:
    _alter(host, statement)
    for command in (["get", "users"], ["get", "user", "fx-majors-01"], ["export", "users", "--to", str(host.state)]):
        answer = host.run(*command)
        assert answer.code == 3
        assert answer.err.startswith("error: a live table was altered, its rows cannot be read: "), answer.err
        assert "reconciler drift --heal" in answer.err
    verified = host.run("verify")
    assert (verified.code, "altered-table: 1" in verified.out, "missing-row" in verified.out) == (1, True, False)
    assert host.run("status").code == 0
    _is_healed(host)


def test_a_number_that_is_text_is_not_exported_as_a_number(host: Host) -> None:
    _alter(host, READABLE["texts"])
    answer = host.run("export", "users", "--to", str(host.state))
    assert (answer.code, answer.err.startswith("error: a live table was altered")) == (3, True)


@pytest.mark.slow
def test_a_store_that_lost_what_git_says_is_to_be_rebuilt(host: Host) -> None:
    _alter(host, "DROP SCHEMA desired CASCADE")
    for command in ("sync", "verify", "drift"):
        host.repo.commit({"notes.txt": command})
        answer = host.run(command)
        assert answer.code == 3
        assert "git rebuilds it" in answer.err, answer.err


def _is_healed(host: Host) -> None:
    assert host.run("drift").code == 2
    assert host.run("drift", "--heal").code == 0
    assert (host.run("drift").code, host.run("verify").code) == (0, 0)
