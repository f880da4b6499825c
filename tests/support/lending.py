"""A folder that tests take in turn: copying hundreds of files for each takes longer than most of them."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Lent:
    """A copy of a folder. Whatever one who had it did to its files is undone for the next."""

    def __init__(self, origin: Path, folder: Path) -> None:
        self._origin = origin
        self.folder = folder
        shutil.copytree(origin, folder)
        self._state = _look(folder)

    @contextmanager
    def taken(self) -> Iterator[Path]:
        """The folder, as the origin is."""
        try:
            yield self.folder
        finally:
            self._put_right()

    def _put_right(self) -> None:
        for path, stamp in _look(self.folder).items():
            if self._state.get(path) != stamp:
                _remove(self.folder / path)
        for path in [path for path in self._state if not os.path.lexists(self.folder / path)]:
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if self._state[path]:
                shutil.copy2(self._origin / path, place, follow_symlinks=False)
                self._state[path] = _stamp(place)
            else:
                place.mkdir(exist_ok=True)


def _look(folder: Path) -> dict[str, tuple[int, ...]]:
    """The paths in a folder, what it holds before itself: of each file what changes with it, nothing of a folder."""
    found: dict[str, tuple[int, ...]] = {}
    for place, folders, files in os.walk(folder, topdown=False):
        for path in (Path(place, name) for name in (*files, *folders)):
            is_folder = path.is_dir() and not path.is_symlink()
            found[path.relative_to(folder).as_posix()] = () if is_folder else _stamp(path)
    return found


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
