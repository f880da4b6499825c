"""What comes, goes and changes directly in some folders, as the operating system tells it, by way of watchdog.

Folders are watched and never files: a watch on a file ends when another one is renamed over it, and so git writes.
Reading a file is no event.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TypeAlias

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if sys.platform == "linux":
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    InotifyMoveEventGrouper.delay = 0.005
    # Half a second without this: for so long the first half of a rename waits for the other one, and everything behind
    # it. Git ends each change of a ref with a rename. The second half comes from the kernel in the same read.

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from watchdog.observers.api import BaseObserver, ObservedWatch

    Identity: TypeAlias = tuple[int, int]
    """Disk, and number on it: what tells a folder from another one that takes its path later."""

EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileClosedEvent, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
]
"""Not that a file was modified: Windows also says so when one was read. What is renamed into place is moved."""

END_SECONDS = 0.4
"""Seconds that the threads have to end."""


class FolderEvents(FileSystemEventHandler):
    """The watch on some folders. Opening it raises `OSError` when the operating system has none left.

    `on_change` takes the path of what may have changed, on a thread of watchdog's: it must neither wait nor raise.
    """

    def __init__(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._watched: dict[Path, tuple[Identity, ObservedWatch]] = {}
        self._deleted: set[str] = set()
        self._observer: BaseObserver = Observer()
        self._observer.start()

    @property
    def alive(self) -> bool:
        """Whether events can still come."""
        return self._observer.is_alive()

    def follow(self, folders: Mapping[Path, Identity]) -> None:
        """Watch these and no others. Raises `OSError` when the operating system cannot, as at a limit."""
        wanted = {path: identity for path, identity in folders.items() if not _is_below_refs(path, folders)}
        working = {emitter.watch for emitter in self._observer.emitters if emitter.is_alive()}
        for path, (identity, watch) in list(self._watched.items()):
            # Whoever takes the place of a deleted folder may well have its number on the disk
            if wanted.get(path) != identity or watch not in working or str(path) in self._deleted:
                del self._watched[path]
                self._deleted.discard(str(path))
                self._observer.unschedule(watch)
        for path in wanted.keys() - self._watched.keys():
            self._watch(path, wanted[path])

    def close(self) -> None:
        """Stop watching, and end all threads."""
        self._observer.stop()
        self._observer.join(END_SECONDS)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on the paths of an event."""
        if isinstance(event, (DirDeletedEvent, FileDeletedEvent)):
            self._deleted.add(os.fsdecode(event.src_path))
        for path in (event.src_path, event.dest_path):
            if path:
                self._on_change(os.fsdecode(path))

    def _watch(self, path: Path, identity: Identity) -> None:
        self._deleted.discard(str(path))
        try:
            watch = self._observer.schedule(
                self, str(path), recursive=_is_recursive(path), event_filter=EVENTS, follow_symlink=True
            )
        except (FileNotFoundError, NotADirectoryError):
            return  # it went just now: its parent tells, and so does the next look
        self._watched[path] = identity, watch


def _is_recursive(path: Path) -> bool:
    """Elsewhere than on Linux, where each folder has a watch of its own, folders within `refs` are watched through it:
    on Windows an open handle on one would keep git from removing it.
    """
    return sys.platform != "linux" and path.name == "refs"


def _is_below_refs(path: Path, folders: Mapping[Path, Identity]) -> bool:
    return any(_is_recursive(parent) and parent in folders for parent in path.parents)
