"""The repository that a daemon follows: watched, fetched, opened, and opened anew after an error."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.refwatch import RefWatch
from reconciler.errors import UsageError
from reconciler.metrics import timed
from reconciler.model.log import Level
from reconciler.reconcile.branch import check_asked, observe_branch, repository_gone
from reconciler.service.context import branch_choice, describe_place, describe_target, recorded_branch
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.adapters.git.mirror import Fetched, Mirror
    from reconciler.adapters.git.repository import GitSource
    from reconciler.ledger.connection import RecordedBranch
    from reconciler.metrics import Metrics
    from reconciler.model.host import Owner
    from reconciler.ports import Log
    from reconciler.reconcile.branch import FollowedBranch
    from reconciler.service.context import Target
    from reconciler.settings import Settings

MAINTENANCE_INTERVAL = 3600.0
"""Seconds between two looks whether the mirror needs packing."""
WAIT_INTERVAL = 5.0
"""Seconds that the watcher waits at a time."""
STOP_TIMEOUT = 2.0
NOT_WATCHED = "the repository is elsewhere: it is fetched now and then, and when a webhook says so"


class Refs(Struct, frozen=True):
    """Where git keeps what a branch is at: the work tree's own folder, the common one; the branch, if one is named."""

    own: Path
    common: Path
    branch: str | None


class FollowedRepository:
    """For the operations thread, but for `stop_fetch`. `mirror` is None for a repository in a folder."""

    def __init__(
        self,
        settings: Settings,
        open_source: Callable[[], AbstractContextManager[GitSource]],
        mirror: Mirror | None,
        log: Log,
        metrics: Metrics,
    ) -> None:
        self._settings, self._open_source, self._mirror = settings, open_source, mirror
        self._log, self._metrics = log, metrics
        self._opened = ExitStack()
        self._choice = branch_choice(settings)
        self._target: Target | None = None
        self._bound: str | None = None
        self._maintained = time.monotonic()
        self.shallow = False
        """Whether the history was cut off when the repository was cloned."""

    def refs(self) -> Refs | None:
        """What to watch; None for a repository elsewhere, which nobody can."""
        target = self.open()
        return None if self._mirror else Refs(target.source.own_dir, target.source.git_dir, target.branch)

    def fetch(self, heartbeat: Callable[[], None]) -> None:
        """Bring the mirror up to date, and log what moved there; nothing to do for a folder."""
        if self._mirror is None:
            return
        with timed(self._metrics.fetches):
            fetched = self._mirror.fetch(heartbeat, self._target.branch if self._target else None)
        if fetched.replaced:
            self.close()
        self._log_fetch(fetched)

    def open(self) -> Target:
        """The repository with the branch that is followed."""
        if self._target is None:
            place = describe_place(self._enter_source(), self._settings)
            self._target = describe_target(place, self._settings, self._bound)
            self.shallow = place.source.is_shallow()
        return self._target

    def check_nearby(self) -> None:
        """Raise `RetryLater` where opening it would fetch it."""
        if self._target is None and self._mirror is not None:
            self._mirror.open().close()

    def recorded_branch(self, owner: Owner, store: str) -> RecordedBranch:
        """The branch of a store as the history names it, whatever git says."""
        return recorded_branch(owner, owner.branch, store, self._settings.repository_name)

    def _enter_source(self) -> GitSource:
        try:
            return self._opened.enter_context(self._open_source())
        except UsageError as error:
            if self._bound is None or self._mirror is not None:
                raise
            raise repository_gone(error) from error

    def bind(self, owner: Owner | None) -> None:
        """Know which branch the store is bound to, which may be none.

        Raises `UsageError` when the daemon was started for another one.
        """
        branch = owner.bound_branch if owner else None
        check_asked(self._choice.asked, branch)
        self._bound = branch

    def observe_branch(self, *, has_rows: bool) -> tuple[Target, FollowedBranch]:
        """The repository, and its branch as it is now. `has_rows` tells whether a commit is live on this host.

        While HEAD is detached, as in a rebase, the branch is the one of before.
        """
        target = self.open()
        followed = observe_branch(target.source, self._choice, self._bound, has_rows=has_rows)
        if followed.name != target.branch:
            message = f"the branch is {followed.name} now"
            self._log.event("BranchChanged", message, before=target.branch, branch=followed.name)
            target = self._target = replace(target, branch=followed.name)
        return target, followed

    def keep(self, commit: str) -> None:
        """Keep the applied commit readable, whatever becomes of its branch elsewhere."""
        if self._mirror is not None:
            self._mirror.keep(commit)

    def repair(self) -> None:
        """After reading failed: open it anew next time, and clone a mirror again that is damaged."""
        self.close()
        if self._mirror is not None:
            damage = self._mirror.mend()
            if damage:
                self._log.event("MirrorReplaced", f"the mirror was damaged: {damage}", level=Level.WARN)

    def maintain(self) -> None:
        """Pack the mirror, now and then, when it is worth it."""
        if self._mirror is not None and time.monotonic() - self._maintained > MAINTENANCE_INTERVAL:
            self._maintained = time.monotonic()
            self._mirror.maintain()

    def close(self) -> None:
        """Close the repository; it is opened again when it is needed."""
        self._target = None
        self._opened.close()

    def stop_fetch(self) -> None:
        """End a fetch that is under way. For any thread."""
        if self._mirror is not None:
            self._mirror.stop()

    def _log_fetch(self, fetched: Fetched) -> None:
        before, after = _short(fetched.before), _short(fetched.after)
        if fetched.replaced:
            self._log.event("MirrorReplaced", f"cloned again: {fetched.replaced}", level=Level.WARN)
        if fetched.rewritten:
            message = f"{fetched.branch} does not go on from where it was"
            self._log.event("HistoryRewritten", message, level=Level.WARN, before=before, after=after)
        elif fetched.changed and fetched.after:
            self._log.event("Fetched", branch=fetched.branch, before=before, after=after)


def _short(sha: str | None) -> str | None:
    return sha and sha[:8]


class GitWatcher:
    """A context manager around the thread that notices commits in a repository on this machine.

    It calls `trigger` when the branch may have moved, and `prepare` when it may do so in a moment. Where there is
    nothing to watch (None) it has no thread.
    """

    def __init__(self, refs: Refs | None, trigger: Callable[[], None], prepare: Callable[[], None]) -> None:
        self._refs, self._trigger, self._prepare = refs, trigger, prepare
        self._watch: RefWatch | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> GitWatcher:
        if self._refs is not None:
            self._watch = RefWatch(self._refs.own, self._refs.common, self._refs.branch, self._prepare, self._trigger)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._watch is not None:
            self._watch.wake()
            self._thread.join(STOP_TIMEOUT)

    def blind_reason(self) -> str:
        """Why commits are not noticed at once; empty when they are."""
        return NOT_WATCHED if self._watch is None else self._watch.reason

    def _run(self) -> None:
        assert self._watch is not None
        with self._watch as watch:
            self._trigger()  # for what changed before it watched
            while not self._stopping.is_set():
                if watch.wait(WAIT_INTERVAL) and not self._stopping.is_set():
                    self._trigger()
