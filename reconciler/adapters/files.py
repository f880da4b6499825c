"""Writing files into a folder: whole or not at all, and never over somebody's work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

from reconciler.errors import NeedsHuman, UsageError

if TYPE_CHECKING:
    from pathlib import Path


class Folder:
    """A folder to write in, which is made when it is first written to; paths are relative to it, with `/`.

    Whatever the disk refuses is raised as `NeedsHuman`, naming the place.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, path: str) -> bool:
        """Whether something stands at a path; a symbolic link does, wherever it leads."""
        return os.path.lexists(self.root / path)

    def create(self, path: str, data: bytes) -> None:
        """Write a new file. Raises `UsageError` when there is one: nothing is ever overwritten."""
        target = self._place(path)
        try:
            # Whoever makes this empty file owns the name, on every file system; its content then comes at once.
            target.open("xb").close()
        except FileExistsError as error:
            raise UsageError(f"{target} exists already", hint="choose another name or place") from error
        except OSError as error:
            raise _refused(target, error) from error
        try:
            self._swap(target, data)
        except NeedsHuman:
            target.unlink(missing_ok=True)
            raise

    def replace(self, path: str, data: bytes) -> None:
        """Write a file of our own making, in place of an older one."""
        self._swap(self._place(path), data)

    def make(self) -> None:
        """Make the folder itself, with those above it; nothing when it is there."""
        _make(self.root)

    def _place(self, path: str) -> Path:
        target = self.root / path
        _make(target.parent)
        return target

    def _swap(self, target: Path, data: bytes) -> None:
        """Write beside the file and move it over: readers see the old content or the new one, never half of it."""
        beside = target.with_name(f".reconciler-{uuid4().hex}.part")
        try:
            beside.write_bytes(data)
            beside.replace(target)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise _refused(target, error) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(target: Path, error: OSError) -> NeedsHuman:
    why = (error.strerror or str(error)).lower()
    return NeedsHuman(f"cannot write {target}: {why}", hint="see that its folder is there and that you may write to it")
