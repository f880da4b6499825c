"""The daemon of a state folder: put together, and taken apart in the opposite order."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.daemonfile import announce, new_token
from reconciler.adapters.duckdb import backup
from reconciler.adapters.duckdb.sharing import SharedStore
from reconciler.adapters.files import write_spooled
from reconciler.adapters.lock import hold_folder
from reconciler.adapters.log import DaemonLog, Style
from reconciler.adapters.machine import SystemClock, return_freed_memory
from reconciler.adapters.redis.sessions import make_sessions
from reconciler.answers import to_json
from reconciler.backoff import Backoff
from reconciler.daemon.backups import Backups
from reconciler.daemon.conditions import ConditionLog, Conditions, Phase, show_upload_error
from reconciler.daemon.control import DaemonControl, HostState
from reconciler.daemon.drift import DriftHealer, DriftReporter
from reconciler.daemon.drills import Drills
from reconciler.daemon.events import EventPublisher
from reconciler.daemon.followers import FollowerContext, FollowerThread
from reconciler.daemon.history import Backfill, HistoryUpload
from reconciler.daemon.host import Dependencies, Host
from reconciler.daemon.hostconfig import HostConfigReader
from reconciler.daemon.liveview import LiveView
from reconciler.daemon.loop import Intervals, Loop
from reconciler.daemon.metrics import Exposition, TimedPolicyEngine
from reconciler.daemon.notifier import Facts, Notifier
from reconciler.daemon.publishing import Publisher, published_copy
from reconciler.daemon.repository import FollowedRepository, GitWatcher
from reconciler.daemon.roots import DailyRoots
from reconciler.daemon.sessions import SharedSessions
from reconciler.errors import BugError, ReconcilerError, RetryLater
from reconciler.ledger.ledger import SqlLedger
from reconciler.metrics import About, Metrics
from reconciler.model.halt import HaltAct
from reconciler.model.host import ConditionSeverity
from reconciler.model.log import Level
from reconciler.model.receiver import LOOPBACK
from reconciler.notify.addresses import commit_page
from reconciler.notify.messages import Origin
from reconciler.notify.receivers import make_senders, trust_as_git
from reconciler.reconcile.branch import observe_branch
from reconciler.reconcile.plan import Planner
from reconciler.report.status import build_status
from reconciler.service.context import Context, History, branch_choice
from reconciler.service.events import EventBuffer
from reconciler.service.host import history_off, raise_unresolved
from reconciler.service.kinds import known_kinds
from reconciler.service.pages import Pages
from reconciler.service.releasing import ReleaseJudge
from reconciler.service.services import Services
from reconciler.settings import NO_REDIS
from reconciler.web.app import ServedHost
from reconciler.web.auth import ServerConfig
from reconciler.web.server import HttpServer, parse_listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from reconciler.adapters.git.mirror import Mirror
    from reconciler.daemon.followers import MakeFollower
    from reconciler.daemon.hostconfig import HostConfig
    from reconciler.kinds.kind import Kinds
    from reconciler.model.halt import HaltStep
    from reconciler.model.host import Owner
    from reconciler.model.live import CompareView
    from reconciler.ports import Log
    from reconciler.reconcile.rules import BundledSchemas
    from reconciler.service.context import Openers, Target
    from reconciler.sessionlayout import SessionLayout
    from reconciler.settings import Settings
    from reconciler.status import Status

LOG = "Log"


YOUNG, MIDDLE, OLD = 1_000, 10, 2_000
"""Objects until the youngest generation is collected; collections of it until the middle one is; collections of that
until all objects are. 10,000 objects take about 5 ms; 20 million are 400,000 resources."""
REST = timedelta(seconds=5)
"""How long the daemon has to be idle: until then followers and readers have what a large commit left, or another
commit comes."""
ONCE = timedelta(seconds=1.5)
"""How long memory is given back after that: each rest once, or twice. What followers free meanwhile goes next time."""
IDLE_COLLECTIONS = 5
"""Collections of the middle generation after which an idle moment is used for a full one: 50,000 more objects."""


class DaemonParts(Struct, frozen=True):
    """What the composition root gives a daemon.

    `find_redis` says where the Redis server is, and raises as it likes; `compare_view` is None without a live view.
    """

    settings: Settings
    name: str
    state: Path
    openers: Openers
    mirror: Mirror | None
    bundled: BundledSchemas
    session_layout: SessionLayout
    find_redis: Callable[[], str]
    compare_view: CompareView | None


class Daemon(Struct, frozen=True):
    """A daemon that runs. `address` is where it listens, as in a URL."""

    address: str
    repository: str
    branch: str
    log: DaemonLog
    _conditions: Conditions

    def check(self) -> None:
        """To be called now and then: sees to what nobody else would notice."""
        snapshot = self._conditions.snapshot()
        rested = SystemClock().now() - snapshot.phase_since
        if snapshot.phase is Phase.IDLE and rested > REST:
            collect_garbage_if_due()
            if rested < REST + ONCE:
                return_freed_memory()
        if self.log.trouble:
            hint = "what happens is still told on stderr; see that the disk has room and may be written"
            self._conditions.set(LOG, ConditionSeverity.RETRYING, "NotWritten", self.log.trouble, hint)
        else:
            self._conditions.clear(LOG)


@contextmanager
def run_daemon(
    given: DaemonParts,
    command: str,
    stream: TextIO,
    style: Style,
    followers: Sequence[MakeFollower] = (),
) -> Iterator[Daemon]:
    """Run the daemon while the block lasts. `command` is what tells others who holds the state folder.

    Raises `RetryLater` when another one holds it, `NeedsHuman` when the repository, the folder or the address cannot
    be had.
    """
    settings, state, clock = given.settings, given.state, SystemClock()
    with ExitStack() as stack:
        unwritten = stack.enter_context(hold_folder(state, clock, command))
        log = stack.enter_context(DaemonLog(state, stream, style))
        token = new_token()
        for secret in (*settings.secrets, token):
            log.redactor.add(secret)
        metrics = Metrics(About(given.name, settings.origin.poll_interval, settings.redis_url != NO_REDIS))
        deps = make_dependencies(given, log.events, metrics, stack)
        conditions = deps.conditions
        host = Host(deps, given.bundled)
        deps.repository.bind(_read_owner(deps.store))
        target = deps.repository.open()
        loop = Loop(host, conditions, Backoff, Intervals(poll=settings.origin.poll_interval), partial(_bug, log))
        watcher = GitWatcher(deps.repository.refs(), loop.trigger, loop.prepare)
        control = DaemonControl(host, loop)
        follower_context = FollowerContext(settings, state, deps.store, log.events, control.note)
        makers: tuple[MakeFollower, ...] = (
            partial(_live_view, given.session_layout, settings),
            _publisher,
            *followers,
        )
        host.followers = tuple(
            FollowerThread(follower, lambda: host.observed.stored.applied, conditions, log.events)
            for make in makers
            if (follower := make(follower_context)) is not None
        )
        host_state = HostState(host, loop, watcher.blind_reason)
        sessions = stack.enter_context(SharedSessions(given.find_redis, given.session_layout, settings.idle_timeout))
        context = _context(given, host_state, deps, sessions)
        services, events = Services(context, lambda: control), EventBuffer()
        exposition = Exposition(
            metrics, host_state.status, host_state.heartbeats, lambda: deps.host_config.config.backup_interval
        )
        served = ServedHost(services, Pages(context), events, host_state.hint, metrics.http, exposition.expose)
        config = ServerConfig(token, settings.webhook_secret, grants=settings.grants, local_reads=settings.local_reads)
        server = HttpServer(served, config, parse_listen(settings.listen))
        host_state.address = str(server.address.local)
        publisher = EventPublisher(events, lambda: to_json(build_status(host_state.status())))
        host.on_sync, conditions.on_update = publisher.publish_sync, publisher.publish_state
        host.on_halts = partial(_hear_halts, loop, publisher)
        if settings.receivers:
            notifier = make_notifier(given, deps, target, host_state.status)
            host.on_refresh = notifier.exchange
            stack.enter_context(notifier)
        deps.host_config.on_change(partial(_apply_host_config, log, deps.upload, host.followers))
        log.events.event("Starting", unwritten, repository=target.repository, branch=target.branch)
        stack.enter_context(loop)
        for thread in host.followers:
            stack.enter_context(thread)
        for part in (watcher, server, announce(state, host_state.address, token)):
            stack.enter_context(part)
        stack.callback(deps.repository.stop_fetch)
        log.events.event("Listening", address=f"http://{host_state.address}")
        yield Daemon(host_state.address, target.repository, target.branch, log, conditions)
        log.events.event("Stopping")


def make_dependencies(given: DaemonParts, log: Log, metrics: Metrics, stack: ExitStack) -> Dependencies:
    """What the host works with; `stack` closes it."""
    settings, openers, clock = given.settings, given.openers, SystemClock()
    conditions = Conditions(clock, ConditionLog(log).log_change)
    store = SharedStore(given.state, clock)
    stack.callback(store.close_idle)
    repository = FollowedRepository(settings, openers.source, given.mirror, log, metrics)
    stack.callback(repository.close)
    backfill = Backfill(settings, openers.source, given.bundled, openers.faults)
    on_error = partial(show_upload_error, conditions, log)
    upload = HistoryUpload(openers, backfill, given.name, clock, on_error, metrics)
    stack.callback(upload.close)
    return Dependencies(
        repository=repository,
        store=store,
        upload=upload,
        policy_engine=TimedPolicyEngine(stack.enter_context(openers.policy_engine()), metrics),
        drift=DriftHealer(conditions, log, clock) if settings.heal_drift else DriftReporter(conditions, clock),
        backups=Backups(given.state, store, clock, log, metrics),
        drills=Drills(given.state, store, given.bundled, clock, log),
        roots=DailyRoots(
            store,
            partial(openers.make_root, given.name),
            conditions,
            clock,
            log,
            signs=settings.evidence_key is not None,
        ),
        host_config=HostConfigReader(settings.config_resource, log),
        compare_view=given.compare_view,
        conditions=conditions,
        metrics=metrics,
        log=log,
        clock=clock,
        faults=openers.faults,
        judge=ReleaseJudge(store.reading, openers.nearby, openers.policy_engine, given.bundled, openers.faults),
        halts=openers.halts(given.state),
        state_folder=given.state,
        name=given.name,
    )


def make_notifier(given: DaemonParts, deps: Dependencies, target: Target, status: Callable[[], Status]) -> Notifier:
    """What tells the receivers of what happens from now on."""
    settings = given.settings
    url = settings.origin.url or target.source.repository
    page = commit_page(url, settings.receivers)
    loopback = parse_listen(settings.listen).host in LOOPBACK
    dashboard = "" if loopback else f"http://{settings.listen}"
    origin = Origin(given.name, target.repository, target.branch, page, dashboard, url, settings.path)
    senders = make_senders(trust_as_git(settings.receivers, url, target.source.find_authorities), origin)
    facts = Facts(
        folder=given.state,
        status=status,
        open_source=given.openers.source,
        conditions=deps.conditions,
        log=deps.log,
        clock=deps.clock,
        metrics=deps.metrics.notifications,
    )
    notifier = Notifier(senders, facts)
    with suppress(ReconcilerError):  # `exchange` begins with the first operation that has the store
        notifier.begin(deps.store.store())
    return notifier


def _read_owner(store: SharedStore) -> Owner | None:
    """What the store belongs to; None also where it cannot be read: the first look tells why."""
    try:
        return store.store().owner()
    except ReconcilerError:
        return None


def _context(given: DaemonParts, host_state: HostState, deps: Dependencies, sessions: SharedSessions) -> Context:
    """What the services of this daemon answer from."""
    store, upload = deps.store, deps.upload

    def kinds() -> Kinds:
        with store.reading() as reader:
            return known_kinds(reader, given.bundled)

    def resolve(revision: str) -> str | None:
        try:
            with given.openers.source() as source:
                return source.resolve(revision)
        except RetryLater as error:
            raise_unresolved(error, revision)

    @contextmanager
    def open_history(wait: float) -> Iterator[History]:
        upload.flush(wait)
        if upload.open_ledger is None:
            raise history_off()
        with upload.open_ledger() as ledger:
            sql = ledger if isinstance(ledger, SqlLedger) else None
            yield History(ledger, sql, kinds, resolve, upload.branch, store.reading)

    @contextmanager
    def open_planner() -> Iterator[tuple[Planner, str]]:
        with given.openers.source() as source:
            branch = host_state.status().branch or None  # none before the first look
            followed = observe_branch(source, branch_choice(given.settings), branch, has_rows=False)
            planner = Planner.of_folder(
                source, given.settings.path, given.bundled, given.openers.policy_engine, given.openers.faults
            )
            yield planner, followed.planned_head()

    return Context(
        settings=given.settings,
        name=given.name,
        state=given.state,
        clock=deps.clock,
        open_bundled=lambda: given.bundled,
        keeps_history=given.openers.ledger is not None,
        open_rows=store.reading,
        open_own_rows=store.reading,
        open_history=open_history,
        open_planner=open_planner,
        open_sessions=sessions.open,
        session_layout=lambda: given.session_layout,
        query_rows=partial(given.openers.query, store.reading, given.bundled.kinds),
        write_table=given.openers.write_table,
        status=host_state.status,
        standing_halts=deps.halts.read,
        spool=partial(write_spooled, given.state),
        list_backups=partial(backup.backups, given.state),
        heartbeats=host_state.heartbeats,
        ready=host_state.is_ready,
        hold=host_state.hold,
    )


def _live_view(layout: SessionLayout, settings: Settings, context: FollowerContext) -> LiveView | None:
    """What keeps Redis up to date; None for a host that has none."""
    if settings.redis_url == NO_REDIS:
        return None
    return LiveView(context, lambda link: make_sessions(link, layout, settings.idle_timeout), layout)


def _publisher(context: FollowerContext) -> Publisher | None:
    """What keeps the published copy up to date; None for a host that has none."""
    copy = published_copy(context.settings, context.state_folder)
    return None if copy is None else Publisher(context, copy)


def _hear_halts(loop: Loop, publisher: EventPublisher, step: HaltStep) -> None:
    """Tell clients at once: the operations thread may be waiting for git."""
    publisher.publish_state()
    if any(change.act is HaltAct.RELEASED for change in step.changes):
        loop.reconcile_again()  # a commit that the halt held may go live now


def _apply_host_config(
    log: DaemonLog, upload: HistoryUpload, followers: Sequence[FollowerThread], config: HostConfig
) -> None:
    log.set_level(config.log_level)
    log.set_max_size(config.max_log_size_bytes)
    upload.set_interval(config.ship_interval)
    for follower in followers:
        follower.configure(config)


def _bug(log: DaemonLog, error: Exception) -> str:
    """Write down an exception that nobody expected; where its trace is."""
    what = str(error) if isinstance(error, BugError) else f"unexpected {type(error).__name__}: {error}"
    log.events.event("Bug", what, level=Level.ERROR, error=error)
    return str(log.file)


def set_gc_thresholds() -> None:
    """Let Python collect reference cycles in small steps from now on.

    A full collection stops every thread: for a second and more with a hundred thousand resources in memory, of which
    hardly any are in a cycle. So it is made while the daemon is idle.
    """
    gc.set_threshold(YOUNG, MIDDLE, OLD)


@contextmanager
def ignoring_what_is_there() -> Iterator[None]:
    """Never look for garbage among what there is by now, which is what was imported, until the block ends."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()  # DuckDB's binding calls a leak what is not freed in the end, and says so


def collect_garbage_if_due() -> None:
    """Collect everything if that is due. Call it while nothing else is done."""
    if gc.get_count()[2] >= IDLE_COLLECTIONS:
        gc.collect()
