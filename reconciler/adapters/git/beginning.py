"""A new repository for people: `git init`, and only where there is none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.git.process import Process

if TYPE_CHECKING:
    from pathlib import Path

BRANCH = "main"


def begin_repository(folder: Path) -> bool:
    """Make an existing folder a git repository with a branch `main`; False when it is inside one already."""
    if any((place / ".git").exists() for place in (folder, *folder.parents)):
        return False
    process = Process(("init", "--quiet", f"--initial-branch={BRANCH}"), cwd=folder, git_dir=None)
    try:
        process.read()
        if process.finish() != 0:
            raise process.failure()
    finally:
        process.close()
    return True
