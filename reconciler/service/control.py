"""What changes a host: one operation at a time, on the daemon's operations thread or in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future

    from reconciler import answers


class HostControl(Protocol):
    """Operations on this host. `by` is who asks.

    Each returns at once. Its future fails with a `ReconcilerError` for what could not be done.
    """

    def sync(self, by: str, approve: str | None = None, *, force: bool = False) -> Future[answers.Sync]:
        """Reconcile once. `approve` is the revision of a refused commit to let through.

        Fails with `RefusedError` while reconciling is suspended, unless `force`.
        """
        ...

    def heal(self, by: str) -> Future[answers.Drift]:
        """Make the live rows what git says; the answer is what differed."""
        ...

    def verify(self, by: str) -> Future[answers.Verification]:
        """Compare the history and the live rows with git."""
        ...

    def back_up(self, by: str) -> Future[answers.Backup]:
        """Copy the store."""
        ...

    def restore(self, by: str, file: str) -> Future[answers.Restored]:
        """Replace the store by a backup on this host."""
        ...

    def suspend(self, by: str, reason: str, until: str | None = None) -> Future[answers.Suspension]:
        """Stop reconciling; `until` is a moment with its zone or a span such as `2h`."""
        ...

    def resume(self, by: str) -> Future[answers.Resumed]:
        """Start reconciling again."""
        ...
