"""Readers of a daemon while it applies a commit that changes 100,000 rows: how long they wait, and what they see."""

from __future__ import annotations

import http.client
import json
import time
from statistics import quantiles
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, user_files
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 100_000
SHOWN = 2
"""Rows in each answer: of two moments, if half a commit could be seen."""
PAUSE = 0.005
FIELD, OLD, NEW = "risk_per_trade_percent", "0.5", "0.25"


def during_an_apply(folder: Path) -> Iterator[Figure]:
    """From the commit until it is live, two rows are asked for over and over."""
    files = user_files(ROWS)
    repo = repository(folder, files)
    with running(repo.path, folder / "state") as daemon:
        daemon.await_live(repo.git("rev-parse", "HEAD"), 300)
        place = daemon.client().address
        head = repo.commit({path: text.replace(f"{FIELD}: {OLD}", f"{FIELD}: {NEW}") for path, text in files.items()})
        waits, seen = list[float](), list[set[str]]()
        while not seen or seen[-1] != {NEW}:
            began = time.perf_counter()
            seen.append(_values(place))
            waits.append(time.perf_counter() - began)
            time.sleep(PAUSE)
        daemon.await_live(head, 60)
    mixed = sum(len(values) > 1 for values in seen)
    yield Figure(f"a read while {ROWS:,} rows change, p99", f"{quantiles(waits, n=100)[-1] * 1000:.0f} ms", "50 ms")
    yield Figure("the slowest", f"{max(waits) * 1000:.0f} ms", "-")
    yield Figure(f"answers with half a commit, of {len(seen):,}", str(mixed), "0")


def _values(place: str) -> set[str]:
    connection = http.client.HTTPConnection(place, timeout=60)
    try:
        connection.request("GET", f"/v1/resources/user?limit={SHOWN}")
        return {str(row["values"][FIELD]) for row in json.loads(connection.getresponse().read())["rows"]}
    finally:
        connection.close()
