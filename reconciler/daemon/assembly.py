"""The daemon of a state folder: put together, and taken apart in the opposite order."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reconciler.adapters.clickhouse.ledger import ClickHouseLedger
from reconciler.adapters.daemonfile import announce, new_token
from reconciler.adapters.duckdb import backup
from reconciler.adapters.duckdb.sharing import Keeper
from reconciler.adapters.files import write_spooled
from reconciler.adapters.lock import hold_folder
from reconciler.adapters.log import DaemonLog, style_of
from reconciler.adapters.machine import SystemClock
from reconciler.adapters.redis.sessions import make_sessions
from reconciler.answers import to_json
from reconciler.backoff import Backoff
from reconciler.daemon import gc
from reconciler.daemon.backups import Backups
from reconciler.daemon.conditions import Board, Phase, Telling, history_trouble
from reconciler.daemon.control import DaemonControl
from reconciler.daemon.drift import Healer, Teller
from reconciler.daemon.events import News
from reconciler.daemon.followers import FollowerContext, FollowerThread
from reconciler.daemon.following import Following
from reconciler.daemon.gitwatch import Watcher
from reconciler.daemon.host import Host, Parts
from reconciler.daemon.hostconfig import Obedience
from reconciler.daemon.liveview import LiveView
from reconciler.daemon.loop import Loop, Pace
from reconciler.daemon.metrics import Exposition, TimedPolicyEngine
from reconciler.daemon.sessions import SharedSessions
from reconciler.daemon.shipment import Backfill, Shipment
from reconciler.daemon.state import HostState
from reconciler.errors import BugError, RetryLater
from reconciler.metrics import About, Metrics
from reconciler.model.host import Level, Outlook
from reconciler.reconcile.admission import AdmissionController
from reconciler.reconcile.plan import Planner
from reconciler.reconcile.processor import CommitProcessor
from reconciler.report.status import build_status
from reconciler.service.context import Context, History
from reconciler.service.events import EventBuffer
from reconciler.service.kinds import known_kinds
from reconciler.service.operations import history_off, raise_unresolved
from reconciler.service.pages import Pages
from reconciler.service.repository import describe_target
from reconciler.service.services import Services
from reconciler.settings import NO_REDIS
from reconciler.web.app import ServedHost
from reconciler.web.auth import ServerConfig
from reconciler.web.server import HttpServer, parse_listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

    from reconciler.adapters.git.mirror import Mirror
    from reconciler.daemon.followers import MakeFollower
    from reconciler.daemon.hostconfig import Orders
    from reconciler.kinds.kind import Kinds
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.service.context import Openers
    from reconciler.sessions import SessionLayout
    from reconciler.settings import Settings

LOG = "Log"


@dataclass(frozen=True, slots=True)
class DaemonParts:
    """What the composition root gives a daemon. `find_redis` says where the Redis server is, and raises as it likes."""

    settings: Settings
    name: str
    state: Path
    openers: Openers
    mirror: Mirror | None
    bundled: BundledSchemas
    session_layout: SessionLayout
    find_redis: Callable[[], str]


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
def run_daemon(
    given: DaemonParts,
    command: str,
    stream: TextIO,
    environ: Mapping[str, str],
    followers: Sequence[MakeFollower] = (),
) -> Iterator[Daemon]:
    """Run the daemon while the block lasts. `command` is what tells others who holds the state folder.

    Raises `RetryLater` when another one holds it, `NeedsHuman` when the repository, the folder or the address cannot
    be had.
    """
    settings, state, clock = given.settings, given.state, SystemClock()
    with ExitStack() as stack:
        unwritten = stack.enter_context(hold_folder(state, clock, command))
        log = stack.enter_context(DaemonLog(state, stream, style_of(stream, environ)))
        token = new_token()
        for secret in (*settings.secrets, token):
            log.redactor.add(secret)
        board = Board(clock, Telling(log.events).hear)
        metrics = Metrics(About(given.name, settings.origin.poll_interval, settings.redis_url != NO_REDIS))
        tell = partial(history_trouble, board, log.events)
        keeper = Keeper(state, clock)
        backfill = Backfill(settings, given.openers.source, given.bundled)
        shipment = Shipment(given.openers, backfill, given.name, clock, tell, metrics)
        parts = Parts(
            following=Following(settings, given.openers, given.mirror, log.events, metrics),
            keeper=keeper,
            shipment=shipment,
            engine=TimedPolicyEngine(stack.enter_context(given.openers.policy_engine()), metrics),
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
        host = Host(parts, given.bundled)
        at, refs = parts.following.at(), parts.following.refs()
        loop = Loop(host, board, Backoff, Pace(poll=settings.origin.poll_interval), partial(_bug, log))
        watcher = Watcher(refs, loop.look, loop.make_ready)
        control = DaemonControl(host, loop)
        follower_context = FollowerContext(settings, state, keeper, log.events, control.note)
        makers: tuple[MakeFollower, ...] = (partial(_live_view, given.session_layout, settings), *followers)
        host.followers = tuple(
            FollowerThread(follower, lambda: host.facts.stored.applied, board, log.events)
            for make in makers
            if (follower := make(follower_context)) is not None
        )
        host_state = HostState(host, loop, watcher.blind)
        sessions = stack.enter_context(SharedSessions(given.find_redis, given.session_layout, settings.idle_timeout))
        context = _context(given, host_state, keeper, shipment, sessions)
        services, events = Services(context, control), EventBuffer()
        exposition = Exposition(
            metrics, host_state.status, host_state.heartbeats, lambda: parts.obedience.orders.backup_interval
        )
        served = ServedHost(services, Pages(context), events, host_state.hint, metrics.http, exposition.expose)
        config = ServerConfig(token, settings.webhook_secret, grants=settings.grants)
        server = HttpServer(served, config, parse_listen(settings.listen))
        host_state.address = str(server.address.local)
        news = News(events, lambda: to_json(build_status(host_state.status())))
        host.telling, board.seen = news.reconciled, news.look
        parts.obedience.hear(partial(_obey, log, shipment, host.followers))
        log.events.event("Starting", unwritten, repository=at.repository, branch=at.branch)
        stack.enter_context(loop)
        for thread in host.followers:
            stack.enter_context(thread)
        for part in (watcher, server, announce(state, host_state.address, token)):
            stack.enter_context(part)
        stack.callback(parts.following.stop)
        log.events.event("Listening", address=f"http://{host_state.address}")
        yield Daemon(host_state.address, at.repository, at.branch, log, board)
        log.events.event("Stopping")


def _context(
    given: DaemonParts, host_state: HostState, keeper: Keeper, shipment: Shipment, sessions: SharedSessions
) -> Context:
    """What the services of this daemon answer from."""

    def kinds() -> Kinds:
        with keeper.reading() as store:
            return known_kinds(store, given.bundled)

    def resolve(revision: str) -> str | None:
        try:
            with given.openers.source() as source:
                return source.resolve(revision)
        except RetryLater as error:
            raise_unresolved(error, revision)

    @contextmanager
    def open_history(wait: float) -> Iterator[History]:
        shipment.flush(wait)
        if shipment.open_ledger is None:
            raise history_off()
        with shipment.open_ledger() as ledger:
            yield History(ledger, ledger if isinstance(ledger, ClickHouseLedger) else None, kinds, resolve)

    @contextmanager
    def open_planner() -> Iterator[tuple[Planner, str]]:
        with given.openers.source() as source:
            target = describe_target(source, given.settings)
            processor = CommitProcessor(source, target.folder, given.bundled)
            judge = AdmissionController(processor.rules, given.openers.policy_engine)
            yield Planner(source, processor, judge, given.bundled.kinds), target.branch

    return Context(
        settings=given.settings,
        name=given.name,
        state=given.state,
        clock=SystemClock(),
        bundled=given.bundled,
        keeps_history=given.openers.ledger is not None,
        open_rows=keeper.reading,
        open_own_rows=keeper.reading,
        open_history=open_history,
        open_planner=open_planner,
        open_sessions=sessions.open,
        session_layout=lambda: given.session_layout,
        query_rows=partial(given.openers.query, keeper.reading, given.bundled.kinds),
        write_table=given.openers.write_table,
        status=host_state.status,
        spool=partial(write_spooled, given.state),
        list_backups=partial(backup.backups, given.state),
        heartbeats=host_state.heartbeats,
        ready=host_state.is_ready,
    )


def _live_view(layout: SessionLayout, settings: Settings, context: FollowerContext) -> LiveView | None:
    """What keeps Redis up to date; None for a host that has none."""
    if settings.redis_url == NO_REDIS:
        return None
    return LiveView(context, lambda link: make_sessions(link, layout, settings.idle_timeout), layout)


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
