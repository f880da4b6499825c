"""The daemon of a state folder: put together, and taken apart in the opposite order."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reconciler.adapters.daemonfile import announced, new_token
from reconciler.adapters.duckdb.keeper import Keeper
from reconciler.adapters.lock import hold
from reconciler.adapters.log import DaemonLog, style_of
from reconciler.adapters.machine import SystemClock
from reconciler.backoff import Backoff
from reconciler.daemon import gc
from reconciler.daemon.conditions import Board, Phase, Telling, history_trouble
from reconciler.daemon.drift import Healer, Teller
from reconciler.daemon.events import News
from reconciler.daemon.followers import FollowerContext, FollowerThread
from reconciler.daemon.hostconfig import Obedience
from reconciler.daemon.liveview import LiveView
from reconciler.daemon.loop import Loop, Pace
from reconciler.daemon.metrics import TimedPolicyEngine
from reconciler.errors import BugError
from reconciler.metrics import About, Metrics
from reconciler.model.host import Level, Outlook
from reconciler.web.address import parse
from reconciler.web.server import HttpServer
from reconciler.web.serving import Serving
from reconciler.wiring.backups import Backups
from reconciler.wiring.errands import Errands
from reconciler.wiring.following import Following
from reconciler.wiring.foresight import Foresight
from reconciler.wiring.host import Host, Parts
from reconciler.wiring.hostquestions import HostQuestions
from reconciler.wiring.hostsessions import HostSessions
from reconciler.wiring.operations import DaemonOperations
from reconciler.wiring.origins import find_state
from reconciler.wiring.pages.views import HostViews
from reconciler.wiring.pasthere import past_of_daemon
from reconciler.wiring.policies import policy_engine
from reconciler.wiring.questions import questions
from reconciler.wiring.redis import NONE, layout, server_url, sessions
from reconciler.wiring.shipment import Shipment
from reconciler.wiring.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TextIO

    from reconciler.canonical import Value
    from reconciler.daemon.followers import Follower
    from reconciler.daemon.hostconfig import Orders
    from reconciler.settings import Settings

LOG = "Log"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that runs. `address` is where it listens, as in a URL."""

    address: str
    repository: str
    branch: str
    log: DaemonLog
    _board: Board

    def check(self) -> None:
        """To be called now and then: sees to what nobody else would notice."""
        if self._board.look().phase is Phase.IDLE:
            gc.tidy()
        if self.log.trouble:
            hint = "what happens is still told on stderr; see that the disk has room and may be written"
            self._board.trouble(LOG, Outlook.RETRYING, "NotWritten", self.log.trouble, hint)
        else:
            self._board.well(LOG)


@contextmanager
def daemon(
    settings: Settings,
    command: str,
    stream: TextIO,
    environ: Mapping[str, str],
    followers: Sequence[Callable[[FollowerContext], Follower | None]] = (),
) -> Iterator[Daemon]:
    """Run the daemon while the block lasts. `command` is what tells others who holds the state folder.

    Raises `RetryLater` when another one holds it, `NeedsHuman` when the repository, the folder or the address cannot
    be had.
    """
    clock = SystemClock()
    with ExitStack() as stack:
        state = find_state(settings)
        unwritten = stack.enter_context(hold(state, clock, command))
        log = stack.enter_context(DaemonLog(state, stream, style_of(stream, environ)))
        token = new_token()
        for secret in (*settings.secrets, token):
            log.redactor.add(secret)
        board = Board(clock, Telling(log.events).hear)
        name = settings.host or socket.gethostname()
        metrics = Metrics(About(name, settings.origin.poll_interval, settings.redis_url != NONE))
        shipment = Shipment(settings, name, clock, partial(history_trouble, board, log.events), metrics)
        keeper = Keeper(state, clock)
        parts = Parts(
            following=Following(settings, log.events, metrics),
            keeper=keeper,
            shipment=shipment,
            past=past_of_daemon(settings, name, shipment, keeper),
            engine=TimedPolicyEngine(stack.enter_context(policy_engine()), metrics),
            scanner=Healer(board, log.events, clock) if settings.heals else Teller(board, clock),
            backups=Backups(state, keeper, clock, log.events, metrics),
            obedience=Obedience(settings.obeys, log.events),
            board=board,
            metrics=metrics,
            log=log.events,
            clock=clock,
        )
        stack.callback(keeper.rest)
        stack.callback(parts.following.drop)
        stack.callback(shipment.stop)
        host = Host(parts)
        at, refs = parts.following.at(), parts.following.refs()
        loop = Loop(host, board, Backoff, Pace(poll=settings.origin.poll_interval), partial(_bug, log))
        watcher = Watcher(refs, loop.look, loop.make_ready)
        errands = Errands(host, parts)

        def record(event: str, detail: Mapping[str, Value]) -> None:
            loop.do(lambda beat: errands.note(event, detail))

        context = FollowerContext(settings, state, keeper, log.events, record)
        host.followers = tuple(
            FollowerThread(made, lambda: host.facts.stored.applied, board, log.events)
            for make in (*FOLLOWERS, *followers)
            if (made := make(context)) is not None
        )
        url = partial(server_url, settings, lambda: state)
        sessions = stack.enter_context(HostSessions(settings, url, keeper))
        operations = DaemonOperations(host, parts, loop, watcher.blind, sessions)
        asked = questions(keeper.reading, lambda: shipment.open_ledger, parts.past.kinds)
        operations.questions = HostQuestions(asked, state, shipment.flush)
        operations.catalogue = Foresight(settings, keeper, parts.past.kinds)
        operations.views = HostViews(settings, state, name, parts, operations.status, operations.heartbeats)
        serving = Serving(token, settings.webhook_secret, grants=settings.grants)
        server = HttpServer(operations, serving, parse(settings.listen))
        operations.address = str(server.address.local)
        news = News(operations.feed, operations.status)
        host.telling, board.seen = news.reconciled, news.look
        parts.obedience.hear(partial(_obey, log, shipment, host.followers))
        log.events.event("Starting", unwritten, repository=at.repository, branch=at.branch)
        stack.enter_context(loop)
        for follower in host.followers:
            stack.enter_context(follower)
        for part in (watcher, server, announced(state, operations.address, token)):
            stack.enter_context(part)
        stack.callback(parts.following.stop)
        log.events.event("Listening", address=f"http://{operations.address}")
        yield Daemon(operations.address, at.repository, at.branch, log, board)
        log.events.event("Stopping")


def live_view(context: FollowerContext) -> LiveView | None:
    """What keeps Redis up to date; None for a host that has none."""
    settings = context.settings
    return None if settings.redis_url == NONE else LiveView(context, lambda link: sessions(link, settings), layout())


FOLLOWERS: tuple[Callable[[FollowerContext], Follower | None], ...] = (live_view,)
"""What follows the live rows. Each makes a follower, or None where the settings do without."""


def _obey(log: DaemonLog, shipment: Shipment, followers: Sequence[FollowerThread], orders: Orders) -> None:
    log.set_level(orders.log_level)
    log.set_max_size(orders.max_log_size_bytes)
    shipment.every(orders.ship_interval)
    for follower in followers:
        follower.configure(orders)


def _bug(log: DaemonLog, error: Exception) -> str:
    """Write down an exception that nobody expected; where its trace is."""
    what = str(error) if isinstance(error, BugError) else f"unexpected {type(error).__name__}: {error}"
    log.events.event("Bug", what, level=Level.ERROR, error=error)
    return str(log.file)
