"""What the loop asks of the host it runs on. The composition root puts it together; tests have works of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.pipeline.syncing import Consent, SyncResult


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants who waits for a reconcile: to consent to what is refused, to have a suspension ignored."""

    consent: Consent | None = None
    force: bool = False


class Works(Protocol):
    """One repository, its store and its ledger on this host. All calls come from the operations thread.

    Each raises `RetryLater` when trying again may help, `NeedsHuman` when it will not.
    """

    def fetch(self, beat: Callable[[], None]) -> None:
        """Bring the mirror up to date; nothing to do for a repository on disk. `beat` is called now and then."""
        ...

    def head(self) -> str | None:
        """The commit that the branch is at; None for a branch without commits."""
        ...

    def reconcile(self, wish: Wish | None, beat: Callable[[], None]) -> SyncResult | None:
        """Bring the live rows to the head, or do nothing (None) while that is suspended.

        With a wish a suspension raises `RefusedError` instead. `beat` is called now and then, and may raise to end it.
        """
        ...

    def scan(self) -> None:
        """Look for live rows that are not as git says, and put them right or tell."""
        ...

    def back_up(self) -> Path:
        """Copy the store, and delete copies that are too old."""
        ...

    def until_backup(self) -> float:
        """Seconds until the next backup is due."""
        ...

    def make_ready(self) -> None:
        """A commit is about to come: open what takes a while, unless somebody else has it now."""
        ...

    def touched(self) -> bool:
        """Whether something else wrote to the live rows since `rest`."""
        ...

    def rest(self) -> None:
        """Let go of what others may want, such as the store's file."""
        ...
