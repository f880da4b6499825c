"""Noticing at once that a branch of a local repository may be at another commit.

The operating system tells within a millisecond or so. Its events are hints: who waits asks git what there is. They get
lost, too, when a queue runs over, when the repository is replaced by another one, on network shares: so the few
places that decide are looked at now and then besides, and often where there are no events at all.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Self

from reconciler.adapters.fsevents import FolderEvents
from reconciler.adapters.refs import RefFiles, RefState, normalize_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUIET_SECONDS = 0.002
"""Seconds without an event after which a change is complete: one of several refs is a rename for each."""
MAX_SETTLE_SECONDS = 0.02
"""Seconds after which a change is told although more are coming."""
CHECK_PAUSE, CHECK_PAUSE_WITHOUT_EVENTS = 0.5, 0.2
"""Seconds between two looks: with events, and without."""
CHECK_COST_FACTOR = 5
"""A look that takes long, as on a slow network share, is paid for by a pause of this many times as long."""
PRE_COMMIT_FILES = ("index", "COMMIT_EDITMSG")
"""What `git add`, `commit` and `merge` write in a work tree's own folder before a ref moves."""
EVENTS_RETRY_SECONDS = 30.0
"""Seconds until events are asked for again, after the operating system could not give them."""

# Lost events are made up for by looking; people need not hear of each.
logging.getLogger("watchdog").addHandler(logging.NullHandler())


class RefWatch:
    """The changes of a branch, or without one of what HEAD stands for, from `with` on.

    `git_dir` is the work tree's own folder, `common_dir` the one that all work trees share; mostly they are the same.
    Neither need be there: it may yet come. One thread waits and leaves; `wake`, `alive` and `reason` are for all.
    `forebode` is called, on any thread, when somebody seems to be about to commit; often for nothing.
    """

    def __init__(
        self, git_dir: Path, common_dir: Path, branch: str | None, forebode: Callable[[], None] = lambda: None
    ) -> None:
        self._files = RefFiles(git_dir, common_dir, branch)
        self._pre_commit_files = frozenset(normalize_path(str(git_dir.absolute() / name)) for name in PRE_COMMIT_FILES)
        self._on_pre_commit = forebode
        self._relevant: frozenset[str] = frozenset()
        self._wakeup = threading.Event()
        self._events: FolderEvents | None = None
        self._seen: RefState | None = None
        self._due = self._retry = 0.0
        self.reason = "not watching yet"
        """Why there are no events, so that changes are noticed a little later; empty when there are."""

    @property
    def alive(self) -> bool:
        """Whether the operating system tells of changes."""
        return not self.reason

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_watching("not watching any more", math.inf)

    def wake(self) -> None:
        """End the wait of another thread, or else the next one, as if something had changed."""
        self._wakeup.set()

    def wait(self, seconds: float) -> bool:
        """True as soon as the branch may have changed since the last time, False when it did not for so many seconds.

        It may also be True for nothing. Nothing is missed by who asks git after `with` and after each wait.
        """
        deadline = time.monotonic() + seconds
        while True:
            notified = self._wakeup.wait(max(0.0, min(deadline, self._due) - time.monotonic()))
            if notified:
                self._settle()
            if (notified or time.monotonic() >= self._due) and (self._check() or notified):
                return True
            if time.monotonic() >= deadline:
                return False

    def _on_event(self, path: str) -> None:
        normal_path = normalize_path(path)
        if normal_path in self._relevant:
            self._wakeup.set()
        elif normal_path in self._pre_commit_files:
            self._on_pre_commit()

    def _settle(self) -> None:
        """Wait until no more events are coming, and take all of them as one."""
        deadline = time.monotonic() + MAX_SETTLE_SECONDS
        while self._wakeup.is_set() and time.monotonic() < deadline:
            self._wakeup.clear()
            time.sleep(QUIET_SECONDS)
        self._wakeup.clear()

    def _check(self) -> bool:
        """Whether anything is different; follow the folders that are there now.

        Looking comes before watching: what changes in between is found different the next time, not missed.
        """
        began = time.monotonic()
        sight = self._files.look()
        self._relevant = self._files.relevant_paths(sight)
        self._watch(sight)
        seen, self._seen = self._seen, sight
        ended = time.monotonic()
        self._due = ended + max(
            CHECK_PAUSE if self.alive else CHECK_PAUSE_WITHOUT_EVENTS, CHECK_COST_FACTOR * (ended - began)
        )
        return sight != seen

    def _watch(self, sight: RefState) -> None:
        if self._events is not None and not self._events.alive:
            self._stop_watching("the thread that watches has ended", 0.0)
        if self._events is None and time.monotonic() < self._retry:
            return
        try:
            self._events = self._events or FolderEvents(self._on_event)
            self._events.follow(sight.folders)
        except OSError as error:
            self._stop_watching((error.strerror or str(error)).lower(), time.monotonic() + EVENTS_RETRY_SECONDS)
            return
        missing = self._files.missing(sight)
        self.reason = f"{missing} is not there" if missing else ""

    def _stop_watching(self, reason: str, retry: float) -> None:
        events, self._events = self._events, None
        self.reason, self._retry = reason, retry
        if events is not None:
            events.close()
