"""Which new files a command writes, noted before it does: after a kill the next run knows its own files again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from reconciler.adapters.files import Folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import ExitStack
    from pathlib import Path

NAME = "reconciler-init"
"""Of the file, in the folder where git keeps its own."""
_MAX = 1 << 20
"""Bytes of it."""


def find_written(folder: Path, git_dir: Path | None, paths: Iterable[str]) -> dict[str, str]:
    """Of some files that are there, those that an unfinished run wrote and nobody has changed since: their digests."""
    noted = _read_noted(git_dir / NAME) if git_dir is not None else {}
    return {path: noted[path] for path in paths if path in noted and _digest_file(folder / path) == noted[path]}


def note_files(git_dir: Path, written: Mapping[str, str], new: Mapping[str, bytes], undo: ExitStack) -> None:
    """Note which files an earlier run has written and this one will."""
    file = git_dir / NAME
    if not file.exists():
        undo.callback(forget_files, git_dir)
    noted = {**written, **{path: hashlib.sha256(data).hexdigest() for path, data in new.items()}}
    Folder(git_dir).replace(NAME, json.dumps(noted).encode())


def forget_files(git_dir: Path) -> None:
    """Note that all of them are written."""
    (git_dir / NAME).unlink(missing_ok=True)


def _read_noted(file: Path) -> Mapping[str, str]:
    try:
        with file.open("rb") as stream:
            noted = json.loads(stream.read(_MAX))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _digest_file(file: Path) -> str:
    """The digest of an ordinary file; empty where it is none."""
    try:
        if file.is_symlink() or not file.is_file():
            return ""
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
