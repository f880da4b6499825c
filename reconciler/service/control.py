"""What changes this host: one operation at a time, in the daemon or in this process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from reconciler import answers
from reconciler.answers import Answer
from reconciler.errors import InUse, NeedsHuman, RefusedError, RetryLater, UsageError
from reconciler.kinds.build import stored_kinds
from reconciler.model.host import Suspension
from reconciler.model.rollback import RollbackRequest
from reconciler.model.rows import MAX_REPORTED
from reconciler.report.status import build_suspension, suspension_line
from reconciler.times import parse_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from reconciler import answers
    from reconciler.model.rows import Drifts
    from reconciler.ports import Clock, Store
    from reconciler.reconcile.goback import NotInGit
    from reconciler.report.halts import Drilled, Halted, Released
    from reconciler.report.rollback import RollbackEnded, WentBack
    from reconciler.report.sync import Sync
    from reconciler.report.verification import Restored, Verification
    from reconciler.service.halts import HaltChoice


class Resumed(Answer, frozen=True):
    ended: answers.Suspension | None


class Backup(Answer, frozen=True):
    file: str


class HostControl(Protocol):
    """Operations on this host. `by` is who asks.

    Each returns at once. Its future fails with a `ReconcilerError` for what could not be done.
    """

    def sync(
        self,
        by: str,
        approve: str | None = None,
        *,
        force: bool = False,
        rejudge: bool = False,
        branch: str | None = None,
    ) -> Future[Sync]:
        """Reconcile once. `approve` is the revision of a refused commit to let through, `branch` is for this call.

        With `rejudge` all commits of the history are judged again. Fails with `RefusedError` while reconciling is
        suspended, unless `force`; with `UsageError` where the host is bound to another branch; with `BranchError`
        where its own cannot be followed.
        """
        ...

    def heal(self, by: str) -> Future[answers.Drift]:
        """Make the live rows what git says; the answer is what differed."""
        ...

    def verify(self, by: str) -> Future[Verification]:
        """Compare the history and the live rows with git."""
        ...

    def back_up(self, by: str) -> Future[Backup]:
        """Copy the store."""
        ...

    def restore(self, by: str, file: str) -> Future[Restored]:
        """Replace the store by a backup on this host, and compare its rows with git."""
        ...

    def suspend(self, by: str, reason: str, until: str | None = None) -> Future[answers.Suspension]:
        """Stop reconciling; `until` is a moment with its zone or a span such as `2h`."""
        ...

    def resume(self, by: str) -> Future[Resumed]:
        """Start reconciling again."""
        ...

    def roll_back(self, by: str, reason: str, to: str | None = None) -> Future[WentBack]:
        """Go to an earlier applied commit (without `to`, the one before), and skip the one that is live.

        Nothing is fetched. Fails with `UsageError` where there is no such commit, with `RefusedError` when guards or
        policies are against it.
        """
        ...

    def end_rollback(self, by: str, reason: str) -> Future[RollbackEnded]:
        """Let the head through again."""
        ...

    def halt(self, by: str, reason: str, choice: HaltChoice) -> Future[Halted]:
        """Switch off what is named, whatever git says, until somebody releases it. Waits for no other operation."""
        ...

    def release(self, by: str, reason: str, choice: HaltChoice) -> Future[Released]:
        """Let be again what git says, of what was halted like this; without any of it, of the only halt there is."""
        ...

    def drill(self, by: str) -> Future[Drilled]:
        """Halt and release some rows of a copy of the store, and see that it works. No live row is touched."""
        ...


def heal_store(store: Store) -> Drifts:
    """Make the live rows what git says, so many in each transaction; gives what differed."""
    kinds = stored_kinds(store.kinds())
    drift = store.drift(kinds)
    for _ in range(0, drift.total, MAX_REPORTED):
        store.heal(kinds)
    return drift


def new_suspension(by: str, reason: str, until: str | None, clock: Clock) -> Suspension:
    """A suspension from now on. Raises `UsageError` for an empty reason, or an end that makes no sense."""
    if not reason.strip():
        raise UsageError("a suspension needs a reason", hint='tell others why: --reason "broker maintenance"')
    now = clock.now()
    return Suspension(reason.strip(), by, now, parse_until(until, now) if until else None)


def end_suspension(store: Store, by: str) -> answers.Suspension | None:
    """End a suspension; gives the one that held, None when none did."""
    store.expire()
    ended = store.resume(by)
    return build_suspension(ended) if ended else None


def new_rollback(by: str, reason: str, to: str | None) -> RollbackRequest:
    """What is asked for. Raises `UsageError` for an empty reason."""
    return RollbackRequest(to, checked_reason(reason), by)


@contextmanager
def explain_no_way_back(git: NotInGit) -> Iterator[None]:
    """Say why there is no rollback where neither git nor what is held without it is enough, and what there is instead.

    What makes no sense, and a refusal, are raised as they are.
    """
    try:
        yield
    except (UsageError, InUse):
        raise
    except (NeedsHuman, RetryLater) as error:
        hint = "; ".join(filter(None, [git.hint, "what must not trade meanwhile: `reconciler halt --all --reason …`"]))
        raise NeedsHuman(str(error) if str(git) in str(error) else f"{git}; {error}", hint=hint) from error


def checked_reason(reason: str) -> str:
    """Raises `UsageError` for an empty one."""
    if not reason.strip():
        raise UsageError("a rollback needs a reason", hint='tell others why: --reason "it trades too large"')
    return reason.strip()


def suspension_error(suspension: Suspension) -> RefusedError:
    """Why nothing was reconciled."""
    line = suspension_line(build_suspension(suspension))
    hint = "`reconciler resume` ends it, `reconciler sync --force` reconciles this once"
    return RefusedError(f"reconciling is suspended {line}; no row was changed", hint=hint)
