"""What files look like from outside: enough to see that one changed, without reading it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

Stamp: TypeAlias = tuple[int, int, int, int]
"""Kind of file, size in bytes, time of the last change in nanoseconds, and number on its disk."""


class Stamps:
    """The stamps of the wanted files below a folder, by their paths from `root`, without those in hidden folders.

    What cannot be looked at, because it is gone already or not ours to see, is taken to be gone.
    """

    def __init__(self, root: Path, folder: str, wanted: Callable[[str], bool]) -> None:
        self._root, self._wanted = str(root), wanted
        self._top = folder
        self._known: dict[str, Stamp] = {}

    def differing(self) -> frozenset[str]:
        """The files that came, went or changed since they were looked at the last time."""
        now = dict(self._below(self._top))
        known, self._known = self._known, now
        return frozenset(path for path in now.keys() | known.keys() if now.get(path) != known.get(path))

    def look(self, place: str) -> frozenset[str]:
        """The wanted files at or below a path from the root that is said to have changed, or that used to be there."""
        if self._wanted(place) and not os.path.isdir(self._place(place)):  # noqa: PTH112  a folder may have any name
            return self._replace({place} & self._known.keys(), {place: _stamp(self._place(place))})
        prefix = f"{place}/" if place else ""
        return self._replace({path for path in self._known if path.startswith(prefix)}, dict(self._below(place)))

    def _replace(self, known: Collection[str], now: Mapping[str, Stamp | None]) -> frozenset[str]:
        for path in known:
            del self._known[path]
        self._known |= {path: stamp for path, stamp in now.items() if stamp is not None}
        return frozenset((*known, *now))

    def _below(self, top: str) -> Iterator[tuple[str, Stamp]]:
        folders = [top]
        while folders:
            folder = folders.pop()
            prefix = f"{folder}/" if folder else ""
            for entry in _entries(self._place(folder)):
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        folders.append(path)
                elif self._wanted(path) and (stamp := _stamp(entry.path)):
                    yield path, stamp

    def _place(self, path: str) -> str:
        return os.path.join(self._root, *path.split("/"))  # noqa: PTH118  asked 100,000 times


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _stamp(place: str) -> Stamp | None:
    try:
        found = os.lstat(place)
    except OSError:
        return None
    return None if stat.S_ISDIR(found.st_mode) else (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino)
