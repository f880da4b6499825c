"""What the example's policies cost for a change of one resource: to a new engine, and to one that saw the state before.

RSS is read from /proc, so it is only told on Linux.
"""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Figure
from reconciler.adapters.bundled import find_example_repository
from reconciler.adapters.sandbox.engine import Sandbox
from reconciler.model.change import Between, Row, Stamp
from reconciler.reconcile.check import check_tree
from reconciler.reconcile.policytests import read_policies
from reconciler.reconcile.rules import Layout, Role
from reconciler.values import replace
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Resource
    from reconciler.model.problem import Policy

SIZES = (100, 10_000, 100_000)
TIMES = 10
FIELD = "risk_per_trade_percent"
STAMP = Stamp("1" * 40, datetime(2026, 1, 5, 6, 0, tzinfo=UTC))
RSS = re.compile(r"VmRSS:\s+(\d+) kB")


def one_row(_: Path) -> Iterator[Figure]:
    """One field of one resource, in configurations that grow."""
    policies, kinds, resources = _example()
    for size in SIZES:
        rows = _padded(resources, size)
        for what, figure, target in _steps(policies, kinds, rows):
            yield Figure(f"{len(policies)} policies, one of {size:,} rows changed, {what}", figure, target)


def _steps(policies: tuple[Policy, ...], kinds: Kinds, rows: list[Row]) -> Iterator[tuple[str, str, str]]:
    live = {row.row_id: row for row in rows}
    changing = next(row for row in rows if FIELD in row.resource.values)
    with Sandbox(seconds=20) as engine:
        seconds = []
        for number in range(TIMES + 2):
            new = _with(changing, 0.5 + number / 100)
            desired = {**live, new.row_id: new}
            began = time.perf_counter()
            engine.run(policies, kinds, live.values(), desired.values(), Between(str(number), str(number + 1), (new,)))
            seconds.append(time.perf_counter() - began)
            live = desired
        assert engine._process is not None
        pid = engine._process._process.pid
        yield "new engine", _ms(seconds[0]), ""
        yield "engine that holds the state", _ms(median(seconds[2:])), "50 ms"
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            found = RSS.search(status.read_text(encoding="ascii"))
            yield "its memory", f"{int(found[1]) // 1024} MB" if found else "?", "512 MB"


def _example() -> tuple[tuple[Policy, ...], Kinds, tuple[Resource, ...]]:
    root, layout = find_example_repository(), Layout()
    tree = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    checked = check_tree(
        {path: data for path, data in tree.items() if layout.role(path) is not None},
        layout,
        bundled_kinds(),
        fault_finder(),
    )
    policies = read_policies({path: data for path, data in tree.items() if layout.role(path) is Role.POLICY}, layout)
    return policies.members, checked.kinds, tuple(one for entry in checked.entries.values() for one in entry.resources)


def _padded(resources: tuple[Resource, ...], size: int) -> list[Row]:
    """The example's resources and copies of them: what is added violates nothing that a copy does not."""
    models = [one for one in resources if FIELD in one.values]
    copies = (_copy(models[number % len(models)], number) for number in range(size - len(resources)))
    return [Row(one, STAMP, STAMP) for one in (*resources, *copies)]


def _copy(model: Resource, number: int) -> Resource:
    new = str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))
    values = {field: new if value == model.id else value for field, value in model.values.items()}
    return replace(model, name=f"{model.name}-{number}", id=new, values=values, path=f"copies/{number}.yaml", refs={})


def _with(row: Row, value: float) -> Row:
    one = row.resource
    return replace(row, resource=replace(one, values={**one.values, FIELD: value}, digest=f"{value}"))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
