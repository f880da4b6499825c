"""A commit of files that were just written into somebody's working tree, as they would make it themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.adapters.git.committable import find_work_tree
from reconciler.adapters.git.process import OVERRIDES, Process, Watchdog
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CONFIG = {name: value for name, value in OVERRIDES.items() if name != "core.attributesFile"}
_VARIABLES = {"GIT_ATTR_NOSYSTEM": "0", "GIT_LITERAL_PATHSPECS": "1"}
_WHO = ("GIT_AUTHOR_", "GIT_COMMITTER_")
"""Variables by which people say who they are."""
_FROM_INPUT = ("--pathspec-from-file=-", "--pathspec-file-nul")


def is_ready(folder: Path) -> str:
    """Why nothing can be committed in a folder; empty where it is in a working tree with nothing staged."""
    place = find_work_tree(folder)
    if place is None:
        return "it is no git repository"
    if (place.git_dir / "MERGE_HEAD").exists() or (place.git_dir / "rebase-merge").exists():
        return "a merge or rebase is under way"
    code, _, complaint = _run(folder, ("diff", "--cached", "--quiet"))
    if code > 1:
        raise NeedsHuman(f"git cannot compare the index of {folder}: {complaint}", hint="see `git status`")
    return "something else is staged" if code else ""


def is_unborn(folder: Path) -> bool:
    """Whether the branch has no commit yet."""
    return _run(folder, ("rev-parse", "--verify", "--quiet", "HEAD"))[0] != 0


def commit_files(folder: Path, paths: Iterable[str], message: str) -> str:
    """Commit files, by their paths from a folder, in the name of whoever git says: the commit's short name.

    Raises `NeedsHuman` when git refuses, and has staged nothing then. No hook is run: what is committed was judged.
    """
    names = b"".join(path.encode() + b"\0" for path in paths)
    code, _, complaint = _run(folder, ("add", *_FROM_INPUT), names)
    if code == 0:
        code, _, complaint = _run(folder, ("commit", "--quiet", "--message", message))
    if code != 0:
        _run(folder, ("rm", "--cached", "--quiet", "--ignore-unmatch", *_FROM_INPUT), names)
        raise NeedsHuman(f"git did not commit: {complaint}", hint="the files are written: commit them yourself")
    return _run(folder, ("rev-parse", "--short", "HEAD"))[1].strip()


def count_untracked(folder: Path) -> int:
    """How many files of the working tree git does not know, ignored ones apart."""
    return _run(folder, ("ls-files", "--others", "--exclude-standard", "-z"))[1].count("\0")


def _run(folder: Path, arguments: tuple[str, ...], text: bytes = b"") -> tuple[int, str, str]:
    watchdog = Watchdog()
    who = {name: value for name, value in os.environ.items() if name.startswith(_WHO)}
    process = Process(arguments, cwd=folder, git_dir=None, variables={**_VARIABLES, **who}, config=_CONFIG)
    watchdog.watch(process)
    try:
        if text:  # such a git reads it to the end, and prints nothing
            process.send(text)
        answer = "" if text else process.read().decode(errors="replace")
        code = process.finish()
        return code, answer, " ".join(process.complaints().split())
    finally:
        process.close()
        watchdog.close()
