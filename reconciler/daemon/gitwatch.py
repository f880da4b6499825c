"""The thread that notices commits in a repository on this machine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.adapters.refwatch import RefWatch
    from reconciler.daemon.following import Refs

THREAD = "watcher"
BREATH = 5.0
"""Seconds that it waits at a time."""
END = 2.0
ELSEWHERE = "the repository is elsewhere: it is fetched now and then, and when a webhook says so"


class Watcher:
    """Calls `look` whenever the branch may have moved, and `forebode` when it may do so in a moment.

    A context manager; nothing to watch (None) is no thread.
    """

    def __init__(self, refs: Refs | None, look: Callable[[], None], forebode: Callable[[], None]) -> None:
        self._refs, self._look, self._forebode = refs, look, forebode
        self._watch: RefWatch | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)

    def __enter__(self) -> Watcher:
        if self._refs is not None:
            from reconciler.adapters.refwatch import RefWatch

            self._watch = RefWatch(self._refs.own, self._refs.common, self._refs.branch, self._forebode)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._watch is not None:
            self._watch.wake()
            self._thread.join(END)

    def blind(self) -> str:
        """Why changes are not noticed at once; empty when they are."""
        return ELSEWHERE if self._watch is None else self._watch.reason

    def _run(self) -> None:
        assert self._watch is not None
        with self._watch as watch:
            self._look()  # what changed before it watched
            while not self._stopping.is_set():
                if watch.wait(BREATH) and not self._stopping.is_set():
                    self._look()
