"""What takes minutes: for `make soak`. Figures go to standard output."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.measure import resident
from tests.running import storms
from tests.running.hosts import Host, check
from tests.running.test_manners import interrupted_first_sync
from tests.running.test_webhooks import send
from tests.support import fronts
from tests.web.deliveries import delivery
from tests.web.harness import SECRET

if TYPE_CHECKING:
    from tests.support.daemons import RunningDaemon

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]
KILLS = 200
FORGED = 10_000


def test_killed_two_hundred_times(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print("seed", seed)  # noqa: T201  to have the same storm again
    chance = random.Random(seed)
    with fronts.running(tmp_path / "engine") as front:
        host = storms.desk(tmp_path, front.url("killed"))
        with storms.commits(host, chance, pause=0.5):
            for _ in range(KILLS):
                storms.kill_at_random(host, chance, longest=1.5)
        with host.daemon() as daemon:
            check(host, daemon)
            print(host.repo.rev_count(), "commits", storms.check_events(host, daemon), "events")  # noqa: T201


def test_ten_thousand_forged_webhooks(tmp_path: Path) -> None:
    """Nothing is fetched, nothing is kept, and a commit goes live among them."""
    host = Host.elsewhere(tmp_path)
    host.settings |= {"REPOSITORY_WEBHOOK_SECRET": SECRET, "REPOSITORY_POLL_INTERVAL": "1h"}
    forged, signed = (delivery("github-push.http", time.time(), secret) for secret in ("a guess", ""))
    with host.daemon() as daemon:
        before, used = resident(daemon), _cpu(daemon)
        commit, began = host.risk("ann", 0.9), time.monotonic()
        for _ in range(FORGED):
            assert send(daemon, forged.body, forged.headers) == 401
        lasted, spent = time.monotonic() - began, _cpu(daemon) - used
        print(f"{lasted:.1f} s for {FORGED:,}, {spent / FORGED * 1_000:.2f} ms of CPU each,", end=" ")  # noqa: T201
        print(resident(daemon) - before, "MB more")  # noqa: T201
        assert resident(daemon) - before < 10
        assert daemon.status()["head"] != commit
        assert send(daemon, signed.body, signed.headers) == 202
        daemon.await_live(commit)


def test_asked_to_end_in_the_middle_of_twenty_thousand_files(tmp_path: Path) -> None:
    interrupted_first_sync(Host.create(tmp_path), 20_000)


def _cpu(daemon: RunningDaemon) -> float:
    """Seconds of processor time that it has taken."""
    told = Path(f"/proc/{daemon.process.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
