"""Rows as they change, for `get --watch`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from msgspec import Struct, field

from reconciler import answers
from reconciler.cli import output
from reconciler.cli.results import DETAILED, WIDE, table_of
from reconciler.errors import RetryLater
from reconciler.report.escape import escape_line
from reconciler.report.rows import flatten_row
from reconciler.service.remote import DaemonClient

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.cli.options import Globals
    from reconciler.wiring.host import Host

T = TypeVar("T")

PAUSE = 2.0
"""Seconds between two looks at a host without a daemon, or at one whose daemon went away."""
FORMATS = ("text", WIDE, "name", "json")


class Seen(Struct):
    """What was shown last of each row, by id: its name, and a hash of all that is shown of it."""

    rows: dict[str, tuple[str, int]] = field(default_factory=dict)

    def gone(self, found: answers.Rows) -> dict[str, str]:
        """The names of the rows that were there and are not any more, by id."""
        now = {str(row.values[found.key]) for row in found.rows}
        return {id_: name for id_, (name, _) in self.rows.items() if id_ not in now}

    def update(self, found: answers.Rows) -> list[int]:
        """The numbers of the rows that are new or other than before, which are noted."""
        now = {
            str(row.values[found.key]): (row.name, hash(json.dumps(answers.to_json(row), sort_keys=True)))
            for row in found.rows
        }
        changed = [number for number, (id_, told) in enumerate(now.items()) if self.rows.get(id_) != told]
        self.rows = now
        return changed


class Watched(NamedTuple):
    """How to ask for the rows that are watched and, where these are a selection, for the ids of all there are."""

    rows: Callable[[Host], answers.Rows]
    ids: Callable[[Host], Collection[str]] | None = None


def watch_rows(given: Globals, watched: Watched, form: str, only: Sequence[str]) -> None:
    """Print the rows, then each that changes, until somebody interrupts it."""
    seen, is_first = Seen(), True

    def look(host: Host) -> tuple[answers.Rows, Collection[str]]:
        """The rows, and the ids of those that are there, selected or not, where any of them has gone."""
        found = watched.rows(host)
        return found, watched.ids(host) if watched.ids and seen.gone(found) else ()

    for found, there in _looks(given, look):
        gone, changed = seen.gone(found), seen.update(found)
        if changed or is_first:
            _show(found, changed, form, only, with_head=is_first)
        for id_, name in gone.items():
            _show_gone(found, name, form, is_there=id_ in there)
        is_first = False


def _looks(given: Globals, look: Callable[[Host], T]) -> Iterator[T]:
    """What is seen each time that rows may have changed. A daemon that went away may come back."""
    is_first = True
    while True:
        host = given.host()
        try:
            for _ in host.watch() if isinstance(host, DaemonClient) else (None,):
                yield look(host)
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
        named = escape_line(f"{found.kind.lower()}/{row.name}")
        output.data(named if form == "name" else json.dumps(flatten_row(row, found), ensure_ascii=False))


def _show_gone(found: answers.Rows, name: str, form: str, *, is_there: bool) -> None:
    if form == "json":
        output.data(json.dumps({"name": name, "_gone": True, "_deleted": not is_there}, ensure_ascii=False))
    else:
        what = "no longer matches" if is_there else "deleted"
        output.data(f"{found.kind.lower()}/{escape_line(name)} {what}")
