"""What the commands ask, wherever it is answered: by the daemon of the state folder, or in this process.

Every answer is a JSON object in the shapes of docs/commands.md; the text that people read is made from it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.wiring.origins import find_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.settings import Settings

    Answer = dict[str, Any]
    Progress = Callable[[int, int], None]


class Application(Protocol):
    """One host. `by` is who asks. Each call raises `ReconcilerError` for what it could not do."""

    def status(self) -> Answer:
        """What is live, and whether it is what git says."""
        ...

    def rows(self, kind: str, name: str | None = None) -> Answer:
        """The live rows of a kind, or the one that goes by a name."""
        ...

    def versions(self, limit: int, filters: Mapping[str, str]) -> Answer:
        """The newest versions of the history; those that all of some filters let through, by `wiring.past.FILTERS`."""
        ...

    def history(self, kind: str | None, name: str | None, limit: int) -> Answer:
        """The changes of a resource, or the newest of all."""
        ...

    def show(self, kind: str, name: str | None, at: str) -> Answer:
        """The live rows of a kind, or the one that went by a name, as they were at a commit or moment."""
        ...

    def diff(self, base: str, head: str) -> Answer:
        """What is otherwise at one commit or moment than at another."""
        ...

    def blame(self, kind: str, name: str) -> Answer:
        """For each field of a live row the commit that last set it."""
        ...

    def query(self, sql: str, rows: int, *, history: bool) -> Answer:
        """What a query on the live rows, or on the history, finds: so many rows at most."""
        ...

    def tables(self, *, history: bool) -> Answer:
        """The tables that can be exported."""
        ...

    def export(self, table: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
        """Write a table into a file that is not there; what the table is called, and how many rows it has."""
        ...

    def drift(self) -> Answer:
        """What in the live rows is not what git says."""
        ...

    def heal(self, by: str) -> Answer:
        """Put that right; what there was."""
        ...

    def sync(self, by: str, *, approve: str | None = None, force: bool = False) -> Answer:
        """Reconcile once; `force` also while suspended, which raises `RefusedError` otherwise."""
        ...

    def verify(self, by: str) -> Answer:
        """Compare ledger and live rows with git."""
        ...

    def suspend(self, by: str, reason: str, until: str | None = None) -> Answer:
        """Stop reconciling, until a moment with its zone or for a span such as `2h`."""
        ...

    def resume(self, by: str) -> Answer:
        """Take it up again."""
        ...

    def back_up(self, by: str) -> Answer:
        """Copy the store; where the copy is."""
        ...

    def restore(self, file: Path, by: str) -> Answer:
        """Make a copy the store."""
        ...


def application(settings: Settings, progress: Progress = lambda done, total: None) -> Application:
    """The daemon that holds the state folder, if one does, else this process. `progress` is for the latter only."""
    from reconciler.adapters.client import DaemonClient
    from reconciler.adapters.daemonfile import find
    from reconciler.wiring.inprocess import InProcess

    daemon = find(find_state(settings))
    return DaemonClient(daemon.address, daemon.token) if daemon else InProcess(settings, progress)


HURRY = 1.5
"""Seconds that somebody waits who is in the midst of typing."""


def hurried(settings: Settings) -> Application:
    """The same for somebody who does not wait: a daemon that is busy is given up soon. Nothing is fetched."""
    from reconciler.adapters.client import DaemonClient

    found = application(settings)
    return replace(found, patience=HURRY) if isinstance(found, DaemonClient) else found
