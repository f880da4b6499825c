"""The places in a git repository that decide which commit a branch is at, and what they look like from outside.

Only those are looked at, so thousands of other refs cost nothing. What they hold is a hint that something may have
changed, and never what is followed: that is asked of git. Sources: gitrepository-layout(5), git-pack-refs(1),
git-worktree(1) section "details", and Documentation/technical/reftable.txt of git.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from reconciler.adapters.fsevents import Identity

FileMark: TypeAlias = tuple[int, int, int, bytes] | None
"""Time of the last change in nanoseconds, size and number on its disk of a file, and what it holds when it is small.

Both are needed: clocks of disks tick every few milliseconds, and a branch may go back to where it was. None: no file.
"""

NAMESPACES = ("refs/heads", "refs/tags", "refs/remotes")
"""Where a short name is looked for (gitrevisions)."""
SYMBOLIC = re.compile(rb"ref:\s*(refs/(?:(?!\.\.)[^\x00-\x20\x7f])+)\s*")
MAX_SYMBOLIC_DEPTH = 5
"""Symbolic refs that git follows, one to the next."""
MAX_CONTENT_BYTES = 1 << 16
"""Bytes read of a file: a ref has 41 or 65 and a symbolic one hardly more, a list of reftables a line for each."""


@dataclass(frozen=True)
class RefState:
    """What was found: the deciding files, and the folders on the way to them that are there."""

    marks: Mapping[Path, FileMark]
    folders: Mapping[Path, Identity]


class RefFiles:
    """The deciding places of one branch, or without one of whatever HEAD stands for.

    `git_dir` is the work tree's own folder (HEAD), `common_dir` the one that all work trees share (refs).
    """

    def __init__(self, git_dir: Path, common_dir: Path, branch: str | None) -> None:
        self._git_dir, self._common_dir = git_dir.absolute(), common_dir.absolute()
        self._starts = list(self._starting(branch))
        # In repositories that keep refs as reftables, each work tree's HEAD is in a table of its own
        tops = dict.fromkeys((self._common_dir, self._git_dir))
        self._reftable_lists = [top / "reftable" / "tables.list" for top in tops]
        self._packed = self._common_dir / "packed-refs"

    def look(self) -> RefState:
        """See what is there now. What cannot be looked at is taken to be gone."""
        marks: dict[Path, FileMark] = {}
        for start in self._starts:
            self._follow(start, marks)
        marks.update((place, _read_mark(place)) for place in self._reftable_lists)
        marks[self._packed] = _stat_mark(self._packed)
        ways = self._folders_to(marks)
        identities = ((folder, _identity(folder)) for folder in sorted(ways))
        return RefState(marks, {folder: identity for folder, identity in identities if identity is not None})

    def relevant_paths(self, sight: RefState) -> frozenset[str]:
        """The paths, as `normalize_path` gives them, of which it matters that something came, went or changed there."""
        return frozenset(normalize_path(str(place)) for place in (*sight.marks, *self._folders_to(sight.marks)))

    def missing(self, sight: RefState) -> Path | None:
        """The repository's folder, when it is not there."""
        return next((top for top in (self._common_dir, self._git_dir) if top not in sight.folders), None)

    def _starting(self, branch: str | None) -> Iterator[Path]:
        if branch in (None, "HEAD"):
            yield self._git_dir / "HEAD"
        elif branch.startswith("refs/"):
            yield self._common_dir.joinpath(*branch.split("/"))
        else:
            yield from (self._common_dir.joinpath(*space.split("/"), *branch.split("/")) for space in NAMESPACES)

    def _follow(self, place: Path, marks: dict[Path, FileMark]) -> None:
        for _ in range(MAX_SYMBOLIC_DEPTH):
            marks[place] = mark = _read_mark(place)
            target = SYMBOLIC.fullmatch(mark[-1] if mark else b"")
            if target is None:
                return
            place = self._common_dir.joinpath(*os.fsdecode(target[1]).split("/"))

    def _folders_to(self, places: Iterable[Path]) -> set[Path]:
        """The folders between the repository's own and some places in it, with the repository's own."""
        ways = {self._git_dir, self._common_dir}
        for place in places:
            for folder in place.parents:
                if folder in (self._git_dir, self._common_dir):
                    break
                ways.add(folder)
        return ways


def normalize_path(path: str) -> str:
    """A path in the one form that is compared, where the operating system's rules know more than one."""
    return os.path.normcase(path)


def _read_mark(place: Path) -> FileMark:
    try:
        with place.open("rb") as file:
            return _mark(os.fstat(file.fileno()), file.read(MAX_CONTENT_BYTES))
    except (OSError, ValueError):  # a name that no file can have is a ValueError
        return None


def _stat_mark(place: Path) -> FileMark:
    try:
        return _mark(place.stat(), b"")
    except OSError:
        return None


def _mark(found: os.stat_result, content: bytes) -> FileMark:
    return found.st_mtime_ns, found.st_size, found.st_ino, content


def _identity(folder: Path) -> Identity | None:
    try:
        status = folder.stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
