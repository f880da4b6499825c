"""What the HTTP side asks of the daemon behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    from reconciler.web.catalogue import Catalogue
    from reconciler.web.measures import Measures
    from reconciler.web.pages.views import Views
    from reconciler.web.pulse import Feed
    from reconciler.web.questions import Questions
    from reconciler.web.sessions import Sessions

    Answer = Mapping[str, Any]
    """A JSON object, in the shapes of docs/commands.md."""
    Place = tuple[Any, ...]
    """Where a page of a list ended: JSON values."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A thread's sign of life: what it is doing, how long ago it last said so, and how long that may be (seconds)."""

    thread: str
    doing: str
    age: float
    limit: float

    @property
    def stuck(self) -> bool:
        """Whether it has been silent for too long."""
        return self.age > self.limit


class Operations(Protocol):
    """The daemon, as HTTP sees it. What a call cannot do it raises, or sets in its future, as a `ReconcilerError`.

    The first five return at once, whatever the daemon is doing: they are called on the thread that serves everybody.
    The others may take their time, within deadlines of their own: they are called on other threads, several at once.
    """

    @property
    def measures(self) -> Measures:
        """What counts requests and tells all figures."""
        ...

    @property
    def views(self) -> Views:
        """What pages show."""
        ...

    @property
    def questions(self) -> Questions:
        """What runs queries, and makes files of whole tables."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """The kinds, and what comes next."""
        ...

    @property
    def feed(self) -> Feed:
        """What happened."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Sessions of this host."""
        ...

    def heartbeats(self) -> Sequence[Heartbeat]:
        """A sign of life of each thread that must not stand still."""
        ...

    def ready(self) -> bool:
        """Whether the first reconcile has ended, however it ended."""
        ...

    def hint(self, source: str) -> None:
        """Something may have changed in git, says `source`. A hundred hints in a row are worth one fetch."""
        ...

    def submit_sync(self, approve: str | None, by: str, *, force: bool) -> Future[Answer]:
        """Queue one reconcile; `force` also while suspended. The answer is what `sync --format json` prints."""
        ...

    def submit_verify(self, by: str) -> Future[Answer]:
        """Queue a comparison of ledger and live rows with git; what `verify --format json` prints."""
        ...

    def submit_heal(self, by: str) -> Future[Answer]:
        """Queue putting right all that drifted; what `drift --heal --format json` prints."""
        ...

    def submit_back_up(self, by: str) -> Future[Answer]:
        """Queue a backup; where it is."""
        ...

    def submit_restore(self, file: Path, by: str) -> Future[Answer]:
        """Queue making a backup the store."""
        ...

    def status(self) -> Answer:
        """What `status --format json` prints."""
        ...

    def rows(self, kind: str, name: str | None) -> Answer:
        """The live rows of a kind, or the one that goes by a name."""
        ...

    def page(self, kind: str, limit: int, after: tuple[str, str] | None) -> Answer:
        """So many live rows of a kind after a place (`paging.row_place`); `next` is the last one's, None at the end."""
        ...

    def versions(self, limit: int, filters: Mapping[str, str], after: Place | None = None) -> Answer:
        """The newest versions of the history, or those that all of some filters let through, after a place.

        `next` is the place of the last, None at the end. Of the next one too.
        """
        ...

    def version(self, revision: str) -> Answer:
        """One version, and what it changed."""
        ...

    def history(self, kind: str | None, name: str | None, limit: int, after: Place | None = None) -> Answer:
        """The changes of a resource, or the newest of all."""
        ...

    def show(self, kind: str, name: str | None, at: str) -> Answer:
        """The live rows of a kind, or the one that went by a name, as they were at a commit or moment."""
        ...

    def diff(self, base: str, head: str) -> Answer:
        """What is otherwise at one commit or moment than at another."""
        ...

    def blame(self, kind: str, name: str) -> Answer:
        """For each field of a live row the commit that last set it."""
        ...

    def drift(self) -> Answer:
        """What `drift --format json` prints."""
        ...

    def suspend(self, reason: str, until: datetime | None, by: str) -> Answer:
        """Stop automatic reconciling, for good or until a moment (aware, UTC)."""
        ...

    def resume(self, by: str) -> Answer:
        """Take it up again."""
        ...
