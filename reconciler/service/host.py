"""How this host is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from reconciler.answers import Answer
from reconciler.errors import NeedsHuman, ReconcilerError, RetryLater, UsageError
from reconciler.report.status import build_status
from reconciler.service.context import Service

if TYPE_CHECKING:
    from reconciler import answers
    from reconciler.service.context import Heartbeat


class Health(Answer, frozen=True):
    healthy: bool
    threads: dict[str, str]


class Ready(Answer, frozen=True):
    ready: bool


class Host(Service):
    """What the operations thread saw last; never waits for it."""

    def status(self) -> answers.Status:
        """What is live, and whether it is what git says."""
        return build_status(self.context.status())

    def health(self) -> Health:
        """What each thread is doing. Raises `RetryLater` when one has been silent for too long."""
        heartbeats = self.context.heartbeats()
        stuck = ", ".join(_silence(heartbeat) for heartbeat in heartbeats if heartbeat.stuck)
        if stuck:
            raise RetryLater(stuck, hint="restart the daemon; it goes on where it was")
        return Health(healthy=True, threads={beat.thread: beat.doing for beat in heartbeats})

    def readiness(self) -> Ready:
        """Raises `RetryLater` until the first reconcile has ended, however it ended, and while a human has to help."""
        held = self.context.hold()
        if held is not None:
            raise RetryLater(f"{held.reason}: {held.message}", hint=held.hint)
        if not self.context.ready():
            raise RetryLater("the first reconcile has not ended yet")
        return Ready(ready=True)


def _silence(heartbeat: Heartbeat) -> str:
    allowed = f"{heartbeat.limit:.0f} s allowed"
    return f"{heartbeat.thread} ({heartbeat.doing}) has given no sign of life for {heartbeat.age:.0f} s, {allowed}"


def history_off() -> UsageError:
    """The error for a question to the history on a host that keeps none."""
    return UsageError("this host keeps no history", hint="set history.url to chdb, duckdb or a ClickHouse server")


def raise_unresolved(error: ReconcilerError, revision: str) -> NoReturn:
    """Raise what there is to say about a revision that git, which cannot be read, would have to know."""
    hint = f"shas and moments do without; git says: {error}"
    raise NeedsHuman(f"{revision} is no sha of the history, and git, which knows tags, cannot be asked", hint=hint)
