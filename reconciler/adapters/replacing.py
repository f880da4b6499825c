"""Putting other content into files that are there: whole or not at all, with the permissions they had."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from uuid import uuid4

from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from pathlib import Path


def replace_content(file: Path, data: bytes) -> None:
    """Replace what a file holds: readers see the old content or the new one, and a kill loses neither.

    Raises `NeedsHuman`, naming the file, when the disk refuses; it then is as it was.
    """
    beside = file.with_name(f".{file.name[:64]}.{uuid4().hex}.part")  # hidden: nothing counts what a kill leaves
    try:
        beside.write_bytes(data)
        shutil.copymode(file, beside)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        why = (error.strerror or str(error)).lower()
        hint = "see that you may write to its folder, and that no other program has the file open"
        raise NeedsHuman(f"cannot write {file}: {why}", hint=hint) from error
