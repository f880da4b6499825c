"""Files as they lie on disk: of a folder that is not under git, and for `fmt`, which writes them. Needs no git."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman, ReconcilerError, UsageError, too_many_bytes, too_many_paths
from reconciler.model.commit import EntryType
from reconciler.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

ROOT_MARKS = (".git", "reconciler.yaml")
MAX_STEPS = 1000
"""Names on the way to a file, those of links included: more are a loop."""


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that holds `.git` or `reconciler.yaml`; `start` itself without one.

    Absolute. When `start` is a file, the search begins in its folder.
    """
    folder = start.absolute()
    if folder.is_file():
        folder = folder.parent
    return next(filter(is_root, (folder, *folder.parents)), folder)


def is_root(folder: Path) -> bool:
    """Whether a folder is where a repository or a configuration begins."""
    return any((folder / mark).exists() for mark in ROOT_MARKS)


def is_bare(folder: Path) -> bool:
    """Whether a folder is a repository without files to work on."""
    parts = (folder / "HEAD").is_file(), (folder / "objects").is_dir(), (folder / "refs").is_dir()
    return folder.name != ".git" and all(parts)


def trace_path(file: Path) -> frozenset[Path]:
    """The places that lead to a file: itself and the folders above it, and the same for each link on the way."""
    place, left = file.parent.resolve(), [file.name]
    places = {place, *place.parents}
    for _ in range(MAX_STEPS):
        if not left:
            break
        step = left.pop()
        place = place.parent if step == os.pardir else place / step
        places |= {place, *place.parents}
        if place.is_symlink():
            left += reversed(place.readlink().parts)
            place = place.parent
    return frozenset(places)


def holds_files(folder: Path, wanted: Callable[[str], bool]) -> bool:
    """Whether a folder holds a wanted file, hidden folders and repositories in it left out."""
    for place, folders, names in os.walk(folder):
        if any(map(wanted, names)):
            return True
        folders[:] = [one for one in folders if one[0] != "." and not os.path.lexists(f"{place}/{one}/.git")]
    return False


class WorkingTree:
    """The files below a folder, by paths relative to it with forward slashes."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root, self.limits = root, limits or Limits()

    def file(self, path: str) -> bytes | EntryType | None:
        """What the file at a path holds, None when there is none; a symbolic link is told as such."""
        place = self.root / path
        if place.is_symlink():
            return EntryType.SYMLINK
        return _content(str(place)) if place.is_file() else None

    def files(self, paths: Collection[str]) -> dict[str, bytes | EntryType]:
        """What those of some paths hold where there is a file or a link."""
        found = ((path, self.file(path)) for path in paths)
        return {path: data for path, data in found if data is not None}

    def read(self, wanted: Callable[[str], bool], subfolder: str = "") -> Iterator[tuple[str, bytes | EntryType]]:
        """The wanted files and what they hold, sorted by path. Every symbolic link is told as such, none is followed.

        Hidden folders are left out, and so is everything that is neither file nor link. `subfolder` is where to
        start; paths stay relative to the root. Raises `UsageError` when it is not there, and `NeedsHuman`, naming
        the place, when something cannot be read. Raises `TooLarge` when there is more than the limits allow.
        """
        start = "/".join(filter(None, subfolder.replace(os.sep, "/").split("/")))
        top = self.root / start
        if not top.is_dir():
            raise UsageError(f"{top} is not a folder", hint="name an existing folder of the repository with --path")
        files: list[tuple[str, str, bool]] = []
        for found in _walk(str(top), f"{start}/" if start else "", wanted):
            files.append(found)
            if len(files) > self.limits.paths:
                raise too_many_paths(self.limits.paths)
        left = self.limits.bytes
        for path, place, is_link in sorted(files):
            content = EntryType.SYMLINK if is_link else _content(place, left)
            left -= 0 if isinstance(content, EntryType) else len(content)
            if left < 0:
                raise too_many_bytes(self.limits.bytes)
            yield path, content


def _walk(top: str, prefix: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str, bool]]:
    """Path, place on disk, and whether it is a symbolic link."""
    folders = [(top, prefix)]
    while folders:
        folder, prefix = folders.pop()
        for entry in _entries(folder):
            path = prefix + _text(entry.name)
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    folders.append((entry.path, f"{path}/"))
            elif entry.is_symlink():
                yield path, entry.path, True
            elif entry.is_file() and wanted(path):
                yield path, entry.path, False


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise _unreadable(folder, error) from error


def _content(place: str, most: int = -1) -> bytes:
    """What a file holds; of one that holds more than `most` bytes (-1: of any), one byte more than that."""
    try:
        with io.FileIO(place) as file:  # a third of what Path.read_bytes costs, 100,000 times
            if most < 0 or os.fstat(file.fileno()).st_size <= most:
                return file.readall()
            return file.read(most + 1)  # makes room for as many bytes: 40 µs for what is allowed, whatever is there
    except OSError as error:
        raise _unreadable(place, error) from error


def _unreadable(place: str, error: OSError) -> ReconcilerError:
    why = (error.strerror or str(error)).lower()
    return NeedsHuman(f"cannot read {place}: {why}", hint="see that it is there and that you may read it")


def _text(name: str) -> str:
    """A name as text that UTF-8 can hold: bytes that are not UTF-8 are written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
