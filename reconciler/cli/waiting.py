"""`status --wait`: the status each time it may have changed, until it says that a commit is live or refused."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from reconciler.backoff import Backoff
from reconciler.errors import ReconcilerError, RetryLater, UsageError
from reconciler.report.status import is_settled, unsettled_text
from reconciler.service.history import History
from reconciler.service.host import Host
from reconciler.times import SPAN_HINT, parse_span
from reconciler.wiring.host import open_host
from reconciler.wiring.running import find_running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler import answers
    from reconciler.cli.options import Globals
    from reconciler.settings import Settings

PAUSE = 0.5
"""Seconds between two looks where no daemon says that something happened."""
LONGEST_LOOK = 30.0
"""Seconds that a daemon is asked to wait for something to happen."""
SHA = re.compile(r"[0-9a-f]{7,64}")


def parse_patience(text: str) -> float:
    """Seconds of a span such as `5m`. Raises `UsageError`."""
    span = parse_span(text)
    if span is None:
        raise UsageError(f"{text!r} is no span of time", hint=SPAN_HINT)
    return span.total_seconds()


def check_commit(text: str) -> str:
    """The sha that a text is. Raises `UsageError` for another name of a commit, which is another one a moment later."""
    if SHA.fullmatch(text.lower()) is None:
        raise UsageError(f"{text!r} is no sha of a commit", hint="give at least 7 digits of it: git rev-parse HEAD")
    return text.lower()


def await_commit(given: Globals, seconds: float, commit: str | None) -> tuple[answers.Status, bool | None]:
    """The status when the head, or a commit, went live (True) or was refused (False), or after so many seconds (None).

    Raises the error of the last look where all of them failed.
    """
    settings, end = given.settings(), time.monotonic() + seconds
    told, fate = "", FateWatch(lambda: _fate(settings, commit) if commit else None)
    for status in _watch(settings, end):
        settled = is_settled(status, commit)
        if settled is None and commit is not None:
            settled = is_settled(status, commit, fate.at(status))
        if settled is not None:
            return status, settled
        if told != (told := unsettled_text(status)):
            given.say(f"waiting: {told}")
    return status, None


class FateWatch:
    """What became of a commit: asked again once the host has moved, and after a pause as long as nothing is known.

    A version is recorded after its commit was looked at, so a status may be ahead of the history.
    """

    def __init__(self, ask: Callable[[], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._pauses = Backoff(PAUSE, LONGEST_LOOK)
        self._place: object = None
        self._fate: str | None = None
        self._again = 0.0

    def at(self, status: answers.Status) -> str | None:
        """The fate while the host stands like this; None as long as the history does not know it."""
        place = (status.head, status.applied, status.attempted, status.suspended)
        has_moved = place != self._place
        if has_moved:
            self._pauses.reset()
        if has_moved or (self._fate is None and self._clock() >= self._again):
            self._place, self._fate = place, self._ask()
            self._again = self._clock() + self._pauses.next()
        return self._fate


def given_up(status: answers.Status, patience: str, commit: str | None) -> RetryLater:
    """Why waiting ended without an answer, and what may help."""
    if status.suspended is not None:
        hint = "reconciling is suspended: `reconciler resume` ends that"
    elif status.daemon is None:
        hint = "no daemon runs here: `reconciler run` starts it, `reconciler sync` reconciles once"
    else:
        hint = next((trouble.hint for trouble in status.troubles), "`reconciler logs` says what the daemon does")
    wanted = f"commit {commit} is not live" if commit else "the head is not live and healthy"
    return RetryLater(f"{wanted} after {patience}: {unsettled_text(status)}", hint=hint)


def _watch(settings: Settings, end: float) -> Iterator[answers.Status]:
    """How the host stands, now and each time that may have changed; the last one at a moment of the monotonic clock."""
    tag, failure, status = "", None, None
    while True:
        left = max(0.0, end - time.monotonic())
        try:
            daemon = find_running(settings)
            if daemon is None:
                tag, status = "", open_host(settings).ask(Host.status)
                yield status
                time.sleep(min(PAUSE, left))
            elif changed := daemon.await_change(Host.status, tag, min(LONGEST_LOOK, left)):
                status, tag = changed
                yield status
            elif status is not None:  # the history may know more by now
                yield status
        except RetryLater as error:  # a daemon that starts, or another process that has the store
            failure = error
            time.sleep(min(PAUSE, left))
        if left == 0:
            if status is None and failure is not None:
                raise failure
            return


def _fate(settings: Settings, commit: str) -> str | None:
    """What became of a commit, where the history knows it already."""
    try:
        return open_host(settings).ask(History.version, commit).version.fate or None
    except ReconcilerError:
        return None
