"""Readers of a daemon while it applies a commit that changes 100,000 rows: how long they wait, and what they see."""

from __future__ import annotations

import http.client
import json
import random
import time
from statistics import quantiles
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, repository, user_files
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 100_000
SHOWN, MORE = 2, 100
"""Rows in an answer: of two moments, if half a commit could be seen."""
PAUSE = 0.005
FIELD, OLD, NEW = "risk_per_trade_percent", "0.5", "0.25"


def during_an_apply(folder: Path) -> Iterator[Figure]:
    """From the commit until it is live one page is asked for over and over, and other rows each time."""
    files = user_files(ROWS)
    repo = repository(folder, files)
    with running(repo.path, folder / "state") as daemon:
        daemon.await_live(repo.git("rev-parse", "HEAD"), 300)
        reader = _Reader(daemon.client().address)
        head = repo.commit({path: text.replace(f"{FIELD}: {OLD}", f"{FIELD}: {NEW}") for path, text in files.items()})
        seen = list[set[str]]()
        while not seen or seen[-1] != {NEW}:
            seen.append(reader.values("one page", f"user?limit={SHOWN}"))
            reader.values("a row, another each time", f"user/u{random.randrange(ROWS):06}")
            reader.values("a page, another each time", f"user?limit={random.randrange(SHOWN, MORE)}")
            time.sleep(PAUSE)
        daemon.await_live(head, 60)
    for what, waits in reader.waits.items():
        told = f"{quantiles(waits, n=100)[-1] * 1000:.0f} ms, the slowest {max(waits) * 1000:.0f} ms"
        yield Figure(f"{what}, while {ROWS:,} rows change: p99", told, "30 ms")
    yield Figure(f"answers with half a commit, of {len(seen):,}", str(sum(len(one) > 1 for one in seen)), "0")


class _Reader:
    """Asks for rows, each time through a connection of its own, and remembers how long each answer took."""

    def __init__(self, place: str) -> None:
        self.waits: dict[str, list[float]] = {}
        self._place = place

    def values(self, what: str, address: str) -> set[str]:
        """The values of the field that changes."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection(self._place, timeout=60)
        try:
            connection.request("GET", f"/v1/resources/{address}")
            rows = json.loads(connection.getresponse().read())["rows"]
        finally:
            connection.close()
        self.waits.setdefault(what, []).append(time.perf_counter() - began)
        return {str(row["values"][FIELD]) for row in rows}
