"""A thousand clients follow a daemon: how soon all of them hear of a commit, and what they leave behind."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Figure
from reconciler.web.auth import READING
from tests.running.hosts import Host
from tests.web.crowd import Crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS, TIMES, ROUNDS = 1_000, 20, 4


def streams(folder: Path) -> Iterator[Figure]:
    """From git's return to the last client that was told; then the memory of a daemon they came to and left."""
    host = Host.create(folder)
    with host.daemon() as daemon:
        place, _, port = daemon.client().address.rpartition(":")
        crowd, taken = Crowd(place, int(port), CLIENTS), []
        for number in range(TIMES):
            crowd.forget()
            commit = host.risk("ann", 0.6 + number / 100)
            began = time.perf_counter()
            taken.append(crowd.hear(b'"height":%d' % host.repo.rev_count(), 20)[-1] - began)
            daemon.await_live(commit)
        crowd.end(abruptly=True)
        yield Figure(f"commit to {CLIENTS:,} streams, median", f"{median(taken) * 1000:.0f} ms", "500 ms")
        yield Figure("the slowest", f"{max(taken) * 1000:.0f} ms")
        time.sleep(2 * CLIENTS / READING.per_second)
        before = _resident(daemon.process.pid)
        for _ in range(ROUNDS):
            Crowd(place, int(port), CLIENTS).end(abruptly=True)
            time.sleep(CLIENTS / READING.per_second)  # or the daemon would ask for patience
        after = _resident(daemon.process.pid)
        what = f"more memory after {ROUNDS * CLIENTS:,} more came and went"
        yield Figure(what, f"{(after - before) / 2**20:.1f} MB")
        threads = len([*Path(f"/proc/{daemon.process.pid}/task").iterdir()])
        yield Figure("threads of the daemon then", str(threads))


def _resident(process: int) -> int:
    """Bytes that a process has in memory (proc(5))."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
