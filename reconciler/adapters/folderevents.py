"""What comes, goes and changes directly in some folders, told by the operating system while it happens.

Folders are watched and never files: a watch on a file ends when another one is renamed over it, and so git writes.
Reading a file is no event.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol, TypeAlias

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if sys.platform == "linux":
    from reconciler.adapters.inotify import Inotify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from watchdog.observers.api import BaseObserver, ObservedWatch

    from reconciler.adapters.refplaces import Identity

    Tell: TypeAlias = Callable[[str], None]
    """Takes the path of what may have changed, in a thread of the watcher's. It must neither wait nor raise."""

EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
]
"""Not that a file was modified: Windows also says so when one was read. What is renamed into place is moved."""

ENDING = 0.4
"""Seconds that the threads have to end."""


class FolderEvents(Protocol):
    """The watch on some folders."""

    @property
    def alive(self) -> bool:
        """Whether events can still come."""
        ...

    def follow(self, folders: Mapping[Path, Identity]) -> None:
        """Watch these and no others. Raises `OSError` when the operating system cannot."""
        ...

    def close(self) -> None:
        """Stop watching, and end all threads."""
        ...


def open_events(tell: Tell) -> FolderEvents:
    """The operating system's own way. Raises `OSError` when there is none left."""
    if sys.platform == "linux":
        events: FolderEvents = Inotify(tell)
    else:
        events = Observed(tell)
    return events


class Observed:
    """The folders by way of watchdog's observers, which know ReadDirectoryChangesW and FSEvents.

    Folders within `refs` are watched through it: an open handle on one would keep git from removing it on Windows.
    """

    def __init__(self, tell: Tell) -> None:
        self._heard = _Heard(tell)
        self._observer: BaseObserver = Observer()
        self._observer.start()
        self._watched: dict[Path, tuple[Identity, ObservedWatch]] = {}

    @property
    def alive(self) -> bool:
        """Whether the observer's thread is."""
        return self._observer.is_alive()

    def follow(self, folders: Mapping[Path, Identity]) -> None:
        """Watch these and no others. Raises `OSError` when the operating system cannot."""
        wanted = {path: identity for path, identity in folders.items() if not _in_refs(path, folders)}
        working = {emitter.watch for emitter in self._observer.emitters if emitter.is_alive()}
        for path, (identity, watch) in list(self._watched.items()):
            if wanted.get(path) != identity or watch not in working:
                del self._watched[path]
                self._observer.unschedule(watch)
        for path in wanted.keys() - self._watched.keys():
            watch = self._observer.schedule(self._heard, str(path), recursive=path.name == "refs", event_filter=EVENTS)
            self._watched[path] = wanted[path], watch

    def close(self) -> None:
        """Stop watching, and end all threads."""
        self._observer.stop()
        self._observer.join(ENDING)


def _in_refs(path: Path, folders: Mapping[Path, Identity]) -> bool:
    return any(parent.name == "refs" and parent in folders for parent in path.parents)


class _Heard(FileSystemEventHandler):
    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        for place in (event.src_path, event.dest_path):
            if place:
                self._tell(os.fsdecode(place))
