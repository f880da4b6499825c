"""Which files of a folder change, as they change. The operating system's events are hints to look at once, and no more.

Events get lost: a queue runs over, a limit is reached, a network share or a container's mount sends none. So all files
are looked at now and then besides, and often where there are no events at all.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Self, TypeAlias

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
]
"""Not those of reading. That a folder was modified says nothing that the events of its files do not say."""

QUIET_SECONDS = 0.1
"""Seconds without an event after which a change is complete: editors write a file in several steps."""
MAX_SETTLE_SECONDS = 1.0
"""Seconds after which changes are told although more are coming."""
WAIT_SECONDS = 0.5
"""Seconds after which a wait for events is begun anew: on Windows, ^C is only heard in between."""
END_SECONDS = 5.0
"""Seconds that the threads have to end."""
SCAN_PAUSE, SCAN_PAUSE_WITHOUT_EVENTS = 5.0, 1.0
"""Seconds between two looks at all files: with events, and without."""
SCAN_COST_FACTOR, SCAN_COST_FACTOR_WITHOUT_EVENTS = 50, 10
"""A look that takes long is paid for by a pause of this many times as long."""


# Lost events are made up for by looking at all files; people need not hear of each.
logging.getLogger("watchdog").addHandler(logging.NullHandler())


class Watcher:
    """The changes of the wanted files below a folder, by their paths from `root`, from `with` on.

    Hidden folders are left out. `trouble` says why there are no events; it is empty when there are.
    """

    def __init__(self, root: Path, folder: str, wanted: Callable[[str], bool]) -> None:
        top = "/".join(filter(None, folder.replace(os.sep, "/").split("/")))
        self._top = root.joinpath(*top.split("/"))
        self._stats = FileStats(root, top, wanted)
        self._hints = _Hints(str(self._top), top, wanted)
        self._observer: BaseObserver | None = None
        self._due = 0.0
        self.trouble = ""

    def __enter__(self) -> Self:
        try:
            self._observer = Observer()
            self._observer.schedule(self._hints, str(self._top), recursive=True, event_filter=EVENTS)
            self._observer.start()
        except OSError as error:
            self.trouble = (error.strerror or str(error)).lower()
            self._end()
        self._look_at_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def wait(self, seconds: float) -> frozenset[str]:
        """The paths of files that came, went or changed; none when nothing did for so many seconds."""
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            if now >= self._due:
                self._hints.add(self._look_at_all())
            if self._hints.wait(min(WAIT_SECONDS, deadline - now)) and (changed := self._settled()):
                return changed
        return frozenset()

    def _settled(self) -> frozenset[str]:
        """What the hints so far lead to, once no more are coming."""
        deadline = time.monotonic() + MAX_SETTLE_SECONDS
        places = self._hints.take()
        while time.monotonic() < deadline and self._hints.wait(QUIET_SECONDS):
            places |= self._hints.take()
        return frozenset().union(*(self._stats.look(place) for place in sorted(places)))

    def _look_at_all(self) -> frozenset[str]:
        began = time.monotonic()
        changed = self._stats.changed()
        ended = time.monotonic()
        pause, share = (
            (SCAN_PAUSE, SCAN_COST_FACTOR)
            if self._observer
            else (SCAN_PAUSE_WITHOUT_EVENTS, SCAN_COST_FACTOR_WITHOUT_EVENTS)
        )
        self._due = ended + max(pause, share * (ended - began))
        return changed

    def _end(self) -> None:
        observer, self._observer = self._observer, None
        if observer is None:
            return
        observer.stop()
        if observer.is_alive():
            observer.join(END_SECONDS)


class _Hints(FileSystemEventHandler):
    """The wanted files and the folders that may have changed, collected by another thread.

    They are told by their paths from the root, on which the folder `top` is called `below`.
    """

    def __init__(self, top: str, below: str, wanted: Callable[[str], bool]) -> None:
        self._top, self._below, self._wanted = top, below, wanted
        self._places: set[str] = set()
        self._changed = threading.Condition()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Collect what an event is about: both ends of a move, and nothing in hidden folders."""
        ends = (os.fsdecode(place) for place in (event.src_path, event.dest_path) if place)
        inside = [place.removeprefix(self._top).replace(os.sep, "/") for place in ends if place.startswith(self._top)]
        places = (f"{self._below}{place}".removeprefix("/") for place in inside if "/." not in place)
        self.add({place for place in places if event.is_directory or self._wanted(place)})

    def add(self, places: Collection[str]) -> None:
        """Places by their paths from the root."""
        with self._changed:
            self._places |= set(places)
            if self._places:
                self._changed.notify()

    def wait(self, seconds: float) -> bool:
        """Whether there are any, or some come within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._places), seconds)

    def take(self) -> set[str]:
        """Those that were collected since the last time."""
        with self._changed:
            taken, self._places = self._places, set()
        return taken


FileStat: TypeAlias = tuple[int, int, int, int]
"""Kind of file, size in bytes, time of the last change in nanoseconds, and number on its disk."""


class FileStats:
    """The stamps of the wanted files below a folder, by their paths from `root`, without those in hidden folders.

    What cannot be looked at, because it is gone already or not ours to see, is taken to be gone.
    """

    def __init__(self, root: Path, folder: str, wanted: Callable[[str], bool]) -> None:
        self._root, self._wanted = str(root), wanted
        self._top = folder
        self._known: dict[str, FileStat] = {}

    def changed(self) -> frozenset[str]:
        """The files that came, went or changed since they were looked at the last time."""
        now = dict(self._below(self._top))
        known, self._known = self._known, now
        return frozenset(path for path in now.keys() | known.keys() if now.get(path) != known.get(path))

    def look(self, place: str) -> frozenset[str]:
        """The wanted files at or below a path from the root that is said to have changed, or that used to be there."""
        if self._wanted(place) and not os.path.isdir(self._place(place)):  # noqa: PTH112  a folder may have any name
            return self._replace({place} & self._known.keys(), {place: _read_stat(self._place(place))})
        prefix = f"{place}/" if place else ""
        return self._replace({path for path in self._known if path.startswith(prefix)}, dict(self._below(place)))

    def _replace(self, known: Collection[str], now: Mapping[str, FileStat | None]) -> frozenset[str]:
        for path in known:
            del self._known[path]
        self._known |= {path: stamp for path, stamp in now.items() if stamp is not None}
        return frozenset((*known, *now))

    def _below(self, top: str) -> Iterator[tuple[str, FileStat]]:
        folders = [top]
        while folders:
            folder = folders.pop()
            prefix = f"{folder}/" if folder else ""
            for entry in _entries(self._place(folder)):
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        folders.append(path)
                elif self._wanted(path) and (stamp := _read_stat(entry.path)):
                    yield path, stamp

    def _place(self, path: str) -> str:
        return os.path.join(self._root, *path.split("/"))  # noqa: PTH118  asked 100,000 times


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _read_stat(place: str) -> FileStat | None:
    try:
        status = os.lstat(place)
    except OSError:
        return None
    return None if stat.S_ISDIR(status.st_mode) else (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)
