"""A process that is killed between any two statements of a step: run by test_durability, prints what was left.

For each point it forks a child that dies there; one more opens all the stores afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from reconciler.adapters.duckdb.connection import FILE_NAME, open_writable
from reconciler.adapters.duckdb.store import DuckDBStore, open_store
from reconciler.kinds.kind import Column, Kinds, SqlType
from tests.support.kinds import (
    GADGET,
    KINDS,
    WIDGET,
    WIDGET_COLUMNS,
    FixedClock,
    gadget,
    make_kind,
    owner,
    row,
    step,
    tombstone,
    widget,
)

REPORT = "report.json"
COUNTED = {"execute", "append_rows", "commit"}
"""Whoever dies before a SELECT dies before the next of these just as well."""
TALLER = make_kind("Widget", (*WIDGET_COLUMNS, Column("height", SqlType.FLOAT, required=False)), indexes=WIDGET.indexes)
STEPS: dict[str, Any] = {
    "apply": lambda store: store.apply(
        KINDS, step(2, row(widget("a", weight=1.0), 1, 2), tombstone(widget("b"), 1, 2), tombstone(gadget("g"), 1, 2))
    ),
    "replace": lambda store: store.replace(KINDS, step(2, row(widget("c"), 2), tombstone(gadget("g"), 1, 2))),
    "migrate": lambda store: store.apply(Kinds((GADGET, TALLER)), step(2, row(widget("c"), 2))),
}


class Doomed:
    """A connection or appender that ends the process before one of the calls that count."""

    def __init__(self, inner: Any, left: list[int]) -> None:
        self._inner = inner
        self._left = left

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "appender":
            return lambda *arguments, **named: Doomed(found(*arguments, **named), self._left)
        if name not in COUNTED:
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            if name == "execute" and arguments[0].startswith("SELECT"):
                return found(*arguments, **named)
            if self._left[0] == 0:
                os._exit(137)
            self._left[0] -= 1
            return found(*arguments, **named)

        return call

    def __enter__(self) -> Doomed:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(*error)


def in_child(work: Any) -> bool:
    """Do something in a process of its own; whether it came to its end."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def prepare(folder: Path) -> None:
    """The state that the step starts from."""
    with open_store(folder, FixedClock()) as store:
        store.apply(KINDS, step(1, row(widget("a"), 1), row(widget("b"), 1), row(gadget("g"), 1)))


def die(folder: Path, name: str, point: int) -> None:
    """Take the step, and die before the call with this number; if there is none, right after the last one."""
    left = [1_000]
    store = DuckDBStore(Doomed(open_writable(folder / FILE_NAME), left), FixedClock())  # type: ignore[arg-type]
    left[0] = point
    STEPS[name](store)


def look(folder: Path) -> None:
    """Write down what a new process finds, and that it can go on from there."""
    kinds = Kinds((GADGET, TALLER))
    with open_store(folder, FixedClock()) as store:
        applied = store.applied()
        rows = sorted(
            [
                one.resource.kind,
                one.resource.name,
                one.resource.values["weight" if one.resource.kind == "Widget" else "speed"],
                one.removed is None,
            ]
            for one in store.base(kinds).rows()
        )
        live = sorted([one.name, one.values["weight"], one.values["status"]] for one in store.live(WIDGET))
        events = [event.commit for event in store.events(9)]
        found = [applied and applied.height, rows, live, store.counts(), sorted(store.kinds()), events]
        store.bind(owner("repo", "main"))
    (folder / REPORT).write_text(json.dumps(found))


def look_at_all(works: list[Path]) -> None:
    """Look at one after the other, and say which of them cannot be opened."""
    for point, work in enumerate(works):
        try:
            look(work)
        except BaseException:
            sys.stderr.write(f"the store does not open after dying at call {point}\n")
            raise


def main(folder: Path, name: str) -> None:
    """Print one line of JSON per point, the last of them for the step that was not cut short."""
    in_child(lambda: prepare(folder / "origin"))
    ends: dict[Path, bool] = {}
    while not any(ends.values()):
        point = len(ends)
        work = folder / f"work{point}"
        shutil.copytree(folder / "origin", work)
        ends[work] = in_child(lambda work=work, point=point: die(work, name, point))
    if not in_child(lambda: look_at_all(list(ends))):
        sys.exit("a store does not open any more")
    for work, survived in ends.items():
        sys.stdout.write(json.dumps([survived, json.loads((work / REPORT).read_text())]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
