"""The live view in Redis: a follower that writes the live rows after each commit, and ends sessions of removed owners.

When Redis comes back, from wherever, the view is compared with the store, and rebuilt if it is another one.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from reconciler.adapters.redis.audit import ViewAudit
from reconciler.adapters.redis.cache import Lease, RedisCache, keeper_name
from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.server import EmbeddedServer
from reconciler.daemon.followers import Follower
from reconciler.daemon.hostconfig import DEFAULT
from reconciler.kinds.build import stored_kinds
from reconciler.model.live import ViewContent, ViewFault
from reconciler.model.log import Level
from reconciler.tables.rows import is_live, live_values, rows_under
from reconciler.tables.view import is_behind, view_mark, view_step, view_writes
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from reconciler.adapters.duckdb.sharing import SharedStore
    from reconciler.adapters.redis.connection import Connection
    from reconciler.daemon.followers import FollowerContext
    from reconciler.daemon.hostconfig import HostConfig
    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Row
    from reconciler.model.commit import Applied
    from reconciler.model.live import CacheState, ViewDifference, ViewMark
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.redisports import Cache, Sessions
    from reconciler.sessionlayout import SessionLayout


EMBEDDED, NONE = "embedded", "none"
"""What `redis.url` may be instead of a URL."""
SESSIONS_EXPIRED = "sessions-expired"
"""The host event: whose sessions ended because their rows were switched off or left git, and how many each."""
VIEW_HEALED = "view-healed"
"""The host event: rows of the live view that were lost, altered or unknown, how many each, and the keys of some."""
MAX_NAMED = 20
"""Rows of the view that a host event names; the others are counted."""
HEAL_TRIES = 200
"""Pieces of a comparison in which commits on their way to the view are waited for."""
ANSWER_TIMEOUT = 1.0
"""Seconds that an answer may take: a step of thousands of rows is more work than a look-up."""
MAX_STEP_ROWS = 10_000
"""Rows of a step that are written one by one; after a larger one the view is rebuilt from the store."""


class LiveView(Follower):
    """The follower that owns the view, and the embedded server where the settings ask for it.

    `open_sessions` gives the sessions on a server, `layout` says whose they are.
    """

    name, condition = "live", "Redis"
    retry_seconds = (1.0, 1.0)
    has_own_section = True

    def __init__(
        self, context: FollowerContext, open_sessions: Callable[[Connection], Sessions], layout: SessionLayout
    ) -> None:
        self._context, self._open_sessions, self._layout = context, open_sessions, layout
        self._host = keeper_name(context.settings.host, context.state_folder)
        self._budget = self._granted = DEFAULT.cache_bytes
        self._owned = ExitStack()
        self._server: EmbeddedServer | None = None
        self._view: RedisView
        self._content: CacheState | None = None
        self._kept_by = ""
        self._audit_cursor = "0"

    def content(self) -> CacheState | None:
        """What the view held when it was last looked at; None while Redis is out of reach. For any thread."""
        return self._content

    def configure(self, config: HostConfig) -> None:
        """The view may take so many bytes from now on."""
        self._budget = config.cache_bytes

    @contextmanager
    def connect(self) -> Iterator[None]:
        """Connect, with the embedded server started where it does not run; that runs on afterwards."""
        with connect(self._server_url(), answer_timeout=ANSWER_TIMEOUT) as link:
            audit = ViewAudit(link, cursor=self._audit_cursor)
            self._view = RedisView(
                cache=RedisCache(link, self._budget),
                audit=audit,
                lease=Lease(link, self._host),
                owners=OwnerSessions(self._open_sessions(link), self._layout, self._note_expired),
                store=self._context.store,
                healed=self._note_healed,
            )
            try:
                yield
            finally:
                self._content, self._audit_cursor = None, audit.cursor

    def catch_up(self, applied: Applied | None) -> None:
        """See that the server runs, and that the view is that of the applied commit."""
        if self._server is not None:
            self._server.check()
        content = self._view.catch_up(applied)
        if content.kept_by != self._kept_by:
            self._kept_by = content.kept_by
            self._log_lease(content.kept_by)
        self._content = content
        self._grant()

    def apply(self, step: AppliedStep) -> None:
        """Write a step."""
        self._view.apply(step)
        self._grant()

    def compare(self) -> Iterator[None]:
        """Compare every row with the live ones."""
        return self._view.compare()

    def close(self) -> None:
        """Stop the embedded server."""
        self._owned.close()

    def _note_expired(self, counts: Mapping[str, int]) -> None:
        self._context.log.event("SessionsExpired", "their owners are switched off", count=sum(counts.values()))
        self._context.record(SESSIONS_EXPIRED, {"sessions": dict(counts)})

    def _note_healed(self, differences: Sequence[ViewDifference]) -> None:
        counts = {str(fault): sum(one.fault is fault for one in differences) for fault in ViewFault}
        keys = [one.shown for one in differences[:MAX_NAMED]]
        said = ", ".join(f"{count:,} {fault}" for fault, count in counts.items() if count)
        more = f" and {len(differences) - 1:,} more" if len(differences) > 1 else ""
        message = f"something else did this, and it is as the live rows again: {said}, such as {keys[0]}{more}"
        self._context.log.event("ViewHealed", message, level=Level.WARN, rows=len(differences))
        self._context.record(VIEW_HEALED, {**counts, "keys": list(keys)})

    def _log_lease(self, kept_by: str) -> None:
        if kept_by:
            message = "another host that shares Redis keeps the live view: it is as far as this one, or further"
            self._context.log.event("StandingBack", message, by=kept_by)
        else:
            self._context.log.event("KeepingView", "no other host is as far as this one")

    def _grant(self) -> None:
        """Give the view its share of memory, where that is another one now."""
        if self._budget == self._granted:
            return
        self._granted = self._budget
        if self._server is not None:
            self._server.set_view_bytes(self._granted)
        self._view.set_budget(self._granted)

    def _server_url(self) -> str:
        if self._context.settings.redis_url != EMBEDDED:
            return self._context.settings.redis_url
        if self._server is None:
            server = EmbeddedServer(self._context.state_folder, self._budget)
            self._server = self._owned.enter_context(server)
        elif self._server.revive():
            message = "the embedded Redis server did not answer any more: it was ended and started again"
            self._context.log.event("RedisRestarted", message, level=Level.WARN)
        return self._server.url


class OwnerSessions:
    """The sessions of owners on a server; `expired` is told how many of whose were ended."""

    def __init__(self, sessions: Sessions, layout: SessionLayout, expired: Callable[[Mapping[str, int]], None]) -> None:
        self._sessions, self._layout, self._expired = sessions, layout, expired

    def end_refused(self, kinds: Kinds, rows: Iterable[Row]) -> None:
        """End the sessions of those owners among rows who may have none."""
        owners = [row for row in rows if row.resource.kind == self._layout.owner_kind]
        self._end(row.resource.id for row in owners if not self._may_have_sessions(kinds, row))

    def end_others(self, allowed: Collection[str]) -> None:
        """End the sessions of all but these owners."""
        self._end(owner for owner in self._sessions.owners() if owner not in allowed)

    def collect(self, kinds: Kinds, rows: Iterable[Row], allowed: set[str]) -> Iterator[Row]:
        """The same rows; the ids of owners among them who may have sessions are put into `allowed` in passing."""
        for row in rows:
            if row.resource.kind == self._layout.owner_kind and self._may_have_sessions(kinds, row):
                allowed.add(row.resource.id)
            yield row

    def _end(self, owners: Iterable[str]) -> None:
        counts = {owner: count for owner in owners if (count := self._sessions.expire_all(owner))}
        if counts:
            self._expired(counts)

    def _may_have_sessions(self, kinds: Kinds, row: Row) -> bool:
        kind = kinds.by_name.get(row.resource.kind)
        if kind is None or not is_live(kind, row):
            return False
        names = (column.name for column in kind.columns)
        return bool(self._layout.may_have_sessions(dict(zip(names, live_values(kind, row), strict=False))))


class RedisView:
    """The live view and the sessions on one server, for one thread. `healed` is told what was put right.

    `lease` is asked before each write, with the height of the commit: it says which other host writes the view, if one
    does. Then nothing is written and no session ended: that host knows better who may have some.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        audit: ViewAudit,
        lease: Callable[[int], str],
        owners: OwnerSessions,
        store: SharedStore,
        healed: Callable[[Sequence[ViewDifference]], None],
    ) -> None:
        self._cache, self._audit, self._lease = cache, audit, lease
        self._owners, self._store, self._healed = owners, store, healed
        self._verified = self._has_room_again = False
        self._should = ViewContent()
        self._kinds: frozenset[str] = frozenset()
        self._made_at: ViewMark | None = None

    def apply(self, step: AppliedStep) -> None:
        """Write what a step changed; what cannot be written so is rebuilt when it catches up."""
        if self._made_at is not None and (step.base is None or view_mark(step.base) != self._made_at):
            return  # its rows were live when the view was made anew; if they were not, catching up finds that
        self._made_at = None
        if self._lease(step.applied.height):
            self._verified = False
            return
        self._owners.end_refused(step.kinds, step.rows)
        large = step.replaced or step.migrated or len(step.rows) > MAX_STEP_ROWS
        if step.base is None or large or not self._advance(step, step.base):
            self._verified = False

    def _advance(self, step: AppliedStep, base: Applied) -> bool:
        changes = view_step(step.kinds, base, step.applied, step.rows)
        if not self._cache.advance(changes):
            return False
        self._should.take(changes.writes)
        self._kinds = _names(step.kinds)
        return True

    def catch_up(self, applied: Applied | None) -> CacheState:
        """See that the view is that of the applied commit, and rebuild it if not."""
        content = self._cache.state()
        kept_by = self._lease(applied.height) if applied is not None else ""
        if kept_by:
            self._verified = False
            return replace(content, kept_by=kept_by)
        if not self._verified or is_behind(content, applied):
            self._rebuild()
            content = self._cache.state()
        return content

    def compare(self) -> Iterator[None]:
        """Compare every row of the view with what was written, and put right what something else did; in pieces.

        Only what differs is read from the store. A view that another host keeps, or that has to be rebuilt, is left.
        """
        if not self._verified:
            return
        differences: list[ViewDifference] = []
        for one in self._audit.differences(self._should, self._kinds):
            if one is None:
                yield
            else:
                differences.append(one)
        if differences:
            yield from self._heal(differences)

    def _heal(self, differences: Sequence[ViewDifference]) -> Iterator[None]:
        """Once the view is at the commit of the store; if that does not come, the next comparison finds them again."""
        for _ in range(HEAL_TRIES):
            if self._verified and self._repair(differences):
                self._healed(differences)
                return
            yield

    def _repair(self, differences: Sequence[ViewDifference]) -> bool:
        wrong = {one.key for one in differences if one.fault is not ViewFault.UNKNOWN}
        unknown = [one.key for one in differences if one.fault is ViewFault.UNKNOWN]
        with self._store.reading() as reader:
            applied = reader.applied()
            if applied is None or self._cache.state().mark != view_mark(applied) or self._lease(applied.height):
                return False
            kinds = stored_kinds(reader.kinds())
            rows = rows_under(reader.halts(), kinds, reader.base(kinds).rows()) if wrong else ()
            writes = [write for write in view_writes(kinds, rows) if write.place in wrong]
        return self._cache.repair(writes, unknown, view_mark(applied))

    def set_budget(self, budget: int) -> None:
        """The view may take so many bytes; what there was no room for before comes with the next rebuild."""
        self._has_room_again = self._cache.keep_within(budget).dropped > 0
        self._verified = self._verified and not self._has_room_again

    def _rebuild(self) -> None:
        allowed: set[str] = set()
        with self._store.reading() as reader:
            applied = reader.applied()
            if applied is None:
                return
            kinds = stored_kinds(reader.kinds())
            live = rows_under(reader.halts(), kinds, reader.base(kinds).rows())
            rows = self._owners.collect(kinds, live, allowed)
            writes = tuple(view_writes(kinds, rows))
        if self._has_room_again or is_behind(self._cache.state(), applied):
            self._cache.rebuild(writes, view_mark(applied))
            self._has_room_again = False
        self._should, self._kinds = ViewContent(writes), _names(kinds)
        self._owners.end_others(allowed)
        self._verified, self._made_at = True, view_mark(applied)


def _names(kinds: Kinds) -> frozenset[str]:
    return frozenset(kind.name.lower() for kind in kinds)
