"""The repository that a daemon follows: fetched, opened, and opened anew after it failed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.errors import RetryLater, UsageError
from reconciler.metrics import timed
from reconciler.model.host import Level
from reconciler.service.repository import describe_target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.adapters.git.mirror import Fetched, Mirror
    from reconciler.metrics import Metrics
    from reconciler.ports import Log
    from reconciler.service.context import Openers, Target
    from reconciler.settings import Settings

TIDYING = 3600.0
"""Seconds between two looks whether the mirror needs packing."""


@dataclass(frozen=True, slots=True)
class Refs:
    """Where git keeps what a branch is at: the work tree's own folder, the common one; the branch, if one is named."""

    own: Path
    common: Path
    branch: str | None


class Following:
    """For the operations thread, but for `stop`, which ends a fetch from any. `close` it at the end."""

    def __init__(self, settings: Settings, openers: Openers, mirror: Mirror | None, log: Log, metrics: Metrics) -> None:
        self._settings, self._open_source, self._mirror = settings, openers.source, mirror
        self._log, self._metrics = log, metrics
        self._opened = ExitStack()
        self._at: Target | None = None
        self._tidied = time.monotonic()
        self.shallow = False
        """Whether the history was cut off when the repository was cloned."""

    def refs(self) -> Refs | None:
        """What to watch; None for a repository elsewhere, which nobody can."""
        at = self.at()
        return None if self._mirror else Refs(at.source.own_dir, at.source.git_dir, self._settings.branch)

    def fetch(self, beat: Callable[[], None]) -> None:
        """Bring the mirror up to date, and log what moved there; nothing to do for a folder."""
        if self._mirror is None:
            return
        with timed(self._metrics.fetches):
            fetched = self._mirror.fetch(beat)
        if fetched.replaced:
            self.drop()
        self._tell(fetched)

    def at(self) -> Target:
        """The repository with the branch that is followed."""
        if self._at is None:
            self._at = describe_target(self._opened.enter_context(self._open_source()), self._settings)
            self.shallow = self._at.source.is_shallow()
        return self._at

    def look(self) -> tuple[Target, str | None]:
        """The repository and the commit that the branch is at; None where it never had one.

        Where no branch is named, it is the one that is checked out; while HEAD is detached, as in a rebase, the one of
        before. Raises `RetryLater` for a branch that is gone.
        """
        at = self.at()
        if self._settings.branch is None and self._mirror is None:
            branch = at.source.head_branch()
            if branch is not None and branch != at.branch:
                self._log.event("BranchSwitched", f"{branch} is checked out now", before=at.branch, branch=branch)
                at = self._at = replace(at, branch=branch)
        try:
            return at, at.source.resolve(at.branch)
        except UsageError as error:
            raise gone(at.branch) from error

    def keep(self, commit: str) -> None:
        """Keep the applied commit readable, whatever becomes of its branch elsewhere."""
        if self._mirror is not None:
            self._mirror.keep(commit)

    def mend(self) -> None:
        """Reading failed: open it anew next time, and clone a mirror again that is damaged."""
        self.drop()
        if self._mirror is not None:
            wrong = self._mirror.mend()
            if wrong:
                self._log.event("MirrorReplaced", f"the mirror was damaged: {wrong}", level=Level.WARN)

    def tidy(self) -> None:
        """Pack the mirror, now and then, when it is worth it."""
        if self._mirror is not None and time.monotonic() - self._tidied > TIDYING:
            self._tidied = time.monotonic()
            self._mirror.maintain()

    def drop(self) -> None:
        """Let go of the repository; it is opened again when it is needed."""
        self._at = None
        self._opened.close()

    def stop(self) -> None:
        """End a fetch that is under way."""
        if self._mirror is not None:
            self._mirror.stop()

    def _tell(self, fetched: Fetched) -> None:
        before, after = _short(fetched.before), _short(fetched.after)
        if fetched.replaced:
            self._log.event("MirrorReplaced", f"cloned again: {fetched.replaced}", level=Level.WARN)
        if fetched.rewritten:
            message = f"{fetched.branch} does not go on from where it was"
            self._log.event("HistoryRewritten", message, level=Level.WARN, before=before, after=after)
        elif fetched.changed and fetched.after:
            self._log.event("Fetched", branch=fetched.branch, before=before, after=after)


def gone(branch: str) -> RetryLater:
    """What to say of a branch that was there before."""
    message = f"the branch {branch} is gone: what is live stays live"
    return RetryLater(message, hint="push it again, or name another one with repository.branch")


def _short(sha: str | None) -> str | None:
    return sha and sha[:8]
