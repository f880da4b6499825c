"""The checks of a state folder: room, permissions, who uses it, and the store in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import RetryLater
from reconciler.model.host import Diagnosis, Grade
from reconciler.reconcile import hostchecks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Look = Callable[[], Iterable[Diagnosis]]


def state_checks(folder: Path, repository: str) -> Iterator[tuple[str, Look]]:
    """The checks of a state folder, by name."""
    yield "disk", lambda: _disk(folder)
    if not folder.is_dir():
        yield "state", lambda: [Diagnosis("state", Grade.OK, f"{folder} is not there yet: the first sync makes it")]
        return
    yield "state", lambda: _writable(folder)
    yield "permissions", lambda: _permissions(folder)
    yield "daemon", lambda: _daemon(folder)
    yield "store", lambda: _store(folder, repository)


def _disk(folder: Path) -> Iterator[Diagnosis]:
    from reconciler.adapters.machine import room

    yield hostchecks.check_disk(*room(folder))


def _writable(folder: Path) -> Iterator[Diagnosis]:
    from reconciler.adapters.machine import check_writable

    check_writable(folder)
    yield Diagnosis("state", Grade.OK, f"{folder} can be written")


def _permissions(folder: Path) -> Iterator[Diagnosis]:
    from reconciler.adapters.machine import foreign_owner, open_to_others

    owner = foreign_owner(folder)
    if owner is not None:
        message = f"{folder} belongs to another user (id {owner}): what this one writes there, that one cannot"
        yield Diagnosis(
            "permissions", Grade.WARNING, message, "run reconciler as that user, or give it the folder: chown"
        )
    if open_to_others(folder):
        message = f"others on this machine may look into {folder}, where a token may lie"
        yield Diagnosis("permissions", Grade.PROBLEM, message, f"chmod 700 '{folder}'")
    elif owner is None:
        yield Diagnosis("permissions", Grade.OK, "the state folder is for its owner only")


def _daemon(folder: Path) -> Iterator[Diagnosis]:
    from reconciler.adapters.lock import holder, left_behind

    found = holder(folder)
    if found is not None:
        yield Diagnosis("daemon", Grade.OK, f"running: {found}")
    elif files := left_behind(folder):
        message = f"not running; the last one was killed and left {' and '.join(files)}"
        yield Diagnosis("daemon", Grade.WARNING, message, "nothing to mend: the next `reconciler run` takes over")
    else:
        yield Diagnosis("daemon", Grade.OK, "not running")


def _store(folder: Path, repository: str) -> Iterator[Diagnosis]:
    from reconciler.adapters.duckdb.store import open_reader
    from reconciler.adapters.lock import holder

    try:
        store = open_reader(folder)
    except RetryLater as error:
        grade = Grade.WARNING if holder(folder) is None else Grade.OK  # the daemon's business, or somebody's
        yield Diagnosis("store", grade, str(error), error.hint if grade is Grade.WARNING else "")
        return
    if store is None:
        yield Diagnosis("store", Grade.OK, "nothing is live yet: the first sync makes it")
        return
    with store:
        store.check_owner(repository)
        applied = store.applied()
        live = f"{sum(store.counts().values()):,} rows of {applied.stamp.commit[:8]}" if applied else "no rows yet"
        yield Diagnosis("store", Grade.OK, f"opens, and holds {live}")
