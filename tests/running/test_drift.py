"""Rows that another program writes, one that waits its turn at the store, while a daemon runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.daemon.drift import MAX_HEALS
from tests.running import storms
from tests.running.hosts import Host
from tests.support.daemons import turn, until
from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import fronts

pytestmark = pytest.mark.slow


ROW = "user_id = (SELECT user_id FROM desired.user_config WHERE name = ?)"
SECONDS = DEADLINE
"""The store comes free two seconds after it was used last, and a second later it shows that somebody wrote."""


def edit(host: Host, name: str, value: float) -> None:
    with turn(host.state) as store:
        changed = store.execute(f"UPDATE main.user_config SET risk_per_trade_percent = ? WHERE {ROW}", [value, name])
        assert changed.fetchall() == [(1,)]


def found(host: Host, name: str) -> float:
    with turn(host.state) as store:
        query = f"SELECT risk_per_trade_percent FROM main.user_config WHERE {ROW}"
        return float(store.execute(query, [name]).fetchall()[0][0])


def test_an_edit_is_healed_and_on_record(tmp_path: Path, front: fronts.RunningFront) -> None:
    host = Host.create(tmp_path, HISTORY_URL=front.url("drift"))
    with host.daemon() as daemon:
        edit(host, "ann", 50.0)
        daemon.await_log("DriftHealed", SECONDS)
        daemon.await_status(
            lambda said: said["drift"]["healed"] == 1
        )  # before the next turn, after which it looks again
        assert found(host, "ann") == 0.5
        (told,) = [detail for event, detail in daemon.events() if event == "drift-healed"]
        _check(told)
        until(lambda: any(one.event == "drift-healed" for one in storms.shipped_events(host)), daemon.log)
        _check(next(one.detail for one in storms.shipped_events(host) if one.event == "drift-healed"))
        assert host.run("drift").code == 0


def test_a_row_that_somebody_goes_on_writing_is_left_alone(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    with host.daemon() as daemon:
        for number in range(MAX_HEALS):
            edit(host, "ann", 60.0 + number)
            until(lambda: daemon.log().count("DriftHealed") > number, daemon.log, SECONDS)  # noqa: B023  called at once
        with turn(host.state) as store:
            store.execute(f"UPDATE main.user_config SET risk_per_trade_percent = 99 WHERE {ROW}", ["ann"])
            store.execute(f"DELETE FROM main.user_config WHERE {ROW}", ["ben"])
        said = daemon.await_status(lambda said: bool(said["troubles"]), SECONDS)
        assert [one["reason"] for one in said["troubles"]] == ["Fighting"]
        assert "User ann" in said["troubles"][0]["message"]
        assert (said["health"], said["drift"]["fighting"]) == ("Degraded", ["User ann"])
        assert next(one for one in said["conditions"] if one["type"] == "Stalled")["reason"] == "Fighting"
        assert (found(host, "ann"), found(host, "ben")) == (99.0, 0.5)
        assert daemon.log().count("Fighting") == 1
        assert host.run("drift", "--heal").code == 0  # somebody has looked at it
        assert found(host, "ann") == 0.5


def test_reporting_changes_nothing(tmp_path: Path) -> None:
    host = Host.create(tmp_path, DRIFT_MODE="report")
    with host.daemon() as daemon:
        edit(host, "ann", 50.0)
        said = daemon.await_status(lambda said: bool(said["troubles"]), SECONDS)
        assert [one["reason"] for one in said["troubles"]] == ["Drifted"]
        assert found(host, "ann") == 50.0
        assert host.run("drift").code == 2
        told = [detail for event, detail in daemon.events() if event == "drift-found"]
        _check(told[0])
        edit(host, "ann", 0.5)
        daemon.await_status(lambda said: not said["troubles"], SECONDS)
        assert daemon.log().count("WARN  Drifted") + daemon.log().count("ERROR Drifted") == 1


def _check(detail: dict[str, Any]) -> None:
    (one,) = detail["rows"]
    assert one["name"] == "ann"
    assert (one["before"]["risk_per_trade_percent"], one["after"]["risk_per_trade_percent"]) == (50.0, 0.5)
    assert one["fields"] == ["risk_per_trade_percent"]
