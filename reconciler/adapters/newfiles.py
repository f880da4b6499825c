"""New files, all of them or none: no half file, and nothing that was there is lost."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = ".reconciler-import-"
"""Of the folder where files are prepared: hidden, so that nothing counts what a kill may leave in it."""


def write_new(root: Path, files: Mapping[str, str]) -> None:
    """Write texts to paths below a folder, which is made when missing. Raises `NeedsHuman`, and has then written none.

    Each is written somewhere else on the same disk and moved in place when all are written.
    """
    placed: list[Path] = []
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=root) as folder:
            prepared = {path: Path(folder) / str(number) for number, path in enumerate(files)}
            for path, text in files.items():
                prepared[path].write_text(text, encoding="utf-8", newline="\n")
            for path, file in prepared.items():
                _move(file, root / path)
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


def _move(file: Path, to: Path) -> None:
    """Like a rename, but it never replaces: not even a link that leads nowhere."""
    if os.path.lexists(to):
        raise NeedsHuman(
            f"{to} is there already, nothing was written", hint="move it away, or import with another --to"
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    file.rename(to)
