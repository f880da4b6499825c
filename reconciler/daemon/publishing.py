"""The follower that publishes `live.duckdb`, which programs read beside a daemon that has the store."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.published import FILE_NAME, Change, PublishedCopy
from reconciler.daemon.followers import Follower
from reconciler.errors import RetryLater
from reconciler.model.log import Level
from reconciler.service.context import PUBLISHED
from reconciler.tables.view import view_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.adapters.duckdb.reader import DuckDBReader
    from reconciler.daemon.followers import FollowerContext
    from reconciler.model.commit import Applied
    from reconciler.model.live import ViewMark
    from reconciler.reconcile.sync import AppliedStep
    from reconciler.settings import Settings

MIN_INTERVAL = 1.0
"""Seconds from the end of one publication to the next one: of commits that come sooner, the last is published."""
HEAD_START = 0.05
"""Seconds in which those who wait for a commit are told of it first: a publication keeps a processor busy as long."""


def published_copy(settings: Settings, state: Path) -> PublishedCopy | None:
    """The copy that settings name; None for a host that publishes none."""
    if not settings.publishes:
        return None
    path = settings.publish_path
    if path is None:
        return PublishedCopy(state / FILE_NAME, settings.publish_mode, None, is_ours=True)
    file = path.resolve() / FILE_NAME if path.is_dir() else path.parent.resolve() / path.name
    return PublishedCopy(file, settings.publish_mode, settings.working_tree, is_ours=False)


def publish_once(settings: Settings, state: Path, reader: DuckDBReader, step: AppliedStep | None) -> None:
    """Publish what is live, after a step of a command's. Raises `NeedsHuman` or `RetryLater` when that cannot be."""
    copy, applied = published_copy(settings, state), reader.applied()
    if copy is None or applied is None:
        return
    copy.begin()
    if copy.published() == view_mark(applied) and copy.verify(lambda: nullcontext(reader)):
        return
    if step is not None:
        _hear(copy, step)
    if not copy.publish(view_mark(applied), lambda: nullcontext(reader)):
        raise RetryLater(
            f"{copy.file} cannot be replaced while a program has it open", hint="the next sync tries again"
        )


def _hear(copy: PublishedCopy, step: AppliedStep) -> None:
    if step.base is not None and not step.replaced and not step.migrated:
        copy.hear(Change.of(step.kinds, step.base, step.applied, step.rows))


class Publisher(Follower):
    """Publishes the commit that is live."""

    name, condition = "published", PUBLISHED

    def __init__(self, context: FollowerContext, copy: PublishedCopy) -> None:
        self._context, self._copy = context, copy
        self._done = float("-inf")
        self._awaited: ViewMark | None = None
        self._is_held, self._shown = False, ""

    @contextmanager
    def connect(self) -> Iterator[None]:
        """Find what is there."""
        self._copy.begin()
        self._awaited = None
        yield

    def catch_up(self, applied: Applied | None) -> None:
        """Publish the applied commit where another one is; what it changed may be about to be heard."""
        if applied is None:
            return
        at, published = view_mark(applied), self._copy.published()
        if published == at:
            self._shown = at.commit[:8]
            return
        awaited, self._awaited = self._awaited, at
        if published is None or self._copy.newest() == at or awaited == at:
            self._publish(at)

    def apply(self, step: AppliedStep) -> None:
        """Remember what a commit changed, and publish it if it is time."""
        _hear(self._copy, step)
        if self._is_due():
            time.sleep(HEAD_START)
            self._publish(view_mark(step.applied))

    def compare(self) -> Iterator[None]:
        """Compare all rows with the live ones."""
        if self._copy.published() is not None and not self._copy.verify(self._context.store.reading):
            self._log_altered()
        return iter(())

    def state(self) -> str:
        """What is published, and whether a newer commit waits."""
        waits = ", which a reader keeps open: the next commit waits" if self._is_held else ""
        return f"{self._shown or 'nothing yet'} in {self._copy.file}{waits}"

    def _log_altered(self) -> None:
        message = f"{self._copy.file} is not as it was left, and is made anew: something else was there"
        self._context.log.event("CopyAltered", message, level=Level.WARN)

    def _is_due(self) -> bool:
        return time.monotonic() - self._done >= MIN_INTERVAL

    def _publish(self, at: ViewMark) -> None:
        if not self._is_due():
            return
        if self._copy.is_altered():
            self._log_altered()
        self._is_held = not self._copy.publish(at, self._context.store.reading)
        self._done, published = time.monotonic(), self._copy.published()
        self._shown = published.commit[:8] if published else ""
