"""Folders watched by Linux's inotify, by way of watchdog's reading thread alone.

Not by its observers: they hold back the first half of a rename for up to half a second while they look for the other
one. Git ends each change of a ref with a rename, and under load one in twenty was told that late.
"""

from __future__ import annotations

import errno
import itertools
import os
from typing import TYPE_CHECKING

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

    from reconciler.adapters.refplaces import Identity

EVENTS = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
"""Not those of reading."""

ENDING = 0.4
"""Seconds that the thread has to end."""


class Inotify:
    """The watch on some folders, each for itself. `tell` is called in the reading thread; see `folderevents`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._numbers = itertools.count(1)
        self._watched: dict[Path, _Folder] = {}
        self._reading = InotifyFD()
        self._reading.start()

    @property
    def alive(self) -> bool:
        """Whether the reading thread is."""
        return self._reading.is_alive()

    def follow(self, folders: Mapping[Path, Identity]) -> None:
        """Watch these and no others. Raises `OSError` when a limit is reached."""
        for path, folder in list(self._watched.items()):
            if folder.lost or folders.get(path) != folder.identity:
                del self._watched[path]
                self._reading.remove_callbacks([(folder.descriptor, folder.number)])
        for path in folders.keys() - self._watched.keys():
            self._watch(path, folders[path])

    def close(self) -> None:
        """Stop watching, and end the thread."""
        self._reading.stop()
        self._reading.join(ENDING)

    def _watch(self, path: Path, identity: Identity) -> None:
        folder = _Folder(self._tell, path, identity, CallbackId(next(self._numbers)))
        try:
            folder.descriptor = self._reading.add_callback(os.fsencode(path), EVENTS, folder, folder.number)
        except (FileNotFoundError, NotADirectoryError):
            return  # it went just now: its parent tells, and so does the next look
        if folder.descriptor < 0:  # which watchdog passes over when access is denied
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        self._watched[path] = folder


class _Folder:
    """What watchdog calls for the events of one folder."""

    descriptor: WatchDescriptor

    def __init__(self, tell: Callable[[str], None], path: Path, identity: Identity, number: CallbackId) -> None:
        self._tell, self._path = tell, str(path)
        self.identity, self.number = identity, number
        self.lost = False

    def on_event(self, event: InotifyEvent) -> None:
        """Something in the folder, or without a name the folder itself."""
        self._tell(os.path.join(self._path, os.fsdecode(event.name)) if event.name else self._path)  # noqa: PTH118

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """The folder was deleted. One that takes its place may well have its number on the disk."""
        self.lost = True
        self._tell(self._path)

    def on_queue_overflow(self) -> None:
        """Events were lost."""
        self._tell(self._path)
