"""Writing files: whole or not at all, and never over somebody's work."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from reconciler.errors import NeedsHuman, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

IMPORT_PREFIX = ".reconciler-import-"
"""Of the folder where imported files are prepared: hidden, so that nothing counts what a kill may leave in it."""
NOT_IN_FILE_NAMES = re.compile(r"[^\w.-]")
RETRIES, RETRY_PAUSE = 20, 0.05
"""Windows replaces and deletes no file that somebody is reading: how often it is tried, seconds apart."""


def write_atomically(target: Path, data: bytes, *, private: bool = False, keep_mode: bool = False) -> None:
    """Write a file in place of an older one: readers see the old content or the new one, and a kill loses neither.

    A private file is readable for its owner only, from the first moment on; on Windows what its folder allows counts.
    `keep_mode` gives it the permissions of the file that is there. Raises `OSError`, and then has changed nothing.
    """
    with part_file(target.parent) as part:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(data)
        if keep_mode:
            shutil.copymode(target, part)
        retry_while_read(lambda: part.replace(target))


@contextmanager
def part_file(folder: Path) -> Iterator[Path]:
    """A path to write to before the file gets its name; what is there at the end goes.

    It is hidden: nothing counts what a kill leaves.
    """
    part = folder / f".{uuid4().hex}.part"
    try:
        yield part
    finally:
        with suppress(OSError):  # where it cannot be deleted it could not be made either
            part.unlink(missing_ok=True)


def retry_while_read(change: Callable[[], object]) -> None:
    """Replace or delete a file; on Windows again and again for a second while somebody reads it. Raises `OSError`."""
    for _ in range(RETRIES if sys.platform == "win32" else 0):
        try:
            change()
        except PermissionError:
            time.sleep(RETRY_PAUSE)
        else:
            return
    change()


def sync_folder(folder: Path) -> None:
    """Make names that changed in a folder last. Windows does so by itself."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


class Folder:
    """A folder to write in, which is made when it is first written to; paths are relative to it, with `/`.

    Whatever the disk refuses is raised as `NeedsHuman`, naming the place. Closing `undo` takes new files and folders
    away again; without it they stay.
    """

    def __init__(self, root: Path, undo: ExitStack | None = None) -> None:
        self.root = root
        self._undo = undo or ExitStack()

    def exists(self, path: str) -> bool:
        """Whether something stands at a path; a symbolic link does, wherever it leads."""
        return os.path.lexists(self.root / path)

    def create(self, path: str, data: bytes) -> None:
        """Write a new file. Raises `UsageError` when there is one: nothing is ever overwritten."""
        target = self._place(path)
        try:
            _write_new(target, data)
        except FileExistsError as error:
            raise UsageError(f"{target} exists already", hint="choose another name or place") from error
        except OSError as error:
            raise _write_error(target, error) from error
        self._undo.callback(_delete, target)

    def replace(self, path: str, data: bytes) -> None:
        """Write a file of our own making, in place of an older one."""
        target = self._place(path)
        try:
            write_atomically(target, data)
        except OSError as error:
            raise _write_error(target, error) from error

    def make(self) -> None:
        """Make the folder itself, with those above it; nothing when it is there."""
        self._make(self.root)

    def _place(self, path: str) -> Path:
        target = self.root / path
        self._make(target.parent)
        return target

    def _make(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
        try:
            for one in reversed(missing):
                one.mkdir(exist_ok=True)
                self._undo.callback(_delete_empty, one)
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _write_error(folder, error) from error


def _write_new(target: Path, data: bytes) -> None:
    """Write a file that is not there. Raises `OSError`, and then has changed nothing."""
    with part_file(target.parent) as part:
        part.write_bytes(data)
        if _link_new(part, target):
            return
        # Whoever makes this empty file owns the name, on every file system; only here a kill may leave it empty.
        target.open("xb").close()
        try:
            part.replace(target)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def _link_new(part: Path, target: Path) -> bool:
    """Give a whole file another name, which nobody has. False where the file system has no hard links."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


def _delete(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _delete_empty(folder: Path) -> None:
    with suppress(OSError):  # where somebody has put something into it
        folder.rmdir()


def _write_error(target: Path, error: OSError) -> NeedsHuman:
    why = (error.strerror or str(error)).lower()
    hint = "see that its folder is there and that you may write to it"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        hint = "make room on its disk"
    return NeedsHuman(f"cannot write {target}: {why}", hint=hint)


def replace_content(file: Path, data: bytes, *, before: bytes | None = None) -> None:
    """Replace what a file holds, or `before` where that is what it has to hold; it keeps its permissions.

    Raises `NeedsHuman`, naming the file, when the disk refuses, and `RefusedError` when it holds something else; it
    then is as it was.
    """
    try:
        if before is not None and (file.is_symlink() or file.read_bytes() != before):
            raise RefusedError(f"{file} was changed meanwhile, and stays as it is now", hint="run the command again")
        write_atomically(file, data, keep_mode=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "see that you may write to its folder, and that no other program has the file open"
        raise NeedsHuman(f"cannot write {file}: {why}", hint=hint) from error


def write_new(root: Path, files: Mapping[str, str]) -> None:
    """Write texts to paths below a folder, which is made when missing. Raises `NeedsHuman`, and has then written none.

    Each is written somewhere else on the same disk and moved in place when all are written.
    """
    placed: list[Path] = []
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=IMPORT_PREFIX, dir=root) as folder:
            prepared = {path: Path(folder) / str(number) for number, path in enumerate(files)}
            for path, text in files.items():
                prepared[path].write_text(text, encoding="utf-8", newline="\n")
            for path, file in prepared.items():
                _move_new(file, root / path)
                placed.append(root / path)
    except BaseException as error:
        for file in placed:
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            hint = "see that the folder can be written and has room, then import again"
            raise NeedsHuman(
                f"cannot write {error.filename}: {error.strerror}, nothing was written", hint=hint
            ) from error
        raise


def _move_new(file: Path, to: Path) -> None:
    """Like a rename, but it never replaces: not even a link that leads nowhere."""
    if os.path.lexists(to):
        raise NeedsHuman(
            f"{to} is there already, nothing was written", hint="move it away, or import with another --to"
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    file.rename(to)


def write_lines(lines: Iterable[str], file: Path) -> None:
    """Write text in UTF-8 that may be too long to hold."""
    with file.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
        stream.writelines(lines)


def write_named(folder: Path, write: Callable[[Path], str]) -> Path:
    """Have a file be written, and give it the name in that folder which comes of it, in place of what had it.

    Raises `NeedsHuman`, naming the place, when the disk refuses; what was there stays.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part_file(folder) as part:
            file = folder / NOT_IN_FILE_NAMES.sub("_", write(part))
            retry_while_read(lambda: part.replace(file))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "see that you may write there, that there is room, and that no other program has the file open"
        raise NeedsHuman(f"cannot write to {folder}: {why}", hint=hint) from error
    return file


def write_spooled(folder: Path, write: Callable[[Path], None]) -> IO[bytes]:
    """What is written to a file, opened for reading; there is no such file when it is closed, nor after a kill."""
    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.TemporaryFile(dir=folder, prefix=".export-"))
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as temporary:
            file = Path(temporary) / "table"
            write(file)
            with file.open("rb") as source:
                shutil.copyfileobj(source, spool)
        spool.seek(0)
        stack.pop_all()  # it is for the caller to close
    return spool
