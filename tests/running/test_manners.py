"""A daemon among other processes: one per state folder, gone when asked to, at peace with bad disks and clocks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.running.clocks import movable_clock
from tests.running.hosts import Host, check
from tests.support import configs
from tests.support.daemons import turn, until
from tests.support.disks import tiny_disk
from tests.support.patience import DEADLINE
from tests.support.processes import await_end, children

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow

FILES = 2_000


def second(host: Host) -> subprocess.CompletedProcess[str]:
    """Another daemon that is started on the same state folder."""
    command = [sys.executable, "-m", "reconciler", "run", "--repo", host.origin, "--state", str(host.state)]
    known = {**os.environ, "RECONCILER_HTTP_LISTEN": "127.0.0.1:0", "RECONCILER_HISTORY_URL": "none"}
    return subprocess.run(command, env=known, capture_output=True, text=True, timeout=30, check=False)


def test_one_daemon_for_a_state_folder_and_control_c(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    with host.daemon() as daemon:
        refused = second(host)
        assert refused.returncode == 3
        assert f"process {daemon.process.pid}" in refused.stderr
        assert "Traceback" not in refused.stderr
        started = children(daemon.process.pid)
        daemon.process.send_signal(signal.SIGINT)
        assert daemon.process.wait(DEADLINE) == 130
        await_end(started, 1.0)
    assert not (host.state / "daemon.json").exists()


def test_asked_to_end_in_the_middle_of_a_first_sync(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    interrupted_first_sync(host, FILES)


def interrupted_first_sync(host: Host, files: int) -> None:
    """Many files go live for the first time; the daemon has to end meanwhile, and the next one brings them live."""
    text = configs.user("NAME")
    host.repo.commit({f"more/{i:06}.yaml": text.replace("NAME", f"u{i:06}") for i in range(files)})
    with host.starting() as daemon:
        daemon.await_status(lambda said: said["daemon"]["phase"] == "Reconciling")
        time.sleep(files / 20_000)
        assert daemon.status()["applied"] is None
        assert daemon.stop() == 0
    with host.starting() as daemon:
        daemon.await_live(host.head)
        daemon.await_status(lambda said: said["resources"].get("User") == files + 6)


def test_a_full_disk(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 16 * 1024) as disk:
        host = Host.create(tmp_path)
        host.state = disk.folder / "state"
        with host.daemon() as daemon:
            disk.fill()
            many = {f"users/{i}.yaml": configs.user(f"u{i}") for i in range(300)}
            host.repo.commit(many, "A large desk\n\nReconciler-Approve: growth")
            said = daemon.await_status(lambda said: any(one["about"] == "Reconciling" for one in said["troubles"]))
            assert (said["health"], said["resources"]["User"]) == ("Degraded", 6)
            assert "space" in str(said["troubles"])
            disk.empty()
            check(host, daemon)


def test_a_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 16 * 1024) as disk:
        host = Host.create(tmp_path)
        host.state = disk.folder / "state"
        with host.daemon():
            pass
        disk.protect()
        refused = second(host)
        assert refused.returncode == 3
        assert str(host.state) in refused.stderr
        assert "Traceback" not in refused.stderr
        disk.release()
        with host.daemon():
            pass


def test_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump_by = movable_clock(tmp_path, monkeypatch)
    host = Host.create(tmp_path)
    with host.daemon() as daemon:
        for number, jump in enumerate((-86_400, 7 * 86_400, -3_600), 1):
            jump_by(jump)
            daemon.await_live(host.risk("ann", 1 + jump / 1_000_000))
            assert host.run("backup").code == 0
            with turn(host.state) as store:
                store.execute("DELETE FROM main.user_config")
            daemon.await_live(host.risk("ann", 0.5))
            until(lambda: daemon.log().count("DriftHealed") == number, daemon.log, 10)  # noqa: B023  called at once
        check(host, daemon)


DAY, YEAR = 86_400, 365 * 86_400


def test_a_clock_that_was_a_day_behind_and_a_year_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump_by = movable_clock(tmp_path, monkeypatch)
    host = Host.create(tmp_path, HISTORY_URL="duckdb")
    with host.daemon() as daemon:
        for number, jump in enumerate((-DAY, YEAR, 0, -60, 0), 1):
            jump_by(jump)
            commit = host.risk("ann", number / 10)
            said = daemon.await_live(commit)
            assert (said["sync"], said["troubles"]) == ("Synced", [])
            now = datetime.now(UTC) + timedelta(seconds=jump)
            for moment in (now, now + timedelta(days=1)):
                shown = host.run("show", "user", "ann", "--at", moment.isoformat(), "--format", "json")
                assert json.loads(shown.out)["risk_per_trade_percent"] == number / 10, (jump, shown)
        check(host, daemon)
        newest = json.loads(host.run("log", "--format", "json").out)
        assert [version["fate"] for version in newest] == ["live", *["was-live"] * 5]
        lived = [live for version in newest for live in version["live"]]
        assert all(live["until"] is None or live["from"] <= live["until"] for live in lived)


def test_a_suspension_holds_until_its_time_whatever_the_clock_did_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump_by = movable_clock(tmp_path, monkeypatch)
    host = Host.create(tmp_path)
    with host.daemon() as daemon:
        before = daemon.status()["applied"]["commit"]
        assert host.run("suspend", "--reason", "news", "--until", "2h").code == 0
        for jump in (-DAY, 3_600, 0):
            jump_by(jump)
            commit = host.risk("ann", 1 + jump / 1_000_000)
            said = daemon.await_status(lambda said: said["head"] == commit)  # noqa: B023  called at once
            assert (said["health"], said["applied"]["commit"]) == ("Suspended", before)
        jump_by(YEAR)
        daemon.await_live(host.risk("ann", 0.9))
        jump_by(0)
        daemon.await_live(host.risk("ann", 0.8))
        ended = [event for event, _ in daemon.events() if event.startswith("susp")]
        assert ended == ["suspended", "suspension-expired"]


HOLD = """
import sys, time
import duckdb
limit = time.monotonic() + 60
while True:
    try:
        held = duckdb.connect(sys.argv[1], read_only=True)
        break
    except duckdb.Error:
        assert time.monotonic() < limit
        time.sleep(0.05)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_reader_that_keeps_the_store_is_named_and_a_commit_goes_live_after_it(tmp_path: Path) -> None:
    host = Host.create(tmp_path)
    command = [sys.executable, "-c", HOLD, str(host.state / "state.duckdb")]
    with host.daemon() as daemon:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "held\n"
            commit = host.risk("ann", 2.0)
            said = daemon.await_status(lambda said: bool(said["troubles"]))
            daemon.await_log("InUse")
            reader.communicate()
        daemon.await_live(commit)
        daemon.await_status(lambda said: said["health"] == "Healthy")
    [trouble] = said["troubles"]
    assert (trouble["about"], trouble["reason"], trouble["outlook"]) == ("Reconciling", "InUse", "Retrying")
    assert f"in use by process {reader.pid}" in trouble["message"]
