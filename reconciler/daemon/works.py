"""What the loop asks of the host it runs on. The composition root puts it together; tests have works of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.pipeline.syncing import Consent, SyncResult


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a look at the live rows found: rows that were not as git says, those put right, those left in a fight."""

    found: int = 0
    healed: int = 0
    fighting: tuple[str, ...] = ()


class Works(Protocol):
    """One repository, its store and its ledger on this host. All calls come from the operations thread.

    Each raises `RetryLater` when trying again may help, `NeedsHuman` when it will not.
    """

    def fetch(self) -> None:
        """Bring the mirror up to date; nothing to do for a repository on disk."""
        ...

    def head(self) -> str | None:
        """The commit that the branch is at; None for a branch without commits."""
        ...

    def reconcile(self, consent: Consent | None, beat: Callable[[], None]) -> SyncResult:
        """Bring the live rows to the head. `beat` is called now and then while it goes on."""
        ...

    def scan(self) -> Scanned:
        """Look for live rows that are not as git says, and put them right or tell."""
        ...

    def back_up(self) -> Path:
        """Copy the store, and delete copies that are too old."""
        ...

    def backup_interval(self) -> float:
        """Seconds between two backups, as the configuration says now."""
        ...

    def rest(self) -> None:
        """Let go of what others may want, such as the store's file."""
        ...
