"""What a real daemon tells Prometheus is what happened."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.docs.test_metrics import documented
from tests.running.hosts import DESK, Host, settle
from tests.running.test_drift import edit
from tests.support import configs
from tests.support.daemons import turn, until
from tests.support.figures import Figures, figures
from tests.support.patience import DEADLINE
from tests.support.promtool import promtool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import fronts
    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

"""Seconds that a scrape may take on a busy machine, whatever the daemon is doing."""
SECONDS = DEADLINE
POLICY = """-- Nobody risks all
SELECT name, 'too much' AS message FROM desired.user_config WHERE risk_per_trade_percent > 90
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, front: fronts.RunningFront) -> Host:
    """A host with all there is, which ships every second."""
    folder: Path = tmp_path_factory.mktemp("metrics")
    made = Host.create(folder, HISTORY_URL=front.url("metrics"), REDIS_URL="embedded", HOST_SYSTEM="desk")
    orders = yaml.safe_load(configs.system("desk"))
    orders["spec"]["sync_interval_sec"] = 1
    made.repo.commit({"s.yaml": yaml.safe_dump(orders), "policies/much.sql": POLICY})
    return made


@pytest.fixture(scope="module")
def daemon(host: Host) -> Iterator[RunningDaemon]:
    with host.daemon() as daemon:
        daemon.await_status(lambda said: said["live_view"] is not None)
        yield daemon


def text(daemon: RunningDaemon) -> str:
    connection = http.client.HTTPConnection(daemon.client().address, timeout=DEADLINE)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def scrape(daemon: RunningDaemon) -> Figures:
    return figures(text(daemon))


def commits(seen: Figures) -> tuple[float, float]:
    """Heads that went live, and that were refused."""
    return seen("reconciler_commits_total", outcome="applied"), seen("reconciler_commits_total", outcome="refused")


def drift(seen: Figures) -> tuple[float, float]:
    """Rows found, and put right."""
    return seen("reconciler_drift_found_total"), seen("reconciler_drift_healed_total")


def test_commits_valid_and_not(host: Host, daemon: RunningDaemon) -> None:
    before = scrape(daemon)
    daemon.await_live(host.risk("ann", 0.7))
    host.repo.commit({"users/zoe.yaml": configs.BROKEN})
    daemon.await_status(lambda said: bool(said["refused"]))
    refused = scrape(daemon)
    assert refused("reconciler_head_refused") == 1
    assert refused("reconciler_condition", type="Stalled", status="True") == 1
    assert refused.having("reconciler_info", sync="OutOfSync", applied=host.repo.git("rev-parse", "HEAD~1")[:8])
    assert host.run("sync").code == 1, "looked at again"
    daemon.await_live(host.repo.commit({"users/zoe.yaml": configs.user("zoe"), "users/ben.yaml": None}))
    went_live, were_refused = commits(before)  # a commit is counted in the moment after it is live
    until(lambda: commits(scrape(daemon)) == (went_live + 2, were_refused + 1), daemon.log, SECONDS)
    after = scrape(daemon)
    changed = {
        op: after("reconciler_changes_total", op=op) - before("reconciler_changes_total", op=op)
        for op in ("create", "update", "delete")
    }
    assert changed == {"create": 1, "update": 1, "delete": 1}
    name = "reconciler_reconcile_duration_seconds_count"
    assert after(name, outcome="applied") - before(name, outcome="applied") == 2
    assert after(name, outcome="refused") - before(name, outcome="refused") == 2
    name = "reconciler_apply_duration_seconds_count"
    assert after(name) - before(name) == 2
    name = "reconciler_policies_duration_seconds_count"
    assert after(name) - before(name) >= 2, "once for each side of a step, where they are not the same"
    assert after("reconciler_head_refused") == 0
    assert after("reconciler_resources", kind="User") == len(DESK) + 1
    assert after("reconciler_seconds_since_last_successful_sync") < SECONDS
    assert after("reconciler_applied_height") == host.repo.rev_count()


def test_an_edit_past_git(host: Host, daemon: RunningDaemon) -> None:
    settle(host, daemon)
    before = drift(scrape(daemon))
    edit(host, "cleo", 50.0)
    until(lambda: drift(scrape(daemon)) == (before[0] + 1, before[1] + 1), daemon.log, SECONDS)
    assert scrape(daemon)("reconciler_drift_rows") == 0


def test_an_edit_that_somebody_puts_right_while_it_is_suspended(host: Host, daemon: RunningDaemon) -> None:
    settle(host, daemon)
    before = drift(scrape(daemon))
    assert host.run("suspend", "--reason", "lunch").code == 0
    assert scrape(daemon)("reconciler_condition", type="Suspended", status="True") == 1
    edit(host, "dan", 50.0)
    assert host.run("drift", "--heal").code == 0
    assert host.run("resume").code == 0
    after = scrape(daemon)
    assert drift(after) == (before[0] + 1, before[1] + 1)
    assert after("reconciler_condition", type="Suspended", status="True") == 0


def test_a_history_that_is_down(host: Host, daemon: RunningDaemon, front: fronts.RunningFront) -> None:
    until(lambda: scrape(daemon)("reconciler_history_lag_seconds") == 0)
    failed = scrape(daemon)("reconciler_ship_duration_seconds_count", outcome="failed")
    front.fault("refuse", times=1_000, match="`metrics`")
    daemon.await_live(host.risk("eve", 0.8))
    began = time.monotonic()
    for attempt in (1, 2):
        host.run("log")  # ships now
        name = "reconciler_ship_duration_seconds_count"
        until(lambda: scrape(daemon)(name, outcome="failed") >= failed + attempt, daemon.log)  # noqa: B023  called at once
    waited, down = time.monotonic() - began, scrape(daemon)
    assert down.having("reconciler_trouble", about="History")
    assert down("reconciler_history_waiting_versions") == 1
    assert down("reconciler_history_lag_seconds") > waited
    front.fault("", times=0)
    assert host.run("log").code == 0
    until(lambda: scrape(daemon)("reconciler_history_lag_seconds") == 0, daemon.log)
    after = scrape(daemon)
    assert after("reconciler_versions_shipped_total") == host.repo.rev_count()
    assert not after.having("reconciler_trouble")


def test_backups_redis_and_requests(host: Host, daemon: RunningDaemon) -> None:
    settle(host, daemon)
    before = scrape(daemon)
    for _ in range(3):
        assert host.run("get", "user", "ann").code == 0
    assert host.run("backup").code == 0
    after = scrape(daemon)
    assert after("reconciler_backup_age_seconds") < SECONDS
    name, done = "reconciler_backup_duration_seconds_count", {"outcome": "done"}
    assert after(name, **done) - before.samples.get((name, frozenset(done.items())), 0) == 1
    asked = {"route": "/v1/resources/{kind}/{name}", "method": "GET", "status": "200"}
    name = "reconciler_http_requests_total"
    assert after(name, **asked) - before.samples.get((name, frozenset(asked.items())), 0) == 3
    assert after("reconciler_live_view_up") == 1
    live = sum(after("reconciler_resources", **one) for one in after.having("reconciler_resources"))
    until(lambda: scrape(daemon)("reconciler_live_view_rows") == live)
    assert 0 < after("process_resident_memory_bytes") < 2**31


def test_promtool_takes_it(host: Host, daemon: RunningDaemon) -> None:
    done = promtool("check", "metrics", given=text(daemon))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_what_the_page_lists(host: Host, daemon: RunningDaemon) -> None:
    assert host.run("backup").code == 0
    settle(host, daemon)
    found, listed = scrape(daemon).metrics, documented()
    found = {name: one for name, one in found.items() if name != "reconciler_trouble"}  # there is none to have labels
    assert found == {name: listed[name] for name in found}
    assert set(listed) - set(found) == {"reconciler_trouble"} | (
        {
            "reconciler_drift_rows",
            "reconciler_drift_fighting_rows",
            "reconciler_halt_last_drill_timestamp_seconds",
        }
        - set(found)
    )


def test_no_counter_goes_down_and_scrapes_do_not_wait_for_each_other(host: Host, daemon: RunningDaemon) -> None:
    def many(_: int) -> list[Figures]:
        return [scrape(daemon) for _ in range(10)]

    with ThreadPoolExecutor(4) as scrapers:
        asked = [scrapers.submit(many, number) for number in range(4)]
        for number in range(5):
            daemon.await_live(host.risk("finn", 0.5 + number / 10))
        for series in (one.result(SECONDS) for one in asked):
            for earlier, later in pairwise(series):
                before, after = earlier.counters(), later.counters()
                assert before.keys() <= after.keys()
                assert [one for one in before if after[one] < before[one]] == []


def test_a_scrape_does_not_wait_for_what_the_daemon_waits_for(host: Host, daemon: RunningDaemon) -> None:
    """Another program has the store, and a reconcile waits its turn."""
    settle(host, daemon)
    with turn(host.state):
        host.risk("ann", 0.9)
        daemon.await_status(lambda said: said["daemon"]["phase"] == "Reconciling")
        for _ in range(10):
            seen = scrape(daemon)
        assert seen("reconciler_condition", type="Reconciling", status="True") == 1
    settle(host, daemon)


def test_a_repository_elsewhere_that_goes_away(tmp_path: Path) -> None:
    """And what a daemon before backed up is known to the next."""
    host = Host.elsewhere(tmp_path)
    (host.state / "backups").mkdir(parents=True, mode=0o700)
    began, made = time.monotonic(), datetime.now(UTC) - timedelta(minutes=10)
    (host.state / "backups" / f"state-{made:%Y%m%dT%H%M%SZ}.duckdb").touch()
    with host.daemon() as daemon:
        seen = scrape(daemon)
        assert 600 <= seen("reconciler_backup_age_seconds") < 600 + time.monotonic() - began + 1
        assert seen("reconciler_fetch_duration_seconds_count", outcome="done") > 0
        host.repo.path.rename(tmp_path / "away")
        name = "reconciler_fetch_duration_seconds_count"
        until(lambda: scrape(daemon)(name, outcome="failed") > 0, daemon.log)
        until(lambda: scrape(daemon)("reconciler_seconds_since_last_successful_sync") > 2)
        assert scrape(daemon)("reconciler_seconds_since_last_successful_sync") < time.monotonic() - began
        (tmp_path / "away").rename(host.repo.path)
        assert host.run("sync").code == 0
        until(lambda: scrape(daemon)("reconciler_seconds_since_last_successful_sync") < 2, daemon.log)
