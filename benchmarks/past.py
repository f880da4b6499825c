"""How long questions about the past take among a million history rows, in an engine that is open already."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Figure
from reconciler.adapters.clickhouse.ledger import open_ledger
from reconciler.ledger.connection import RecordedBranch
from reconciler.model.rows import HistoryPoint
from reconciler.ports import VersionFilter
from tests.adapters.ledger.versions import created, version
from tests.support.kinds import KINDS, WIDGET, FixedClock, commit, uid, widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.clickhouse.ledger import ClickHouseLedger

RESOURCES, COMMITS, EACH = 100_000, 10_000, 100
"""Every commit changes some: each resource ten times in all."""
TIMES = 9
COPY_VERSION = """
INSERT INTO config_history.config_versions SELECT one.* REPLACE (
  leftPad(lower(hex(number + 1)), 40, '0') AS commit_sha, toUInt32(number + 1) AS height,
  committer_time + toIntervalMinute(number) AS committer_time, toUInt64(number + 2) AS generation
) FROM config_history.config_versions AS one CROSS JOIN numbers(1, {commits} - 1) AS n
"""
COPY_ROW = """
INSERT INTO config_history.widget_config SELECT one.* REPLACE (
  leftPad(lower(hex(intDiv(number, {each}) + 1)), 40, '0') AS commit_sha,
  toUInt32(intDiv(number, {each}) + 1) AS height,
  toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(number % {resources}), 12, '0'))) AS widget_id,
  concat('w', toString(number % {resources})) AS name, toFloat64(intDiv(number, {resources}) + 1) AS weight,
  if(number < {resources}, 'create', 'update') AS op, lower(hex(number)) AS digest
) FROM config_history.widget_config AS one CROSS JOIN numbers(1, {resources} * 10 - 1) AS n
"""


def questions(folder: Path) -> Iterator[Figure]:
    """Each question, over a million rows of ten thousand commits."""
    with open_ledger("chdb", folder, RecordedBranch("origin", "main"), FixedClock()) as ledger:
        fill(ledger)
        middle, near = HistoryPoint(COMMITS // 2), HistoryPoint(COMMITS // 2 - 1)
        name = f"w{RESOURCES // 2}"
        asked: dict[str, tuple[Callable[[], object], str]] = {
            "count of what was declared at a commit": (lambda: ledger.count_declared(WIDGET, middle), "100 ms"),
            "one resource as of a commit": (lambda: ledger.rows_at(WIDGET, middle, name), "20 ms"),
            "the same by its id": (lambda: ledger.rows_at(WIDGET, middle, uid(RESOURCES // 2)), "20 ms"),
            "one resource's history": (lambda: ledger.changes_of(WIDGET, name), "20 ms"),
            "the newest changes": (lambda: ledger.newest_changes(WIDGET, limit=20), "100 ms"),
            "what one commit changed": (lambda: ledger.changed_rows(WIDGET, near, middle), "100 ms"),
            "commits that changed a resource": (lambda: _found(ledger, name), "20 ms"),
            "commits of an author": (lambda: ledger.find_versions(VersionFilter(author="ann"), limit=20), "20 ms"),
        }
        for what, (work, target) in asked.items():
            yield Figure(f"{what} (1,000,000 rows)", f"{_typical(work):.0f} ms", target)


def fill(ledger: ClickHouseLedger) -> None:
    """A million rows, most of them made by the engine."""
    ledger.prepare(KINDS)
    ledger.record([version(1, created(widget("w0", widget_id=uid(0)), 1), commit=commit(1))])
    ledger._connection._client.command(COPY_VERSION.format(commits=COMMITS))
    ledger._connection._client.command(COPY_ROW.format(each=EACH, resources=RESOURCES))


def _found(ledger: ClickHouseLedger, name: str) -> object:
    return ledger.find_versions(VersionFilter(kinds=(WIDGET,), name=name), limit=20)


def _typical(work: Callable[[], object]) -> float:
    return median(_once(work) for _ in range(TIMES))


def _once(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
