"""A daemon obeys a row of the configuration it keeps live, as soon as a commit changes it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.running.clocks import movable_clock
from tests.running.hosts import Host, settle
from tests.support import configs
from tests.support.daemons import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import fronts

pytestmark = pytest.mark.slow


def order(host: Host, **orders: Any) -> str:
    """Commit other orders for the desk."""
    document = yaml.safe_load(configs.system("desk"))
    document["spec"] |= orders
    return host.repo.commit({"s.yaml": yaml.safe_dump(document)}, "Give orders")


def test_orders_count_at_once(tmp_path: Path, front: fronts.RunningFront) -> None:
    host = Host.create(tmp_path, HOST_SYSTEM="desk", HISTORY_URL=front.url("obeying"))
    with host.daemon() as daemon:
        daemon.await_status(lambda said: said["history"]["recorded"] == 1)
        assert "DEBUG" not in daemon.log()
        assert not (host.state / "backups").exists()
        order(host, log_level="DEBUG", sync_interval_sec=600, backup_interval_sec=60, max_log_size_mb=1)
        for name, before, now in (
            ("log_level", "INFO", "DEBUG"),
            ("ship_interval", "5.0", "600.0"),
            ("backup_interval", "3600.0", "60.0"),
            ("max_log_size_bytes", "67108864", "1048576"),
        ):
            daemon.await_log(f"order={name} before={before} now={now}")
        host.run("sync")
        until(lambda: " DEBUG " in daemon.log(), daemon.log)
        said = daemon.await_status(lambda said: said["head"] == host.head)
        assert (said["history"]["versions"], said["troubles"]) == (1, [])
        order(host, log_level="ERROR", sync_interval_sec=1)
        daemon.await_log("order=log_level before=DEBUG now=ERROR")
        daemon.await_status(lambda said: said["history"]["recorded"] == 3)
        before = daemon.log()
        daemon.await_live(host.risk("ann", 0.9))
        assert daemon.log() == before


def test_what_was_halted_last_is_in_the_history_when_the_daemon_ends(
    tmp_path: Path, front: fronts.RunningFront
) -> None:
    """It is uploaded seldom here, and the state folder is lost before the next start."""
    host = Host.create(tmp_path, HOST_SYSTEM="desk", HISTORY_URL=front.url("ending"))
    with host.daemon() as daemon:
        daemon.await_status(lambda said: said["history"]["recorded"] == 1)
        order(host, sync_interval_sec=600)
        daemon.await_log("order=ship_interval before=5.0 now=600.0")
        assert host.run("halt", "user", "ann", "--reason", "the feed is wrong").code == 0
    shutil.rmtree(host.state)
    assert host.run("sync").code == 0
    assert json.loads(host.run("get", "user", "ann", "-o", "json").out)["status"] == "INACTIVE"


def test_a_backup_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump_by = movable_clock(tmp_path, monkeypatch)
    host = Host.create(tmp_path, HOST_SYSTEM="desk")
    with host.daemon() as daemon:
        assert host.run("backup").code == 0
        jump_by(1_800)
        daemon.await_live(host.risk("ann", 0.8))
        assert len(list((host.state / "backups").iterdir())) == 1
        order(host, backup_interval_sec=60)  # which was over half an hour ago
        until(lambda: len(list((host.state / "backups").iterdir())) == 2, daemon.log)
        settle(host, daemon)


def test_a_name_that_is_no_row(tmp_path: Path) -> None:
    host = Host.create(tmp_path, HOST_SYSTEM="dusk")
    with host.starting() as daemon:
        said = daemon.await_status(lambda said: bool(said["troubles"]))
        (trouble,) = said["troubles"]
        assert "dusk" in trouble["message"]
        assert (said["health"], said["sync"]) == ("Degraded", "Synced")
        host.repo.commit({"dusk.yaml": configs.system("dusk", level="ERROR")})
        settle(host, daemon)
