"""Copies of the store, each whole and consistent, in the folder `backups` of a state folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.adapters.duckdb.connection import FILE_NAME
from reconciler.adapters.duckdb.copying import copy, remove, settle, writing
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "backups"
UNFINISHED = "unfinished.duckdb"
STAMP = "%Y%m%dT%H%M%SZ"
NAME = re.compile(r"state-(?P<at>\d{8}T\d{6}Z)\.duckdb", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Backup:
    """A copy, and when it was made (aware, UTC, to the second)."""

    at: datetime
    file: Path


def back_up(folder: Path, now: datetime) -> Path:
    """Copy the store of a state folder to `backups/state-<UTC>.duckdb` there, readable by its owner only.

    What has such a name is whole: it was opened and compared before it got it. This process must not have the store
    open (`BugError`). Raises `RetryLater` while another one has, or when the disk is full, `NeedsHuman` when there is
    no store, it is damaged, or the folder cannot be written.
    """
    store, backups = folder / FILE_NAME, folder / FOLDER
    if not store.exists():
        raise NeedsHuman(f"there is no store in {folder} to back up", hint="`reconciler sync` makes one from git")
    unfinished = backups / UNFINISHED
    finished = backups / f"state-{now.astimezone(UTC).strftime(STAMP)}.duckdb"
    with writing(backups):
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        copy(store, unfinished)
    except BaseException:
        with writing(unfinished):
            remove(unfinished)
        raise
    with writing(finished):
        unfinished.replace(finished)
        settle(backups)
    return finished


def backups(folder: Path) -> tuple[Backup, ...]:
    """The copies in a state folder, the oldest first. Files of other names are none of ours."""
    return tuple(sorted(_named(folder / FOLDER)))


def delete(found: Backup) -> None:
    """Delete a copy. Raises `NeedsHuman` when it cannot be deleted."""
    with writing(found.file):
        remove(found.file)


def _named(folder: Path) -> Iterator[Backup]:
    for file in folder.glob("state-*.duckdb"):
        name = NAME.fullmatch(file.name)
        try:
            at = datetime.fromisoformat(name["at"]) if name else None
        except ValueError:  # the 99th of a month
            continue
        if at is not None:
            yield Backup(at, file)
