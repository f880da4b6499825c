"""The daemon as HTTP sees it. Implements `web.operations.Operations`."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.answers import to_json
from reconciler.daemon.conditions import Phase
from reconciler.daemon.events import Feed
from reconciler.daemon.liveview import LiveView
from reconciler.daemon.loop import Wish
from reconciler.daemon.metrics import DaemonMeasures
from reconciler.errors import RetryLater
from reconciler.model.host import Suspension
from reconciler.reconcile.rules import stored_kinds
from reconciler.reconcile.sync import CommitApproval
from reconciler.report.drift import build_drift, build_verification
from reconciler.report.status import build_status, build_suspension
from reconciler.report.sync import build_sync
from reconciler.status import Place, Running, describe
from reconciler.web.operations import Heartbeat
from reconciler.wiring import answers
from reconciler.wiring.errands import Errands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from reconciler.daemon.loop import Loop
    from reconciler.status import Status
    from reconciler.web.catalogue import Catalogue
    from reconciler.web.measures import Measures
    from reconciler.web.pages.views import Views
    from reconciler.web.questions import Questions
    from reconciler.wiring.host import Host, Parts
    from reconciler.wiring.hostsessions import HostSessions
    from reconciler.wiring.past import Past

    Answer = Mapping[str, Any]
    After = tuple[Any, ...] | None

T = TypeVar("T")
U = TypeVar("U")
SILENT = 300.0
"""Seconds without a sign of life after which the operations thread is taken to be stuck."""
SHORT = 9.0
"""Seconds that a short errand waits for its turn; the client waits a little longer."""
FLUSH = 5.0
"""Seconds that a question to the history waits for what is on its way there."""
WORKING = frozenset({Phase.FETCHING, Phase.RECONCILING, Phase.SCANNING, Phase.BACKING_UP, Phase.ANSWERING})


class DaemonOperations:
    """For any thread. `address` is where the daemon listens.

    `blind` is why it does not notice commits at once.
    """

    def __init__(
        self,
        host: Host,
        parts: Parts,
        loop: Loop,
        blind: Callable[[], str],
        sessions: HostSessions,
    ) -> None:
        self._host, self._parts, self._loop, self._blind = host, parts, loop, blind
        self._errands = Errands(host, parts)
        self.address = ""
        self.views: Views
        self.questions: Questions
        self.catalogue: Catalogue
        self.feed, self.sessions = Feed(), sessions
        self.measures: Measures = DaemonMeasures(
            parts.metrics, self.described, self.heartbeats, lambda: parts.obedience.orders.backup_interval
        )

    def heartbeats(self) -> Sequence[Heartbeat]:
        """A sign of life of the thread that must not stand still."""
        sight = self._parts.board.look()
        return [Heartbeat("operations", str(sight.phase), time.monotonic() - sight.pulse, SILENT)]

    def ready(self) -> bool:
        """Whether the first reconcile has ended."""
        return self._parts.board.look().ready

    def hint(self, source: str) -> None:
        """Something may have changed in git."""
        self._parts.log.event("Hinted", source=source)
        self._loop.look()

    def status(self) -> Answer:
        """How the host stands, as the operations thread saw it last."""
        return to_json(build_status(self.described()))

    def described(self) -> Status:
        """The same as a value. Never waits for anything."""
        facts = self._host.facts
        place = facts.place or Place("", "", None, shallow=False)
        return describe(place, facts.stored, self._running(), self._parts.clock.now())

    def rows(self, kind: str, name: str | None) -> Answer:
        """The live rows of a kind, or those that go by a name."""
        with self._parts.keeper.reading() as reader:
            return answers.rows(reader, kind, name)

    def page(self, kind: str, limit: int, after: tuple[str, str] | None) -> Answer:
        """So many live rows of a kind after a place."""
        with self._parts.keeper.reading() as reader:
            return answers.page(reader, kind, limit, after)

    def versions(self, limit: int, filters: Mapping[str, str], after: After = None) -> Answer:
        """The newest versions of the history; what is on its way there is waited for a little."""
        return self._past().versions(limit, filters, after)

    def version(self, revision: str) -> Answer:
        """One version, and what it changed."""
        return self._past().version(revision)

    def history(self, kind: str | None, name: str | None, limit: int, after: After = None) -> Answer:
        """The changes of a resource, or the newest of all."""
        return self._past().history(kind, name, limit, after)

    def show(self, kind: str, name: str | None, at: str) -> Answer:
        """The live rows of a kind, or the one that went by a name, as they were at a commit or moment."""
        return self._past().show(kind, name, at)

    def diff(self, base: str, head: str) -> Answer:
        """What is otherwise at one commit or moment than at another."""
        return self._past().diff(base, head)

    def blame(self, kind: str, name: str) -> Answer:
        """For each field of a live row the commit that last set it."""
        return self._past().blame(kind, name)

    def drift(self) -> Answer:
        """Where the live rows are not what git says."""
        with self._parts.keeper.reading() as reader:
            return to_json(build_drift(reader.drift(stored_kinds(reader.kinds()))))

    def submit_sync(self, approve: str | None, by: str, *, force: bool) -> Future[Answer]:
        """Queue one reconcile."""
        approval = CommitApproval(approve, f"{by} with --approve") if approve else None
        wish = Wish(approval, force)
        return _then(
            self._loop.sync(wish), lambda result: to_json(build_sync(result, self._host.kinds(), self._waiting()))
        )

    def submit_verify(self, by: str) -> Future[Answer]:
        """Queue a comparison of ledger and live rows with git."""
        self._parts.log.event("Verifying", by=by)
        return self._loop.do(lambda beat: to_json(build_verification(self._errands.verify(beat))))

    def submit_heal(self, by: str) -> Future[Answer]:
        """Queue putting right all that drifted."""
        self._parts.log.event("Healing", by=by)
        return self._loop.do(lambda beat: self._errands.heal())

    def submit_back_up(self, by: str) -> Future[Answer]:
        """Queue a backup."""
        self._parts.log.event("BackingUp", by=by)
        return _then(self._loop.back_up(), lambda file: {"file": str(file)})

    def submit_restore(self, file: Path, by: str) -> Future[Answer]:
        """Queue making a backup the store."""
        self._parts.log.event("Restoring", by=by, file=str(file))
        return self._loop.do(lambda beat: self._restored(file))

    def suspend(self, reason: str, until: datetime | None, by: str) -> Answer:
        """Stop automatic reconciling."""
        suspension = Suspension(reason, by, self._parts.clock.now(), until)
        self._in_turn(lambda: self._parts.keeper.store().suspend(suspension))
        self._parts.log.event("Suspended", reason, by=by)
        return suspension.detail()

    def resume(self, by: str) -> Answer:
        """Take it up again, with what was committed meanwhile."""
        ended = self._in_turn(lambda: answers.resumed(self._parts.keeper.store(), by))
        self._parts.log.event("Resumed", by=by)
        self._loop.look_anew()
        return {"ended": to_json(build_suspension(ended)) if ended else None}

    def _in_turn(self, work: Callable[[], T]) -> T:
        """Do something with the store on its thread, and let that see what came of it."""

        def errand(beat: Callable[[], None]) -> T:
            done = work()
            self._host.look()
            return done

        try:
            return self._loop.do(errand).result(SHORT)
        except TimeoutError as error:
            hint = "it is done after that: `reconciler status` shows it"
            raise RetryLater("the daemon is in the midst of something that takes longer", hint=hint) from error

    def _past(self) -> Past:
        self._parts.shipment.flush(FLUSH)
        return self._parts.past

    def _restored(self, file: Path) -> Answer:
        answer = self._errands.restore(file)
        self._loop.look_anew()
        return answer

    def _waiting(self) -> int | None:
        state = self._parts.shipment.state()
        return state.versions if state else None

    def _running(self) -> Running:
        sight = self._parts.board.look()
        followers = [one.follower for one in self._host.followers]
        return Running(
            pid=os.getpid(),
            address=self.address,
            started=sight.started,
            phase=str(sight.phase),
            phase_since=sight.phase_since,
            beat=sight.beat,
            working=sight.phase in WORKING,
            last_sync=sight.last_sync,
            troubles=tuple(sight.troubles.values()),
            history=self._parts.shipment.state(),
            scan=self._host.facts.scan,
            blind=self._blind(),
            view=next((one.content() for one in followers if isinstance(one, LiveView)), None),
            followers=tuple(one.status() for one in self._host.followers if not one.follower.has_own_section),
        )


def _then(future: Future[T], make: Callable[[T], U]) -> Future[U]:
    """What comes of a future, made into something else on the thread that it was done on."""
    made: Future[U] = Future()

    def done(source: Future[T]) -> None:
        if source.cancelled():
            made.cancel()
            return
        try:
            made.set_result(make(source.result()))
        except Exception as failure:  # noqa: BLE001  whoever waits has to hear of it
            made.set_exception(failure)

    future.add_done_callback(done)
    return made
