"""Paths of the command line."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def relative_path(root: Path, path: Path) -> PurePosixPath:
    """A path of the command line as one from the root. Raises `UsageError` for one outside of it."""
    whole = path.parent.resolve() / path.name if path.is_symlink() else path.resolve()  # a link is judged itself
    if not whole.is_relative_to(root):
        raise UsageError(f"{path} is outside the repository {root}", hint="name the other repository with --repo")
    return PurePosixPath(whole.relative_to(root).as_posix())


def start_folder(paths: Sequence[Path], repository: Path, *, may_be_gone: bool = False) -> Path:
    """Where to look for a working tree: at the repository that is set, else at the first path.

    Raises `UsageError` for a path that is not there, unless that does not matter.
    """
    missing = next((path for path in paths if not path.exists() and not path.is_symlink()), None)
    if missing is not None and not may_be_gone:
        raise no_such_path(missing)
    return paths[0] if paths and repository == Path() else repository


def no_such_path(path: Path) -> UsageError:
    """There is nothing at a path of the command line."""
    return UsageError(f"there is no file or folder {path}")
