"""Plans from the live rows to a commit, or to files that are edited."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from reconciler.adapters.daemonfile import find_daemon
from reconciler.adapters.duckdb.store import open_reader
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater
from reconciler.reconcile.empty import EmptyStore
from reconciler.reconcile.plan import Planner
from reconciler.service.host import Host
from reconciler.service.local import DaemonCommit
from reconciler.service.remote import DaemonClient
from reconciler.values import replace
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder, open_draft
from reconciler.wiring.local import local_host
from reconciler.wiring.policies import policy_engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kinds
    from reconciler.plan import Plan
    from reconciler.service.context import Place, Progress
    from reconciler.service.local import LocalHost
    from reconciler.service.workingtree import Checkout
    from reconciler.settings import Settings
    from reconciler.wiring.policies import OpenEngine


def plan_ahead(
    settings: Settings, open_engine: OpenEngine, head: str | None, progress: Progress | None = None
) -> tuple[Plan, Kinds]:
    """From the live rows to a commit, with the kinds to describe it in; while a daemon runs, from what it has live.

    Without a head, to that of the branch.
    """
    host = local_host(settings, progress)
    host.openers = replace(host.openers, policy_engine=open_engine)
    return plan_on(host, head)


def plan_on(host: LocalHost, head: str | None) -> tuple[Plan, Kinds]:
    """The same on a host that is not opened yet."""
    daemon = find_daemon(host.find_state_folder())
    live = partial(_live_commit, daemon.address, daemon.token) if daemon and not daemon.stopped else None
    return host.plan_ahead(head, live)


def plan_edited(
    settings: Settings, checkout: Checkout, edits: Mapping[str, bytes], progress: Progress | None = None
) -> tuple[Plan, Kinds, str] | None:
    """From the live rows to a working tree with some files edited, as if it were committed.

    Where no rows are at hand it is from what is checked out, and the text beside says why. None without a repository.
    """
    with open_draft(checkout, edits) as opened:
        if opened is None:
            return None
        source, draft = opened
        host = local_host(settings, progress)
        host.openers = replace(host.openers, source=lambda: nullcontext(source), fetch=lambda: None)
        try:
            why = "" if _has_rows(host) else "nothing is live on this host"
            if not why:
                return *plan_on(host, draft.commit), why
        except ReconcilerError as error:
            why = str(error)
        planner = Planner.of_folder(source, settings.path, bundled_kinds(), policy_engine, fault_finder())
        if draft.parent is None:
            return *planner.plan_sync(EmptyStore(), draft.commit), why
        return *planner.plan_commits(draft.parent, draft.commit), why


def _has_rows(host: LocalHost) -> bool:
    state = host.find_state_folder()
    if find_daemon(state):
        return True
    with open_reader(state) or nullcontext() as store:
        return store is not None and store.applied() is not None


def _live_commit(address: str, token: str, place: Place) -> DaemonCommit:
    """The commit that a daemon has live, and its branch.

    Raises `RetryLater` while it starts, `NeedsHuman` if it is another's.
    """
    status = DaemonClient(address, token).ask(Host.status)
    if status.daemon is None or status.daemon.last_sync_at is None:
        raise RetryLater("the daemon has only just started", hint="try again in a moment; `reconciler status` tells")
    applied = status.applied.commit if status.applied else None
    if status.repository != place.repository and not (applied and place.source.has_commit(applied)):
        raise NeedsHuman(
            f"the daemon of this state folder follows {status.repository}, not {place.repository}",
            hint="choose another folder with --state, or name that repository with --repo",
        )
    return DaemonCommit(applied, status.branch, status.rolled_back)
