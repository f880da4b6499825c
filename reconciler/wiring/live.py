"""The thread that keeps Redis what the store says: the live view after each commit, and nobody's session too long.

Whatever Redis does, nothing else waits for it. When it comes back, from wherever, the view is compared with the store
and made anew if it is another one.
"""

from __future__ import annotations

import hashlib
import queue
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from reconciler.daemon.hostconfig import DEFAULT
from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.model.host import Level, Outlook
from reconciler.wiring.liveview import View
from reconciler.wiring.redis import EMBEDDED, sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reconciler.adapters.redis.embedded import EmbeddedServer
    from reconciler.model.live import CacheState
    from reconciler.ports import Applied
    from reconciler.reconcile.sync import WentLive
    from reconciler.settings import Settings
    from reconciler.wiring.host import Parts

THREAD, ABOUT = "live", "Redis"
BREATH = 1.0
"""Seconds between two looks at whether Redis holds what it should, and between two attempts at reaching it."""
PATIENCE = 1.0
"""Seconds that an answer may take: a step of thousands of rows is more work than a look-up."""
END = 8.0
"""Seconds that the thread has to end, and with it the server it started."""


class Live:
    """A context manager around the thread. `applied` says which commit is live, `ended` hears whose sessions ended."""

    def __init__(
        self,
        settings: Settings,
        state: Path,
        parts: Parts,
        applied: Callable[[], Applied | None],
        ended: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._settings, self._state = settings, state
        self._keeper, self._board, self._log = parts.keeper, parts.board, parts.log
        self._applied, self._ended = applied, ended
        self._steps: queue.SimpleQueue[WentLive | None] = queue.SimpleQueue()
        self._budget = DEFAULT.cache_bytes
        self._granted = self._budget
        self._stopping = threading.Event()
        self._server: EmbeddedServer | None = None
        self._found: CacheState | None = None
        self._name = _name(settings, state)
        self._kept_by = ""
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)

    def __enter__(self) -> Live:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._steps.put(None)
        self._thread.join(END)

    def follow(self, went: WentLive) -> None:
        """A step went live; from any thread, at no cost."""
        self._steps.put(went)

    def keep_within(self, budget: int) -> None:
        """The live view may take so many bytes from now on."""
        self._budget = budget
        self._steps.put(None)

    def state(self) -> CacheState | None:
        """What the live view held at the last look; None while Redis is out of reach."""
        return self._found

    def _run(self) -> None:
        with ExitStack() as owned:
            while not self._stopping.is_set():
                try:
                    self._attend(owned)
                except ReconcilerError as error:
                    outlook = Outlook.STALLED if isinstance(error, NeedsHuman) else Outlook.RETRYING
                    self._board.trouble(ABOUT, outlook, type(error).__name__, str(error), error.hint)
                except Exception as error:  # noqa: BLE001  the thread must outlive it
                    self._log.event("Bug", str(error), level=Level.ERROR, error=error)
                    self._board.trouble(ABOUT, Outlook.RETRYING, "UnexpectedError", str(error), "a bug: see the log")
                self._found = None
                self._stopping.wait(BREATH)

    def _attend(self, owned: ExitStack) -> None:
        """Connect, catch up, and follow for as long as all is well."""
        from reconciler.adapters.redis.cache import RedisCache
        from reconciler.adapters.redis.claim import Claim
        from reconciler.adapters.redis.link import connect

        with connect(self._url(owned), answer_timeout=PATIENCE) as link:
            cache = RedisCache(link, self._budget)
            claim = Claim(link, self._name)
            view = View(cache, sessions(link, self._settings), self._keeper, claim, self._ended)
            self._look(view)
            self._board.well(ABOUT)
            while not self._stopping.is_set():
                self._follow(view)

    def _follow(self, view: View) -> None:
        try:
            went = self._steps.get(timeout=BREATH)
        except queue.Empty:
            if self._server is not None:
                self._server.check()
            self._look(view)
            return
        if went is not None:
            view.take(went)
        if self._budget != self._granted:
            self._grant(view)

    def _look(self, view: View) -> None:
        found = view.catch_up(self._applied())
        if found.kept_by != self._kept_by:
            self._kept_by = found.kept_by
            if found.kept_by:
                message = "another host that shares Redis keeps the live view: it is as far as this one, or further"
                self._log.event("StandingBack", message, by=found.kept_by)
            else:
                self._log.event("KeepingView", "no other host is as far as this one")
        self._found = found

    def _grant(self, view: View) -> None:
        self._granted = self._budget
        if self._server is not None:
            self._server.set_view_bytes(self._granted)
        view.keep_within(self._granted)

    def _url(self, owned: ExitStack) -> str:
        """Where the server is; the one that belongs to this process is started when it does not run."""
        if self._settings.redis_url != EMBEDDED:
            return self._settings.redis_url
        if self._server is None:
            from reconciler.adapters.redis.embedded import EmbeddedServer

            self._server = owned.enter_context(EmbeddedServer(self._state, self._budget))
        elif self._server.revive():
            message = "the embedded Redis server did not answer any more: it was ended and started again"
            self._log.event("RedisRestarted", message, level=Level.WARN)
        return self._server.url


def _name(settings: Settings, state: Path) -> str:
    """This host by a name that no other has, and that stays the same: one state folder has one daemon."""
    folder = hashlib.sha256(str(state.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{settings.host or socket.gethostname()} {folder[:8]}"
