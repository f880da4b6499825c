"""Exported files: text as it comes, and all of them whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UNFIT = re.compile(r"[^\w.-]")
"""Characters of a name that a file is not given."""


def write_text(lines: Iterable[str], file: Path) -> None:
    """Write text in UTF-8 that may be too long to hold."""
    with file.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
        stream.writelines(lines)


def placed(folder: Path, write: Callable[[Path], str]) -> Path:
    """Have a file be written, and give it the name in that folder which comes of it, in place of what had it.

    Raises `NeedsHuman`, naming the place, when the disk refuses; what was there stays.
    """
    beside = folder / f".{uuid4().hex}.part"  # hidden: nothing counts what a kill leaves
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / UNFIT.sub("_", write(beside))
        beside.replace(file)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "see that you may write there, that there is room, and that no other program has the file open"
        raise NeedsHuman(f"cannot write to {folder}: {why}", hint=hint) from error
    finally:
        with suppress(OSError):  # where it cannot be deleted it could not be made either
            beside.unlink(missing_ok=True)
    return file


def spooled(folder: Path, write: Callable[[Path], None]) -> IO[bytes]:
    """What is written to a file, opened for reading; there is no such file when it is closed, nor after a kill."""
    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.TemporaryFile(dir=folder, prefix=".export-"))
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as made:
            file = Path(made) / "sheet"
            write(file)
            with file.open("rb") as source:
                shutil.copyfileobj(source, spool)
        spool.seek(0)
        stack.pop_all()  # it is for the caller to close
    return spool
