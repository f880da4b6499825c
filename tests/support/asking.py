"""A running daemon asked by its commands' client, with the answers as the JSON objects that went over the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.answers import Answer, to_json
from reconciler.service.control import HostControl
from reconciler.service.history import History
from reconciler.service.host import Host
from reconciler.service.remote import DaemonClient
from reconciler.service.rows import Rows
from reconciler.service.sql import Sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Json = dict[str, Any]


@dataclass(frozen=True)
class AskedDaemon:
    """What tests ask a daemon. They raise what `DaemonClient` raises."""

    address: str
    token: str = field(repr=False)

    @property
    def client(self) -> DaemonClient:
        """The client of the commands."""
        return DaemonClient(self.address, self.token)

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Json:
        """The answer of a call as JSON."""
        answer = self.client.ask(call, *args, **kwargs)
        return _lists(to_json(answer) if isinstance(answer, Answer) else answer)

    def status(self) -> Json:
        """What is live, and whether it is what git says."""
        return self.ask(Host.status)

    def rows(self, kind: str, name: str | None = None) -> Json:
        """The live rows of a kind, or the one that goes by a name."""
        return self.ask(Rows.page, kind) if name is None else self.ask(Rows.row, kind, name)

    def versions(self, limit: int, filters: Mapping[str, str]) -> Json:
        """The newest versions of the history; those that all of some filters let through."""
        return self.ask(History.versions, limit, **filters)

    def history(self, kind: str | None, name: str | None, limit: int) -> Json:
        """The changes of a resource, or the newest of all."""
        return self.ask(History.newest, limit) if kind is None else self.ask(History.changes, kind, name, limit)

    def show(self, kind: str, name: str | None, at: str) -> Json:
        """The live rows of a kind, or the one that went by a name, as they were."""
        return self.ask(Rows.page, kind, at) if name is None else self.ask(Rows.row, kind, name, at)

    def diff(self, base: str, head: str) -> Json:
        """Compare two commits or points in time."""
        return self.ask(History.diff, base, head)

    def blame(self, kind: str, name: str) -> Json:
        """For each field of a live row the commit that last set it."""
        return self.ask(History.blame, kind, name)

    def query(self, sql: str, rows: int, *, history: bool) -> Json:
        """What a query on the live rows, or on the history, finds."""
        return self.ask(Sql.query, sql, history, rows)

    def tables(self, *, history: bool) -> Json:
        """The tables that can be exported."""
        return self.ask(Sql.tables, history)

    def export(self, table: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
        """Write a table into a file; what the table is called, and how many rows it has."""
        return self.client.write_table(Sql.export, table, form, file, history=history)

    def sync(self, by: str, approve: str | None = None, *, force: bool = False) -> Json:
        """Reconcile once, and wait for it."""
        return self.ask(HostControl.sync, by, approve, force=force)

    def suspend(self, by: str, reason: str, until: str | None = None) -> Json:
        """Stop reconciling."""
        return self.ask(HostControl.suspend, by, reason, until)

    def resume(self, by: str) -> Json:
        """Start reconciling again."""
        return self.ask(HostControl.resume, by)


def _lists(value: Any) -> Any:
    """The same with lists where a frozen answer has tuples, as in JSON."""
    if isinstance(value, dict):
        return {name: _lists(member) for name, member in value.items()}
    return [_lists(member) for member in value] if isinstance(value, (list, tuple)) else value
