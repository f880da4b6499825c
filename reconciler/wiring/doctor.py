"""What `doctor` asks of this machine. Apart from `local`: no other command needs all that answers."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from reconciler.adapters import lock, machine
from reconciler.adapters.clickhouse import connection
from reconciler.adapters.duckdb import ledger
from reconciler.adapters.git.process import git_version
from reconciler.adapters.machine import SystemClock
from reconciler.daemon.publishing import published_copy
from reconciler.ledger.names import name_repository
from reconciler.notify.addresses import commit_page
from reconciler.notify.checks import check_receivers, try_receivers
from reconciler.notify.messages import Origin
from reconciler.notify.receivers import trust_as_git
from reconciler.service.doctor import Probes, Published, examine
from reconciler.settings import FILE_HISTORY
from reconciler.wiring.local import local_host
from reconciler.wiring.reading import session_layout
from reconciler.wiring.redis import HostRedis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.adapters.redis.probe import RedisAnswer
    from reconciler.ledger.connection import ProbeAnswer
    from reconciler.model.host import Diagnosis
    from reconciler.settings import Settings


def diagnose(config: Path | None, load: Callable[[], Settings], *, notify: bool = False) -> Iterator[Diagnosis]:
    """What each check of this host finds. With `notify`, each receiver is sent a test message."""
    probes = Probes(
        git_version=git_version,
        ask_history=_ask_history,
        ask_redis=_ask_redis,
        measure_disk=machine.measure_disk,
        check_writable=machine.check_writable,
        foreign_owner=machine.find_foreign_owner,
        open_to_others=machine.is_open_to_others,
        other_users=machine.list_other_users,
        lock_holder=_lock_holder,
        left_behind=lock.find_stale_files,
        published=_find_published,
        check_receivers=_try_receivers if notify else _check_receivers,
    )
    return examine(config, load, local_host, probes)


def _ask_history(url: str, state: Path) -> ProbeAnswer:
    return ledger.probe(state) if url == FILE_HISTORY else connection.probe(url, state)


def _ask_redis(settings: Settings, state: Callable[[], Path]) -> RedisAnswer:
    return HostRedis(settings, state).ask(session_layout())


def _find_published(settings: Settings, state: Path) -> Published | None:
    copy = published_copy(settings, state)
    if copy is None:
        return None
    at = copy.inspect()
    return Published(copy.file, None if at is None else at.commit)


def _check_receivers(settings: Settings, url: str, trusted: Callable[[str], str]) -> Iterator[Diagnosis]:
    return check_receivers(trust_as_git(settings.receivers, url, trusted), url)


def _try_receivers(settings: Settings, url: str, trusted: Callable[[str], str]) -> Iterator[Diagnosis]:
    name = settings.host or socket.gethostname()
    page = commit_page(url, settings.receivers)
    origin = Origin(name, settings.repository_name or name_repository(url), settings.branch or "", page, url=url)
    return try_receivers(trust_as_git(settings.receivers, url, trusted), origin, SystemClock().now())


def _lock_holder(state: Path) -> str | None:
    holder = lock.find_holder(state)
    return None if holder is None else str(holder)
