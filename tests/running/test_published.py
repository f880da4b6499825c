"""Readers of the published copy beside a daemon that is busy."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.running.hosts import DESK, Host
from tests.support import configs
from tests.support.daemons import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

OPENS, COMMIT_SECONDS = 50, 0.3
READ = """
import json, sys, time
import duckdb
results = []
for _ in range(int(sys.argv[2])):
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as live:
            commit = live.execute("SELECT commit_sha FROM gitops.applied").fetchone()[0]
            values = live.execute("SELECT DISTINCT risk_per_trade_percent FROM user_config").fetchall()
        results.append([commit, [value for value, in values]])
    except Exception as error:
        results.append([str(error), []])
    time.sleep(0.1)
print(json.dumps(results))
"""


def opened(file: Path, times: int) -> subprocess.Popen[str]:
    """Another process that opens the copy so many times; it prints the commit and the values of each."""
    return subprocess.Popen([sys.executable, "-c", READ, str(file), str(times)], stdout=subprocess.PIPE, text=True)


def read(file: Path) -> list[Any]:
    """What one that opens it now finds."""
    with opened(file, 1) as reader:
        [found] = json.loads(reader.communicate()[0])
    return list(found)


def alter(file: Path) -> bool:
    """Write to it as somebody else might; False while the daemon looks at it."""
    try:
        with duckdb.connect(str(file)) as writer:
            writer.execute("UPDATE user_config SET risk_per_trade_percent = 9.0")
    except duckdb.IOException:
        return False
    return True


def test_every_open_beside_a_busy_daemon_finds_the_rows_of_one_commit(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    live = host.state / "live.duckdb"
    values: dict[str, float] = {}
    with host.daemon():
        until(live.exists)
        values[host.head] = read(live)[1][0]
        with opened(live, OPENS) as reader:
            while reader.poll() is None:
                risk = 0.5 + len(values) / 100
                files = {f"users/{name}.yaml": configs.user(name, risk=risk) for name in DESK}
                values[host.repo.commit(files, f"everybody risks {risk}")] = risk
                time.sleep(COMMIT_SECONDS)
            results = json.loads(reader.communicate()[0])
        until(lambda: read(live)[0] == host.head)
    assert [commit for commit, _ in results if commit not in values] == []
    assert [(commit, found) for commit, found in results if found != [values[commit]]] == []
    assert (len(results), len({commit for commit, _ in results}) > 1) == (OPENS, True)


def test_it_is_kept_where_the_settings_say_and_a_place_that_is_none_is_told(tmp_path: Path) -> None:
    desk = tmp_path / "for the desk"
    host = Host.create(tmp_path, PUBLISH_PATH=str(desk / "desk.duckdb"), PUBLISH_MODE="0440")
    with host.daemon() as daemon:
        said = daemon.await_status(lambda said: bool(said["troubles"]))
        [trouble] = said["troubles"]
        assert (trouble["about"], trouble["reason"]) == ("PublishedCopy", "NeedsHuman")
        assert "there is no folder" in trouble["message"]
        commit = host.risk("ann", 2.0)
        daemon.await_live(commit)
        desk.mkdir()
        until((desk / "desk.duckdb").exists)
        assert (desk / "desk.duckdb").stat().st_mode & 0o777 == 0o440
        daemon.await_status(lambda said: not said["troubles"])
        [follower] = daemon.status()["followers"]
        assert (follower["name"], follower["state"]) == ("published", "Following")
        until(lambda: read(desk / "desk.duckdb")[0] == host.head)
    assert not (host.state / "live.duckdb").exists()


def test_it_follows_restarts_commands_in_between_restores_and_whoever_writes_to_it(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    live = host.state / "live.duckdb"
    with host.daemon():
        until(lambda: live.exists() and read(live)[0] == host.head)
    host.risk("ann", 1.5)
    assert host.run("sync", variables={"PUBLISH_PATH": str(live)}).code == 0
    commit, risks = read(live)
    assert (commit, sorted(risks)) == (host.head, [0.5, 1.5])
    with host.daemon() as daemon:
        until(lambda: f"{host.head[:8]} in" in daemon.status()["followers"][0]["message"])
        first, at_first = host.head, read(live)
        assert host.run("backup").code == 0
        host.risk("ben", 2.5)
        until(lambda: read(live)[0] == host.head)
        [backup] = (host.state / "backups").glob("state-*.duckdb")
        host.repo.git("reset", "-q", "--hard", first)
        assert host.run("restore", str(backup)).code == 0
        until(lambda: read(live)[0] == first)
        assert sorted(read(live)[1]) == sorted(at_first[1])
        live.chmod(0o600)
        until(lambda: alter(live))
        until(lambda: sorted(read(live)[1]) == sorted(at_first[1]))
        daemon.await_log("CopyAltered")
        daemon.await_status(lambda said: said["health"] == "Healthy")
