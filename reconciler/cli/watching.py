"""Rows as they change, for `get --watch`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler import answers
from reconciler.cli import output
from reconciler.cli.results import DETAILED, WIDE, table_of
from reconciler.errors import RetryLater
from reconciler.report.rows import flatten_row
from reconciler.service.remote import DaemonClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.cli.options import Globals
    from reconciler.wiring.host import Host

PAUSE = 2.0
"""Seconds between two looks at a host without a daemon, or at one whose daemon went away."""
FORMATS = ("text", WIDE, "name", "json")


class Seen(Struct):
    """What was shown last of each row, by id: its name, and a hash of all that is shown of it."""

    rows: dict[str, tuple[str, int]] = field(default_factory=dict)

    def update(self, found: answers.Rows) -> tuple[list[int], list[str]]:
        """The numbers of the rows that are new or other than before, and the names of those that have gone."""
        now = {
            str(row.values[found.key]): (row.name, hash(json.dumps(answers.to_json(row), sort_keys=True)))
            for row in found.rows
        }
        changed = [number for number, (id_, told) in enumerate(now.items()) if self.rows.get(id_) != told]
        gone = [name for id_, (name, _) in self.rows.items() if id_ not in now]
        self.rows = now
        return changed, gone


def watch_rows(given: Globals, ask: Callable[[Host], answers.Rows], form: str, only: Sequence[str]) -> None:
    """Print the rows, then each that changes, until somebody interrupts it."""
    seen, is_first = Seen(), True
    for found in _looks(given, ask):
        changed, gone = seen.update(found)
        if changed or is_first:
            _show(found, changed, form, only, with_head=is_first)
        for name in gone:
            _show_gone(found, name, form)
        is_first = False


def _looks(given: Globals, ask: Callable[[Host], answers.Rows]) -> Iterator[answers.Rows]:
    """The rows each time that they may have changed. A daemon that went away may come back."""
    is_first = True
    while True:
        host = given.host()
        try:
            for _ in host.watch() if isinstance(host, DaemonClient) else (None,):
                yield ask(host)
                is_first = False
        except RetryLater:
            if is_first:
                raise
        time.sleep(PAUSE)


def _show(found: answers.Rows, changed: Sequence[int], form: str, only: Sequence[str], *, with_head: bool) -> None:
    if form in DETAILED:
        output.table(table_of(found, form, only), whole=form == WIDE or bool(only), rows=None if with_head else changed)
        return
    for number in changed:
        row = found.rows[number]
        named = f"{found.kind.lower()}/{row.name}"
        output.data(named if form == "name" else json.dumps(flatten_row(row, found), ensure_ascii=False))


def _show_gone(found: answers.Rows, name: str, form: str) -> None:
    if form == "json":
        output.data(json.dumps({"name": name, "_gone": True}, ensure_ascii=False))
    else:
        output.data(f"{found.kind.lower()}/{name} deleted")
