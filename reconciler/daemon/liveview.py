"""The thread that keeps Redis what the store says: the live view after each commit, and nobody's session too long.

Whatever Redis does, nothing else waits for it. When it comes back, from wherever, the view is compared with the store
and made anew if it is another one.
"""

from __future__ import annotations

import hashlib
import json
import queue
import socket
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reconciler import canonical
from reconciler.adapters.redis.cache import RedisCache
from reconciler.adapters.redis.claim import Claim
from reconciler.adapters.redis.embedded import EmbeddedServer
from reconciler.adapters.redis.link import connect
from reconciler.daemon.hostconfig import DEFAULT
from reconciler.errors import NeedsHuman, ReconcilerError
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, TIMESTAMPS, SqlType
from reconciler.model.change import Op
from reconciler.model.host import Level, Outlook
from reconciler.model.live import Use, ViewMark, ViewStep, ViewWrite, milliseconds
from reconciler.reconcile.rules import stored_kinds
from reconciler.tables.rows import is_live, last_stamp, live_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from reconciler.adapters.duckdb.keeper import Keeper
    from reconciler.adapters.redis.link import Link
    from reconciler.daemon.conditions import Board
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.liveports import Cache, Sessions
    from reconciler.model.change import Row
    from reconciler.model.live import CacheState
    from reconciler.ports import Application, Applied, Log
    from reconciler.reconcile.sync import WentLive
    from reconciler.sessions.layout import SessionLayout
    from reconciler.settings import Settings


THREAD, ABOUT = "live", "Redis"
EMBEDDED = "embedded"
BREATH = 1.0
"""Seconds between two looks at whether Redis holds what it should, and between two attempts at reaching it."""
PATIENCE = 1.0
"""Seconds that an answer may take: a step of thousands of rows is more work than a look-up."""
END = 8.0
"""Seconds that the thread has to end, and with it the server it started."""


class Live:
    """A context manager around the thread. `applied` says which commit is live, `ended` hears whose sessions ended."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        settings: Settings,
        state: Path,
        keeper: Keeper,
        board: Board,
        log: Log,
        sessions: Callable[[Link], Sessions],
        layout: SessionLayout,
        applied: Callable[[], Applied | None],
        ended: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._settings, self._state = settings, state
        self._keeper, self._board, self._log = keeper, board, log
        self._sessions, self._layout = sessions, layout
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
        with connect(self._url(owned), answer_timeout=PATIENCE) as link:
            cache = RedisCache(link, self._budget)
            claim = Claim(link, self._name)
            view = View(cache, self._sessions(link), self._layout, self._keeper, claim, self._ended)
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
            self._server = owned.enter_context(EmbeddedServer(self._state, self._budget))
        elif self._server.revive():
            message = "the embedded Redis server did not answer any more: it was ended and started again"
            self._log.event("RedisRestarted", message, level=Level.WARN)
        return self._server.url


def _name(settings: Settings, state: Path) -> str:
    """This host by a name that no other has, and that stays the same: one state folder has one daemon."""
    folder = hashlib.sha256(str(state.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{settings.host or socket.gethostname()} {folder[:8]}"


MOST = 10_000
"""Rows of a step that are passed on one by one; after a larger one the view is made anew from the store."""


class View:
    """The live view and the sessions of one server, for one thread. `ended` hears whose sessions were ended.

    `claim` is asked before each write: it says who else keeps the view. While somebody does nothing is written, and
    no session ended: they know better who may have some.
    """

    def __init__(
        self,
        cache: Cache,
        sessions: Sessions,
        layout: SessionLayout,
        keeper: Keeper,
        claim: Callable[[int], str],
        ended: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._cache, self._sessions, self._layout, self._keeper = cache, sessions, layout, keeper
        self._claim, self._ended = claim, ended
        self._trusted = self._roomier = False

    def take(self, went: WentLive) -> None:
        """A step went live."""
        if self._claim(went.application.height):
            self._trusted = False
            return
        owners = [row for row in went.application.rows if row.resource.kind == self._layout.owner_kind]
        self._end(row.resource.id for row in owners if not self._may_have_sessions(went.kinds, row))
        large = went.replaced or len(went.application.rows) > MOST
        if went.base is None or large or not self._advanced(went, mark(went.base)):
            self._trusted = False

    def _advanced(self, went: WentLive, base: ViewMark) -> bool:
        return self._cache.advance(step(went.kinds, base, went.application))

    def catch_up(self, applied: Applied | None) -> CacheState:
        """See that the view is that of the applied commit, and make it anew if not."""
        state = self._cache.state()
        kept_by = self._claim(applied.height) if applied is not None else ""
        if kept_by:
            self._trusted = False
            return replace(state, kept_by=kept_by)
        if not self._trusted or is_behind(state, applied):
            self._make_anew()
            state = self._cache.state()
        return state

    def keep_within(self, budget: int) -> None:
        """The view may take so many bytes; what there was no room for before comes with the next time it is made."""
        self._roomier = self._cache.keep_within(budget).dropped > 0
        self._trusted = self._trusted and not self._roomier

    def _make_anew(self) -> None:
        allowed: set[str] = set()
        with self._keeper.reading() as reader:
            applied = reader.applied()
            if applied is None:
                return
            kinds = stored_kinds(reader.kinds())
            rows = self._noting(kinds, reader.base(kinds).rows(), allowed)
            wanted = tuple(writes(kinds, rows))
        if self._roomier or is_behind(self._cache.state(), applied):
            self._cache.rebuild(wanted, mark(applied))
            self._roomier = False
        self._end(owner for owner in self._sessions.owners() if owner not in allowed)
        self._trusted = True

    def _end(self, owners: Iterable[str]) -> None:
        ended = {owner: count for owner in owners if (count := self._sessions.expire_all(owner))}
        if ended:
            self._ended(ended)

    def _noting(self, kinds: Kinds, rows: Iterable[Row], allowed: set[str]) -> Iterator[Row]:
        """The same rows; the owners among them who may have sessions are noted in passing."""
        for row in rows:
            if row.resource.kind == self._layout.owner_kind and self._may_have_sessions(kinds, row):
                allowed.add(row.resource.id)
            yield row

    def _may_have_sessions(self, kinds: Kinds, row: Row) -> bool:
        kind = kinds.by_name.get(row.resource.kind)
        if kind is None or not is_live(kind, row):
            return False
        names = (column.name for column in kind.columns)
        return bool(self._layout.may_have_sessions(dict(zip(names, live_values(kind, row), strict=False))))


def mark(applied: Applied | Application) -> ViewMark:
    """The state of an applied commit, or of one that is being applied."""
    commit = applied.stamp.commit if hasattr(applied, "stamp") else applied.commit.sha
    return ViewMark(commit, applied.digest, applied.height)


def is_behind(state: CacheState, applied: Applied | None) -> bool:
    """Whether the view is not what the store holds: flushed, half written, an old snapshot, another server's."""
    return applied is not None and state.mark != mark(applied)


def step(kinds: Kinds, base: ViewMark, application: Application) -> ViewStep:
    """What a commit's application changes in a view that is at `base`."""
    return ViewStep(base, mark(application), tuple(writes(kinds, application.rows)))


def writes(kinds: Kinds, rows: Iterable[Row]) -> Iterator[ViewWrite]:
    """One for each row of these kinds, tombstones too: with none of them left out it is the whole view."""
    for row in rows:
        kind = kinds.by_name.get(row.resource.kind)
        if kind is not None:
            yield write(kind, row)


def write(kind: Kind, row: Row) -> ViewWrite:
    """What becomes of one row."""
    text = _json(kind, live_values(kind, row)) if is_live(kind, row) else None
    resource = row.resource
    return ViewWrite(
        op=_op(row),
        kind=kind.name.lower(),
        name=resource.name,
        id=resource.id,
        json=text,
        use=_use(row),
        changed=milliseconds(last_stamp(row).time),
    )


def _op(row: Row) -> Op:
    if row.removed is not None:
        return Op.DELETE
    return Op.CREATE if row.created == row.updated else Op.UPDATE


def _use(row: Row) -> Use:
    if row.removed is not None:
        return Use.GONE
    return Use.INACTIVE if row.resource.values.get(STATUS_FIELD) == INACTIVE else Use.LIVE


def _json(kind: Kind, values: tuple[Any, ...]) -> str:
    names = (*(column.name for column in kind.columns), *TIMESTAMPS)
    structured = {column.name for column in kind.columns if column.type is SqlType.JSON}
    shown = {name: _value(value, name in structured) for name, value in zip(names, values, strict=True)}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _value(value: Any, structured: bool) -> Any:
    if isinstance(value, datetime):
        return canonical.timestamp(value)
    return json.loads(value) if structured and value is not None else value
